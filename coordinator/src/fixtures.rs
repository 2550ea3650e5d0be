//! What this crate's tests are made of: short names for members, ranges and entries.

use std::num::NonZeroU16;

use proto::types::{Epoch, Incarnation, KeyRange, Keying, NodeId, RangeId, Slot};

use crate::coordinator::Cut;
use crate::machine::entry::{Assignment, Change, Division, Entry, Handover, Intent, Release};
use crate::machine::member::{Member, Term};
use crate::machine::table::{Refused, Table};

pub(crate) fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(crate) fn member(name: &str, incarnation: u64) -> Member {
    Member { node: node(name), incarnation: Incarnation(incarnation) }
}

pub(crate) fn lead(name: &str) -> Change {
    Change::Leader { candidate: node(name) }
}

pub(crate) fn joined(name: &str, incarnation: u64) -> Change {
    Change::Joined { member: member(name, incarnation), address: format!("{name}:7700") }
}

pub(crate) fn dead(name: &str, incarnation: u64, fenced_at: u64) -> Change {
    Change::Dead { member: member(name, incarnation), fenced_at: Slot(fenced_at) }
}

pub(crate) fn cut(ranges: NonZeroU16) -> Cut {
    Cut { ranges, keying: Keying::default() }
}

pub(crate) fn divided(count: u16) -> Change {
    let ranges = KeyRange::divide(NonZeroU16::new(count).unwrap()).zip(0..);
    let division = |(keys, id)| Division { range: RangeId(id), keys };
    Change::Divided { ranges: ranges.map(division).collect(), keying: Keying::default() }
}

pub(crate) fn assigned(assignments: &[(u16, Member, u64)]) -> Change {
    let assignment = |(range, member, epoch): &(u16, Member, u64)| Assignment {
        range: RangeId(*range),
        member: member.clone(),
        epoch: Epoch::new(*epoch),
    };
    Change::Assigned { assignments: assignments.iter().map(assignment).collect() }
}

pub(crate) fn released(member: Member, releases: &[(u16, u64, u64)]) -> Change {
    let release = |&(range, epoch, to)| Release {
        range: RangeId(range),
        epoch: Epoch::new(epoch),
        to: Slot(to),
    };
    Change::Released { member, releases: releases.iter().map(release).collect() }
}

/// Handovers as (range, to, next, epoch).
pub(crate) fn moved(member: Member, handovers: &[(u16, u64, Member, u64)]) -> Change {
    let handover = |(range, to, next, epoch): &(u16, u64, Member, u64)| Handover {
        range: RangeId(*range),
        to: Slot(*to),
        next: next.clone(),
        epoch: Epoch::new(*epoch),
    };
    Change::Moved { member, handovers: handovers.iter().map(handover).collect() }
}

/// A part of the key space as (range, start, end).
pub(crate) fn part((range, start, end): (u16, u64, u64)) -> Division {
    Division { range: RangeId(range), keys: KeyRange::new(start, end).unwrap() }
}

pub(crate) fn intended(name: &str, intent: Intent) -> Change {
    Change::Intended { node: node(name), intent }
}

/// Folds `change`, under the term in which it can be written.
pub(crate) fn fold(table: &mut Table, change: Change) -> Result<(), Refused> {
    let term = match change {
        Change::Leader { .. } => table.term().next(),
        Change::Joined { .. }
        | Change::Dead { .. }
        | Change::Divided { .. }
        | Change::Assigned { .. }
        | Change::Released { .. }
        | Change::Intended { .. }
        | Change::Leaving { .. }
        | Change::Moved { .. }
        | Change::Split { .. }
        | Change::Merged { .. } => table.term(),
    };
    table.apply(Entry { term, change })
}

/// The table after these changes, each under the term in which it can be written.
pub(crate) fn table(changes: &[Change]) -> Table {
    let mut table = Table::default();
    for change in changes {
        fold(&mut table, change.clone()).unwrap();
    }
    table
}

pub(crate) fn entry(term: u64, change: Change) -> Entry {
    Entry { term: Term(term), change }
}
