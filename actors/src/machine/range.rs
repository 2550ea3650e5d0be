//! The rules of one key range: which records count, what is open, what is due, what a commit holds.
//!
//! ```text
//!   batch ──────┐                        ┌── activations: transactions to decide about
//!   caught up ──┤──▶ Range::… ──▶ ───────┼── a block at each close: results, state and positions as one
//!   decided ────┘                        └── nothing else leaves it
//! ```
//!
//! The machine reads no clock and spawns nothing. It asks its store for mailboxes that have given up their
//! bytes; a store that fails is the only thing that can stop it.

mod arrive;
mod ask;
mod boxes;
mod close;
mod decided;
mod due;
mod figures;
mod load;
mod output;
mod share;

use std::collections::VecDeque;
use std::sync::Arc;

use proto::types::{
    Epoch, KeyRange, Offset, PartitionIndex, RangeId, RecordTime, Sequence, TransactionKey,
};

pub use ask::{Found, Status};
pub use decided::Outcome;
pub use load::{LoadError, Loaded, Restored};
pub use output::{DeadLetters, PANICKED};

use super::block::References;
use super::codec::Reader;
use super::deadlines::Deadlines;
use super::envelope::{Kind, take_record};
use super::ledger::{Counts, Fate};
use super::partial::layout::Layout;
use super::positions::{Batch, Position, Positions, Refused};
use super::tombstones::Tombstones;
use super::transaction::{Activation, Rules};
use crate::store::{Store, StoreError};
use boxes::{Boxes, Held, Kept};
use figures::Figures;
use output::Output;

/// Records whose mailboxes are looked for at once, before the first of them is applied.
const AHEAD: usize = 16;

/// How long what is kept. All times are of the record clock but for `young_ms`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From a transaction's first leg to its deadline.
    pub deadline_ms: u64,
    /// From the deadline on, how long a leg that still comes corrects an incomplete transaction.
    pub correction_ms: u64,
    /// From the deadline on, how long duplicates of a complete transaction are recognised.
    pub duplicates_ms: u64,
    /// How long after the correction horizon a leg is recognised as late.
    pub late_ms: u64,
    /// How long a leg is kept by reference before its transaction is kept by value: of the wall.
    pub young_ms: u64,
    /// How long after its end a window of the event clock still takes figures.
    pub figures_ms: u64,
    /// Bytes that a range holds in memory (I13). Beyond, mailboxes that the store has give theirs up.
    pub held_bytes: usize,
    /// Transactions that may be under decision because of the clock at once: expiry is metered.
    pub expiries: usize,
}

/// What an identity of a range consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The range's number.
    pub id: RangeId,
    /// The keys that it owns.
    pub keys: KeyRange,
    /// The epoch under which it is owned.
    pub epoch: Epoch,
}

/// Transactions that were opened between two commits and are kept by reference.
#[derive(Debug)]
struct Generation {
    commit: u64,
    wall_ms: u64,
    clock: RecordTime,
    keys: Vec<TransactionKey>,
}

/// What has changed since the last commit closed.
#[derive(Debug, Default)]
struct Pending {
    references: References,
    opened: Vec<TransactionKey>,
    dirty: Vec<TransactionKey>,
    removed: Vec<TransactionKey>,
    is_touched: bool,
}

impl Pending {
    /// The next commit writes the transaction's mailbox to the store, once however often it has changed.
    fn keep_by_value(&mut self, key: TransactionKey, held: &mut Held) {
        if held.kept != Kept::Dirty {
            held.kept = Kept::Dirty;
            self.dirty.push(key);
        }
    }
}

/// One key range.
#[derive(Debug)]
pub struct Range {
    identity: Identity,
    settings: Settings,
    rules: Arc<Rules>,
    positions: Positions,
    /// Where the partitions stood when the last commit closed, and the range's clock then.
    closed_at: Vec<Position>,
    closed_clock: RecordTime,
    ledger: Vec<Counts>,
    boxes: Boxes,
    tombstones: Tombstones,
    deadlines: Deadlines,
    figures: Figures,
    output: Output,
    pending: Pending,
    young: VecDeque<Generation>,
    activations: Vec<Activation>,
    commit: u64,
    /// The first commit whose references the store may still have, and of which buckets tombstones.
    references_from: u64,
    tombstones_from: u64,
    /// The last commit that is in the store.
    applied: u64,
    /// Whether nothing more is to come.
    is_ending: bool,
}

