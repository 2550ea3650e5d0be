//! Where a command writes, and how what it says looks there.

use std::io::{self, Write};

use serde_json::json;

use super::failure::Failure;
use crate::problem::{Exit, Problem};

/// The two streams of a command: data to `out`, all else to `err`.
pub struct Io {
    /// Data.
    pub out: Box<dyn Write + Send>,
    /// Everything else.
    pub err: Box<dyn Write + Send>,
    /// What `out` is.
    pub screen: Screen,
}

/// What the output is shown on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Screen {
    /// A file or a pipe: no colour, no cursor.
    None,
    /// A terminal whose owner wants no colour.
    Plain,
    /// A terminal.
    Coloured,
}

/// What a colour says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    Good,
    Warning,
    Bad,
    Quiet,
    Strong,
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io").field("screen", &self.screen).finish_non_exhaustive()
    }
}

impl Io {
    /// `text` in the colour of `tone`, where colour is wanted. The text must say it all: colour
    /// only helps.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match (self.screen, tone) {
            (Screen::None | Screen::Plain, _) => return text.to_owned(),
            (Screen::Coloured, Tone::Good) => "32",
            (Screen::Coloured, Tone::Warning) => "33",
            (Screen::Coloured, Tone::Bad) => "31",
            (Screen::Coloured, Tone::Quiet) => "2",
            (Screen::Coloured, Tone::Strong) => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A line of data.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// A remark beside the data.
    pub(super) fn remark(&mut self, text: &str) -> io::Result<()> {
        // What was written before it must be seen before it.
        self.out.flush()?;
        writeln!(self.err, "{text}")
    }

    /// Help and version are answers; a wrong line is told what is wrong with it.
    pub fn explain_usage(&mut self, error: &clap::Error) -> Exit {
        let text = error.render();
        let text = match self.screen {
            Screen::Coloured => text.ansi().to_string(),
            Screen::None | Screen::Plain => text.to_string(),
        };
        let (stream, exit) = match error.use_stderr() {
            true => (&mut self.err, Exit::Usage),
            false => (&mut self.out, Exit::Done),
        };
        match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
            Ok(()) => exit,
            Err(error) => ended(&error),
        }
    }

    /// Says on `err` what happened, why, and what to do.
    pub fn explain(&mut self, failure: &Failure, as_json: bool) -> Exit {
        let problem = match failure {
            Failure::Told(problem) => problem,
            Failure::Output(error) => return ended(error),
        };
        let text = if as_json { problem_json(problem) } else { self.problem_text(problem) };
        match self.out.flush().and_then(|()| self.err.write_all(text.as_bytes())) {
            Ok(()) => problem.code.exit(),
            Err(error) => ended(&error),
        }
    }

    fn problem_text(&self, problem: &Problem) -> String {
        let head = self.paint(Tone::Bad, &format!("error[{}]:", problem.code));
        let mut text = format!("{head} {}\n", problem.what);
        if !problem.why.is_empty() {
            text.push_str(&format!("  why   {}\n", problem.why.replace('\n', "\n        ")));
        }
        for (i, line) in problem.remedy.iter().enumerate() {
            text.push_str(&format!("  {}    {line}\n", if i == 0 { "do" } else { "  " }));
        }
        text.push_str(&format!("  more  throughline explain {}\n", problem.code));
        text
    }
}

/// The problem as the JSON of `google.rpc.Status`.
fn problem_json(problem: &Problem) -> String {
    let status = json!({
        "code": i32::from(problem.code.grpc()),
        "message": problem.to_string(),
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": problem.code.reason(),
            "domain": "throughline.dev",
            "metadata": {
                "code": problem.code.to_string(),
                "what": problem.what,
                "why": problem.why,
                "do": problem.remedy.join("\n"),
            },
        }],
    });
    format!("{status}\n")
}

/// A reader that has gone away (`| head`) has what it wanted.
fn ended(error: &io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe { Exit::Done } else { Exit::Bug }
}
