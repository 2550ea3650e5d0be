//! The cluster, its nodes and its ranges, as the API shows them.

use coordinator::machine::wish::Request;
use proto::types::{Epoch, KeyRange, NodeId, RangeId, Sequence};

/// Whether the cluster does its work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Health {
    /// It does.
    Healthy,
    /// It does, worse than it should.
    Degraded,
    /// It does not.
    Unavailable,
}

/// The cluster at a glance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cluster {
    /// The configured name.
    pub name: String,
    /// Whether it does its work.
    pub health: Health,
    /// Why it is not healthy, a sentence each; empty when it is.
    pub reasons: Vec<String>,
    /// How many nodes are alive.
    pub nodes: u32,
    /// How many ranges there are.
    pub ranges: u32,
    /// The version of the node that answers.
    pub version: String,
    /// Who leads; `None` where no node is known to, or the node runs alone.
    pub leader: Option<NodeId>,
}

/// The cluster with all that is in it, as of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Whether it is well.
    pub cluster: Cluster,
    /// The nodes, by name.
    pub nodes: Vec<Node>,
    /// The ranges, by their first key.
    pub ranges: Vec<Range>,
}

/// What an operator asks of who leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What is to be so.
    pub request: Request,
    /// Only check whether it would be granted.
    pub is_trial: bool,
    /// The same id again is the same request; empty where it has none.
    pub request_id: String,
}

/// What was granted: it is not done yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Granted {
    /// What.
    pub change: Change,
    /// Who granted it; `None` where no node was known to lead.
    pub leader: Option<NodeId>,
}

/// What a node is up to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NodeState {
    /// Heard of lately.
    Alive,
    /// It does not answer, and is not held dead yet.
    Suspect,
    /// Keeps the ranges that it has, and gets no others.
    Cordoned,
    /// Giving its ranges away.
    Draining,
    /// Held dead.
    Dead,
}

/// One process of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What it is up to.
    pub state: NodeState,
    /// The program's version.
    pub version: String,
    /// How many ranges it owns.
    pub ranges: u32,
    /// Resident memory.
    pub memory_bytes: u64,
    /// The most it may take; `None` without a limit.
    pub memory_limit_bytes: Option<u64>,
    /// Records applied, of late.
    pub records_per_second: f64,
    /// The ranges of which it keeps a copy, since it is to own them.
    pub copies: Vec<RangeId>,
}

/// What a range is up to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RangeState {
    /// Takes records.
    Serving,
    /// Reads its snapshot and journal.
    Restoring,
    /// Closes its last commit before a move.
    Closing,
    /// Stopped by a fault, for example by retention that overtook its position.
    Stopped,
    /// Nobody owns it.
    Unowned,
    /// Its owner does not answer.
    Silent,
}

impl RangeState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Serving, Self::Restoring, Self::Closing, Self::Stopped, Self::Unowned, Self::Silent];

    /// Whether nobody answers for a range in that state.
    #[must_use]
    pub const fn is_missing(self) -> bool {
        match self {
            Self::Serving | Self::Closing | Self::Stopped => false,
            Self::Restoring | Self::Unowned | Self::Silent => true,
        }
    }

    /// The word for screens, the API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Restoring => "restoring",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
            Self::Unowned => "unowned",
            Self::Silent => "silent",
        }
    }
}

/// One range of keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// Its number.
    pub id: RangeId,
    /// Its keys.
    pub keys: KeyRange,
    /// Who owns it; `None` when nobody does.
    pub owner: Option<NodeId>,
    /// The owner's epoch.
    pub epoch: Epoch,
    /// What it is up to.
    pub state: RangeState,
    /// Transactions that wait for a leg.
    pub open: u64,
    /// What its state takes on disk.
    pub state_bytes: u64,
    /// How far it is behind its sources.
    pub lag_ms: u64,
    /// The last committed result.
    pub sequence: Sequence,
    /// Records applied, of late.
    pub records_per_second: f64,
}
