//! When a node commits and what an answer means: one write in flight, unclear answers read back.
//!
//! ```text
//!   Idle ──close──▶ Closing ──all closed──▶ Writing ──won──▶ Idle
//!                                             │ unclear or taken
//!                                             ▼
//!                                          Checking ──ours──▶ Idle
//!                                             │ another's ──▶ Fenced, for ever
//!                                             └ nothing ────▶ Writing again
//! ```

use proto::types::Slot;

/// What the store says about a slot that was read back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadBack {
    /// A commit with this nonce.
    Commit(u64),
    /// Something else, or what does not verify: not ours.
    Foreign,
    /// Nothing.
    Nothing,
    /// The store did not answer.
    Unclear,
}

/// What happened to a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// The slot is ours.
    Won,
    /// The slot had content already.
    Exists,
    /// The store did not answer; the slot may be ours.
    Unclear,
}

/// What the committer has to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Ask the ranges to close their batches.
    Close,
    /// Write the object with this nonce to the slot.
    Write {
        /// The slot.
        slot: Slot,
        /// The object's nonce.
        nonce: u64,
    },
    /// Read the slot back.
    Read(Slot),
    /// The commit is durable: tell the ranges.
    Committed(Slot),
    /// Wait a moment, then [`Commit::retry`].
    Wait,
    /// Another has taken the journal over: drop everything (I1, I4).
    Fenced(Slot),
    /// Nothing at the moment.
    Nothing,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    Closing,
    Writing {
        nonce: u64,
    },
    Checking {
        nonce: u64,
    },
    /// An answer was unclear; what comes next is read or written after a moment.
    Waiting {
        nonce: u64,
    },
    Fenced,
}

/// The state of a node's commits.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    next: Slot,
    phase: Phase,
    closed_ms: u64,
    interval_ms: u64,
}

impl Commit {
    /// Commits into a journal whose next free slot is `next`, at least `interval_ms` apart.
    #[must_use]
    pub const fn new(next: Slot, interval_ms: u64) -> Self {
        Self { next, phase: Phase::Idle, closed_ms: 0, interval_ms }
    }

    /// Time passes: a new commit may begin as soon as the last is acknowledged, but not too soon.
    #[must_use]
    pub fn tick(&mut self, now_ms: u64) -> Order {
        if self.phase != Phase::Idle || now_ms < self.closed_ms.saturating_add(self.interval_ms) {
            return Order::Nothing;
        }
        self.phase = Phase::Closing;
        self.closed_ms = now_ms;
        Order::Close
    }

    /// Every range has closed. `nonce` is new; `is_empty` where no range had anything to commit.
    #[must_use]
    pub fn closed(&mut self, nonce: u64, is_empty: bool) -> Order {
        if self.phase != Phase::Closing {
            return Order::Nothing;
        }
        if is_empty {
            self.phase = Phase::Idle;
            return Order::Nothing;
        }
        self.phase = Phase::Writing { nonce };
        Order::Write { slot: self.next, nonce }
    }

    /// The store answered the write of `nonce`. An answer to another attempt is ignored (I4).
    #[must_use]
    pub fn written(&mut self, of: u64, answer: Written) -> Order {
        match (self.phase, answer) {
            (Phase::Writing { nonce }, Written::Won) if nonce == of => self.won(),
            // Also "exists" may be our own write, whose first answer was lost on the way.
            (Phase::Writing { nonce }, Written::Exists) if nonce == of => {
                self.phase = Phase::Checking { nonce };
                Order::Read(self.next)
            }
            (Phase::Writing { nonce }, Written::Unclear) if nonce == of => {
                self.phase = Phase::Waiting { nonce };
                Order::Wait
            }
            (
                Phase::Idle
                | Phase::Closing
                | Phase::Writing { .. }
                | Phase::Checking { .. }
                | Phase::Waiting { .. }
                | Phase::Fenced,
                _,
            ) => Order::Nothing,
        }
    }

    /// A moment has passed since an unclear answer.
    #[must_use]
    pub const fn retry(&mut self) -> Order {
        let Phase::Waiting { nonce } = self.phase else { return Order::Nothing };
        self.phase = Phase::Checking { nonce };
        Order::Read(self.next)
    }

