//! The cluster, its nodes, its ranges and the ledger as messages.

use proto::api::v1;

use super::{as_of, count, duration_ms, range_name, small};
use crate::api::backend::{
    Answer, Cluster, Counts, Health, Ledger, Node, NodeState, Overview, Range,
};

/// Everything at once, as it is watched.
pub(crate) fn overview(answer: Answer<Overview>) -> v1::WatchClusterResponse {
    let Overview { cluster: value, nodes, ranges } = answer.value;
    v1::WatchClusterResponse {
        cluster: Some(cluster(Answer { value, as_of: answer.as_of })),
        nodes: nodes.into_iter().map(node).collect(),
        ranges: ranges.into_iter().map(range).collect(),
    }
}

pub(in crate::api) fn cluster(answer: Answer<Cluster>) -> v1::Cluster {
    let cluster = answer.value;
    let state = match cluster.health {
        Health::Healthy => v1::cluster::State::Healthy,
        Health::Degraded => v1::cluster::State::Degraded,
        Health::Unavailable => v1::cluster::State::Unavailable,
    };
    v1::Cluster {
        name: cluster.name,
        state: state.into(),
        reasons: cluster.reasons,
        map_version: answer.as_of.map_version,
        nodes: small(cluster.nodes),
        ranges: small(cluster.ranges),
        as_of: Some(as_of(&answer.as_of)),
        version: cluster.version,
        leader: cluster.leader.map(|leader| leader.to_string()).unwrap_or_default(),
    }
}

pub(in crate::api) fn node(node: Node) -> v1::Node {
    let state = match node.state {
        NodeState::Alive => "alive",
        NodeState::Suspect => "suspect",
        NodeState::Cordoned => "cordoned",
        NodeState::Draining => "draining",
        NodeState::Dead => "dead",
    };
    v1::Node {
        name: format!("nodes/{}", node.id),
        state: state.to_owned(),
        version: node.version,
        ranges: small(node.ranges),
        memory_bytes: count(node.memory_bytes),
        memory_limit_bytes: count(node.memory_limit_bytes.unwrap_or(0)),
        records_per_second: node.records_per_second,
        copies: node.copies.into_iter().map(range_name).collect(),
    }
}

pub(in crate::api) fn range(range: Range) -> v1::Range {
    v1::Range {
        name: range_name(range.id),
        owner: range.owner.map(|owner| owner.to_string()).unwrap_or_default(),
        state: range.state.name().to_owned(),
        start_hash: range.keys.start(),
        end_hash: range.keys.end(),
        open_transactions: count(range.open),
        state_bytes: count(range.state_bytes),
        lag: Some(duration_ms(range.lag_ms)),
        epoch: range.epoch.get(),
        sequence: range.sequence.0,
        records_per_second: range.records_per_second,
    }
}

pub(in crate::api) fn ledger(answer: &Answer<Ledger>) -> v1::Ledger {
    let ledger = &answer.value;
    let rows = ledger.rows.iter().map(|(source, counts)| row(source.to_string(), *counts));
    let mut total = row("total".to_owned(), ledger.total());
    // I9: the whole balances only where each part does.
    total.balanced = ledger.is_balanced();
    v1::Ledger { rows: rows.collect(), as_of: Some(as_of(&answer.as_of)), total: Some(total) }
}

fn row(key: String, counts: Counts) -> v1::ledger::Row {
    v1::ledger::Row {
        key,
        consumed: count(counts.consumed),
        in_results: count(counts.in_results),
        open: count(counts.open),
        duplicates: count(counts.duplicates),
        conflicts: count(counts.conflicts),
        late: count(counts.late),
        dead: count(counts.dead),
        filtered: count(counts.filtered),
        balanced: counts.is_balanced(),
        imbalance: counts.imbalance(),
    }
}
