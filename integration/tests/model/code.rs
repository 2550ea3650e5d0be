//! The model is held to the code: what both can do is done by both, and must come to the same.

use std::collections::HashSet;
use std::num::NonZeroU16;

use actors::machine::positions::{Batch, Position, Positions};
use bytes::Bytes;
use coordinator::machine::entry::{self, Assignment, Division, Handover};
use coordinator::machine::member::{Member, Term};
use coordinator::machine::table;
use proto::types::{
    Epoch, Incarnation, KeyRange, Keying, NodeId, Offset, PartitionIndex, RangeId, RecordTime, Slot,
};
use stateright::Model as _;

use super::ownership::Ownership;
use super::ownership::control::{Change, Entry, Life, Table};
use super::routing::range::Range;
use super::routing::{Batch as Sent, Routing};
use super::rule::Rules;

const RANGE: RangeId = RangeId(0);

/// Every control log of the model, each once.
fn logs(model: &Ownership) -> HashSet<Vec<Entry>> {
    let mut seen: HashSet<_> = model.init_states().into_iter().collect();
    let mut next: Vec<_> = seen.iter().cloned().collect();
    let mut logs = HashSet::new();
    while let Some(state) = next.pop() {
        logs.insert(state.log.clone());
        let new = model.next_states(&state).into_iter();
        next.extend(new.filter(|state| seen.insert(state.clone())));
    }
    logs
}

fn node(number: u8) -> NodeId {
    NodeId::new(&format!("node-{number}")).unwrap()
}

fn member(life: Life) -> Member {
    Member { node: node(life), incarnation: Incarnation(1) }
}

/// The model's entry as the code writes it.
fn written(it: Entry) -> entry::Entry {
    let epoch = |epoch: u8| Epoch::new(epoch.into());
    let slot = |slot: u8| Slot(slot.into());
    let change = match it.change {
        Change::Leader(number) => entry::Change::Leader { candidate: node(number) },
        Change::Dead(life, at) => entry::Change::Dead { member: member(life), fenced_at: slot(at) },
        Change::Assigned(life, number) => {
            let (member, epoch) = (member(life), epoch(number));
            entry::Change::Assigned {
                assignments: vec![Assignment { range: RANGE, member, epoch }],
            }
        }
        Change::Moved { from, to, next, epoch: number } => {
            let (to, next, epoch) = (slot(to), member(next), epoch(number));
            let handovers = vec![Handover { range: RANGE, to, next, epoch }];
            entry::Change::Moved { member: member(from), handovers }
        }
    };
    entry::Entry { term: Term(it.term.into()), change }
}

/// The code's table of a log; the lives join and the one range is made after the first leader.
fn folded(log: &[Entry], lives: u8) -> table::Table {
    let mut table = table::Table::default();
    table.apply(written(log[0])).unwrap();
    let term = Term(1);
    for life in 0..lives {
        let change = entry::Change::Joined { member: member(life), address: String::new() };
        table.apply(entry::Entry { term, change }).unwrap();
    }
    let keys = KeyRange::divide(NonZeroU16::MIN).next().unwrap();
    let ranges = vec![Division { range: RANGE, keys }];
    table
        .apply(entry::Entry {
            term,
            change: entry::Change::Divided { ranges, keying: Keying::default() },
        })
        .unwrap();
    log[1..].iter().for_each(|&it| table.apply(written(it)).unwrap());
    table
}

/// What the code's table says, in the model's words.
fn told(table: &table::Table, lives: u8) -> Table {
    let small = |number: u64| u8::try_from(number).unwrap();
    let life = |member: &Member| (0..lives).find(|&it| self::member(it) == *member).unwrap();
    let range = table.range(RANGE).unwrap();
    let is_dead = |life: &Life| !table.standing(&member(*life)).unwrap().is_alive();
    let span = |it: &table::Span| super::ownership::control::Span {
        life: life(&it.member),
        epoch: small(it.epoch.get()),
        from: small(it.from.0),
        to: small(it.to.0),
    };
    Table {
        term: small(table.term().0),
        epoch: small(range.epoch.get()),
        owner: range.owner().map(life),
        dead: (0..lives).filter(is_dead).collect(),
        lineage: range.lineage.iter().map(span).collect(),
    }
}

/// Entries that may come next, and some that may not.
fn candidates(table: &Table, lives: u8) -> Vec<Entry> {
    let mut candidates = Vec::new();
    for term in table.term.saturating_sub(1)..=table.term + 1 {
        let mut put = |change| candidates.push(Entry { term, change });
        put(Change::Leader(0));
        for life in 0..lives {
            put(Change::Dead(life, 9));
            for epoch in table.epoch.saturating_sub(1).max(1)..=table.epoch + 2 {
                put(Change::Assigned(life, epoch));
                for to in 1..4 {
                    let from = (life + 1) % lives;
                    put(Change::Moved { from, to, next: life, epoch });
                }
            }
        }
    }
    candidates
}

/// How many control logs, and how many entries were offered to both.
pub(crate) fn check_control_log(model: &Ownership) -> (usize, usize) {
    let (mut logs_seen, mut offered) = (0, 0);
    for log in logs(model) {
        let real = folded(&log, model.lives);
        let mut ours = Table::default();
        log.iter().for_each(|&it| ours.apply(it));
        assert_eq!(told(&real, model.lives), ours, "{log:?}");
        for it in candidates(&ours, model.lives) {
            let is_taken = real.check(&written(it)).is_ok();
            assert_eq!(is_taken, ours.allows(it, Rules::ALL), "{it:?} after {log:?}");
            offered += 1;
        }
        logs_seen += 1;
    }
    (logs_seen, offered)
}

/// Every batch at every position, by the code and by the model.
pub(crate) fn check_positions(model: &Routing) {
    let records = model.records;
    for position in 0..=records {
        for (from, to) in
            (0..records).flat_map(|from| (from + 1..=records).map(move |to| (from, to)))
        {
            let at = Position { offset: Offset(position.into()), clock: RecordTime(0) };
            let mut real = Positions::new(vec![at], RecordTime(0));
            let batch = Batch {
                partition: PartitionIndex(0),
                from: Offset(from.into()),
                to: Offset(to.into()),
                clock: RecordTime(0),
                records: Bytes::new(),
            };
            let first = real.accept(&batch).ok().map(|it| u8::try_from(it.0).unwrap());
            let mut range = Range::new(records);
            range.positions[0] = position;
            let sent = Sent { reader: 0, range: 0, from, to, had: from };
            let ours = model.accepted(&range, sent);
            assert_eq!(first, ours, "{from}..{to} at {position}");
        }
    }
}
