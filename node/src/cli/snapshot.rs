//! `throughline snapshot`: what the cluster can be restored from.

pub(super) mod copy;
pub(super) mod restore;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use proto::api::v1;
use proto::api::v1::snapshot_service_client::SnapshotServiceClient;
use tonic::transport::Channel;

use super::failure::Failure;
use super::io::{Io, Screen, Tone};
use super::table::{Column, message, messages, table};
use super::{Format, Parts, Shared, client, format};
use crate::problem::Exit;

const COLUMNS: [Column; 8] = [
    Column::Left("SNAPSHOT"),
    Column::Left("TAKEN"),
    Column::Left("STATE"),
    Column::Right("RANGES"),
    Column::Right("SIZE"),
    Column::Right("NEW"),
    Column::Right("TOOK"),
    Column::Left("CHECKED"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the snapshots, newest first.
    #[command(after_help = "Examples:
  throughline snapshot list
  throughline snapshot list -o json | jq -r '.[0].name'")]
    List,
    /// Take a snapshot now, and wait until it is done.
    #[command(after_help = "Examples:
  throughline snapshot create
  throughline snapshot create --request-id before-upgrade

One a node that owns ranges: together they hold every range. Ctrl-C stops the waiting, not the snapshots. The same
request id again is the same snapshots.")]
    Create {
        /// A name of yours for this request, so that trying again takes no second ones.
        #[arg(long, value_name = "ID", default_value = "")]
        request_id: String,
    },
    /// Read a snapshot back, object by object, and check it.
    #[command(after_help = "Examples:
  throughline snapshot verify 12
  throughline snapshot verify 12 -o json | jq .faults

Ends with 9 when something is wrong with it.")]
    Verify {
        /// The snapshot's name, from `snapshot list`.
        name: String,
    },
    /// Make a snapshot the local state of a stopped node.
    Restore(restore::Arguments),
    /// Copy all that the cluster has to where a new one begins.
    Copy(copy::Arguments),
}

pub(super) async fn run(
    command: Command,
    parts: &dyn Parts,
    shared: &Shared,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let client = async || client::connect_for_long(shared).await.map(SnapshotServiceClient::new);
    match command {
        Command::List => list(client().await?, shared, io).await,
        Command::Create { request_id } => create(client().await?, request_id, shared, io).await,
        Command::Verify { name } => verify(client().await?, &name, shared, io).await,
        Command::Restore(arguments) => restore::run(&arguments, parts, shared, io).await,
        Command::Copy(arguments) => copy::run(&arguments, parts, shared, io).await,
    }
}

async fn list(
    mut client: SnapshotServiceClient<Channel>,
    shared: &Shared,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let request = v1::ListSnapshotsRequest { page_size: 1000, ..Default::default() };
    let page = client.list_snapshots(request).await?.into_inner();
    match shared.output {
        Format::Json => messages(io, &page.snapshots)?,
        Format::Table if page.snapshots.is_empty() => {
            io.remark("There is no snapshot yet. Take one: throughline snapshot create")?;
        }
        Format::Table => rows(&page.snapshots, io)?,
    }
    if !page.next_page_token.is_empty() {
        io.remark("These are the newest 1,000; there are older ones.")?;
    }
    Ok(Exit::Done)
}

/// Where several nodes take snapshots, each is of the ranges that its node owned then.
fn rows(snapshots: &[v1::Snapshot], io: &mut Io) -> Result<(), Failure> {
    let mut rows: Vec<_> = snapshots.iter().map(row).collect();
    let mut columns = COLUMNS.to_vec();
    let nodes: BTreeSet<&str> = snapshots.iter().map(|it| it.node.as_str()).collect();
    if nodes.iter().filter(|node| !node.is_empty()).count() > 1 {
        columns.insert(1, Column::Left("NODE"));
        for (row, snapshot) in rows.iter_mut().zip(snapshots) {
            row.insert(1, snapshot.node.clone());
        }
    }
    table(io, &columns, rows)
}

async fn create(
    mut client: SnapshotServiceClient<Channel>,
    request_id: String,
    shared: &Shared,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let waiting = waiting(io, "taking snapshots; Ctrl-C stops the waiting, not the snapshots");
    let answer = client.create_snapshot(v1::CreateSnapshotRequest { request_id }).await;
    waiting.finish_and_clear();
    let answer = answer?.into_inner();
    match shared.output {
        Format::Json => messages(io, &answer.snapshots)?,
        Format::Table => rows(&answer.snapshots, io)?,
    }
    Ok(Exit::Done)
}

async fn verify(
    mut client: SnapshotServiceClient<Channel>,
    name: &str,
    shared: &Shared,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let request = v1::VerifySnapshotRequest { name: format!("snapshots/{name}") };
    let waiting = waiting(io, "reading the snapshot back");
    let answer = client.verify_snapshot(request).await;
    waiting.finish_and_clear();
    let answer = answer?.into_inner();
    let whole = answer.faults.is_empty();
    match shared.output {
        Format::Json => message(io, &answer)?,
        Format::Table if whole => {
            let snapshot = answer.snapshot.unwrap_or_default();
            let size = format::bytes(format::unsigned(snapshot.bytes));
            let ranges = format::plural(snapshot.ranges, "range");
            let mark = io.paint(Tone::Good, "✓");
            io.line(&format!("{mark} {name} can be restored: {ranges}, {size}, all read back"))?;
        }
        Format::Table => {
            let mark = io.paint(Tone::Bad, "■");
            io.line(&format!("{mark} {name} cannot be restored"))?;
            for fault in &answer.faults {
                io.line(&format!("  {}  {}", fault.object, fault.problem))?;
            }
        }
    }
    Ok(if whole { Exit::Done } else { Exit::CheckFailed })
}

/// A sign of life on the terminal; nothing elsewhere.
fn waiting(io: &Io, what: &'static str) -> ProgressBar {
    let target = match io.screen {
        Screen::None => ProgressDrawTarget::hidden(),
        Screen::Plain | Screen::Coloured => ProgressDrawTarget::stderr(),
    };
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::with_draw_target(None, target).with_style(style).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn row(snapshot: &v1::Snapshot) -> Vec<String> {
    vec![
        format::short(&snapshot.name).to_owned(),
        format::time(snapshot.create_time.as_ref()),
        snapshot.state.clone(),
        snapshot.ranges.to_string(),
        format::bytes(format::unsigned(snapshot.bytes)),
        format::bytes(format::unsigned(snapshot.new_bytes)),
        format::span(snapshot.took.as_ref()),
        if snapshot.verified { "✓" } else { "–" }.to_owned(),
    ]
}
