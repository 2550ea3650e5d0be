//! The transport between nodes: small messages and bulk data, each from a known sender (I15).
//!
//! Whoever has something to say dials: what a node tells and asks goes over the session that it has
//! opened itself, and answers come back on it. So two nodes that dial each other at once have two
//! sessions, one for each to speak on, and nothing has to be elected.
//!
//! Messages are *at most once*: what was under way when a session ended is lost, and nobody is told
//! which. Within a session they arrive in order. Streams are in order and whole, or they end.

mod bulk;
mod control;
mod count;
mod dial;
mod hello;
mod keeper;
mod link;
mod listener;
pub mod local;
mod mail;
mod net;
mod session;
mod settings;
mod socket;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use proto::types::{Incarnation, NodeId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::count::{Counts, Dropped, Refusal};
pub use self::settings::{MESSAGE_BYTES, Pace, Settings, TlsFiles};
use crate::problem::Problem;

/// Where a node listens for others: `host:port`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address(Arc<str>);

/// Why a text is no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not host:port")]
pub struct AddressError(String);

impl Address {
    /// The address that `text` names.
    ///
    /// # Errors
    ///
    /// [`AddressError`] where it has no host or no port.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        let parts = text.rsplit_once(':');
        let is_whole = parts.is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        if is_whole { Ok(Self(text.into())) } else { Err(AddressError(text.to_owned())) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the port.
    fn host(&self) -> &str {
        let host = self.0.rsplit_once(':').map_or(&*self.0, |it| it.0);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a node: as it says, and with TLS as its certificate says too.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Peer {
    /// Which node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.incarnation)
    }
}

/// Bulk data both ways. Dropping an end ends it; what comes then is `None`, on whichever side. What goes out arrives as
/// the same item, in order; an item has at most 16 MiB, a larger one ends the stream.
///
/// Neither queue has a bound of its own (I13): who uses a stream gives credit in bytes over it, and
/// so bounds both. The transport adds its window, 8 MiB a stream and 16 MiB a connection.
pub use actors::remote::Duplex;

/// An end, with what takes from its `outgoing` and what feeds its `incoming`.
fn pair() -> (Duplex, mpsc::UnboundedReceiver<Bytes>, mpsc::UnboundedSender<Bytes>) {
    let (outgoing, taken) = mpsc::unbounded_channel();
    let (feeding, incoming) = mpsc::unbounded_channel();
    (Duplex { outgoing, incoming }, taken, feeding)
}

/// Who takes what peers send. Nothing here may wait: a call holds up all of the node's messages.
pub trait Inbox: Send + Sync {
    /// A message that expects no answer.
    fn told(&self, from: Peer, body: Bytes);
    /// A message that expects an answer, as long as the asker's patience lasts.
    fn asked(&self, from: Peer, body: Bytes) -> BoxFuture<'static, Bytes>;
    /// A peer has opened a stream.
    fn streamed(&self, from: Peer, duplex: Duplex);
    /// The last session with that peer has ended, in whichever direction it was. Another may follow.
    fn lost(&self, peer: Peer);
}

/// Why an answer did not come.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AskError {
    /// There is no session to that address.
    #[error("no session to {0}")]
    NoSession(Address),
    /// The question is larger than a message may be.
    #[error("a message of {0} bytes is over {MESSAGE_BYTES}")]
    TooLarge(usize),
    /// Too much is under way to that peer already.
    #[error("too much is under way to {0}")]
    Full(Address),
    /// The session ended meanwhile. The question may have arrived.
    #[error("the session to {0} ended meanwhile")]
    Lost(Address),
    /// No answer within the patience. The question may have arrived.
    #[error("no answer from {0} in time")]
    TimedOut(Address),
}

/// Why there is no stream.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("open a stream to {to}: {why}")]
pub struct StreamError {
    /// To whom.
    pub to: Address,
    /// Why not.
    pub why: String,
}

/// What carries messages: sockets, or the memory of one process.
pub trait Carrier: Send + Sync {
    /// Where others reach this node, as bound.
    fn address(&self) -> SocketAddr;
    /// See [`Peers::tell`].
    fn tell(&self, to: &Address, body: Bytes);
    /// See [`Peers::ask`].
    fn ask<'a>(
        &'a self,
        to: &'a Address,
        body: Bytes,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Bytes, AskError>>;
    /// See [`Peers::stream`].
    fn stream<'a>(&'a self, to: &'a Address) -> BoxFuture<'a, Result<Duplex, StreamError>>;
    /// See [`Peers::keep`].
    fn keep(&self, addresses: BTreeSet<Address>);
    /// See [`Peers::counts`].
    fn counts(&self) -> Counts;
}

/// The other nodes, to a node. Cheap to clone.
#[derive(Clone)]
pub struct Peers(Arc<dyn Carrier>);

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peers").field(&self.address()).finish()
    }
}

impl Peers {
    /// Listens on the peer port; everything ends with `stop`.
    ///
    /// # Errors
    ///
    /// [`Problem`] where the address may not be listened on or is taken, or the certificate won't do.
    pub async fn start(
        settings: Settings,
        inbox: Arc<dyn Inbox>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, Problem> {
        Ok(Self(net::start(settings, inbox, tasks, stop).await?))
    }

    /// Peers over another carrier.
    #[must_use]
    pub fn over(carrier: Arc<dyn Carrier>) -> Self {
        Self(carrier)
    }

    /// Where others reach this node, as bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Sends a message that expects no answer. Without a session it is dropped, and counted.
    pub fn tell(&self, to: &Address, body: Bytes) {
        self.0.tell(to, body);
    }

    /// Sends a message and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`AskError`]: after `patience` at the latest.
    pub async fn ask(
        &self,
        to: &Address,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, AskError> {
        self.0.ask(to, body, patience).await
    }

    /// Opens a stream for bulk data, also to an address that is not kept.
    ///
    /// # Errors
    ///
    /// [`StreamError`] where nobody answers there, or not who should.
    pub async fn stream(&self, to: &Address) -> Result<Duplex, StreamError> {
        self.0.stream(to).await
    }

    /// Keeps sessions up to these addresses, and to no others. A node must have one address only.
    pub fn keep(&self, addresses: BTreeSet<Address>) {
        self.0.keep(addresses);
    }

    /// What there is to count.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}
