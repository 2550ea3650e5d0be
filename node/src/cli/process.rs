//! The process around a command: arguments, streams, the runtime, the exit code.

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use super::io::Screen;
use super::{Io, Parts, execute};
use crate::problem::Exit;

/// How long threads may take to end with the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does what the process's arguments say. The one place that reads arguments and environment.
#[must_use]
pub fn main(parts: &dyn Parts) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::from(Exit::Bug.code()) };
    let mut io = streams();
    let exit = runtime.block_on(execute(std::env::args_os().collect(), parts, &mut io));
    let exit = match io.out.flush() {
        // A full disk must not look like success; a reader that has gone has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe && exit == Exit::Done => Exit::Bug,
        Err(_) | Ok(()) => exit,
    };
    // What closes a store is let finish; a blocked read of the terminal must not hold the process for long.
    runtime.shutdown_timeout(PATIENCE);
    ExitCode::from(exit.code())
}

/// The process's own streams.
#[must_use]
pub fn streams() -> Io {
    let stdout = io::stdout();
    // An empty NO_COLOR counts as not set (no-color.org).
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let screen = match (stdout.is_terminal(), no_colour) {
        (false, _) => Screen::None,
        (true, true) => Screen::Plain,
        (true, false) => Screen::Coloured,
    };
    Io { out: Box::new(BufWriter::new(stdout)), err: Box::new(io::stderr()), screen }
}
