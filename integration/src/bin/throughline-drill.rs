//! `throughline drill`: named failures on purpose, against real processes on this machine, every record checked.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use integration::drain::Delivery;
use integration::drills::play::{Load, play};
use integration::drills::report::Report;
use integration::drills::shelf::Shelf;
use integration::drills::{DRILLS, Drill, find};
use node::cli::{Failure, Io, streams};
use node::problem::{Code, Exit, Problem};

/// Breaks something on purpose, under load, and checks every record afterwards.
#[derive(Debug, Parser)]
#[command(name = "throughline drill", version, disable_help_subcommand = true)]
struct Arguments {
    /// How to answer: text for people, or JSON for programs.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the drills.
    #[command(after_help = "Examples:
  throughline drill list
  throughline drill list -o json | jq -r '.[].name'")]
    List,
    /// Start nodes and a broker on this machine, break them, heal them, and check every record.
    #[command(after_help = "Examples:
  throughline drill run kill-node
  throughline drill run kill-node kill-leader --repeat 10
  throughline drill run --all --exactly-once -o json

Everything runs in folders that are thrown away; no other cluster is touched. Ends with 9 where a record is lost, doubled or
wrong, or a drill does not come to its end.")]
    Run(Run),
    /// Show the last reports.
    #[command(after_help = "Examples:
  throughline drill report
  throughline drill report --last 5 -o json")]
    Report {
        /// How many.
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        last: usize,
    },
}

#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line")]
struct Run {
    /// Which drills.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// Every drill.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// How often each fault is had, on the same cluster under the same load.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    repeat: usize,
    /// Transactions in a second, with every oddity.
    #[arg(long, value_name = "COUNT", default_value_t = 5_000)]
    rate: u64,
    /// How long the load lasts; as long as the faults take when absent.
    #[arg(long)]
    seconds: Option<u64>,
    /// How many nodes.
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    nodes: usize,
    /// Deliver each result exactly once, instead of at least once.
    #[arg(long)]
    exactly_once: bool,
}

fn main() -> ExitCode {
    let mut io = streams();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(io.explain_usage(&error).code()),
    };
    let is_json = arguments.output == Format::Json;
    let done = match arguments.command {
        Command::List => list(is_json, &mut io),
        Command::Report { last } => show(last, is_json, &mut io),
        Command::Run(run) => run.start(is_json, &mut io),
    };
    let exit = done.unwrap_or_else(|failure| io.explain(&failure, is_json));
    let flushed = io.out.flush();
    ExitCode::from(if flushed.is_err() && exit == Exit::Done { Exit::Bug } else { exit }.code())
}

fn list(is_json: bool, io: &mut Io) -> Result<Exit, Failure> {
    if is_json {
        let of = |it: &Drill| serde_json::json!({ "name": it.name, "title": it.title, "promise": it.promise });
        io.line(&serde_json::Value::from_iter(DRILLS.iter().map(of)).to_string())?;
        return Ok(Exit::Done);
    }
    for drill in DRILLS {
        io.line(&format!("{:<20} {}\n{:<20} {}", drill.name, drill.title, "", drill.promise))?;
    }
    Ok(Exit::Done)
}

fn show(last: usize, is_json: bool, io: &mut Io) -> Result<Exit, Failure> {
    let reports = Shelf::of_user().last(last)?;
    if reports.is_empty() && !is_json {
        writeln!(io.err, "no drill was run yet: throughline drill run kill-node")?;
    }
    print(&reports, is_json, io)?;
    Ok(Exit::Done)
}

fn print(reports: &[Report], is_json: bool, io: &mut Io) -> Result<(), Failure> {
    if is_json {
        let text = serde_json::to_string_pretty(reports).map_err(anyhow::Error::from)?;
        return Ok(io.line(&text)?);
    }
    for report in reports {
        io.line(report.to_string().trim_end())?;
    }
    Ok(())
}

impl Run {
    fn start(&self, is_json: bool, io: &mut Io) -> Result<Exit, Failure> {
        let drills = self.drills()?;
        let runtime = tokio::runtime::Runtime::new()?;
        let (shelf, load) = (Shelf::of_user(), self.load());
        let mut reports = Vec::new();
        for drill in drills {
            writeln!(io.err, "{}: {}", drill.name, drill.title)?;
            let err = &mut io.err;
            let mut say = |line: &str| {
                // Who does not listen any more need not be told.
                writeln!(err, "  {line}").ok();
            };
            let played = runtime.block_on(play(&[drill], &load, &mut say));
            for report in played {
                let path = shelf.keep(&report, actors::clock::wall()())?;
                writeln!(io.err, "  kept in {}", path.display())?;
                if !is_json {
                    print(std::slice::from_ref(&report), false, io)?;
                    io.out.flush()?;
                }
                reports.push(report);
            }
        }
        if is_json {
            print(&reports, true, io)?;
        }
        verdict(&reports)
    }

    fn drills(&self) -> Result<Vec<&'static Drill>, Problem> {
        if self.all {
            return Ok(DRILLS.iter().collect());
        }
        let found = |name: &String| {
            find(name).ok_or_else(|| {
                let what = format!("there is no drill {name:?}");
                Problem::new(Code::DrillNotFound, what, "nobody has written one of that name")
                    .remedy("throughline drill list          shows all")
            })
        };
        self.names.iter().map(found).collect()
    }

    const fn load(&self) -> Load {
        let delivery =
            if self.exactly_once { Delivery::ExactlyOnce } else { Delivery::AtLeastOnce };
        let Self { rate, seconds, nodes, repeat, .. } = *self;
        Load { rate, seconds, nodes, delivery, repeat }
    }
}

fn verdict(reports: &[Report]) -> Result<Exit, Failure> {
    let failed: Vec<&str> =
        reports.iter().filter(|it| it.is_failed()).map(|it| it.drill.as_str()).collect();
    if failed.is_empty() {
        return Ok(Exit::Done);
    }
    let what = format!("{} of {} drills failed", failed.len(), reports.len());
    let why = failed.join(", ");
    Err(Problem::new(Code::CheckFailed, what, why)
        .remedy("throughline drill report        shows what was found")
        .into())
}
