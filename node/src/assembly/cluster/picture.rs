//! What the nodes say of themselves, put together to one picture of the cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use coordinator::machine::entry::Intent;
use coordinator::machine::table::{Standing, Table};
use proto::types::{Epoch, NodeId, RangeId, Sequence};

use crate::api::backend::{
    AsOf, Cluster, Counts, Health, Ledger, Node, NodeState, Overview, Range, RangeState,
};
use crate::assembly::backend::{VERSION, Word};

/// What the node that asked knows by itself.
pub(super) struct Known<'a> {
    /// The cluster's name.
    pub(super) name: &'a str,
    /// Who owns what.
    pub(super) table: &'a Table,
    /// As of which slot of the control log.
    pub(super) map_version: u64,
    /// Who leads; `None` where no node is known to.
    pub(super) leader: Option<&'a NodeId>,
}

/// The cluster, put together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) overview: Overview,
    pub(super) ledger: Ledger,
    pub(super) as_of: AsOf,
}

/// Whether two nodes speak for one range: it moved between their answers, and its records would count twice.
pub(super) fn is_blurred(said: &[Word]) -> bool {
    let mut seen = BTreeSet::new();
    said.iter().flat_map(|word| &word.ranges).any(|range| !seen.insert(range.id))
}

impl Picture {
    /// The picture. Who is not among those who `said` something did not answer.
    pub(super) fn of(known: &Known<'_>, mut said: Vec<Word>) -> Self {
        // The same from each node, whoever answered it first.
        said.sort_by(|a, b| a.node.id.cmp(&b.node.id));
        leave_out_the_past(&mut said);
        let ranges = ranges(known.table, &said);
        let nodes = nodes(known.table, &said);
        let missing: BTreeSet<RangeId> =
            ranges.iter().filter(|it| it.state.is_missing()).map(|it| it.id).collect();
        let answering = ranges.len() - missing.len();
        let mut reasons = reasons(known, &nodes, &ranges);
        if answering == 0 {
            reasons.push("no range answers".to_owned());
        }
        let each = said.iter().flat_map(|word| word.reasons.iter().map(|it| (&word.node.id, it)));
        reasons.extend(each.map(|(node, reason)| format!("{node}: {reason}")));
        let health = match (answering, reasons.is_empty()) {
            (0, _) => Health::Unavailable,
            (_, false) => Health::Degraded,
            (_, true) => Health::Healthy,
        };
        let alive = nodes.iter().filter(|node| node.state != NodeState::Dead).count();
        let cluster = Cluster {
            name: known.name.to_owned(),
            health,
            reasons,
            nodes: u32::try_from(alive).unwrap_or(u32::MAX),
            ranges: u32::try_from(ranges.len()).unwrap_or(u32::MAX),
            version: VERSION.to_owned(),
            leader: known.leader.cloned(),
        };
        let as_of = AsOf {
            missing: missing.into_iter().collect(),
            map_version: known.map_version,
            ..freshness(&said)
        };
        Self { overview: Overview { cluster, nodes, ranges }, ledger: ledger(&said), as_of }
    }
}

/// Where two speak for one range, who had it before says nothing: its ledger has that range in it, and
/// cannot be taken apart.
fn leave_out_the_past(said: &mut [Word]) {
    let mut newest: BTreeMap<RangeId, Epoch> = BTreeMap::new();
    for range in said.iter().flat_map(|word| &word.ranges) {
        let epoch = newest.entry(range.id).or_default();
        *epoch = range.epoch.max(*epoch);
    }
    let is_past = |word: &&mut Word| word.ranges.iter().any(|it| it.epoch < newest[&it.id]);
    for word in said.iter_mut().filter(is_past) {
        word.ranges.clear();
        word.ledger = Ledger::default();
    }
}

fn ranges(table: &Table, said: &[Word]) -> Vec<Range> {
    let reports = said.iter().flat_map(|word| &word.ranges);
    let reports: HashMap<RangeId, &Range> = reports.map(|range| (range.id, range)).collect();
    let answered = |node: &NodeId| said.iter().any(|word| word.node.id == *node);
    let one = |(id, range): (RangeId, &coordinator::machine::table::Range)| {
        // One under an epoch that has passed is no answer for the range as it is now.
        if let Some(&report) = reports.get(&id).filter(|report| report.epoch >= range.epoch) {
            return report.clone();
        }
        let owner = range.owner().map(|owner| owner.node.clone());
        let state = match &owner {
            None => RangeState::Unowned,
            Some(owner) if answered(owner) => RangeState::Restoring,
            Some(_) => RangeState::Silent,
        };
        Range {
            id,
            keys: range.keys,
            owner,
            epoch: range.epoch,
            state,
            open: 0,
            state_bytes: 0,
            lag_ms: 0,
            sequence: Sequence(0),
            records_per_second: 0.0,
        }
    };
    let mut ranges: Vec<_> = table.ranges().map(one).collect();
    ranges.sort_by_key(|range| range.keys.start());
    ranges
}

