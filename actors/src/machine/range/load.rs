//! A range comes back from its store: the head, its mailboxes, who is done, and what has to be read again.

use std::collections::HashSet;
use std::sync::Arc;

use proto::types::{Offset, PartitionIndex, Sequence, TransactionKey};

use super::super::block::{Head, Place, References};
use super::super::codec::{Malformed, Reader};
use super::super::envelope::{Envelope, Kind};
use super::super::mailbox::{Arrival, Mailbox, Said};
use super::super::partial::layout::Layout;
use super::super::positions::{Position, Positions};
use super::super::transaction::Rules;
use super::boxes::{Deciding, Held, Kept, size};
use super::output::Output;
use super::{Generation, Identity, Range, Settings};
use crate::store::{Store, StoreError, Table};

/// A range as its store has it, and what is still missing.
#[derive(Debug)]
pub struct Loaded {
    /// The range. It must not be given batches before [`Restored`] has been made of it.
    pub restored: Restored,
    /// Where the store stands in the journal; `None` where the store is empty.
    pub place: Option<Place>,
    /// The legs that have to be read again from their sources.
    pub references: References,
}

/// A range whose young legs are being read again.
#[derive(Debug)]
pub struct Restored {
    range: Range,
    wanted: HashSet<(PartitionIndex, Offset)>,
    ready: Vec<TransactionKey>,
    reopened: Vec<TransactionKey>,
}

/// Why a range could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what it should be.
    #[error("read {table:?} of range {range}: {source}")]
    Row {
        /// The table.
        table: Table,
        /// The range.
        range: proto::types::RangeId,
        /// What is wrong.
        source: Malformed,
    },
    /// A row of a range that became others is not what it should be.
    #[error("read {table:?} of the range that it came from: {source}")]
    Parent {
        /// The table.
        table: Table,
        /// What is wrong.
        source: Malformed,
    },
    /// A range that is to become others was not closed as it has to be.
    #[error("make ranges out of one that has {what} left")]
    Unsettled {
        /// What there should be none of.
        what: &'static str,
    },
}

impl Range {
    /// The range as `store` has it.
    ///
    /// # Errors
    ///
    /// [`LoadError`], where the store fails or holds what no range has written; it is then thrown away.
    pub fn load(
        identity: Identity,
        settings: Settings,
        (rules, layout): (Arc<Rules>, Arc<Layout>),
        store: &dyn Store,
    ) -> Result<Loaded, LoadError> {
        let mut range = Self::new(identity, settings, rules, layout);
        let place = range.load_head(store)?;
        let mut ready = Vec::new();
        range
            .rows(store, Table::Open, |range, key, row| range.load_mailbox(key, row, &mut ready))?;
        range.rows(store, Table::Tombstones, |range, key, row| {
            let bucket = u64::from_be_bytes(Reader::new(key).array()?);
            // In a bucket that a child has from its parent are its siblings' keys too.
            range.tombstones.load(bucket, row, range.identity.keys)
        })?;
        range.rows(store, Table::Partials, |range, key, row| range.figures.load(key, row))?;
        range.rows(store, Table::Contributions, |range, _, row| {
            range.figures.replay(row, &range.rules.scenarios)
        })?;
        let mut references = References::default();
        range.rows(store, Table::References, |_, _, row| references.load(row))?;
        let each = references.clone().sorted();
        let wanted = each.flat_map(|(partition, wanted)| {
            wanted.offsets.into_iter().map(move |offset| (partition, offset))
        });
        let restored = Restored { wanted: wanted.collect(), range, ready, reopened: Vec::new() };
        Ok(Loaded { restored, place, references })
    }

