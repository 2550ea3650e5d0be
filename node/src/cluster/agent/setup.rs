//! What an agent is given, and what it shows.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coordinator::clock::Clock;
use coordinator::coordinator::Journals;
use coordinator::leader::Wire;
use coordinator::machine::letter::Leading;
use coordinator::machine::member::Member;
use coordinator::machine::table::Table;
use proto::log::Log;
use proto::types::{NodeId, Slot};

use crate::cluster::body::Bodies;
use crate::cluster::seeds::Seeds;

/// What an agent needs.
pub struct Setup {
    /// The node.
    pub node: NodeId,
    /// Where others reach it.
    pub address: String,
    /// How often it says that it lives.
    pub heartbeat: Duration,
    /// How long it waits, when it is asked to stop, until others have its ranges.
    pub leave_within: Duration,
    /// Where else it asks who leads.
    pub seeds: Seeds,
    /// The control log.
    pub control: Arc<dyn Log>,
    /// All journals, for the pasts of ranges.
    pub journals: Arc<dyn Journals>,
    /// Carries its letters.
    pub wire: Arc<dyn Wire>,
    /// Begins the data plane of each life.
    pub bodies: Arc<dyn Bodies>,
    /// Tells the time.
    pub clock: Clock,
    /// No two calls, of any process, give the same.
    pub nonces: Box<dyn FnMut() -> u64 + Send>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("node", &self.node).finish_non_exhaustive()
    }
}

/// What a node knows of its cluster.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its life; `None` while it has none.
    pub member: Option<Member>,
    /// Who was heard to lead last; `None` before anybody was.
    pub leader: Option<Leading>,
    /// When that was, by the node's clock; 0 before.
    pub heard_ms: u64,
    /// The control log as far as it was read.
    pub table: Arc<Table>,
    /// Up to which slot.
    pub read: Slot,
}
