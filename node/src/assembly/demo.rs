//! The demo: a node or several on generated traffic, in a folder of their own that is emptied first.

mod backend;
mod process;
mod stage;
mod tally;
#[cfg(test)]
mod tests;
mod text;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use futures::FutureExt as _;

use super::{explain, start, telemetry};
use crate::api;
use crate::cli::{Demo, DemoArguments};
use crate::config::Config;
use crate::problem::{Code, Problem};

/// By this a folder is known as one that a demo has made.
const MARK: &str = "throughline-demo";

/// Starts the demo.
pub(super) async fn start(arguments: &DemoArguments) -> anyhow::Result<Demo> {
    check(arguments)?;
    let configs = text::configs(arguments)?;
    empty(&arguments.folder).map_err(|error| {
        explain::by_hand(error, "throughline demo --folder FOLDER   a new one, or one of a demo")
    })?;
    let started = Box::pin(begin(configs)).await;
    if started.is_err() && !arguments.keep {
        // The error that is told is why it did not start.
        drop(fs::remove_dir_all(&arguments.folder));
    }
    let Demo { mut running, nodes } = started?;
    let results = arguments.folder.join("results");
    let whose = if nodes.is_some() { ", a folder a node" } else { "" };
    running.started.push(format!("results in {}{whose}", results.display()));
    if !arguments.keep {
        let (folder, stopped) = (arguments.folder.clone(), running.stopped);
        running.stopped = async move {
            stopped.await?;
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))
        }
        .boxed();
    }
    Ok(Demo { running, nodes })
}

/// Starts one node by itself, or several together.
async fn begin(configs: Vec<Config>) -> anyhow::Result<Demo> {
    if let Some(config) = configs.first() {
        telemetry::begin(&config.log, true)?;
    }
    match <[Config; 1]>::try_from(configs) {
        Ok([config]) => Ok(Demo { running: start::node(config).await?, nodes: None }),
        Err(configs) => stage::start(configs).await,
    }
}

/// What a person can type that no demo can be started with.
fn check(arguments: &DemoArguments) -> Result<(), Problem> {
    let (api, metrics) = (arguments.api, arguments.metrics);
    api::allow(api)?;
    api::allow(metrics)?;
    if api == metrics && api.port() != 0 {
        let what = format!("--api and --metrics cannot both listen on {api}");
        return Err(Problem::new(Code::BadArgument, what, "each needs a port of its own")
            .remedy("throughline demo --api 127.0.0.1:7400 --metrics 127.0.0.1:7402"));
    }
    if arguments.kill_every.is_some() && arguments.nodes == 1 {
        let what = "--kill-every needs several nodes";
        return Err(Problem::new(Code::BadArgument, what, "nobody could take over from one alone")
            .remedy("throughline demo --nodes 3 --kill-every 15"));
    }
    Ok(())
}

/// Empties the folder, if a demo has made it.
fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        if !folder.join(MARK).exists() {
            let what = format!("the demo does not write to {}", folder.display());
            let why = "no demo has made it, and a demo empties its folder first";
            return Err(Problem::new(Code::BadArgument, what, why)
                .remedy("throughline demo --folder FOLDER   a new one, or one of a demo")
                .into());
        }
        fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    fs::write(folder.join(MARK), "").with_context(|| format!("write to {}", folder.display()))
}
