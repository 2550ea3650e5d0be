//! What a node says in each heartbeat: what it holds of which range.
//!
//! A report may come late, twice or never. What it says of a closed range is true for ever; all else
//! serves speed only.

use proto::types::{Epoch, RangeId, Slot};

use super::member::Member;
use super::plan::Load;

/// What one life of a node says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// Who says it.
    pub member: Member,
    /// Rises with each report of this life: one that was overtaken says nothing new.
    pub number: u64,
    /// The ranges that it owns as far as it knows, and those it has closed and not got back.
    pub holdings: Vec<Holding>,
    /// The ranges of others that it keeps warm.
    pub copies: Vec<Copy>,
    /// Whether it was asked to stop, and waits until others have its ranges.
    pub is_leaving: bool,
}

impl Report {
    /// Whether it says the same of the ranges, but for what they cost.
    #[must_use]
    pub fn says_same(&self, other: &Self) -> bool {
        let told = |held: &Holding| (held.range, held.epoch, held.stage);
        self.copies == other.copies
            && self.is_leaving == other.is_leaving
            && self.holdings.iter().map(told).eq(other.holdings.iter().map(told))
    }
}

/// A range as its owner knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// The range.
    pub range: RangeId,
    /// The epoch under which it was told to serve it.
    pub epoch: Epoch,
    /// What it does with it.
    pub stage: Stage,
    /// What it costs; `None` where that isn't known yet.
    pub load: Option<Load>,
}

/// What an owner does with a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// It brings it up from what others have committed.
    Restoring,
    /// It commits for it.
    Serving,
    /// It has committed for it, under this epoch, for the last time. No order opens it again: who
    /// took it for closed counts on that.
    Closed {
        /// The slot of its journal after the last with a commit for the range.
        to: Slot,
    },
}

/// A range of another that is kept ready to be taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Copy {
    /// The range.
    pub range: RangeId,
    /// The epoch of the owner whose commits it follows.
    pub epoch: Epoch,
    /// Whether it is so near to the owner that a switch takes no time worth mentioning.
    pub is_ready: bool,
}
