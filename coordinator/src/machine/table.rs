//! The fold of the control log: who leads, who lives, and which life of which node owns which range.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{Incarnation, Keying, NodeId, RangeId, Slot};

use super::entry::{Assignment, Change, Entry, Handover, Intent, Release};
use super::member::{Member, Term};

mod check;
mod keys;
mod range;
mod refused;

pub use range::{Range, Span, Tenure};
pub use refused::Refused;

/// What the control log says up to some slot. Two tables of the same slots are equal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    leader: Option<Leader>,
    members: BTreeMap<Member, Standing>,
    ranges: BTreeMap<RangeId, Range>,
    keying: Keying,
    /// The greatest number that a range has ever had; `None` before the key space was divided.
    last_range: Option<RangeId>,
    /// What operators want of nodes. One that is absent is to serve.
    intents: BTreeMap<NodeId, Intent>,
    /// The lives that will be stopped and are not over yet.
    leaving: BTreeSet<Member>,
}

/// Who won the last leader slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leader {
    /// The node whose process it was.
    pub candidate: NodeId,
    /// The leadership's number: what the process that won the slot knows itself by.
    pub term: Term,
}

/// Whether a life of a node may still write its journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It may, as far as the control log knows.
    Alive {
        /// Where other nodes reach it.
        address: String,
    },
    /// It never will again.
    Dead {
        /// The slot of its journal that holds the fence.
        fenced_at: Slot,
    },
}

