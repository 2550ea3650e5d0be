//! What the actors of one node share: counters, limits, the state of health, and the way to the aggregators.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use proto::types::{Offset, PartitionIndex, RangeId};
use ractor::ActorProcessingErr;

use super::aggregators::Aggregators;
use crate::machine::block::Block;
use crate::machine::positions::Position;
use crate::meters::Meters;
use crate::publisher;
use crate::sink::Row;

/// Shared by the actors of a node. It decides nothing.
#[derive(Debug)]
pub struct Links {
    aggregators: Aggregators,
    outbox_limit: usize,
    outbox: AtomicUsize,
    commits: AtomicU64,
    commit_bytes: AtomicU64,
    read_bytes: AtomicU64,
    trouble: Mutex<Option<String>>,
    reads: Vec<Mutex<(Offset, Option<Offset>)>>,
    /// How far each range has committed in this life; empty where it has not yet.
    committed: Mutex<BTreeMap<RangeId, Vec<Position>>>,
    meters: Meters,
}

/// What the counters show.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    /// Commits of this life of the node.
    pub commits: u64,
    /// Bytes that they wrote to the journal.
    pub commit_bytes: u64,
    /// Bytes of kept legs that readers have handed over.
    pub read_bytes: u64,
    /// Bytes of results that wait for the sink.
    pub outbox_bytes: usize,
    /// What is wrong at the moment; `None` where nothing is.
    pub trouble: Option<String>,
    /// For each source partition the next offset to be read, and its end where known.
    pub reads: Vec<(Offset, Option<Offset>)>,
}

impl Links {
    /// Links of a node with so many source partitions.
    pub(super) fn new(aggregators: Aggregators, outbox_limit: usize, starts: &[Position]) -> Self {
        Self {
            aggregators,
            outbox_limit,
            outbox: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            commit_bytes: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
            trouble: Mutex::new(None),
            reads: starts.iter().map(|start| Mutex::new((start.offset, None))).collect(),
            committed: Mutex::default(),
            meters: Meters::default(),
        }
    }

    /// A commit of a range is durable: its figures go to the aggregators (I5).
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn committed(&self, block: &Block) -> Result<(), ActorProcessingErr> {
        if let Some(positions) = self.committed.lock().get_mut(&block.range) {
            positions.clone_from(&block.head.positions);
        }
        self.wait_for_sink(&block.rows);
        self.aggregators.report(block)
    }

    /// The position of each source partition below which everything is committed in every range.
    #[must_use]
    pub fn safe_positions(&self) -> Vec<(PartitionIndex, Offset)> {
        let committed = self.committed.lock();
        let count = u16::try_from(self.reads.len()).unwrap_or(u16::MAX);
        (0..count)
            .map(PartitionIndex)
            .filter_map(|partition| {
                let of = |positions: &Vec<Position>| {
                    positions.get(partition.index()).map(|position| position.offset)
                };
                Some((partition, committed.values().filter_map(of).min()?))
            })
            .collect()
    }

    /// A range is this node's from now on.
    pub(super) fn expect(&self, range: RangeId) {
        self.committed.lock().insert(range, Vec::new());
    }

    /// A range is another node's from now on.
    pub(super) fn forget(&self, range: RangeId) {
        self.committed.lock().remove(&range);
    }

    /// Whether every range of the node has committed something in this life.
    #[must_use]
    pub fn all_have_committed(&self) -> bool {
        self.committed.lock().values().all(|positions| !positions.is_empty())
    }

    /// The aggregators of the dimensions.
    #[must_use]
    pub const fn aggregators(&self) -> &Aggregators {
        &self.aggregators
    }

    /// What the node measures.
    #[must_use]
    pub const fn meters(&self) -> &Meters {
        &self.meters
    }

    /// A commit was written.
    pub fn count_commit(&self, bytes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A reader has handed over so many bytes.
    pub fn count_read(&self, bytes: usize) {
        self.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A reader has read up to `next`.
    pub fn read(&self, partition: PartitionIndex, next: Offset, end: Option<Offset>) {
        if let Some(read) = self.reads.get(partition.index()) {
            *read.lock() = (next, end);
        }
    }

    /// Rows wait for the sink: from when they are committed, not from when the publisher hears of them, for
    /// while its sink does not answer it hears of nothing (I13).
    pub fn wait_for_sink(&self, rows: &[Row]) {
        let bytes = rows.iter().map(publisher::size).sum();
        self.outbox.fetch_add(bytes, Ordering::Relaxed);
        self.meters.rows_wait(rows.len());
    }

    /// Rows wait no longer.
    pub fn sink_took(&self, rows: usize, bytes: usize) {
        self.outbox.fetch_sub(bytes, Ordering::Relaxed);
        self.meters.rows_gone(rows);
    }

    /// I13: whether commits have to wait for the sink.
    #[must_use]
    pub fn outbox_is_full(&self) -> bool {
        self.outbox.load(Ordering::Relaxed) > self.outbox_limit
    }

    /// Something does not work, and is being tried again.
    pub fn degraded(&self, trouble: String) {
        *self.trouble.lock() = Some(trouble);
    }

    /// What did not work works again.
    pub fn recovered(&self) {
        *self.trouble.lock() = None;
    }

    /// What the counters show now.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown {
            commits: self.commits.load(Ordering::Relaxed),
            commit_bytes: self.commit_bytes.load(Ordering::Relaxed),
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            outbox_bytes: self.outbox.load(Ordering::Relaxed),
            trouble: self.trouble.lock().clone(),
            reads: self.reads.iter().map(|read| *read.lock()).collect(),
        }
    }
}

#[cfg(test)]
impl Links {
    /// Links of an actor that is tested alone.
    pub(crate) fn alone() -> Self {
        Self::new(Aggregators::default(), usize::MAX, &[])
    }
}

/// Links that several actors hold.
pub(super) type Shared = Arc<Links>;

#[cfg(test)]
mod tests {
    use proto::types::{Epoch, Sequence, Version};

    use super::*;
    use crate::machine::block::{Cleared, Figures, Head, References};
    use crate::sink::{Outlet, Stamp};

    fn block(rows: Vec<Row>) -> Block {
        Block {
            range: RangeId(0),
            head: Head::default(),
            references: References::default(),
            puts: vec![],
            removed: vec![],
            tombstones: vec![],
            figures: Figures::Added(vec![]),
            cleared: Cleared::default(),
            rows,
        }
    }

    #[test]
    fn i13_results_count_as_waiting_from_their_commit_on_though_no_publisher_has_heard_of_them() {
        let links = Links::new(Aggregators::default(), 1_000, &[]);
        let (range, epoch) = (RangeId(0), Epoch::NONE.next());
        let stamp = Stamp { range, epoch, sequence: Sequence(1), version: Version(1) };
        let (key, payload) = ("key".into(), vec![0; 600].into());
        let (outlet, headers) = (Outlet::Transactions, vec![]);
        let row = Row { outlet, stamp, key, payload, headers, arrived: None };
        links.committed(&block(vec![row.clone()])).unwrap();
        assert!(!links.outbox_is_full());
        links.committed(&block(vec![row.clone()])).unwrap();
        assert!(links.outbox_is_full());
        links.sink_took(1, publisher::size(&row));
        assert!(!links.outbox_is_full());
    }
}
