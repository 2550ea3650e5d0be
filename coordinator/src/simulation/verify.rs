//! What must hold at the end of each history, read from the store and not through the machines.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{Epoch, RangeId, Slot};

use super::node::Node;
use super::world::World;
use crate::machine::entry::{Assignment, Change, Entry, Handover};
use crate::machine::fence::is_fence;
use crate::machine::member::Member;
use crate::machine::report::Stage;
use crate::machine::table::{Table, Tenure};

pub(super) fn entries(world: &World) -> Vec<Entry> {
    world.control.content().values().map(|object| Entry::open(object).unwrap()).collect()
}

/// Who was given a range, under which number: (I1) each epoch once, rising by one, and never to a life
/// that was over. Where its commits end, as the log says.
#[derive(Default)]
struct Given {
    owners: BTreeMap<(RangeId, Epoch), Member>,
    last: BTreeMap<RangeId, Epoch>,
    ends: BTreeMap<(RangeId, Epoch), Slot>,
    fences: BTreeMap<Member, Slot>,
}

impl Given {
    fn give(&mut self, range: RangeId, epoch: Epoch, member: &Member) {
        assert!(!self.fences.contains_key(member), "{member} was fenced and got {range}");
        let last = self.last.insert(range, epoch).unwrap_or(Epoch::NONE);
        assert_eq!(epoch, last.next(), "epochs of {range} rise by one");
        if let Some(owner) = self.owners.get(&(range, last)) {
            assert!(self.is_over(range, last, owner), "{owner} still owned {range}");
        }
        let other = self.owners.insert((range, epoch), member.clone());
        assert_eq!(other, None, "{range} {epoch} is given once");
    }

    fn is_over(&self, range: RangeId, epoch: Epoch, owner: &Member) -> bool {
        self.ends.contains_key(&(range, epoch)) || self.fences.contains_key(owner)
    }

    fn read(&mut self, entries: &[Entry]) {
        for entry in entries {
            match &entry.change {
                Change::Assigned { assignments } => {
                    for Assignment { range, member, epoch } in assignments {
                        self.give(*range, *epoch, member);
                    }
                }
                Change::Moved { handovers, .. } => {
                    for Handover { range, to, next, epoch } in handovers {
                        let before = Epoch::new(epoch.get() - 1);
                        self.ends.insert((*range, before), *to);
                        self.give(*range, *epoch, next);
                    }
                }
                Change::Dead { member, fenced_at } => {
                    self.fences.insert(member.clone(), *fenced_at);
                }
                Change::Leader { .. }
                | Change::Joined { .. }
                | Change::Divided { .. }
                | Change::Released { .. }
                | Change::Intended { .. }
                | Change::Leaving { .. }
                | Change::Split { .. }
                | Change::Merged { .. } => {}
            }
        }
    }
}

/// I1 and I12: what was committed is what the next owners restored, whoever was late or frozen.
pub(super) fn safety(world: &World) {
    let entries = entries(world);
    let mut terms = BTreeSet::new();
    for entry in &entries {
        if matches!(entry.change, Change::Leader { .. }) {
            assert!(terms.insert(entry.term) && terms.last() == Some(&entry.term), "terms rise");
        }
        assert_eq!(terms.last(), Some(&entry.term), "who leads writes");
    }
    let mut given = Given::default();
    given.read(&entries);
    let mut table = Table::default();
    entries.into_iter().for_each(|entry| table.apply(entry).unwrap());

    for (member, journal) in world.journals() {
        for (slot, object) in journal.content() {
            if is_fence(&object) {
                continue;
            }
            let fence = given.fences.get(&member);
            assert!(fence.is_none_or(|&fence| slot < fence), "{member} committed behind its fence");
            for block in str::from_utf8(&object).unwrap().lines().skip(1) {
                let (range, epoch) = block.split_once(' ').unwrap();
                let range = RangeId(range.parse().unwrap());
                let epoch = Epoch::new(epoch.parse().unwrap());
                committed(&table, &given, (&member, slot), (range, epoch));
            }
        }
    }
}

/// A commit was made by the owner of that epoch, and stands in the range's past, or is the present
/// owner's.
fn committed(
    table: &Table,
    given: &Given,
    (member, slot): (&Member, Slot),
    (id, epoch): (RangeId, Epoch),
) {
    let at = format!("{member} {slot} {id} {epoch}");
    assert_eq!(given.owners.get(&(id, epoch)), Some(member), "committed by its owner: {at}");
    let range = table.range(id).unwrap();
    let is_present = range.epoch == epoch && range.tenure == Tenure::Now(member.clone());
    let span = range.lineage.iter().find(|span| span.epoch == epoch && span.member == *member);
    let is_past = span.is_some_and(|span| (span.from..span.to).contains(&slot));
    assert!(is_present || is_past, "in the range's past: {at}");
}

/// Every range is served by its owner under its epoch, and by nobody else.
pub(super) fn service(world: &World, nodes: &[Node]) {
    let mut table = Table::default();
    entries(world).into_iter().for_each(|entry| table.apply(entry).unwrap());
    for (id, range) in table.ranges() {
        let owner = range.owner().unwrap_or_else(|| panic!("{id} has no owner"));
        let serve = |node: &&Node| {
            node.held()
                .any(|it| (it.range, it.epoch, it.stage) == (id, range.epoch, Stage::Serving))
        };
        let servers: Vec<_> = nodes.iter().filter(serve).map(Node::member).collect();
        assert_eq!(servers, [Some(owner)], "{id} is served by its owner");
    }
    let served: usize = nodes.iter().map(|node| node.served().count()).sum();
    assert_eq!(served, table.ranges().len(), "nobody serves what is another's");
}
