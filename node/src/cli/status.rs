//! `throughline status`: is the cluster well, and if not, why.

use proto::api::v1;
use proto::api::v1::cluster::State;
use proto::api::v1::cluster_service_client::ClusterServiceClient;
use proto::api::v1::snapshot_service_client::SnapshotServiceClient;

use super::failure::Failure;
use super::io::{Io, Tone};
use super::{Format, Shared, client, format, table};
use crate::problem::Exit;

pub(super) const EXAMPLES: &str = "Examples:
  throughline status
  throughline status -o json | jq -r .state

Ends with 0 when healthy, with 5 when not.";

pub(super) async fn run(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let channel = client::connect(shared).await?;
    let mut clusters = ClusterServiceClient::new(channel.clone());
    let cluster = clusters.get_cluster(v1::GetClusterRequest {}).await?.into_inner();
    let ledger = clusters.get_ledger(v1::GetLedgerRequest {}).await?.into_inner();
    let total = ledger.total.unwrap_or_default();
    let well = cluster.state() == State::Healthy && total.balanced;
    let exit = if well { Exit::Done } else { Exit::Unhealthy };
    if shared.output == Format::Json {
        table::message(io, &cluster)?;
        return Ok(exit);
    }
    let mut snapshots = SnapshotServiceClient::new(channel);
    let request = v1::ListSnapshotsRequest { page_size: 1, ..Default::default() };
    let newest = snapshots.list_snapshots(request).await?.into_inner().snapshots.pop();
    show(io, &cluster, &total, newest.as_ref())?;
    Ok(exit)
}

fn show(
    io: &mut Io,
    cluster: &v1::Cluster,
    total: &v1::ledger::Row,
    newest: Option<&v1::Snapshot>,
) -> Result<(), Failure> {
    headline(io, cluster)?;
    let as_of = cluster.as_of.clone().unwrap_or_default();
    let lag = format::span(as_of.lag.as_ref());
    point(io, as_of.complete, &format!("{lag} behind"), &missing(&as_of))?;
    let consumed = format::thousands(total.consumed);
    let lost = format::thousands(total.imbalance);
    let good = format!("every record accounted for ({consumed})");
    let bad = format!("{lost} of {consumed} records unaccounted for: throughline ledger");
    point(io, total.balanced, &good, &bad)?;
    match newest {
        None => point(io, false, "", "no snapshot yet: throughline snapshot create"),
        Some(newest) => {
            let name = format::short(&newest.name);
            let when = format::time(newest.create_time.as_ref());
            point(io, true, &format!("newest snapshot {name} of {when}"), "")
        }
    }
}

/// Whether the cluster is well, how large it is, who leads, and what is wrong.
pub(super) fn headline(io: &mut Io, cluster: &v1::Cluster) -> Result<(), Failure> {
    let (word, tone) = match cluster.state() {
        State::Healthy => ("HEALTHY", Tone::Good),
        State::Degraded => ("DEGRADED", Tone::Warning),
        State::Unavailable => ("UNAVAILABLE", Tone::Bad),
        State::Unspecified => ("UNKNOWN", Tone::Warning),
    };
    let sizes = [format::plural(cluster.nodes, "node"), format::plural(cluster.ranges, "range")];
    let (word, sizes) = (io.paint(tone, word), sizes.join(", "));
    // A node that runs alone has nobody to be led by.
    let leads = match (cluster.leader.as_str(), cluster.nodes) {
        ("", 0..=1) => String::new(),
        ("", _) => ", nobody leads".to_owned(),
        (leader, _) => format!(", {leader} leads"),
    };
    let (name, version) = (&cluster.name, cluster.map_version);
    io.line(&format!("{word}  {name}, {sizes}, map v{version}{leads}"))?;
    for reason in &cluster.reasons {
        let mark = io.paint(Tone::Warning, "▲");
        io.line(&format!("  {mark} {reason}"))?;
    }
    Ok(())
}

fn missing(as_of: &v1::AsOf) -> String {
    let names: Vec<_> = as_of.missing_ranges.iter().map(|name| format::short(name)).collect();
    format!("{} did not answer: {}", format::plural(names.len() as i128, "range"), names.join(", "))
}

fn point(io: &mut Io, good: bool, yes: &str, no: &str) -> Result<(), Failure> {
    let (mark, text) = match good {
        true => (io.paint(Tone::Good, "✓"), yes),
        false => (io.paint(Tone::Warning, "▲"), no),
    };
    Ok(io.line(&format!("  {mark} {text}"))?)
}
