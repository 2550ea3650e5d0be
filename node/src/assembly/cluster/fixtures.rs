//! What the tests of this folder are made of: control logs of a few entries, and what nodes say of themselves.

use std::num::NonZeroU16;

use coordinator::machine::entry::{Assignment, Change, Division, Entry, Intent};
use coordinator::machine::member::{Member, Term};
use coordinator::machine::table::Table;
use proto::types::{
    Epoch, EventTime, Incarnation, KeyRange, Keying, Leg, NodeId, RangeId, Sequence, Slot,
    SourcePartition,
};

use crate::api::backend::{AsOf, Counts, Ledger, Node, NodeState, Range, RangeState};
use crate::assembly::backend::Word;

pub(super) fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(super) fn member(name: &str) -> Member {
    Member { node: node(name), incarnation: Incarnation(1) }
}

/// The fold of `changes`, made by one leader.
pub(super) fn table(changes: Vec<Change>) -> Table {
    let mut table = Table::default();
    let lead = Change::Leader { candidate: node("a") };
    for change in [lead].into_iter().chain(changes) {
        table.apply(Entry { term: Term(1), change }).unwrap();
    }
    table
}

pub(super) fn joined(name: &str, address: &str) -> Change {
    Change::Joined { member: member(name), address: address.to_owned() }
}

pub(super) fn divided(count: u16) -> Change {
    let ranges = (0..).zip(KeyRange::divide(NonZeroU16::new(count).unwrap()));
    Change::Divided {
        ranges: ranges.map(|(id, keys)| Division { range: RangeId(id), keys }).collect(),
        keying: Keying::default(),
    }
}

/// The ranges, from the first on, are these nodes'.
pub(super) fn assigned(owners: &[&str]) -> Change {
    let assignment = |(id, owner): (u16, &&str)| Assignment {
        range: RangeId(id),
        member: member(owner),
        epoch: Epoch::new(1),
    };
    Change::Assigned { assignments: (0..).zip(owners).map(assignment).collect() }
}

pub(super) fn dead(name: &str) -> Change {
    Change::Dead { member: member(name), fenced_at: Slot(1) }
}

pub(super) fn intended(name: &str, intent: Intent) -> Change {
    Change::Intended { node: node(name), intent }
}

/// What a node says that serves these of `count` ranges, under their first epoch. Each range has consumed 10
/// records of either partition, and 1 more of the first for its number.
pub(super) fn word(name: &str, count: u16, ranges: &[u16]) -> Word {
    let keys: Vec<_> = KeyRange::divide(NonZeroU16::new(count).unwrap()).collect();
    let range = |&id: &u16| Range {
        id: RangeId(id),
        keys: keys[usize::from(id)],
        owner: Some(node(name)),
        epoch: Epoch::new(1),
        state: RangeState::Serving,
        open: 3,
        state_bytes: 1 << 20,
        lag_ms: 40,
        sequence: Sequence(7),
        records_per_second: 12.5,
    };
    let of = |id: u16, extra: u64| Counts {
        consumed: 10 + extra * u64::from(id),
        in_results: 10 + extra * u64::from(id),
        ..Counts::default()
    };
    let sum = |extra| ranges.iter().map(|&id| of(id, extra)).fold(Counts::default(), Counts::plus);
    let source =
        |leg: Leg| SourcePartition { topic: format!("bank.{leg}").into(), partition: 0, leg };
    Word {
        node: Node {
            id: node(name),
            state: NodeState::Alive,
            version: "0.1.0".to_owned(),
            ranges: u32::try_from(ranges.len()).unwrap(),
            memory_bytes: 1 << 30,
            memory_limit_bytes: Some(2 << 30),
            records_per_second: 12.5,
            copies: Vec::new(),
        },
        reasons: Vec::new(),
        ranges: ranges.iter().map(range).collect(),
        ledger: Ledger { rows: vec![(source(Leg::Trace), sum(1)), (source(Leg::Request), sum(0))] },
        as_of: AsOf { business_time: Some(EventTime(1_000)), lag_ms: 40, ..AsOf::default() },
    }
}
