//! The parts of the program that commands start but do not know: engine, configuration, workload.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use proto::types::NodeId;
use tokio_util::sync::CancellationToken;

use super::{
    Copied, CopyArguments, DemoArguments, Failure, GenerateArguments, Io, RestoreArguments,
    Restored, RunArguments, VerifyArguments,
};
use crate::api::backend::Backend;
use crate::problem::{Exit, Problem};

/// What the commands need from the rest of the program. An error that holds a
/// [`Problem`](crate::problem::Problem) is told as that, any other as a fault of ours.
pub trait Parts: Send + Sync {
    /// Starts a node as its configuration says.
    fn run<'a>(&'a self, arguments: &'a RunArguments) -> BoxFuture<'a, anyhow::Result<Running>>;

    /// Starts a node with generated traffic, or several.
    fn demo<'a>(&'a self, arguments: &'a DemoArguments) -> BoxFuture<'a, anyhow::Result<Demo>>;

    /// Checks a configuration and sums it up for a person.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    fn validate_config(&self, file: &Path) -> anyhow::Result<String>;

    /// A configuration with its defaults filled in, as YAML.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    fn show_config(&self, file: &Path) -> anyhow::Result<String>;

    /// Makes a snapshot the local state of a node that does not run.
    fn restore<'a>(
        &'a self,
        arguments: &'a RestoreArguments,
    ) -> BoxFuture<'a, anyhow::Result<Restored>>;

    /// Copies a cluster's state to where a new one begins.
    fn copy<'a>(&'a self, arguments: &'a CopyArguments) -> BoxFuture<'a, anyhow::Result<Copied>>;

    /// Writes test traffic.
    fn generate<'a>(
        &'a self,
        arguments: &'a GenerateArguments,
        io: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>>;

    /// Checks results against what was generated.
    fn verify<'a>(
        &'a self,
        arguments: &'a VerifyArguments,
        io: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>>;
}

/// A node at work in this process.
pub struct Running {
    /// What it knows.
    pub backend: Arc<dyn Backend>,
    /// What it has alone, without other nodes: for its metrics.
    pub own: Arc<dyn Backend>,
    /// Where its API is to listen.
    pub api: SocketAddr,
    /// Where its metrics are to listen.
    pub metrics: SocketAddr,
    /// What was started, a line each, for the person who waits.
    pub started: Vec<String>,
    /// Cancelled to ask it to stop.
    pub stop: CancellationToken,
    /// Done when it has stopped, asked or not: an error says why not asked.
    pub stopped: BoxFuture<'static, anyhow::Result<()>>,
}

/// A demo at work in this process.
#[derive(Debug)]
pub struct Demo {
    /// What runs.
    pub running: Running,
    /// Its nodes, where there are several; `None` where there is one, which is not played with.
    pub nodes: Option<Arc<dyn Nodes>>,
}

/// The nodes of a demo. They are called by their numbers, from 1 on.
pub trait Nodes: fmt::Debug + Send + Sync {
    /// Kills a node without warning; it comes back by itself. Whether it was there to be killed.
    fn kill(&self, number: u8) -> bool;
    /// The nodes that are not there at the moment, by number.
    fn down(&self) -> Vec<Down>;
}

/// A node that is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Down {
    /// Its name.
    pub node: NodeId,
    /// When it comes back.
    pub back_in: Duration,
}

impl Running {
    /// Stops what was started when it is of no use because of `problem`.
    pub(super) async fn give_up<T>(self, problem: Problem) -> Result<T, Failure> {
        self.stop.cancel();
        if let Err(error) = self.stopped.await {
            tracing::warn!(%error, "stop node");
        }
        Err(problem.into())
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("started", &self.started).finish_non_exhaustive()
    }
}
