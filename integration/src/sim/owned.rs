//! A range as its actor runs it, a message at a time. Imitates `actors::range`.

use std::collections::VecDeque;

use actors::journal::object::Packed;
use actors::machine::block::{Block, Figures};
use actors::machine::outbox::Outbox;
use actors::machine::positions::{Batch, Receipt, Said};
use actors::machine::range::{ApplyError, Identity, Outcome, Range};
use actors::sink::Row;
use actors::store::memory::MemoryStore;
use anyhow::bail;
use proto::types::{Offset, PartitionIndex, RangeId, RecordTime, Sequence, Slot, TransactionKey};

use super::outside::{Home, Outside};
use super::plant::Plant;

/// What is said to a range.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Batch(Batch, Sender),
    CaughtUp(PartitionIndex, Offset, RecordTime),
    Decided(TransactionKey, Box<Outcome>),
    Close(u64),
    Committed(Slot),
    Acknowledged(Sequence),
    Ending,
}

/// Who sent a batch: a reader on the other side of that connection, or `None` for one here.
pub(super) type Sender = Option<u64>;

/// What a message leads to outside of its range.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// What a reader is told.
    pub(super) receipt: Option<(Sender, Receipt)>,
    /// The range has closed; `Some(None)` where it has nothing to commit.
    pub(super) closed: Option<Option<Packed>>,
    /// Rows for the publisher.
    pub(super) rows: Vec<Row>,
}

/// A range and its store.
#[derive(Debug)]
pub(super) struct Owned {
    /// Where its store is.
    pub(super) home: Home,
    pub(super) machine: Range,
    pub(super) store: MemoryStore,
    pub(super) outbox: Outbox,
    pub(super) closed: Option<Block>,
    pub(super) inbox: VecDeque<Message>,
    /// Whether it takes part in commits.
    pub(super) takes_part: bool,
}

impl Owned {
    /// A range that has just been restored.
    pub(super) fn new((home, store): (Home, MemoryStore), machine: Range, outbox: Outbox) -> Self {
        let (closed, inbox) = (None, VecDeque::new());
        Self { home, machine, store, outbox, closed, inbox, takes_part: true }
    }

    pub(super) fn id(&self) -> RangeId {
        self.machine.identity().id
    }

    pub(super) fn handle(
        &mut self,
        message: Message,
        out: &mut Outside,
    ) -> anyhow::Result<Effects> {
        let mut effects = Effects::default();
        match message {
            Message::Batch(batch, from) => {
                effects.receipt = Some((from, self.batch(batch, out)?));
            }
            Message::CaughtUp(partition, at, wall) => {
                self.machine.caught_up(partition, at, wall, &self.store)?;
            }
            Message::Decided(key, outcome) => self.machine.decided(key, *outcome),
            Message::Close(wall_ms) => {
                let packed = self.close(wall_ms, out, &mut effects.rows);
                effects.closed = Some(packed);
            }
            Message::Committed(slot) => effects.rows = self.committed(slot, out)?,
            Message::Acknowledged(sequence) => self.machine.acknowledged(sequence),
            Message::Ending => self.machine.end(),
        }
        Ok(effects)
    }

    fn batch(&mut self, mut batch: Batch, out: &Outside) -> anyhow::Result<Receipt> {
        let stands = self.machine.positions()[batch.partition.index()];
        if out.has(Plant::GapAccepted) {
            batch.from = batch.from.min(stands.offset);
        }
        let said = match self.machine.apply(&batch, &self.store) {
            Err(ApplyError::Refused(refused)) if refused.position.offset < batch.from => {
                Said::Refused(refused.position)
            }
            Ok(()) | Err(ApplyError::Refused(_)) => Said::Applied(batch.records.len()),
            Err(error @ (ApplyError::Malformed | ApplyError::Store(_))) => bail!(error),
        };
        let Identity { id: range, epoch, .. } = self.machine.identity();
        Ok(Receipt { range, epoch, partition: batch.partition, said })
    }

    fn close(&mut self, wall_ms: u64, out: &Outside, early: &mut Vec<Row>) -> Option<Packed> {
        let mut block = self.machine.close(wall_ms)?;
        if out.has(Plant::NoTombstones) {
            block.tombstones.clear();
        }
        if out.has(Plant::NoContributions)
            && let Figures::Added(added) = &mut block.figures
        {
            added.clear();
        }
        let packed = Packed::new(&block);
        if out.has(Plant::PublishEarly) {
            early.clone_from(&block.rows);
        }
        self.closed = Some(block);
        Some(packed)
    }

    fn committed(&mut self, slot: Slot, out: &mut Outside) -> anyhow::Result<Vec<Row>> {
        let Some(mut block) = self.closed.take() else { return Ok(Vec::new()) };
        let at = (block.head.epoch, slot);
        let place = self.outbox.committed(at, &block.head, !block.rows.is_empty());
        out.apply(self.home, &block.changes(&place), place)?;
        let rows = std::mem::take(&mut block.rows);
        self.machine.applied(block.head.commit, block.puts.iter().map(|(key, _)| *key));
        Ok(if out.has(Plant::PublishEarly) { Vec::new() } else { rows })
    }
}