    fn rows(
        &mut self,
        store: &dyn Store,
        table: Table,
        mut take: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), Malformed>,
    ) -> Result<(), LoadError> {
        let mut fault = None;
        store.scan(table, &mut |key, row| {
            if fault.is_none() {
                fault = take(self, key, row).err();
            }
        })?;
        let range = self.identity.id;
        fault.map_or(Ok(()), |source| Err(LoadError::Row { table, range, source }))
    }

    fn load_head(&mut self, store: &dyn Store) -> Result<Option<Place>, LoadError> {
        let mut found = None;
        self.rows(store, Table::Head, |range, _, row| {
            let mut reader = Reader::new(row);
            let place = Place::take(&mut reader)?;
            range.take_head(Head::take(&mut reader)?);
            found = Some(place);
            Ok(())
        })?;
        Ok(found)
    }

    fn take_head(&mut self, head: Head) {
        // Partitions that were added to the topics since start at their beginning.
        let partitions = self.rules.partitions.len().max(head.positions.len());
        let (mut positions, mut ledger) = (head.positions, head.ledger);
        positions.resize(partitions, Position::default());
        ledger.resize(partitions, super::Counts::default());
        self.closed_at.clone_from(&positions);
        self.closed_clock = head.clock;
        self.positions = Positions::new(positions, head.clock);
        self.ledger = ledger;
        (self.commit, self.applied) = (head.commit, head.commit);
        self.tombstones.set_floor(head.floor);
        (self.references_from, self.tombstones_from) = (head.live_from, head.floor);
        self.figures.begin(head.folded, head.horizon_ms);
        self.output = Output::new(self.identity.id, self.identity.epoch, head.sequence);
        self.output.acknowledge(head.acknowledged);
    }

    fn load_mailbox(
        &mut self,
        key: &[u8],
        row: &[u8],
        ready: &mut Vec<TransactionKey>,
    ) -> Result<(), Malformed> {
        let key = TransactionKey(u128::from_be_bytes(Reader::new(key).array()?));
        let mailbox = Mailbox::from_row(row)?;
        self.deadlines.add(key, self.settings.due(&mailbox));
        let is_correctable = matches!(mailbox.said, Said::Incomplete { .. });
        let is_ready = match mailbox.said {
            Said::Nothing => mailbox.legs.is_complete(),
            Said::Due { .. } => true,
            Said::Incomplete { legs, .. } => mailbox.legs != legs,
        };
        if is_ready {
            ready.push(key);
        }
        if self.boxes.held_bytes() > self.settings.held_bytes / 2 && !is_ready {
            self.boxes.insert_stored(key, is_correctable);
            return Ok(());
        }
        let kept = Kept::ByValue { commit: self.commit };
        self.boxes.insert(key, Held { mailbox, kept, deciding: Deciding::No });
        self.boxes.may_evict([key]);
        Ok(())
    }
}

impl Restored {
    /// Takes a leg that was read again, where it is wanted and still missing. Its fate has been counted.
    ///
    /// # Errors
    ///
    /// Where the store fails.
    pub fn refill(
        &mut self,
        key: TransactionKey,
        envelope: &Envelope<'_>,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        let Kind::Leg(leg) = envelope.kind else { return Ok(()) };
        if !self.wanted.remove(&(envelope.partition, envelope.offset)) {
            return Ok(());
        }
        let range = &mut self.range;
        if range.tombstones.get(key).is_some() {
            return Ok(());
        }
        if range.boxes.bring(key, store)?.is_none() {
            range.boxes.insert(key, Held::opened());
            self.reopened.push(key);
        }
        let Some(held) = range.boxes.held(key) else { return Ok(()) };
        match held.mailbox.weigh(leg, envelope) {
            Arrival::Duplicate | Arrival::Loses => return Ok(()),
            Arrival::New | Arrival::Wins => {}
        }
        let before = size(held);
        held.mailbox.put(leg, envelope);
        let after = size(held);
        range.boxes.resized(before, after);
        Ok(())
    }

    /// Which range this is.
    #[must_use]
    pub const fn range(&self) -> &Range {
        &self.range
    }

    /// The last sequence that the sink had acknowledged, as far as the store knows.
    #[must_use]
    pub const fn acknowledged(&self) -> Sequence {
        self.range.output.acknowledged()
    }

    /// How many legs were wanted and have not been read again.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.wanted.len()
    }

    /// The range, ready to serve. Its young transactions stay young: their references are still in the
    /// store, and a next crash needs them again.
    #[must_use]
    pub fn serve(mut self, wall_ms: u64) -> Range {
        let range = &mut self.range;
        if !self.reopened.is_empty() {
            // The references are of any age: until these have grown up, nobody who was done is forgotten.
            let clock = proto::types::RecordTime(0);
            let keys = self.reopened.clone();
            // 0: every reference that the store still has may be one of theirs.
            range.young.push_back(Generation { commit: 0, wall_ms, clock, keys });
        }
        for key in self.reopened.into_iter().chain(self.ready) {
            range.decide_if_ready(key);
        }
        self.range
    }
}
