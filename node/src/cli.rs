//! The command line: what a person types, and how it is answered.

mod change;
mod client;
mod cluster;
mod completions;
mod config;
mod demo;
mod drill;
mod explain;
mod failure;
mod format;
mod generate;
mod indicator;
mod io;
mod ledger;
mod node;
mod parts;
mod process;
mod range;
mod run;
mod snapshot;
mod start;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod tx;
mod values;
mod verify;

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

pub use self::demo::Arguments as DemoArguments;
pub use self::failure::Failure;
pub use self::generate::Arguments as GenerateArguments;
pub use self::io::{Io, Screen};
pub use self::parts::{Demo, Down, Nodes, Parts, Running};
pub use self::process::{main, streams};
pub use self::run::Arguments as RunArguments;
pub use self::snapshot::copy::{Arguments as CopyArguments, Copied};
pub use self::snapshot::restore::{Arguments as RestoreArguments, Restored};
pub use self::verify::Arguments as VerifyArguments;
use crate::problem::Exit;

/// Joins every bank transaction, live: three messages in, one result out, none lost, none twice.
#[derive(Debug, Parser)]
#[command(
    name = "throughline",
    version,
    subcommand_required = false,
    arg_required_else_help = false,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command understands.
#[derive(clap::Args, Clone, Debug)]
struct Shared {
    /// How to answer: a table for people, or the API's JSON for programs.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// The node to ask.
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:7400")]
    endpoint: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a bank in this process: generated traffic, a live view, the API.
    Demo(demo::Arguments),
    /// Say whether the cluster is healthy, and if not, why.
    #[command(after_help = status::EXAMPLES)]
    Status,
    /// Look at single transactions.
    #[command(subcommand)]
    Tx(tx::Command),
    /// Ask for rates and times.
    #[command(subcommand)]
    Indicator(indicator::Command),
    /// Show where every record went, for each source partition.
    #[command(after_help = ledger::EXAMPLES)]
    Ledger,
    /// Show who owns what and what moves, once or all the time.
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Show the nodes of the cluster, and say what they are used for.
    #[command(subcommand)]
    Node(node::Command),
    /// Show the ranges of keys and who owns them, and move or split them.
    #[command(subcommand)]
    Range(range::Command),
    /// Take, list, check and restore snapshots.
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Check and show a configuration, without starting anything.
    #[command(subcommand)]
    Config(config::Command),
    /// Start a node.
    Run(run::Arguments),
    /// Write generated bank records to Kafka or to files.
    Generate(generate::Arguments),
    /// Check results against what was generated: nothing lost, nothing twice, nothing wrong.
    Verify(verify::Arguments),
    /// Break something on purpose, under load, and check every record afterwards.
    #[command(disable_help_flag = true)]
    Drill(drill::Arguments),
    /// Say what an error's code means, and what to do about it.
    Explain(explain::Arguments),
    /// Print what a shell needs to complete commands.
    Completions(completions::Arguments),
}

/// Does what `line` says, the program's name first, and tells how it ended.
pub async fn execute(line: Vec<OsString>, parts: &dyn Parts, io: &mut Io) -> Exit {
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => return io.explain_usage(&error),
    };
    let shared = arguments.shared;
    let done = match arguments.command {
        None => start::show(io),
        Some(command) => dispatch(command, &shared, parts, io).await,
    };
    match done {
        Ok(exit) => exit,
        Err(failure) => io.explain(&failure, shared.output == Format::Json),
    }
}

async fn dispatch(
    command: Command,
    shared: &Shared,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, parts, io).await,
        Command::Status => status::run(shared, io).await,
        Command::Tx(command) => tx::run(command, shared, io).await,
        Command::Indicator(command) => indicator::run(command, shared, io).await,
        Command::Ledger => ledger::run(shared, io).await,
        Command::Cluster(command) => cluster::run(command, shared, io).await,
        Command::Node(command) => node::run(command, shared, io).await,
        Command::Range(command) => range::run(command, shared, io).await,
        Command::Snapshot(command) => snapshot::run(command, parts, shared, io).await,
        Command::Config(command) => config::run(&command, parts, io),
        Command::Run(arguments) => run::run(arguments, parts, io).await,
        Command::Generate(arguments) => generate::run(arguments, parts, io).await,
        Command::Verify(arguments) => verify::run(arguments, parts, io).await,
        Command::Drill(arguments) => drill::run(arguments, shared, io),
        Command::Explain(arguments) => explain::run(&arguments, shared, io),
        Command::Completions(arguments) => completions::run(arguments, io),
    }
}