fn nodes(table: &Table, said: &[Word]) -> Vec<Node> {
    // Ascending, so that a node's last life is what stays.
    let lives: BTreeMap<_, _> =
        table.members().map(|(member, standing)| (&member.node, (member, standing))).collect();
    let one = |(node, (member, standing)): (&NodeId, (_, &Standing))| {
        let is_alive = standing.is_alive();
        let word = said.iter().find(|word| word.node.id == *node).filter(|_| is_alive);
        let state = match (is_alive, word, table.intent(node)) {
            (false, ..) => NodeState::Dead,
            (true, None, _) => NodeState::Suspect,
            (true, Some(_), _) if table.drains(member) => NodeState::Draining,
            (true, Some(_), Intent::Cordon) => NodeState::Cordoned,
            (true, Some(_), Intent::Serve | Intent::Drain) => NodeState::Alive,
        };
        if let Some(word) = word {
            return Node { state, ..word.node.clone() };
        }
        let owned = table.ranges().filter(|(_, range)| range.owner() == Some(member)).count();
        Node {
            id: node.clone(),
            state,
            version: String::new(),
            ranges: u32::try_from(owned).unwrap_or(u32::MAX),
            memory_bytes: 0,
            memory_limit_bytes: None,
            records_per_second: 0.0,
            copies: Vec::new(),
        }
    };
    lives.into_iter().map(one).collect()
}

/// What is wrong with the cluster as a whole.
fn reasons(known: &Known<'_>, nodes: &[Node], ranges: &[Range]) -> Vec<String> {
    let mut reasons = Vec::new();
    if known.leader.is_none() {
        reasons.push("no node is known to lead: nothing moves until one does".to_owned());
    }
    for node in nodes {
        match node.state {
            // One that was drained before was meant to go.
            NodeState::Dead if known.table.intent(&node.id) != Intent::Drain => {
                reasons.push(format!("{} is dead", node.id));
            }
            NodeState::Suspect => reasons.push(format!("{} does not answer", node.id)),
            NodeState::Dead | NodeState::Alive | NodeState::Cordoned | NodeState::Draining => {}
        }
    }
    let mut count = |state: RangeState, one: &str, many: &str| {
        let them: Vec<_> =
            ranges.iter().filter(|it| it.state == state).map(|it| it.id.to_string()).collect();
        match &*them {
            [] => {}
            [range] => reasons.push(format!("{range} {one}")),
            [first, .., last] => {
                reasons.push(format!("{} ranges {many}: {first} … {last}", them.len()));
            }
        }
    };
    count(RangeState::Unowned, "has no owner", "have no owner");
    count(RangeState::Restoring, "is being restored", "are being restored");
    count(RangeState::Silent, "is where nobody answers", "are where nobody answers");
    reasons
}

/// Each source partition's counts, summed over the nodes: each has counted for its own ranges.
fn ledger(said: &[Word]) -> Ledger {
    let mut ledger = Ledger::default();
    let mut places = HashMap::new();
    for (source, counts) in said.iter().flat_map(|word| &word.ledger.rows) {
        let place = *places.entry(source).or_insert(ledger.rows.len());
        if place == ledger.rows.len() {
            ledger.rows.push((source.clone(), Counts::default()));
        }
        ledger.rows[place].1 = ledger.rows[place].1.plus(*counts);
    }
    ledger
}

/// The least fresh counts. A node without ranges has nothing that could be old.
fn freshness(said: &[Word]) -> AsOf {
    let busy = || said.iter().filter(|word| !word.ranges.is_empty()).map(|word| &word.as_of);
    let is_known = busy().all(|as_of| as_of.business_time.is_some());
    AsOf {
        business_time: busy().filter_map(|as_of| as_of.business_time).min().filter(|_| is_known),
        lag_ms: busy().map(|as_of| as_of.lag_ms).max().unwrap_or(0),
        ..AsOf::default()
    }
}

#[cfg(test)]
mod tests;