impl Range {
    /// A range that has seen nothing yet.
    #[must_use]
    pub fn new(
        identity: Identity,
        settings: Settings,
        rules: Arc<Rules>,
        layout: Arc<Layout>,
    ) -> Self {
        let partitions = rules.partitions.len();
        let bucket_ms = (settings.deadline_ms + settings.duplicates_ms) / 8;
        Self {
            identity,
            positions: Positions::new(vec![Position::default(); partitions], RecordTime(0)),
            closed_at: vec![Position::default(); partitions],
            closed_clock: RecordTime(0),
            ledger: vec![Counts::default(); partitions],
            boxes: Boxes::default(),
            tombstones: Tombstones::new(bucket_ms.max(100)),
            deadlines: Deadlines::default(),
            figures: Figures::new(layout),
            output: Output::new(identity.id, identity.epoch, Sequence(0)),
            pending: Pending::default(),
            young: VecDeque::new(),
            activations: Vec::new(),
            commit: 0,
            references_from: 0,
            tombstones_from: 0,
            applied: 0,
            is_ending: false,
            settings,
            rules,
        }
    }

    /// Applies what a source partition has for this range, from the range's position on.
    ///
    /// # Errors
    ///
    /// [`ApplyError::Refused`] where the batch is not the next one: nothing was changed. Where the store
    /// or the batch itself fail the range has to be dropped and restored (I4).
    pub fn apply(&mut self, batch: &Batch, store: &dyn Store) -> Result<(), ApplyError> {
        let from = self.positions.accept(batch).map_err(ApplyError::Refused)?;
        self.pending.is_touched = true;
        self.is_ending = false;
        let (mut reader, mut ahead) = (Reader::new(&batch.records), Reader::new(&batch.records));
        for number in 0.. {
            if reader.is_empty() {
                break;
            }
            if number % AHEAD == 0 {
                let keys = (0..AHEAD).map_while(|_| take_record(&mut ahead).ok());
                self.boxes.read_ahead(keys.map(|(key, _)| key));
            }
            let (key, envelope) = take_record(&mut reader).map_err(|_| ApplyError::Malformed)?;
            if envelope.offset < from {
                continue;
            }
            self.positions.reach(batch.partition, envelope.record_time);
            self.ledger[envelope.partition.index()].consume();
            match envelope.kind {
                Kind::Leg(leg) => self.arrive(key, leg, &envelope, store)?,
                Kind::Dead => self.bury_record(&envelope),
            }
        }
        self.positions.reach(batch.partition, batch.clock);
        self.expire(store)?;
        Ok(())
    }

    /// Notes that a source partition had nothing beyond `at` when the wall said `wall`.
    ///
    /// # Errors
    ///
    /// Where the store fails.
    pub fn caught_up(
        &mut self,
        partition: PartitionIndex,
        at: Offset,
        wall: RecordTime,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        self.positions.caught_up(partition, at, wall);
        self.expire(store)
    }

    /// Whether there is something to decide about.
    #[must_use]
    pub fn has_activations(&self) -> bool {
        !self.activations.is_empty()
    }

    /// What there is to decide about since the last call.
    pub fn take_activations(&mut self) -> Vec<Activation> {
        std::mem::take(&mut self.activations)
    }

    /// The last row's number.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.output.sequence()
    }

    /// Notes that every row up to `sequence` has been acknowledged by the sink.
    pub fn acknowledged(&mut self, sequence: Sequence) {
        if self.output.acknowledge(sequence) {
            self.pending.is_touched = true;
        }
    }

    /// A record that could not be understood: it is counted, and told with its raw bytes.
    fn bury_record(&mut self, envelope: &super::envelope::Envelope<'_>) {
        self.ledger[envelope.partition.index()].enter(Fate::Dead);
        self.output.dead_record(envelope, &self.rules);
    }

    fn activate(&mut self, key: TransactionKey) {
        let Some(held) = self.boxes.held(key) else { return };
        held.deciding = boxes::Deciding::Under;
        let legs = held.mailbox.evidence();
        let corrects = held.said_version();
        self.activations.push(Activation { key, legs, corrects });
        self.boxes.count_decision();
    }
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The batch is not the next one; the reader goes back to the position (I3).
    #[error("the batch is not the next one")]
    Refused(Refused),
    /// The batch's records are not what a reader writes: a bug, or memory that has gone bad.
    #[error("the batch is malformed")]
    Malformed,
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests;
