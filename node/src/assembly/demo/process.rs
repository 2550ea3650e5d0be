//! A node of the demo, as near to a process as it gets within one: a runtime of its own, that can be killed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::api::backend::Backend;
use crate::assembly::cluster::{self, Transport};
use crate::cli::Running;
use crate::config::Config;
use crate::peer::local::Exchange;

/// Threads that a node works on.
const THREADS: usize = 2;
/// How long what is being written when a node is killed may take: as with a process, the disk ends what it has begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node that runs.
pub(super) struct Process {
    runtime: Held,
    stop: CancellationToken,
    stopped: JoinHandle<anyhow::Result<()>>,
    killed: CancellationToken,
}

/// A way to ask a node that runs.
#[derive(Clone)]
pub(super) struct Voice {
    /// Answers for the cluster.
    pub(super) backend: Arc<dyn Backend>,
    /// Answers for the node alone.
    pub(super) own: Arc<dyn Backend>,
    /// Whoever asks works there: what is done for somebody ends with the node.
    pub(super) runtime: Handle,
    /// Cancelled to have the node killed.
    pub(super) killed: CancellationToken,
}

/// Why a node runs no more.
pub(super) enum End {
    /// Somebody wants it to stop.
    Asked,
    /// Somebody wants it killed.
    Killed,
    /// It has ended by itself, for this reason.
    Failed(anyhow::Result<()>),
}

/// A runtime that may be dropped anywhere: then nobody waits for it.
struct Held(Option<Runtime>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Held {
    /// Ends all that runs there where it stands, and waits until it is gone: files and locks are free then.
    async fn end(mut self) {
        let Some(runtime) = self.0.take() else { return };
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await;
        if let Err(error) = ended {
            tracing::error!(%error, "a node could not be ended");
        }
    }
}

impl Process {
    /// Starts the node that `config` describes.
    pub(super) async fn start(config: Config, exchange: Exchange) -> anyhow::Result<(Self, Voice)> {
        let name = config.names.node.to_string();
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).thread_name(name).enable_all().build();
        let runtime = runtime.context("start the threads of a node")?;
        let handle = runtime.handle().clone();
        let runtime = Held(Some(runtime));
        let started = handle.spawn(cluster::node(config, Transport::Exchange(exchange))).await;
        let started = started.map_err(anyhow::Error::from).and_then(|started| started);
        let Running { backend, own, stop, stopped, .. } = match started {
            Ok(running) => running,
            Err(error) => {
                runtime.end().await;
                return Err(error);
            }
        };
        let stopped = handle.spawn(stopped);
        let killed = CancellationToken::new();
        let voice = Voice { backend, own, runtime: handle, killed: killed.clone() };
        Ok((Self { runtime, stop, stopped, killed }, voice))
    }

    /// Lets it run until it is killed or asked to `stop`; by itself it ends only where it cannot go on.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> End {
        tokio::select! {
            () = stop.cancelled() => End::Asked,
            () = self.killed.cancelled() => End::Killed,
            ended = &mut self.stopped => End::Failed(outcome(ended)),
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let ended = (&mut self.stopped).await;
        self.runtime.end().await;
        outcome(ended)
    }

    /// Kills it: no last commit, no last delivery, no word to anybody.
    pub(super) async fn kill(self) {
        self.runtime.end().await;
    }
}

fn outcome(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.map_err(anyhow::Error::from).and_then(|outcome| outcome)
}
