//! `with-broker COMMAND…`: runs a command beside a real Kafka broker, which ends with it. The command finds the
//! broker's address in `THROUGHLINE_TEST_KAFKA`. Ends as the command does.

use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Parser;
use integration::broker::Broker;

/// Runs a command beside a real Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "with-broker")]
struct Arguments {
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { command } = Arguments::parse();
    let [program, arguments @ ..] = &command[..] else { return Ok(ExitCode::FAILURE) };
    let mut broker = Broker::start().await?;
    let mut run = Command::new(program);
    run.args(arguments).env("THROUGHLINE_TEST_KAFKA", broker.bootstrap());
    let status = tokio::task::spawn_blocking(move || run.status()).await?;
    let status = status.with_context(|| format!("run {program}"))?;
    broker.stop().await?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
