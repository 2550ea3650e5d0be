//! `throughline verify`: compares what the engine published with the exact outcome of the workload.

mod checker;
mod indicators;
mod kafka;
mod letters;
mod report;
mod result;
mod row;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use self::checker::Checker;
pub use self::report::{Counts, Difference, Found, Report};
use self::row::{Outlet, Row};
use super::expected::Expected;
use super::kafka::KafkaArgs;
use super::{files, nowhere};
use crate::problem::{Code, Problem};

/// Compares what came out with the expected outcome of a generated workload
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// The expected outcome that `generate` left
    #[arg(long, value_name = "FILE", default_value = "bank.expected.json")]
    pub expected: PathBuf,
    /// Where the brokers are.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Read result files of JSON lines from this folder instead of Kafka
    #[arg(long, value_name = "FOLDER", conflicts_with = "brokers")]
    pub results_dir: Option<PathBuf>,
    /// What the result topics or files are called before `.transactions`
    #[arg(long, value_name = "PREFIX", default_value = "throughline")]
    pub results_prefix: String,
    /// The scenario whose indicators are compared
    #[arg(long, value_name = "NAME", default_value = "bank")]
    pub scenario: String,
    /// Take it as a failure where a row was delivered twice, as an exactly-once sink never does
    #[arg(long)]
    pub exactly_once: bool,
}

/// Compares. Blocks until all results are read; differences are in the report, not an error.
///
/// # Errors
///
/// Where the expected outcome or the results can't be read.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<Report> {
    let expected = Expected::read(&args.expected)?;
    let mut checker = Checker::new(expected, &args.scenario, args.exactly_once)?;
    match (&args.results_dir, &args.kafka.brokers) {
        (Some(dir), _) => read_files(dir, &args.results_prefix, &mut checker)?,
        (None, Some(_)) => kafka::read_topics(&args.kafka, &args.results_prefix, &mut checker)?,
        (None, None) => {
            bail!(nowhere(
                "say where the results are: `--brokers HOST:PORT` or `--results-dir FOLDER`"
            ))
        }
    }
    Ok(checker.finish())
}

/// Reads every file of each outlet: `PREFIX.transactions.jsonl`, `PREFIX.transactions.3.jsonl` …
fn read_files(dir: &Path, prefix: &str, checker: &mut Checker) -> anyhow::Result<()> {
    let mut paths = Vec::new();
    let doing = || format!("list folder {}", dir.display());
    for entry in std::fs::read_dir(dir).with_context(doing)? {
        paths.push(entry.with_context(doing)?.path());
    }
    paths.sort();
    let mut found = false;
    for outlet in Outlet::ALL {
        let stem = format!("{prefix}.{}.", outlet.name());
        let of_outlet = paths.iter().filter(|path| is_part(path, &stem));
        for (partition, path) in (0..).zip(of_outlet) {
            found |= outlet == Outlet::Transactions;
            files::each_line(path, |line| take_line(line, (outlet, partition), checker))?;
        }
    }
    ensure!(
        found,
        no_results(format!(
            "{} has no file {prefix}.transactions.jsonl: is `--results-prefix` right?",
            dir.display()
        ))
    );
    Ok(())
}

/// There is nothing that could be checked.
fn no_results(why: String) -> Problem {
    Problem::new(Code::FileNotFound, "there are no results to check", why)
        .remedy("throughline run                 let a node make them first")
        .remedy("throughline verify --results-prefix …   where they are called otherwise")
}

fn is_part(path: &Path, stem: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(stem) && name.ends_with(".jsonl")
}

fn take_line(line: &[u8], (outlet, partition): (Outlet, i32), checker: &mut Checker) {
    match files::Row::parse(line) {
        Err(error) => checker.unreadable(outlet, line, &format!("{error:#}")),
        Ok(parsed) => {
            let mut row = Row::new(outlet, partition, parsed.value.as_deref());
            for (name, text) in &parsed.headers {
                row.set(name, text.as_bytes());
            }
            checker.take(&row);
        }
    }
}

#[cfg(test)]
mod tests;
