//! `throughline run`: start a node and serve until it is asked to stop.

use std::path::PathBuf;

use tokio::signal;
use tokio_util::task::TaskTracker;

use super::failure::Failure;
use super::{Io, Parts};
use crate::endpoints;
use crate::problem::Exit;

/// How to start a node.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline run --config throughline.yaml

Ctrl-C or SIGTERM hands this node's ranges to the others of its cluster, closes the last commit and stops; a second one
stops at once. Either is safe.")]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "throughline.yaml")]
    pub config: PathBuf,
}

pub(super) async fn run(
    arguments: Arguments,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let running = parts.run(&arguments).await?;
    let tasks = TaskTracker::new();
    let open = match endpoints::open(&running, &tasks).await {
        Ok(open) => open,
        Err(problem) => return running.give_up(problem).await,
    };
    for line in &running.started {
        io.remark(line)?;
    }
    io.remark(&format!("serving: gRPC {}, metrics http://{}/metrics", open.api, open.metrics))?;
    let mut stopped = running.stopped;
    let interrupted = tokio::select! {
        done = &mut stopped => return done.map(|()| Exit::Done).map_err(Failure::from),
        interrupted = interrupted() => interrupted,
    };
    interrupted?;
    io.remark(
        "stopping: other nodes get its ranges, where there are any, and the last commit is closed; again to stop \
         at once",
    )?;
    running.stop.cancel();
    tokio::select! {
        done = stopped => done?,
        again = self::interrupted() => {
            again?;
            return Ok(Exit::Interrupted);
        }
    }
    tasks.close();
    tasks.wait().await;
    Ok(Exit::Done)
}

/// Done when the process is asked to stop.
pub(super) async fn interrupted() -> std::io::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        asked = signal::ctrl_c() => asked,
        _ = terminate.recv() => Ok(()),
    }
}
