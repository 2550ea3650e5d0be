//! `throughline explain`: what an error's code means.

use serde_json::{Value, json};

use super::failure::Failure;
use super::io::{Io, Tone};
use super::table::{Column, table};
use super::{Format, Shared};
use crate::problem::explained::{Explained, all, find};
use crate::problem::{Code, Exit, Problem};

/// What to explain.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline explain TL-0401
  throughline explain")]
pub(super) struct Arguments {
    /// The code, as it stands in an error. Without one, all are listed.
    code: Option<String>,
}

pub(super) fn run(arguments: &Arguments, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let Some(code) = &arguments.code else { return list(shared, io) };
    let explained = find(code).ok_or_else(|| {
        let what = format!("there is no code {code}");
        Problem::new(Code::BadArgument, what, "codes look like TL-0401")
            .remedy("throughline explain        lists them all")
    })?;
    if shared.output == Format::Json {
        io.line(&of_json(&explained).to_string())?;
        return Ok(Exit::Done);
    }
    let Explained { code, reason, what, why, remedy, exit } = explained;
    let head = io.paint(Tone::Strong, &code);
    let reason = reason.map_or_else(String::new, |reason| format!("  {reason}"));
    io.line(&format!("{head}{reason}\n  what  {what}\n  why   {why}\n  do    {remedy}"))?;
    io.line(&format!("  ends  with exit code {exit}"))?;
    Ok(Exit::Done)
}

fn list(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    if shared.output == Format::Json {
        let all: Vec<Value> = all().iter().map(of_json).collect();
        io.line(&Value::from(all).to_string())?;
        return Ok(Exit::Done);
    }
    let row = |it: Explained| vec![it.code, it.exit.to_string(), it.what.to_owned()];
    let columns = [Column::Left("CODE"), Column::Right("EXIT"), Column::Left("WHAT HAPPENED")];
    table(io, &columns, all().into_iter().map(row).collect())?;
    Ok(Exit::Done)
}

fn of_json(it: &Explained) -> Value {
    let Explained { code, reason, what, why, remedy, exit } = it;
    json!({ "code": code, "reason": reason, "what": what, "why": why, "do": remedy, "exit": exit })
}
