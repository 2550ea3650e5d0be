//! What the actors of one node share: counters, limits, the state of health, and the way to the aggregators.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use proto::types::{Offset, PartitionIndex, RangeId};
use ractor::ActorProcessingErr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::aggregators::Aggregators;
use super::served::Served;
use crate::machine::block::Block;
use crate::machine::positions::Position;
use crate::meters::Meters;
use crate::publisher;
use crate::reader::Alignment;
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
    /// How far each range has committed in this life, or its owner's; empty where that is not known yet.
    committed: Mutex<BTreeMap<RangeId, Vec<Position>>>,
    meters: Meters,
    alignment: Arc<Alignment>,
    served: Served,
    tasks: TaskTracker,
    stopping: CancellationToken,
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
    /// For each source partition the next offset to be read, and its end where known: not where another node
    /// reads it.
    pub reads: Vec<(Offset, Option<Offset>)>,
}

impl Links {
    /// Links of a node whose readers begin at `starts`.
    pub(super) fn new(
        aggregators: Aggregators,
        outbox_limit: usize,
        starts: &[Position],
        alignment: Arc<Alignment>,
    ) -> Self {
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
            alignment,
            served: Served::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// Keeps the partitions' record clocks together.
    #[must_use]
    pub const fn alignment(&self) -> &Arc<Alignment> {
        &self.alignment
    }

    /// The ranges that are served here.
    #[must_use]
    pub const fn served(&self) -> &Served {
        &self.served
    }

    /// What goes on beside the actors: connections to other nodes.
    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Ends them.
    pub(crate) const fn stopping(&self) -> &CancellationToken {
        &self.stopping
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

    /// So far a range of another node is durable.
    pub(crate) fn note_committed(&self, range: RangeId, positions: Vec<Position>) {
        if let Some(noted) = self.committed.lock().get_mut(&range) {
            *noted = positions;
        }
    }

    /// How far a range has committed; empty where it has not yet.
    pub(crate) fn committed_of(&self, range: RangeId) -> Vec<Position> {
        self.committed.lock().get(&range).cloned().unwrap_or_default()
    }

    /// The position of each source partition that is read here below which everything is committed in every range.
    #[must_use]
    pub fn safe_positions(&self) -> Vec<(PartitionIndex, Offset)> {
        let committed = self.committed.lock();
        let count = u16::try_from(self.reads.len()).unwrap_or(u16::MAX);
        (0..count)
            .map(PartitionIndex)
            .filter(|partition| self.alignment.is_here(*partition))
            .filter_map(|partition| {
                let of = |positions: &Vec<Position>| {
                    positions.get(partition.index()).map(|position| position.offset)
                };
                Some((partition, committed.values().filter_map(of).min()?))
            })
            .collect()
    }

    /// A range is this node's from now on; what it was restored to is durable.
    pub(super) fn expect(&self, range: RangeId, restored: &[Position]) {
        self.committed.lock().insert(range, restored.to_vec());
    }

    /// These are all ranges that there are, here and elsewhere; where one moved, what was durable is.
    pub(super) fn expect_all(&self, ranges: &BTreeSet<RangeId>) {
        self.aggregators.expect_all(ranges);
        let here: BTreeSet<_> = self.served.all().iter().map(|target| target.range).collect();
        let mut committed = self.committed.lock();
        committed.retain(|range, _| ranges.contains(range) || here.contains(range));
        for &range in ranges {
            committed.entry(range).or_default();
        }
    }

    /// A range is of nobody that is known here from now on.
    pub(super) fn forget(&self, range: RangeId) {
        self.committed.lock().remove(&range);
    }

    /// Whether of every range is known how far it has committed.
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

    /// A partition is not read here any more.
    pub(crate) fn not_read(&self, partition: PartitionIndex) {
        self.read(partition, Offset(0), None);
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
        Self::limited(usize::MAX)
    }

    fn limited(outbox_limit: usize) -> Self {
        let alignment = Arc::new(Alignment::new(0, 0, crate::clock::wall()));
        Self::new(Aggregators::default(), outbox_limit, &[], alignment)
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
        let links = Links::limited(1_000);
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
