//! What a range answers: how it stands, what it knows of a transaction, its cells.

use proto::types::{RecordTime, Sequence, TransactionKey};

use super::super::ledger::Counts;
use super::super::mailbox::Mailbox;
use super::super::partial::Row;
use super::super::positions::Position;
use super::{DeadLetters, Identity, Range};
use crate::store::{Store, StoreError};

/// What a range says about itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Transactions that wait for legs.
    pub open: usize,
    /// Incomplete transactions that can still be corrected.
    pub correctable: usize,
    /// Transactions that are remembered as done.
    pub tombstones: usize,
    /// Bytes of mailboxes in memory.
    pub held_bytes: usize,
    /// Bytes that stay in memory beside them: who is open and who is done, what is due, figures.
    pub fixed_bytes: usize,
    /// Bytes that all of that should take at most.
    pub limit_bytes: usize,
    /// The number of the last commit that was closed.
    pub commit: u64,
    /// The sequence of the last row of output.
    pub sequence: Sequence,
    /// The last sequence that the sink has acknowledged.
    pub acknowledged: Sequence,
    /// The range's record clock.
    pub clock: RecordTime,
    /// Whether the last commit that was closed has everything, also whole figures, and nothing is under decision.
    pub is_settled: bool,
}

/// What is known about a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// It is open, or incomplete and can still be corrected.
    Open {
        /// Its legs, and what has been said about it.
        mailbox: Box<Mailbox>,
        /// When it is said to be incomplete, if that has not been said yet.
        deadline: RecordTime,
    },
    /// It is done; the range's commit of that number (its low half) holds the result.
    Done {
        /// The low half of the commit's number.
        commit: u32,
    },
    /// Nothing is remembered.
    Unknown,
}

impl Range {
    /// Which range this is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// How far each source partition has been applied.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        self.positions.all()
    }

    /// What became of each source partition's records.
    #[must_use]
    pub fn ledger(&self) -> &[Counts] {
        &self.ledger
    }

    /// What the range says about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        // Who takes it over would have to read these legs again.
        let is_read_again = self.is_ending && self.has_references();
        Status {
            open: self.boxes.open(),
            correctable: self.boxes.correctable(),
            tombstones: self.tombstones.len(),
            held_bytes: self.boxes.held_bytes(),
            fixed_bytes: self.fixed_bytes(),
            limit_bytes: self.settings.held_bytes,
            commit: self.commit,
            sequence: self.output.sequence(),
            acknowledged: self.output.acknowledged(),
            clock: self.positions.clock(),
            is_settled: !self.pending.is_touched
                && !self.figures.are_behind()
                && !is_read_again
                && self.deciding() == 0,
        }
    }

    /// What is known about a transaction.
    ///
    /// # Errors
    ///
    /// Where the store fails.
    pub fn find(&mut self, key: TransactionKey, store: &dyn Store) -> Result<Found, StoreError> {
        if let Some(held) = self.boxes.bring(key, store)? {
            let deadline = held.mailbox.first.plus_ms(self.settings.deadline_ms);
            return Ok(Found::Open { mailbox: Box::new(held.mailbox.clone()), deadline });
        }
        Ok(self.tombstones.get(key).map_or(Found::Unknown, |it| Found::Done { commit: it.commit }))
    }

    /// Transactions that are under decision.
    #[must_use]
    pub const fn deciding(&self) -> usize {
        self.boxes.deciding()
    }

    /// Bytes of output that wait for the next commit, about.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.output.bytes()
    }

    /// Results of each state since this range was opened here: complete, incomplete, corrected.
    #[must_use]
    pub const fn emitted(&self) -> [u64; 3] {
        self.output.emitted()
    }

    /// What comes next is for the next owner, or the next life of this one: the next commit has the figures up to
    /// it, and keeps by value whatever is open, so that nothing has to be read again. A batch that still comes ends
    /// this.
    pub const fn end(&mut self) {
        self.figures.hurry();
        self.is_ending = true;
    }

    /// Dead letters since this range was opened here.
    #[must_use]
    pub const fn dead_letters(&self) -> &DeadLetters {
        self.output.dead_letters()
    }

    /// The rows of all the range's cells as of the last close; what an aggregator that starts asks for.
    #[must_use]
    pub fn cells(&self) -> Vec<Row> {
        self.figures.cells()
    }
}
