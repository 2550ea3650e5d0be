//! Ranges that other nodes own: who reads for them dials, who owns them answers.
//!
//! One connection carries all ranges and source partitions from one node to another; where two nodes read for each
//! other there are two. What is said is in [`crate::machine::frame`]; here is who says it:
//!
//! ```text
//!   reader ──Batch──▶ proxy (a range, to readers) ──frame──▶ serving ──Batch──▶ range
//!   reader ◀─Receipt── link (of a node) ◀────────frame──── receipts (a reader, to ranges) ◀─Receipt──┘
//! ```
//!
//! No queue here needs a limit of its own (I13): a reader has at most [`CREDIT_BYTES`](crate::reader::CREDIT_BYTES) and
//! one batch on its way to a range, and what is answered is less than what was asked.

mod link;
mod proxy;
mod serving;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures::future::BoxFuture;
use proto::types::NodeId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub(crate) use link::{Link, Wanted, keep};
pub(crate) use serving::{Serving, serve};

/// A connection to another node, as two queues of frames. They arrive whole and in order, or not at all: once one is
/// lost, or the other node is gone, `incoming` ends, and with it the connection.
#[derive(Debug)]
pub struct Duplex {
    /// What goes to the other node. Dropped when this side is done.
    pub outgoing: UnboundedSender<Bytes>,
    /// What comes from it.
    pub incoming: UnboundedReceiver<Bytes>,
}

/// Why another node could not be reached. It is tried again.
#[derive(Debug, thiserror::Error)]
#[error("reach node {node}: {why}")]
pub struct DialError {
    /// The node.
    pub node: NodeId,
    /// What came in the way.
    pub why: String,
}

/// Connects to another node, which is to [`accept`](crate::engine::Engine::accept) it.
pub type Dial = Box<dyn Fn(&NodeId) -> BoxFuture<'static, Result<Duplex, DialError>> + Send + Sync>;
