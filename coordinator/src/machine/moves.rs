//! Planned moves: a range is warmed at its next owner before its owner closes it.
//!
//! | step | who acts | what the control log says | the leader dies here |
//! |---|---|---|---|
//! | warming | the next owner restores a copy and follows | nothing | the copy is reported: the next leader goes on, or orders it dropped |
//! | releasing | the owner closes the range at a commit | nothing | the range is reported as closed, or is not closed yet: either way the next leader decides |
//! | closed | – | nothing | the next leader hands it on, to the one it would choose; at worst back |
//! | moved | the next owner serves | [`Change::Moved`]: where the one ended, who is next, under which epoch | nothing is left to do |
//!
//! So the only durable step is the last, one slot. That is enough because a closed range can never be
//! opened again under its epoch ([`Stage::Closed`]), and its owner says so in each report until the
//! control log has passed it by. An owner that dies before is fenced, and what it closed is in its
//! journal below the fence. Everything else can be found out again, or done again.
//!
//! [`Change::Moved`]: super::entry::Change::Moved
//! [`Stage::Closed`]: super::report::Stage::Closed

use std::collections::BTreeMap;

use proto::types::{Epoch, RangeId};

use super::member::Member;
use super::pace::Move;
use super::table::{Range, Table};

/// How long a copy may take to become ready, in milliseconds. A move that takes longer is given up,
/// and begun again after as long a time at the earliest, so that others get their turn.
pub const WARM_PATIENCE_MS: u64 = 60_000;

/// The planned moves that one leader has begun. Its successor begins with none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Moves {
    moves: BTreeMap<RangeId, Transfer>,
    /// Ranges that could not be warmed in time, and when they may be tried again.
    put_off: BTreeMap<RangeId, u64>,
}

/// A range on its way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transfer {
    /// Who owns it.
    pub owner: Member,
    /// Under which number.
    pub epoch: Epoch,
    /// Who is to own it.
    pub next: Member,
    /// How much state goes with it, in bytes.
    pub state_bytes: u64,
    /// How far it has come.
    pub step: Step,
}

/// How far a move has come, before the control log knows of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The next owner makes its copy. It can be called off.
    Warming {
        /// Since when, in milliseconds.
        since_ms: u64,
    },
    /// The owner closes the range. It can no longer be called off, but go elsewhere.
    Releasing,
}

impl Moves {
    /// Forgets moves that have ended: those of ranges that have another owner or epoch, whose next
    /// owner is no longer `serving`, or that took too long to warm.
    pub fn observe(&mut self, table: &Table, serving: impl Fn(&Member) -> bool, now_ms: u64) {
        let put_off = &mut self.put_off;
        put_off.retain(|_, until_ms| *until_ms > now_ms);
        self.moves.retain(|&id, transfer| {
            let is_late = transfer.step.is_warming_since(now_ms.saturating_sub(WARM_PATIENCE_MS));
            if is_late {
                put_off.insert(id, now_ms.saturating_add(WARM_PATIENCE_MS));
            }
            let range = table.range(id);
            let stands = range.is_some_and(|range| transfer.is_of(range));
            stands && serving(&transfer.next) && !is_late
        });
    }

    /// Whether a move of the range may begin.
    #[must_use]
    pub fn may_begin(&self, range: RangeId) -> bool {
        !self.moves.contains_key(&range) && !self.put_off.contains_key(&range)
    }

    /// Begins a move: the next owner is to make a copy.
    pub fn begin(&mut self, range: RangeId, transfer: Transfer) {
        self.moves.insert(range, transfer);
    }

    /// Calls a move off, if it still can be.
    pub fn call_off(&mut self, range: RangeId) {
        self.moves.retain(|&id, transfer| id != range || transfer.step == Step::Releasing);
    }

    /// The copy of the next owner is ready: the owner is to close the range.
    pub fn warmed(&mut self, range: RangeId) {
        if let Some(transfer) = self.moves.get_mut(&range) {
            transfer.step = Step::Releasing;
        }
    }

    /// The move of a range; `None` where it has none.
    #[must_use]
    pub fn get(&self, range: RangeId) -> Option<&Transfer> {
        self.moves.get(&range)
    }

    /// All moves, by range.
    pub fn iter(&self) -> impl Iterator<Item = (RangeId, &Transfer)> {
        self.moves.iter().map(|(&range, transfer)| (range, transfer))
    }

    /// What is in flight, for the pace.
    #[must_use]
    pub fn in_flight(&self) -> Vec<Move> {
        let moving = |(range, transfer): (RangeId, &Transfer)| Move {
            range,
            from: transfer.owner.node.clone(),
            to: transfer.next.node.clone(),
            state_bytes: transfer.state_bytes,
        };
        self.iter().map(moving).collect()
    }
}

impl Transfer {
    /// Whether the range is as it was when the move began, or its owner has ended since and nobody
    /// has followed: then the copy is still the best place for it.
    fn is_of(&self, range: &Range) -> bool {
        self.epoch == range.epoch && range.owner().is_none_or(|owner| *owner == self.owner)
    }
}

impl Step {
    const fn is_warming_since(self, before_ms: u64) -> bool {
        match self {
            Self::Warming { since_ms } => since_ms < before_ms,
            Self::Releasing => false,
        }
    }
}

#[cfg(test)]
mod tests;
