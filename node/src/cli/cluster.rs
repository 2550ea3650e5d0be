//! `throughline cluster`: who owns what, and what moves.

mod changes;
mod strip;

use std::io::Write as _;

use clap::Subcommand;
use proto::api::v1;
use proto::api::v1::cluster::State;
use proto::api::v1::cluster_service_client::ClusterServiceClient;

use self::changes::changes;
pub(super) use self::strip::Strip;
use super::change::{self, How};
use super::failure::Failure;
use super::io::{Io, Tone};
use super::table::{Column, message, table};
use super::{Format, Shared, client, format, status};
use crate::problem::{Code, Exit, Problem};

const COLUMNS: [Column; 6] = [
    Column::Left("NODE"),
    Column::Left("STATE"),
    Column::Right("RANGES"),
    Column::Right("OPEN"),
    Column::Right("RECORDS/S"),
    Column::Left("BY KEY"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show who owns what and what moves, at a glance.
    #[command(after_help = "Examples:
  throughline cluster status
  throughline cluster status -o json | jq '.nodes[].state'

One mark a range, by key:  ■ serves   ▲ restores   ◇ has a copy and is to own it   × silent or stopped
Ends with 0 when healthy, with 5 when not.")]
    Status,
    /// Show what changes, as it changes, a line each.
    #[command(after_help = "Examples:
  throughline cluster watch
  throughline cluster watch -o json | jq -c '.cluster.state'

Ends with Ctrl-C. As JSON, each line is the whole cluster.")]
    Watch,
    /// Have ranges that were moved by hand go where the plan puts them.
    #[command(after_help = "Examples:
  throughline cluster rebalance
  throughline cluster rebalance --dry-run")]
    Rebalance(How),
}

pub(super) async fn run(command: Command, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    match command {
        Command::Status => show(shared, io).await,
        Command::Watch => watch(shared, io).await,
        Command::Rebalance(how) => {
            let request = v1::RebalanceClusterRequest {
                validate_only: how.dry_run,
                request_id: how.request_id,
            };
            change::ask(shared, io, async |mut client| client.rebalance_cluster(request).await)
                .await
        }
    }
}

/// The views of the cluster, one after the other.
async fn views(shared: &Shared) -> Result<tonic::Streaming<v1::WatchClusterResponse>, Failure> {
    let mut clusters = ClusterServiceClient::new(client::connect(shared).await?);
    let request = v1::WatchClusterRequest { interval: None };
    Ok(clusters.watch_cluster(request).await?.into_inner())
}

async fn show(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let first = views(shared).await?.message().await?;
    let view = first.ok_or_else(ended)?;
    match shared.output {
        Format::Json => message(io, &view)?,
        Format::Table => picture(io, &view)?,
    }
    let state = view.cluster.as_ref().map_or(State::Unspecified, v1::Cluster::state);
    Ok(if state == State::Healthy { Exit::Done } else { Exit::Unhealthy })
}

async fn watch(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let mut views = views(shared).await?;
    let mut last: Option<v1::WatchClusterResponse> = None;
    while let Some(view) = views.message().await? {
        match (shared.output, &last) {
            (Format::Json, _) => message(io, &view)?,
            (Format::Table, None) => picture(io, &view)?,
            (Format::Table, Some(last)) => {
                for line in changes(last, &view) {
                    io.line(&line)?;
                }
            }
        }
        io.out.flush()?;
        last = Some(view);
    }
    Err(ended().into())
}

fn ended() -> Problem {
    let why = "it is stopping, or has just stopped";
    Problem::new(Code::Unreachable, "the node tells nothing more", why)
        .remedy("throughline cluster watch --endpoint …   ask another")
}

fn picture(io: &mut Io, view: &v1::WatchClusterResponse) -> Result<(), Failure> {
    status::headline(io, &view.cluster.clone().unwrap_or_default())?;
    let strip = Strip::of(&view.ranges);
    let row = |node: &v1::Node| {
        let name = format::short(&node.name);
        let open = view.ranges.iter().filter(|range| range.owner == name);
        let open: i64 = open.map(|range| range.open_transactions).sum();
        vec![
            name.to_owned(),
            node.state.clone(),
            format::thousands(node.ranges),
            format::thousands(open),
            format!("{:.0}", node.records_per_second),
            strip.of_node(node),
        ]
    };
    table(io, &COLUMNS, view.nodes.iter().map(row).collect())?;
    for line in moving(view) {
        let mark = io.paint(Tone::Warning, "▲");
        io.line(&format!("  {mark} {line}"))?;
    }
    Ok(())
}

/// What is on its way, a line each: copies that are made, and ranges that are restored.
pub(super) fn moving(view: &v1::WatchClusterResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for node in &view.nodes {
        for copy in &node.copies {
            let range = view.ranges.iter().find(|range| range.name == *copy);
            let owner = range.map_or("", |range| range.owner.as_str());
            let (range, to) = (format::short(copy), format::short(&node.name));
            lines.push(format!("{range}  {} → {to}  copied", named(owner)));
        }
    }
    let restoring = view.ranges.iter().filter(|range| range.state == "restoring");
    lines.extend(restoring.map(|range| {
        format!("{}  → {}  restored", format::short(&range.name), named(&range.owner))
    }));
    lines
}

/// An owner's name; a dash for nobody.
fn named(owner: &str) -> &str {
    if owner.is_empty() { "–" } else { owner }
}