    /// The slot was read back for the attempt `of`.
    #[must_use]
    pub fn read_back(&mut self, of: u64, slot: ReadBack) -> Order {
        let Phase::Checking { nonce } = self.phase else { return Order::Nothing };
        if nonce != of {
            return Order::Nothing;
        }
        match slot {
            ReadBack::Commit(found) if found == nonce => self.won(),
            ReadBack::Commit(_) | ReadBack::Foreign => {
                self.phase = Phase::Fenced;
                Order::Fenced(self.next)
            }
            // The write may still be on its way. Writing the same object again is harmless: whichever
            // comes second finds the first, which is the same.
            ReadBack::Nothing => {
                self.phase = Phase::Writing { nonce };
                Order::Write { slot: self.next, nonce }
            }
            ReadBack::Unclear => {
                self.phase = Phase::Waiting { nonce };
                Order::Wait
            }
        }
    }

    /// The slot that the next commit goes to.
    #[must_use]
    pub const fn next(&self) -> Slot {
        self.next
    }

    const fn won(&mut self) -> Order {
        let slot = self.next;
        self.next = slot.next();
        self.phase = Phase::Idle;
        Order::Committed(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(7);
    const WRITE: Order = Order::Write { slot: SLOT, nonce: 1 };

    fn writing() -> Commit {
        let mut commit = Commit::new(SLOT, 20);
        assert_eq!(commit.tick(100), Order::Close);
        assert_eq!(commit.closed(1, false), WRITE);
        commit
    }

    #[test]
    fn one_write_is_in_flight_and_the_next_waits_for_its_answer_and_the_interval() {
        let mut commit = writing();
        assert_eq!(commit.tick(500), Order::Nothing);
        assert_eq!(commit.written(1, Written::Won), Order::Committed(SLOT));
        assert_eq!(commit.tick(110), Order::Nothing);
        assert_eq!(commit.tick(120), Order::Close);
        assert_eq!(commit.closed(2, false), Order::Write { slot: Slot(8), nonce: 2 });
    }

    #[test]
    fn nothing_to_commit_takes_no_slot() {
        let mut commit = Commit::new(SLOT, 20);
        assert_eq!(commit.tick(100), Order::Close);
        assert_eq!(commit.closed(1, true), Order::Nothing);
        assert_eq!(commit.next(), SLOT);
    }

    #[test]
    fn a_lost_answer_is_settled_by_reading_the_slot_back() {
        for answer in [Written::Exists, Written::Unclear] {
            let mut commit = writing();
            let order = commit.written(1, answer);
            let order = if order == Order::Wait { commit.retry() } else { order };
            assert_eq!(order, Order::Read(SLOT));
            assert_eq!(commit.read_back(1, ReadBack::Commit(1)), Order::Committed(SLOT));
        }
    }

    #[test]
    fn a_write_that_never_came_is_written_again() {
        let mut commit = writing();
        assert_eq!(commit.written(1, Written::Unclear), Order::Wait);
        assert_eq!(commit.retry(), Order::Read(SLOT));
        assert_eq!(commit.read_back(1, ReadBack::Unclear), Order::Wait);
        assert_eq!(commit.retry(), Order::Read(SLOT));
        assert_eq!(commit.read_back(1, ReadBack::Nothing), WRITE);
    }

    #[test]
    fn i1_who_finds_another_in_its_slot_is_fenced_for_ever() {
        for found in [ReadBack::Commit(99), ReadBack::Foreign] {
            let mut commit = writing();
            assert_eq!(commit.written(1, Written::Exists), Order::Read(SLOT));
            assert_eq!(commit.read_back(1, found), Order::Fenced(SLOT));
            assert_eq!(commit.tick(10_000), Order::Nothing);
        }
    }

    #[test]
    fn i4_an_answer_to_another_attempt_is_ignored() {
        let mut commit = writing();
        assert_eq!(commit.written(99, Written::Won), Order::Nothing);
        assert_eq!(commit.read_back(1, ReadBack::Commit(1)), Order::Nothing);
        assert_eq!(commit.written(1, Written::Won), Order::Committed(SLOT));
        assert_eq!(commit.written(1, Written::Won), Order::Nothing, "an answer counts once");
    }
}