impl Table {
    /// Folds the next entry into the table, which stays as it was where the entry is refused.
    ///
    /// # Errors
    ///
    /// [`Refused`] where no leader that obeys the rules can have written the entry.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Refused> {
        self.check(&entry)?;
        let term = entry.term;
        match entry.change {
            Change::Leader { candidate } => self.leader = Some(Leader { candidate, term }),
            Change::Joined { member, address } => {
                self.members.insert(member, Standing::Alive { address });
            }
            Change::Dead { member, fenced_at } => self.bury(&member, fenced_at),
            Change::Divided { ranges, keying } => {
                self.keying = keying;
                ranges.iter().for_each(|new| self.insert(new.range, Range::new(new)));
            }
            Change::Assigned { assignments } => self.assign(assignments),
            Change::Released { member, releases } => self.release(&member, &releases),
            Change::Intended { node, intent } => self.intend(node, intent),
            Change::Leaving { member } => drop(self.leaving.insert(member)),
            Change::Moved { member, handovers } => self.hand_over(&member, handovers),
            Change::Split { member, range, to, epoch, children } => {
                let parent = self.close(range, &member, to);
                for (place, child) in children.iter().enumerate() {
                    let share = (child.keys, place == 0);
                    self.insert(child.range, parent.child(range, share, epoch, &member));
                }
            }
            Change::Merged { member, left, right, to, epoch, child } => {
                let pasts = [left, right].map(|range| self.close(range, &member, to).lineage);
                let heir = Range::heir(child.keys, epoch, &member, pasts.concat());
                self.insert(child.range, heir);
            }
        }
        Ok(())
    }

    /// Who leads; `None` before anybody has led.
    #[must_use]
    pub fn leader(&self) -> Option<&Leader> {
        self.leader.as_ref()
    }

    /// The present leader's term; [`Term::NONE`] before anybody has led.
    #[must_use]
    pub fn term(&self) -> Term {
        self.leader.as_ref().map_or(Term::NONE, |leader| leader.term)
    }

    /// The range that has this key; `None` before the key space was divided.
    #[must_use]
    pub fn range_of(&self, key: u64) -> Option<(RangeId, &Range)> {
        self.ranges().find(|(_, range)| range.keys.contains(key))
    }

    /// How transaction ids become keys. It means nothing before there are ranges.
    #[must_use]
    pub const fn keying(&self) -> Keying {
        self.keying
    }

    /// All lives of all nodes, by node and incarnation.
    pub fn members(&self) -> impl Iterator<Item = (&Member, &Standing)> {
        self.members.iter()
    }

    /// The lives that have not been declared dead.
    pub fn alive(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|(_, standing)| standing.is_alive()).map(|(member, _)| member)
    }

    /// The lives that have been declared dead.
    pub fn dead(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|(_, standing)| !standing.is_alive()).map(|(member, _)| member)
    }

    /// What is known of one life of a node; `None` where it never joined.
    #[must_use]
    pub fn standing(&self, member: &Member) -> Option<&Standing> {
        self.members.get(member)
    }

    /// The number of the node's next life.
    #[must_use]
    pub fn next_incarnation(&self, node: &NodeId) -> Incarnation {
        let life = |incarnation| Member { node: node.clone(), incarnation };
        let lives = life(Incarnation(0))..=life(Incarnation(u64::MAX));
        let last = self.members.range(lives).next_back();
        last.map_or(Incarnation(1), |(member, _)| member.incarnation.next())
    }

    /// All ranges; none before the key space was divided.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (RangeId, &Range)> {
        self.ranges.iter().map(|(&id, range)| (id, range))
    }

    /// What is known of a range; `None` where there is no such range.
    #[must_use]
    pub fn range(&self, range: RangeId) -> Option<&Range> {
        self.ranges.get(&range)
    }

    /// The least number that no range has ever had: those above it are free too. `None` where all
    /// have been used.
    #[must_use]
    pub fn next_range(&self) -> Option<RangeId> {
        let last = self.last_range.map_or(Some(0), |last| last.0.checked_add(1));
        last.map(RangeId)
    }

    /// Where the range's past is; see [`Range::lineage`].
    #[must_use]
    pub fn lineage(&self, range: RangeId) -> &[Span] {
        self.ranges.get(&range).map_or(&[], |range| &range.lineage)
    }

    /// What operators want of a node.
    #[must_use]
    pub fn intent(&self, node: &NodeId) -> Intent {
        self.intents.get(node).copied().unwrap_or_default()
    }

    /// The lives that will be stopped, and may still own ranges.
    pub fn leaving(&self) -> impl Iterator<Item = &Member> {
        self.leaving.iter()
    }

    /// Whether this life is to own nothing, and to work on nothing for all: it will be stopped, or an
    /// operator wants its node drained.
    #[must_use]
    pub fn drains(&self, member: &Member) -> bool {
        self.intent(&member.node) == Intent::Drain || self.leaving.contains(member)
    }

    fn bury(&mut self, member: &Member, fenced_at: Slot) {
        self.leaving.remove(member);
        self.members.insert(member.clone(), Standing::Dead { fenced_at });
        let owned = self.ranges.iter_mut().filter(|(_, range)| range.owner() == Some(member));
        owned.for_each(|(&id, range)| range.end(id, member, fenced_at));
    }

    fn assign(&mut self, assignments: Vec<Assignment>) {
        for Assignment { range, member, epoch } in assignments {
            let range = self.ranges.get_mut(&range).expect("checked before");
            range.epoch = epoch;
            range.tenure = Tenure::Now(member);
        }
    }

    fn release(&mut self, member: &Member, releases: &[Release]) {
        for release in releases {
            let range = self.ranges.get_mut(&release.range).expect("checked before");
            range.end(release.range, member, release.to);
        }
    }

    fn hand_over(&mut self, member: &Member, handovers: Vec<Handover>) {
        for Handover { range: id, to, next, epoch } in handovers {
            let range = self.ranges.get_mut(&id).expect("checked before");
            range.end(id, member, to);
            range.epoch = epoch;
            range.tenure = Tenure::Now(next);
        }
    }

    fn insert(&mut self, id: RangeId, range: Range) {
        self.last_range = self.last_range.max(Some(id));
        self.ranges.insert(id, range);
    }

    /// Takes a range out, whose past ends so.
    fn close(&mut self, id: RangeId, member: &Member, to: Slot) -> Range {
        let mut range = self.ranges.remove(&id).expect("checked before");
        range.end(id, member, to);
        range
    }

    fn intend(&mut self, node: NodeId, intent: Intent) {
        match intent {
            Intent::Serve => self.intents.remove(&node),
            Intent::Cordon | Intent::Drain => self.intents.insert(node, intent),
        };
    }
}

impl Standing {
    /// Whether it has not been declared dead.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        match self {
            Self::Alive { .. } => true,
            Self::Dead { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
