//! `throughline drill`: failures on purpose. They need a broker and a test harness, which this program does without:
//! so they are a program of their own, beside this one, as with git's commands.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::failure::Failure;
use super::io::Io;
use super::{Format, Shared};
use crate::problem::{Code, Exit, Problem};

const PROGRAM: &str = "throughline-drill";

/// What the other program is to do.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline drill list
  throughline drill run kill-node --repeat 10
  throughline drill report")]
pub(super) struct Arguments {
    /// What `throughline-drill` understands: list, run, report
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    words: Vec<OsString>,
}

pub(super) fn run(arguments: Arguments, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let own = std::env::current_exe()?;
    let program = own.with_file_name(PROGRAM);
    if !program.is_file() {
        return Err(absent(&own).into());
    }
    io.out.flush()?;
    let mut command = Command::new(program);
    command.args(arguments.words);
    if shared.output == Format::Json {
        command.args(["--output", "json"]);
    }
    // This process becomes that one: signals, streams and the exit code are its own. It comes back only where it failed.
    Err(command.exec().into())
}

fn absent(own: &Path) -> Problem {
    let what = "there are no drills on this machine";
    let why = format!("{PROGRAM} is not beside {}", own.display());
    Problem::new(Code::FileNotFound, what, why)
        .remedy("make drill                      in the repository: builds and runs them")
        .remedy("make build                      builds this program and that one, side by side")
}
