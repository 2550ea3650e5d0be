//! The demo: a node on generated traffic, in a folder of its own that it empties first.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use futures::FutureExt as _;

use super::{explain, start, telemetry};
use crate::api;
use crate::cli::{DemoArguments, Running};
use crate::config::Config;
use crate::problem::{Code, Problem};

/// By this a folder is known as one that a demo has made.
const MARK: &str = "throughline-demo";

/// Starts the demo.
pub(super) async fn start(arguments: &DemoArguments) -> anyhow::Result<Running> {
    check(arguments)?;
    let config = Config::from_text("demo", &text(arguments))
        .map_err(|diagnostics| anyhow::anyhow!("{diagnostics}"))?;
    empty(&arguments.folder).map_err(|error| {
        explain::by_hand(error, "throughline demo --folder FOLDER   a new one, or one of a demo")
    })?;
    telemetry::begin(&config.log, true)?;
    let started = start::node(config).await;
    if started.is_err() && !arguments.keep {
        // The error that is told is why it did not start.
        drop(fs::remove_dir_all(&arguments.folder));
    }
    let mut running = started?;
    running.started.push(format!("results in {}", arguments.folder.join("results").display()));
    if !arguments.keep {
        let (folder, stopped) = (arguments.folder.clone(), running.stopped);
        running.stopped = async move {
            stopped.await?;
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))
        }
        .boxed();
    }
    Ok(running)
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

/// The demo's configuration: what an operator would write.
fn text(arguments: &DemoArguments) -> String {
    let DemoArguments { rate, seed, lateness, ranges, folder, api, metrics, .. } = arguments;
    let folder = folder.display();
    format!(
        r#"apiVersion: throughline.dev/v1
kind: Cluster
metadata: {{ name: demo }}
listen:
  public: {{ addr: "{api}" }}
  metrics: {{ addr: "{metrics}" }}
storage: {{ dir: "{folder}/data", ranges: {ranges} }}
sources:
  generated: {{ seed: {seed}, rate: {rate}, partitions: 4 }}
join: {{ lateness: {lateness}s, skew: 1s, correction: 10m, duplicates: 60s }}
sinks: {{ files: {{ dir: "{folder}/results" }} }}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("precious"), "").unwrap();
        assert!(empty(folder.path()).is_err());
        assert!(folder.path().join("precious").exists());
        let own = folder.path().join("own");
        empty(&own).unwrap();
        fs::write(own.join("old"), "").unwrap();
        empty(&own).unwrap();
        assert!(!own.join("old").exists());
    }
}
