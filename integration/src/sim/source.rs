//! The simulated source: partitions of records that become visible as time passes and can be read again.

use std::ops::Range;

use actors::source::{Progress, Record};
use proto::types::{KeyRange, Offset, PartitionIndex, RecordTime, SourcePartition, TransactionKey};

use super::random::Random;

/// One record.
#[derive(Clone, Debug)]
struct Stored {
    offset: u64,
    time_ms: u64,
    /// The greatest timestamp of the partition up to here.
    record_ms: u64,
    visible_ms: u64,
    payload: Option<Vec<u8>>,
    hash: u64,
}

/// A record that is to be put into a partition.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Its timestamp.
    pub(super) time_ms: u64,
    /// From when on it can be read.
    pub(super) visible_ms: u64,
    /// Whose it is; `None` where nobody's: it cannot be understood.
    pub(super) id: Option<String>,
    /// Its bytes.
    pub(super) payload: Option<Vec<u8>>,
}

/// All partitions.
#[derive(Clone, Debug)]
pub(super) struct Source {
    names: Vec<SourcePartition>,
    partitions: Vec<Vec<Stored>>,
}

impl Source {
    /// Empty partitions.
    #[must_use]
    pub(super) fn new(names: Vec<SourcePartition>) -> Self {
        let partitions = vec![Vec::new(); names.len()];
        Self { names, partitions }
    }

    /// Appends a record, now and then behind a gap of offsets; answers with its offset.
    pub(super) fn append(
        &mut self,
        partition: usize,
        message: Message,
        random: &mut Random,
    ) -> u64 {
        let gap = if random.chance(50) { random.within(1, 3) } else { 0 };
        let last = self.partitions[partition].last();
        let offset = last.map_or(0, |it| it.offset + 1) + gap;
        let (record_ms, visible_ms) = last.map_or((0, 0), |it| (it.record_ms, it.visible_ms));
        let Message { time_ms, id, payload, .. } = message;
        let id = id.unwrap_or_else(|| format!("{}@{offset}", self.names[partition]));
        let hash = TransactionKey::of(id.as_bytes()).hash();
        self.partitions[partition].push(Stored {
            offset,
            time_ms,
            record_ms: record_ms.max(time_ms),
            visible_ms: visible_ms.max(message.visible_ms),
            payload,
            hash,
        });
        offset
    }

    /// Hands over what is visible from `from` on, at most `limit` records.
    pub(super) fn read(
        &self,
        partition: PartitionIndex,
        from: Offset,
        (limit, now_ms): (usize, u64),
        take: &mut dyn FnMut(&Record<'_>),
    ) -> Progress {
        let records = &self.partitions[partition.index()];
        let visible = records.partition_point(|it| it.visible_ms <= now_ms);
        let first = records.partition_point(|it| it.offset < from.0);
        let mut next = from;
        for it in records[..visible].iter().skip(first).take(limit) {
            let (offset, time_ms) = (Offset(it.offset), it.time_ms);
            take(&Record { offset, time_ms, payload: it.payload.as_deref() });
            next = Offset(it.offset + 1);
        }
        let end = records[..visible].last().map_or(Offset(0), |it| Offset(it.offset + 1));
        Progress { next, end: Some(end), more: next < end }
    }

    /// One past the last offset of a partition, whether it is visible yet or not.
    #[must_use]
    pub(super) fn end(&self, partition: usize) -> Offset {
        self.partitions[partition].last().map_or(Offset(0), |it| Offset(it.offset + 1))
    }

    /// The record clock at that record.
    #[must_use]
    pub(super) fn record_ms(&self, partition: usize, offset: u64) -> u64 {
        let records = &self.partitions[partition];
        let at = records.partition_point(|it| it.offset < offset);
        records.get(at).map_or(u64::MAX, |it| it.record_ms)
    }

    /// The record clock before that offset.
    #[must_use]
    pub(super) fn clock_at(&self, partition: usize, offset: Offset) -> RecordTime {
        let records = &self.partitions[partition];
        let at = records.partition_point(|it| it.offset < offset.0);
        let before = at.checked_sub(1).and_then(|it| records.get(it));
        RecordTime(before.map_or(0, |it| it.record_ms))
    }

    /// How many records at `offsets` have those keys.
    #[must_use]
    pub(super) fn count(&self, partition: usize, keys: KeyRange, offsets: Range<Offset>) -> u64 {
        let records = self.partitions[partition].iter();
        let is_in = |it: &&Stored| offsets.contains(&Offset(it.offset)) && keys.contains(it.hash);
        records.filter(is_in).count() as u64
    }

    /// The partitions' names.
    #[must_use]
    pub(super) fn names(&self) -> &[SourcePartition] {
        &self.names
    }

    /// The name of a record, as results spell it.
    #[must_use]
    pub(super) fn spell(&self, partition: usize, offset: u64) -> String {
        format!("{}@{offset}", self.names[partition])
    }
}
