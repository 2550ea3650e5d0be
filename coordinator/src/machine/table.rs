//! The fold of the control log: who leads, who lives, and which life of which node owns which range.

use std::collections::BTreeMap;

use proto::types::{Epoch, Incarnation, KeyRange, NodeId, RangeId, Slot};

use super::entry::{Assignment, Change, Division, Entry, Release};
use super::member::{Member, Term};

mod check;

pub use check::Refused;

/// What the control log says up to some slot. Two tables of the same slots are equal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    leader: Option<Leader>,
    members: BTreeMap<Member, Standing>,
    ranges: BTreeMap<RangeId, Range>,
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

/// What is known of one range.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Range {
    /// Its keys.
    pub keys: KeyRange,
    /// Its last owner's epoch; [`Epoch::NONE`] before the first.
    pub epoch: Epoch,
    /// Who owns it.
    pub tenure: Tenure,
    /// Where its past is: every stretch of a journal that may hold commits of an owner that is one
    /// no more, in the order of their epochs. Empty where nobody has committed for it.
    pub lineage: Vec<Span>,
}

/// Whose a range is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tenure {
    /// Nobody's, as ever.
    Never,
    /// Nobody's since this owner died or gave it up.
    Past(Member),
    /// This owner's, at the range's epoch.
    Now(Member),
}

/// The slots `from..to` of one journal, where an owner's commits for a range are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Span {
    /// The owner, whose journal it is.
    pub member: Member,
    /// The epoch under which it owned the range. A block of the range with another is none of this
    /// span.
    pub epoch: Epoch,
    /// The first slot that can hold a commit for the range. Those before the owner got the range
    /// hold nothing of it.
    pub from: Slot,
    /// One past the last: the fence's slot, or the one after the owner's last commit for the range.
    pub to: Slot,
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
            Change::Divided { ranges } => {
                self.ranges = ranges.iter().map(|new| (new.range, Range::new(new))).collect();
            }
            Change::Assigned { assignments } => self.assign(assignments),
            Change::Released { member, releases } => self.release(&member, &releases),
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

    /// All lives of all nodes, by node and incarnation.
    pub fn members(&self) -> impl Iterator<Item = (&Member, &Standing)> {
        self.members.iter()
    }

    /// The lives that have not been declared dead.
    pub fn alive(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|(_, standing)| standing.is_alive()).map(|(member, _)| member)
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

    /// Where the range's past is; see [`Range::lineage`].
    #[must_use]
    pub fn lineage(&self, range: RangeId) -> &[Span] {
        self.ranges.get(&range).map_or(&[], |range| &range.lineage)
    }

    fn bury(&mut self, member: &Member, fenced_at: Slot) {
        self.members.insert(member.clone(), Standing::Dead { fenced_at });
        for range in self.ranges.values_mut().filter(|range| range.owner() == Some(member)) {
            range.end(member, fenced_at);
        }
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
            range.end(member, release.to);
        }
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

impl Range {
    const fn new(division: &Division) -> Self {
        Self { keys: division.keys, epoch: Epoch::NONE, tenure: Tenure::Never, lineage: Vec::new() }
    }

    /// Who owns it; `None` where nobody does.
    #[must_use]
    pub const fn owner(&self) -> Option<&Member> {
        match &self.tenure {
            Tenure::Now(member) => Some(member),
            Tenure::Never | Tenure::Past(_) => None,
        }
    }

    /// The node that owns it or was the last to own it; `None` where none ever did.
    #[must_use]
    pub const fn home(&self) -> Option<&NodeId> {
        match &self.tenure {
            Tenure::Now(member) | Tenure::Past(member) => Some(&member.node),
            Tenure::Never => None,
        }
    }

    /// The first slot of the owner's journal that can hold a commit under the present epoch.
    fn since(&self, member: &Member) -> Slot {
        let ended = self.lineage.iter().rev().find(|span| span.member == *member);
        ended.map_or(Slot(1), |span| span.to)
    }

    fn end(&mut self, member: &Member, to: Slot) {
        let from = self.since(member);
        // An owner that committed nothing leaves nothing to restore: so that a node that dies at
        // each start doesn't grow the lineage.
        if from < to {
            self.lineage.push(Span { member: member.clone(), epoch: self.epoch, from, to });
        }
        self.tenure = Tenure::Past(member.clone());
    }
}

#[cfg(test)]
mod tests;
