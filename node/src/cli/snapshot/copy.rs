//! `throughline snapshot copy`: a new cluster begins with what this one has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::super::failure::Failure;
use super::super::io::{Io, Tone};
use super::super::{Format, Parts, Shared, format};
use crate::problem::Exit;

/// What is copied, and where to.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline snapshot copy --config throughline.yaml --to new.yaml
  throughline snapshot copy --to new.yaml -o json

Copies what every range of the cluster can be restored from to where the new cluster's file says that its objects lie: the
newest snapshots, what was committed since, and the control log. Nodes may run; the copy is what they have committed. One
that breaks off goes on when it is asked for again.

To move a cluster, stop its nodes, copy, and start the new one: results go on where they ended. A copy of a cluster that
goes on needs a results.prefix of its own: what the other has delivered since is not in it. Results from before the
snapshots are where they were delivered; the new cluster's `tx get` does not know them.

Ends with 6 where something lies there already.")]
pub struct Arguments {
    /// The configuration of any node of the cluster.
    #[arg(long, value_name = "FILE", default_value = "throughline.yaml")]
    pub config: PathBuf,
    /// The configuration of any node of the new one.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// What was copied.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Copied {
    /// Where to.
    pub to: String,
    /// How many ranges it has.
    pub ranges: u64,
    /// How many snapshots they come from.
    pub snapshots: u64,
    /// Bytes of their files that were not there.
    pub bytes: u64,
    /// Commits that were not there.
    pub commits: u64,
    /// Snapshots that could not be used, and why: ranges come from older ones.
    pub passed_over: BTreeMap<u64, String>,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    parts: &dyn Parts,
    shared: &Shared,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let Copied { to, ranges, snapshots, bytes, commits, passed_over } =
        parts.copy(arguments).await?;
    match shared.output {
        Format::Json => {
            let copied = json!({
                "to": to,
                "ranges": ranges,
                "snapshots": snapshots,
                "bytes": bytes,
                "commits": commits,
                "passedOver": passed_over,
            });
            io.line(&copied.to_string())?;
        }
        Format::Table => {
            let mark = io.paint(Tone::Good, "✓");
            let ranges = format::plural(ranges, "range");
            let snapshots = format::plural(snapshots, "snapshot");
            let (size, commits) = (format::bytes(bytes), format::plural(commits, "commit"));
            let what = format!("{ranges} out of {snapshots}; {size} and {commits} were new");
            io.line(&format!("{mark} copied to {to}: {what}"))?;
            for (name, why) in &passed_over {
                io.remark(&format!("snapshot {name} was passed over: {why}"))?;
            }
            let file = arguments.to.display();
            io.remark(&format!("Start the new cluster: throughline run --config {file}"))?;
        }
    }
    Ok(Exit::Done)
}
