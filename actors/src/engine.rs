//! One node's engine: it restores the ranges, starts the actors, and stops when any of them fails.

mod aggregators;
mod change;
mod copies;
mod links;
mod query;
mod reads;
mod restore;
mod routes;
mod served;
mod start;
mod stop;
mod supervisor;
mod tidy;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use proto::log::Log;
use proto::types::{Ancestor, Epoch, Incarnation, KeyRange, NodeId, PartitionIndex, RangeId, Slot};
use ractor::RpcReplyPort;

pub(crate) use aggregators::Connection;
pub use aggregators::Ears;
pub use change::ReleaseError;
pub use links::{Links, Shown};
pub use query::{Cells, QueryError, TransactionFound};
pub use restore::RestoreError;
pub use restore::basis::{Basis, bases};
pub use restore::origin::Origin;
pub use restore::put_back::{PutBack, Wanted, put_back};
pub use routes::{Place, Route};
pub use served::Served;
pub use start::{Engine, StartError};
pub use tidy::{Look, Tidied, TidyError, Tidying, View};

use crate::aggregator::Upserts;
use crate::clock::{Clock, Witness};
use crate::machine::partial::layout::Layout;
use crate::machine::range::Settings;
use crate::machine::transaction::Rules;
use crate::remote::Dial;
use crate::snapshot::Snapshots;
use crate::source::decode::Decoder;
use crate::source::{Source, SourceError};
use crate::store::{Store, StoreError};

/// One life of a node: whose journal it is. The lives of one node are in their order.
pub type Life = (Incarnation, NodeId);

/// A stretch of a journal that holds a part of a range's past.
#[derive(Clone, Debug)]
pub struct Past {
    /// The range whose commits they are: the one whose past this is, or one that it came from.
    pub range: RangeId,
    /// The owner, whose journal it is.
    pub life: Life,
    /// The epoch under which it owned the range.
    pub epoch: Epoch,
    /// The journal.
    pub journal: Arc<dyn Log>,
    /// The first slot.
    pub from: Slot,
    /// One past the last.
    pub to: Slot,
}

/// A range that this node owns.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The range.
    pub id: RangeId,
    /// Its keys.
    pub keys: KeyRange,
    /// The epoch under which the node owns it.
    pub epoch: Epoch,
    /// Where its past is, oldest first: by rising epochs, whosever journals it is in.
    pub past: Vec<Past>,
    /// The ranges that it came from by splits, oldest first.
    pub ancestors: Vec<Ancestor>,
    /// All lives that were over when the node got it. The sink takes nothing of theirs any more before the
    /// range is served (I7); who owned the range and committed nothing is not in its past, but had rows to deliver.
    pub ended: Arc<[Life]>,
}

impl Holding {
    /// The range that this one came from, up to its end; `None` where it was there from the beginning.
    #[must_use]
    pub fn parent(&self) -> Option<(Self, Ancestor)> {
        let (&ancestor, before) = self.ancestors.split_last()?;
        let is_its = |past: &&Past| past.range != self.id;
        let past: Vec<_> = self.past.iter().filter(is_its).cloned().collect();
        let epoch = past.last().map_or(Epoch::NONE, |past| past.epoch);
        let (id, keys, ancestors) = (ancestor.range, ancestor.keys, before.to_vec());
        let ended = Arc::clone(&self.ended);
        Some((Self { id, keys, epoch, past, ancestors, ended }, ancestor))
    }
}

/// Local stores, one a range.
pub trait Stores: Send + Sync + std::fmt::Debug {
    /// Opens a range's store, empty where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; a corrupted store can be thrown away with [`Stores::destroy`].
    fn open(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError>;

    /// Throws a range's store away.
    ///
    /// # Errors
    ///
    /// Where the disk fails.
    fn destroy(&self, range: RangeId) -> Result<(), StoreError>;

    /// A folder beside the range's store, where a snapshot's files are put before they are its store.
    fn folder(&self, range: RangeId) -> PathBuf;

    /// Makes what is in [`Stores::folder`], a checkpoint's files, the range's store instead of what it has,
    /// and opens it.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the disk fails or the files are no store.
    fn adopt(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError>;
}

/// Opens a source.
pub type LookBack =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Source>, SourceError>> + Send + Sync>;

/// Everything that an engine needs.
pub struct Setup {
    /// The node's name.
    pub node: NodeId,
    /// This life of the node.
    pub incarnation: Incarnation,
    /// Its journal, empty but for what this life writes.
    pub journal: Arc<dyn Log>,
    /// The ranges that it owns.
    pub holdings: Vec<Holding>,
    /// Their local stores.
    pub stores: Box<dyn Stores>,
    /// Who makes a range out of the one that it came from has this.
    pub births: tokio::sync::Mutex<()>,
    /// What a local store that is lost or damaged is restored from.
    pub snapshots: Snapshots,
    /// The source partitions that it reads at first; all of them where `None`.
    pub reads: Option<BTreeSet<PartitionIndex>>,
    /// Opens the source once more, while the readers go on: to read young legs again, and for what is far behind.
    pub look_back: LookBack,
    /// Connects to other nodes. Never called while all ranges are here.
    pub dial: Dial,
    /// A decoder for each leg.
    pub decoders: Box<dyn Fn(proto::types::Leg) -> Decoder + Send + Sync>,
    /// Where the figures of a dimension go.
    pub upserts: Box<dyn Fn() -> Box<dyn Upserts> + Send + Sync>,
    /// By which rules transactions are decided.
    pub rules: Arc<Rules>,
    /// What the figures are called.
    pub layout: Arc<Layout>,
    /// What ranges keep, and for how long.
    pub settings: Settings,
    /// The least time between two commits.
    pub commit_interval: Duration,
    /// How far source partitions may be apart in record time.
    pub alignment: Duration,
    /// Bytes of results that may wait for the sink.
    pub outbox_bytes: usize,
    /// Tells the time.
    pub clock: Clock,
    /// Hears how new the records are.
    pub witness: Witness,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Answers a question; who asked may have gone meanwhile, and then nobody misses the answer.
pub fn answer<T: Send + 'static>(reply: RpcReplyPort<T>, value: T) {
    if !reply.is_closed() && reply.send(value).is_err() {
        tracing::debug!("who asked has gone");
    }
}

#[cfg(test)]
mod tests;
