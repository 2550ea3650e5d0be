//! What the API asks of the engine, in checked types: one trait, implemented once.

mod cluster;
mod indicator;
mod ledger;
mod measures;
mod snapshot;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use proto::types::{Epoch, EventTime, Offset, RangeId, RecordTime, SourcePartition};

pub use self::cluster::{
    Change, Cluster, Granted, Health, Node, NodeState, Overview, Range, RangeState,
};
pub use self::indicator::{Cell, Figure, Indicator, IndicatorKind, Query};
pub use self::ledger::{Counts, Ledger};
pub use self::measures::Measures;
pub use self::snapshot::{Fault, Snapshot, SnapshotState, Upkeep, Verdict};
pub use self::transaction::{ResultState, SeenLeg, Transaction};
use crate::problem::Problem;

/// An answer on its way.
pub type Reply<'a, T> = BoxFuture<'a, Result<Answer<T>, Problem>>;

/// Who can answer. Each call is a read of committed state, cheap enough for once a second; only
/// the two snapshot verbs work longer.
pub trait Backend: Send + Sync + 'static {
    /// Whether the cluster is well.
    fn cluster(&self) -> Reply<'_, Cluster>;
    /// The nodes, by name.
    fn nodes(&self) -> Reply<'_, Vec<Node>>;
    /// The ranges, by their first key.
    fn ranges(&self) -> Reply<'_, Vec<Range>>;
    /// All three, as of one moment.
    fn overview(&self) -> Reply<'_, Overview>;
    /// Asks who leads for something, and answers as soon as it is granted.
    fn change(&self, change: Change) -> Reply<'_, Granted>;
    /// Where every record went.
    fn ledger(&self) -> Reply<'_, Ledger>;
    /// What is known of the transaction with that id.
    fn transaction(&self, id: String) -> Reply<'_, Transaction>;
    /// Which indicators there are.
    fn indicators(&self) -> Reply<'_, Vec<Indicator>>;
    /// An indicator's cells, by window start, then by the number of transactions, most first.
    fn query(&self, query: Query) -> Reply<'_, Vec<Cell>>;
    /// The snapshots, newest first.
    fn snapshots(&self) -> Reply<'_, Vec<Snapshot>>;
    /// Takes a snapshot of every range, one a node, and answers when all are done, newest first. The same request id
    /// again is the same snapshots; an empty one is no request's.
    fn create_snapshot(&self, request_id: String) -> Reply<'_, Vec<Snapshot>>;
    /// Reads a snapshot back and checks it.
    fn verify_snapshot(&self, name: String) -> Reply<'_, Verdict>;
    /// The counters that move, for metrics and for live views.
    fn pulse(&self) -> Reply<'_, Pulse>;
}

/// The calls of [`Backend`] about the cluster as a whole, for a macro that implements them all alike: what it was given,
/// and then the calls.
macro_rules! cluster_calls {
    ($with:ident! { $($head:tt)* }) => {
        $with! { $($head)*
            cluster() -> Cluster;
            nodes() -> Vec<Node>;
            ranges() -> Vec<Range>;
            overview() -> Overview;
            ledger() -> Ledger;
            transaction(id: String) -> Transaction;
            change(change: Change) -> Granted;
        }
    };
}
pub(crate) use cluster_calls;

/// The other calls of [`Backend`], in the same way, but for the counters and new snapshots: who answers for several adds
/// them up.
macro_rules! life_calls {
    ($with:ident! { $($head:tt)* }) => {
        $with! { $($head)*
            indicators() -> Vec<Indicator>;
            query(query: Query) -> Vec<Cell>;
            snapshots() -> Vec<Snapshot>;
            verify_snapshot(name: String) -> Verdict;
        }
    };
}
pub(crate) use life_calls;

/// A value, and how fresh and complete it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// As of when.
    pub as_of: AsOf,
}

impl<T> Answer<T> {
    /// The same freshness for what `change` makes of the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: change(self.value), as_of: self.as_of }
    }
}

/// How fresh and how complete an answer is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AsOf {
    /// All windows before this are settled; `None` while nothing has been read.
    pub business_time: Option<EventTime>,
    /// From the newest record in the sources to this answer.
    pub lag_ms: u64,
    /// The ranges that did not answer; none when the answer is complete.
    pub missing: Vec<RangeId>,
    /// The range map under which the answer was read.
    pub map_version: u64,
}

/// How far one source partition has been read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Which.
    pub source: SourcePartition,
    /// The least committed position over the ranges.
    pub position: Offset,
    /// One past its last record; `None` while the source has not said.
    pub end: Option<Offset>,
    /// The record clock there; `None` before the first record.
    pub clock: Option<RecordTime>,
}

/// The counters that move. Those of results and dead letters are of the ranges that the node owns, since it does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pulse {
    /// Results with all three legs.
    pub complete: u64,
    /// Results that lacked a leg at the deadline, also those since corrected.
    pub incomplete: u64,
    /// Corrections.
    pub corrected: u64,
    /// The same three by range, and by the epoch under which the node owns it: since it does.
    pub emitted: BTreeMap<(RangeId, Epoch), [u64; 3]>,
    /// Transactions that wait for a leg.
    pub open: u64,
    /// Dead letters by topic and class.
    pub dead_letters: BTreeMap<(Arc<str>, String), u64>,
    /// Bytes of records applied.
    pub bytes: u64,
    /// Bytes of committed results that the sink has not taken yet.
    pub waiting_bytes: u64,
    /// How far the sources have been read.
    pub sources: Vec<Progress>,
    /// Resident memory; `None` where it cannot be told.
    pub memory_bytes: Option<u64>,
    /// The memory that the configuration gives to this node.
    pub memory_limit_bytes: u64,
    /// What the ranges hold in memory.
    pub held: Held,
    /// How snapshots and trimming went.
    pub upkeep: Upkeep,
    /// How long things take.
    pub measures: Measures,
}

/// What the ranges hold in memory, all together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Mailboxes of open transactions: they can give up their bytes.
    pub mailboxes_bytes: u64,
    /// What has to stay: who is open and who is done, what is due, figures.
    pub index_bytes: u64,
    /// What both together should take at most.
    pub limit_bytes: u64,
}
