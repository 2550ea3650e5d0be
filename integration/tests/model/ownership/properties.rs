//! What must hold in every state of the ownership model, and what must be reachable.

use stateright::Property;

use super::super::rule::Rule;
use super::control::Change;
use super::{Ownership, SinkKind, State};

type Holds = fn(&Ownership, &State) -> bool;

/// Every property; those that must be reachable within the bounds of `model`.
pub(crate) fn all(model: &Ownership) -> Vec<Property<Ownership>> {
    let always: [(&'static str, Holds); 7] = [
        ("I1 one lineage", |_, it| it.is_one_lineage),
        ("I1 an epoch is given once", epochs_rise),
        ("I2 each record once", |model, it| it.committed.len() <= usize::from(model.records)),
        ("I4 memory descends from what is committed", descends),
        ("I5 I6 what is published is what is committed", published),
        ("I7 the sink has each sequence once, without a gap", exact),
        ("I10 what is needed is there", needed_is_there),
    ];
    let is_moved: Holds = |_, it| goes_on_after(it, |it| matches!(it, Change::Moved { .. }));
    let is_followed: Holds = |_, it| goes_on_after(it, |it| matches!(it, Change::Dead(..)));
    let is_deposed: Holds =
        |_, it| it.table.term > 1 && it.coordinators.iter().any(|it| it.won == 0);
    let sometimes: [(&'static str, Holds, bool); 4] = [
        ("everything is committed and published", all_published, true),
        ("a planned move completes", is_moved, model.left.moves > 0),
        ("a failover completes", is_followed, model.left.fences > 0),
        ("a leader is deposed", is_deposed, model.left.leaders > 0),
    ];
    let sometimes = sometimes.into_iter().filter(|it| it.2);
    let sometimes = sometimes.map(|(name, holds, _)| Property::sometimes(name, holds));
    let always = always.map(|(name, holds)| Property::always(name, holds));
    always.into_iter().chain(sometimes).collect()
}

fn all_published(model: &Ownership, state: &State) -> bool {
    let records = usize::from(model.records);
    state.committed.len() == records && state.sink.without_repeats().len() == records
}

fn epochs_rise(_: &Ownership, state: &State) -> bool {
    let spans = &state.table.lineage;
    let ascend = spans.windows(2).all(|pair| pair[0].epoch < pair[1].epoch);
    let given = state.log.iter().filter_map(|entry| match entry.change {
        Change::Assigned(_, epoch) | Change::Moved { epoch, .. } => Some(epoch),
        Change::Leader(_) | Change::Dead(..) => None,
    });
    let mut given: Vec<_> = given.collect();
    let count = given.len();
    given.dedup();
    ascend && given.len() == count && given.is_sorted()
}

/// What an owner was told to be durable is durable, row by row. One that serves and writes nothing has all.
fn descends(_: &Ownership, state: &State) -> bool {
    state.processes.iter().filter(|it| it.runs).all(|it| {
        let durable = &it.memory[..usize::from(it.durable)];
        state.committed.starts_with(durable)
    })
}

fn published(_: &Ownership, state: &State) -> bool {
    state
        .sink
        .rows
        .iter()
        .all(|&(sequence, row)| state.committed.get(usize::from(sequence) - 1) == Some(&row))
}

fn exact(model: &Ownership, state: &State) -> bool {
    let drops = model.sink == SinkKind::Stamped && model.has(Rule::ReaderDropsRepeats);
    let rows = if drops { state.sink.without_repeats() } else { state.sink.rows.clone() };
    (1..).zip(&rows).all(|(expected, &(sequence, _))| sequence == expected)
}

/// Whoever owned the range next could restore all of it, with all rows that the sink may lack.
fn needed_is_there(model: &Ownership, state: &State) -> bool {
    let mut past = state.table.lineage.clone();
    if let Some(owner) = state.table.owner {
        let from = state.table.since(owner);
        let to = state.journals[usize::from(owner)].highest() + 1;
        let epoch = state.table.epoch;
        past.extend((from < to).then_some(super::control::Span { life: owner, epoch, from, to }));
    }
    let Some(restored) = model.shelf(state).restore(&past) else { return false };
    let sent = u8::try_from(state.sink.without_repeats().len()).expect("few rows");
    let waiting = restored.acknowledged..u8::try_from(restored.rows.len()).expect("few rows");
    let mut known = restored.outbox.iter().map(|&(_, last)| last);
    let covered = waiting.is_empty() || known.next_back() == Some(waiting.end);
    let is_all_sent = sent >= waiting.end;
    restored.rows == state.committed && (covered || is_all_sent)
}

/// Whether somebody else has committed after such a change.
fn goes_on_after(state: &State, is_it: fn(&Change) -> bool) -> bool {
    let is_there = state.log.iter().any(|entry| is_it(&entry.change));
    let last = state.processes.iter().filter(|it| it.serves() && it.epoch == state.table.epoch);
    is_there && last.into_iter().any(|it| state.committed.contains(&it.epoch))
}
