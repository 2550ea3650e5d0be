//! What a leader wants done, by itself or by nodes.

use std::collections::BTreeMap;

use proto::types::{Epoch, RangeId, Slot};

use super::entry::{Assignment, Change, Division, Handover};
use super::member::Member;

/// One thing to do. Each is right whenever it is done, by whichever leader it was given and however
/// often: what the leader would break, the control log refuses; what a node would, its epochs.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Order {
    /// The leader: end the journal of a life that is held dead or has been followed by another, then
    /// declare it dead.
    Fence {
        /// The life.
        member: Member,
    },
    /// The leader: give a range that nobody owns to an owner.
    Assign {
        /// The range.
        range: RangeId,
        /// Its owner.
        member: Member,
        /// The epoch, never given before (I1).
        epoch: Epoch,
    },
    /// The leader: give a range that its owner has closed to the next owner.
    Move {
        /// The range.
        range: RangeId,
        /// The owner that has closed it.
        member: Member,
        /// The slot of its journal after the last with a commit for the range.
        to: Slot,
        /// Who gets it; perhaps the same again.
        next: Member,
        /// The epoch, never given before (I1).
        epoch: Epoch,
    },
    /// The leader: let a range that its owner has closed become others, which are the same owner's.
    Split {
        /// The range.
        range: RangeId,
        /// The owner that has closed it.
        member: Member,
        /// The slot of its journal after the last with a commit for the range.
        to: Slot,
        /// The children's epoch.
        epoch: Epoch,
        /// What it becomes.
        children: Vec<Division>,
    },
    /// The leader: write down that a life will be stopped, as it says of itself.
    Leave {
        /// The life.
        member: Member,
    },
    /// An owner: restore the range and serve it. A life that has closed the range under this epoch or
    /// a later one does nothing: what it would commit is in nobody's past.
    Serve {
        /// The range.
        range: RangeId,
        /// Its owner.
        member: Member,
        /// Under which number.
        epoch: Epoch,
    },
    /// An owner: close the range at a commit, for ever under this epoch, and say where. A life that
    /// was never told to serve it has committed nothing for it, and closes it at once.
    Release {
        /// The range.
        range: RangeId,
        /// Its owner.
        member: Member,
        /// The epoch under which it owns the range.
        epoch: Epoch,
    },
    /// The next owner: restore a copy of the range, and follow its owner's commits.
    Warm {
        /// The range.
        range: RangeId,
        /// Its owner to be.
        member: Member,
        /// The present owner's epoch.
        epoch: Epoch,
    },
    /// A life that was declared dead and still speaks: drop everything and join as a new one. It need
    /// not have noticed, if it had nothing to commit.
    Rejoin {
        /// The life.
        member: Member,
    },
    /// A node that has a copy: drop it.
    Cool {
        /// The range.
        range: RangeId,
        /// Who has the copy.
        member: Member,
    },
}

impl Order {
    /// Whose journal it ends; `None` where it ends none.
    #[must_use]
    pub const fn fences(&self) -> Option<&Member> {
        match self {
            Self::Fence { member } => Some(member),
            Self::Assign { .. }
            | Self::Move { .. }
            | Self::Split { .. }
            | Self::Leave { .. }
            | Self::Serve { .. }
            | Self::Release { .. }
            | Self::Warm { .. }
            | Self::Rejoin { .. }
            | Self::Cool { .. } => None,
        }
    }

    /// Which node is to do it; `None` where the leader is.
    #[must_use]
    pub const fn addressee(&self) -> Option<&Member> {
        match self {
            Self::Serve { member, .. }
            | Self::Release { member, .. }
            | Self::Warm { member, .. }
            | Self::Rejoin { member }
            | Self::Cool { member, .. } => Some(member),
            Self::Fence { .. }
            | Self::Assign { .. }
            | Self::Move { .. }
            | Self::Split { .. }
            | Self::Leave { .. } => None,
        }
    }

    /// Whether it makes new ranges.
    #[must_use]
    pub const fn is_split(&self) -> bool {
        matches!(self, Self::Split { .. })
    }

    /// Whether it asks an owner to close a range.
    #[must_use]
    pub const fn is_release(&self) -> bool {
        matches!(self, Self::Release { .. })
    }
}

/// What `orders` put into the control log without anything else having to happen first: who leaves, since
/// its source partitions are read elsewhere from then on; then moves and splits before assignments, since
/// the former owner serves no more. Fences are not among it.
#[must_use]
pub fn changes(orders: &[Order]) -> Vec<Change> {
    let mut moved: BTreeMap<&Member, Vec<Handover>> = BTreeMap::new();
    let (mut assignments, mut splits, mut leaving) = (Vec::new(), Vec::new(), Vec::new());
    for order in orders {
        match order {
            Order::Move { range, member, to, next, epoch } => {
                let (range, to, next, epoch) = (*range, *to, next.clone(), *epoch);
                moved.entry(member).or_default().push(Handover { range, to, next, epoch });
            }
            Order::Assign { range, member, epoch } => {
                let (range, member, epoch) = (*range, member.clone(), *epoch);
                assignments.push(Assignment { range, member, epoch });
            }
            Order::Split { range, member, to, epoch, children } => {
                let (member, children) = (member.clone(), children.clone());
                let (range, to, epoch) = (*range, *to, *epoch);
                splits.push(Change::Split { member, range, to, epoch, children });
            }
            Order::Leave { member } => leaving.push(Change::Leaving { member: member.clone() }),
            Order::Fence { .. }
            | Order::Serve { .. }
            | Order::Release { .. }
            | Order::Warm { .. }
            | Order::Rejoin { .. }
            | Order::Cool { .. } => {}
        }
    }
    let moved = moved.into_iter().map(|(member, mut handovers)| {
        handovers.sort_by_key(|handover| handover.range);
        Change::Moved { member: member.clone(), handovers }
    });
    assignments.sort_by_key(|assignment| assignment.range);
    let assigned = (!assignments.is_empty()).then_some(Change::Assigned { assignments });
    leaving.into_iter().chain(moved).chain(splits).chain(assigned).collect()
}
