//! What a life of a node does on the data: the engine, or in tests something simpler.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use actors::engine::Holding;
use coordinator::machine::member::Member;
use coordinator::machine::plan::Load;
use coordinator::machine::share::Route;
use futures::future::BoxFuture;
use proto::types::{Epoch, NodeId, PartitionIndex, RangeId, Slot};

/// The map as the control log says it, up to one slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Map {
    /// The slot: of two maps the one with the greater counts.
    pub version: u64,
    /// Which range has which keys, and who owns it; ascending by key.
    pub routes: Vec<Route>,
    /// The source partitions that this node reads.
    pub partitions: BTreeSet<PartitionIndex>,
    /// Which node sums up the figures of which dimension.
    pub aggregators: BTreeMap<String, NodeId>,
    /// Where each node that lives is reached.
    pub addresses: BTreeMap<NodeId, String>,
}

/// Why a body ended by itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ending {
    /// It was fenced: its journal takes nothing more. The node begins another life.
    Fenced,
    /// It failed, for this reason. The process ends: a fresh one starts from what is durable.
    Failed(String),
}

/// The data plane of one life.
pub trait Body: Send + Sync + fmt::Debug {
    /// Restores a range and serves it; from a copy where there is one.
    ///
    /// Where it fails nothing was committed for the range under its epoch. It may be dropped at any
    /// point; then [`Body::stop`] follows.
    fn serve(&self, holding: Holding) -> BoxFuture<'_, anyhow::Result<()>>;

    /// Closes a range at a commit, for ever under its epoch; says the first slot of this life's
    /// journal from which on nothing is of it. Where it fails the range is served on.
    fn release(&self, range: RangeId) -> BoxFuture<'_, anyhow::Result<Slot>>;

    /// Restores a copy of a range and follows its owner's commits. The last of the holding's pasts is
    /// the owner's journal: it ends at [`OPEN`], since the owner goes on. Ends when the copy is
    /// begun; [`Body::copies`] says how far it has come.
    fn warm(&self, holding: Holding) -> BoxFuture<'_, anyhow::Result<()>>;

    /// Drops a copy; that of a range which has none is no error.
    fn cool(&self, range: RangeId) -> BoxFuture<'_, ()>;

    /// The copies: of which range, whose owner's epoch they follow, and whether they are so near that
    /// a switch takes no time worth mentioning.
    fn copies(&self) -> Vec<(RangeId, Epoch, bool)>;

    /// What the ranges cost that it serves.
    fn loads(&self) -> BTreeMap<RangeId, Load>;

    /// The source partitions that there are, each with its number within its topic.
    fn partitions(&self) -> BTreeMap<PartitionIndex, i32>;

    /// The dimensions whose figures are summed up.
    fn dimensions(&self) -> Vec<String>;

    /// The map has changed.
    fn routed(&self, map: Map);

    /// Waits until it has ended by itself.
    fn ended(&self) -> BoxFuture<'_, Ending>;

    /// Ends it: nothing of it goes on after this, and another may take its place.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

/// Where the journal of an owner that goes on ends.
pub const OPEN: Slot = Slot(u64::MAX);

/// What begins bodies, one a life.
pub trait Bodies: Send + Sync + fmt::Debug {
    /// A body for this life, which owns nothing yet. The one before has been stopped.
    fn begin(&self, member: &Member) -> BoxFuture<'_, anyhow::Result<Arc<dyn Body>>>;
}
