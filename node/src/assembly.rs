//! Puts the program together: configuration, durable things, source, sink, engine, API.

mod backend;
mod cluster;
mod copy;
mod demo;
mod durable;
mod explain;
#[cfg(test)]
mod fixtures;
mod inlet;
mod memory;
mod objects;
mod outlet;
mod restore;
mod start;
mod telemetry;
mod upkeep;

use std::path::Path;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::cli::{
    Copied, CopyArguments, Demo, DemoArguments, GenerateArguments, Io, Parts, RestoreArguments,
    Restored, RunArguments, Running, VerifyArguments,
};
use crate::config::{Config, Diagnostics};
use crate::problem::{Code, Exit, Problem};
use crate::workload;

/// The whole program.
#[derive(Clone, Copy, Debug)]
pub struct Assembly;

impl Parts for Assembly {
    fn run<'a>(&'a self, arguments: &'a RunArguments) -> BoxFuture<'a, anyhow::Result<Running>> {
        async move {
            let config = load(&arguments.config)?;
            telemetry::begin(&config.log, false)?;
            start::node(config).await.map_err(explain::explain)
        }
        .boxed()
    }

    fn demo<'a>(&'a self, arguments: &'a DemoArguments) -> BoxFuture<'a, anyhow::Result<Demo>> {
        demo::start(arguments).boxed()
    }

    fn validate_config(&self, file: &Path) -> anyhow::Result<String> {
        let config = load(file)?;
        let warnings = config.warnings.to_string();
        let scenarios: Vec<_> = config.rules.scenarios.iter().map(|it| it.name.as_str()).collect();
        let scenarios = scenarios.join(", ");
        Ok(format!("{warnings}{} is valid; scenarios: {scenarios}", file.display()))
    }

    fn show_config(&self, file: &Path) -> anyhow::Result<String> {
        Ok(load(file)?.show(true))
    }

    fn restore<'a>(
        &'a self,
        arguments: &'a RestoreArguments,
    ) -> BoxFuture<'a, anyhow::Result<Restored>> {
        async move {
            let config = load(&arguments.config)?;
            restore::restore(&config, arguments).await.map_err(explain::explain)
        }
        .boxed()
    }

    fn copy<'a>(&'a self, arguments: &'a CopyArguments) -> BoxFuture<'a, anyhow::Result<Copied>> {
        async move {
            let (config, to) = (load(&arguments.config)?, load(&arguments.to)?);
            copy::copy(&config, &to).await.map_err(explain::explain)
        }
        .boxed()
    }

    fn generate<'a>(
        &'a self,
        arguments: &'a GenerateArguments,
        io: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>> {
        async move {
            let arguments = arguments.workload.clone();
            let clock = actors::clock::wall();
            let run = move || workload::generate::generate(&arguments, &*clock);
            let done = tokio::task::spawn_blocking(run).await?.map_err(|error| {
                explain::by_hand(error, "give places that can be written: --dir, --expected")
            })?;
            let seconds = done.elapsed_ms.max(1);
            let rate = done.records.saturating_mul(1_000) / seconds;
            io.line(&format!(
                "{} records, {} bytes, {rate} records/s; the expected outcome is in {}",
                done.records,
                done.bytes,
                done.expected.display()
            ))?;
            Ok(Exit::Done)
        }
        .boxed()
    }

    fn verify<'a>(
        &'a self,
        arguments: &'a VerifyArguments,
        io: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>> {
        async move {
            let arguments = arguments.workload.clone();
            let run = move || workload::verify::verify(&arguments);
            let report = tokio::task::spawn_blocking(run).await?.map_err(|error| {
                let remedy = "--expected names the file that `throughline generate` left, and \
                              --results-dir the folder of results";
                explain::by_hand(error, remedy)
            })?;
            io.line(report.to_string().trim_end())?;
            Ok(if report.is_right() { Exit::Done } else { Exit::CheckFailed })
        }
        .boxed()
    }
}

fn load(file: &Path) -> Result<Config, Problem> {
    let named = std::fs::metadata(file).and_then(|it| match it.is_dir() {
        true => Err(std::io::ErrorKind::IsADirectory.into()),
        false => Ok(()),
    });
    if let Err(error) = named {
        let error = anyhow::Error::from(error).context(format!("read {}", file.display()));
        let problem = explain::by_hand(error, "name it: throughline run --config FILE");
        return Err(problem.downcast().unwrap_or_else(|error| {
            Problem::new(Code::BadConfig, "cannot read the configuration", format!("{error:#}"))
        }));
    }
    Config::load(file).map_err(|diagnostics| refused(file, &diagnostics))
}

fn refused(file: &Path, diagnostics: &Diagnostics) -> Problem {
    let what = format!("{} is refused", file.display());
    let why = format!("{}\n\n{diagnostics}", diagnostics.summary());
    Problem::new(Code::BadConfig, what, why)
        .remedy(format!("mend it, then: throughline config validate {}", file.display()))
}
