//! `throughline snapshot restore`: the local state of a stopped node becomes what a snapshot has.

use std::path::PathBuf;

use serde_json::json;

use super::super::failure::Failure;
use super::super::io::{Io, Tone};
use super::super::{Format, Parts, Shared, format};
use crate::problem::Exit;

/// What to restore, and where.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline snapshot restore --config throughline.yaml
  throughline snapshot restore 12 --config throughline.yaml --dry-run

For a node that is stopped, in the directory that its configuration names. Its local state is replaced; the
next `throughline run` replays what was committed since, so that nothing is lost and nothing is said twice.
A node whose local state is lost or damaged does this by itself when it starts.

Ends with 6 while a node runs there, with 9 where no snapshot can be restored without a gap.")]
pub struct Arguments {
    /// The snapshot's name, from `snapshot list`; without it the newest that can be restored.
    pub name: Option<String>,
    /// The configuration of the node.
    #[arg(long, value_name = "FILE", default_value = "throughline.yaml")]
    pub config: PathBuf,
    /// Check everything, change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// A snapshot that is a node's local state now, or could be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// The snapshot's name.
    pub name: String,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// How many ranges it holds.
    pub ranges: u32,
    /// Its size.
    pub bytes: u64,
    /// Commits of the journals that the node replays on top.
    pub tail_slots: u64,
    /// Newer ones that could not be used, and why.
    pub passed_over: Vec<String>,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    parts: &dyn Parts,
    shared: &Shared,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let restored = parts.restore(arguments).await?;
    match shared.output {
        Format::Json => io.line(&as_json(&restored, arguments.dry_run).to_string())?,
        Format::Table => tell(&restored, arguments, io)?,
    }
    Ok(Exit::Done)
}

fn as_json(restored: &Restored, is_dry: bool) -> serde_json::Value {
    json!({
        "name": format!("snapshots/{}", restored.name),
        "createdMs": restored.created_ms,
        "ranges": restored.ranges,
        "bytes": restored.bytes,
        "tailSlots": restored.tail_slots,
        "passedOver": restored.passed_over,
        "dryRun": is_dry,
    })
}

fn tell(restored: &Restored, arguments: &Arguments, io: &mut Io) -> Result<(), Failure> {
    for why in &restored.passed_over {
        io.remark(&format!("passed over {why}"))?;
    }
    let seconds = i64::try_from(restored.created_ms / 1_000).unwrap_or(i64::MAX);
    let taken = format::time(Some(&prost_types::Timestamp { seconds, nanos: 0 }));
    let what = format!("snapshot {} of {taken}", restored.name);
    let size = format::bytes(restored.bytes);
    let ranges = format::plural(restored.ranges, "range");
    let commits = format::plural(restored.tail_slots, "commit");
    let mark = io.paint(Tone::Good, "✓");
    if arguments.dry_run {
        let line = format!(
            "{mark} {what} can be restored: {ranges}, {size}, then {commits} of the journal"
        );
        io.line(&line)?;
        io.remark("Nothing was changed.")?;
        return Ok(());
    }
    io.line(&format!("{mark} {what} is the local state now: {ranges}, {size}"))?;
    let config = arguments.config.display();
    io.remark(&format!("Replay {commits} on top, and go on: throughline run --config {config}"))?;
    Ok(())
}
