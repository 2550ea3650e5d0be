//! Several nodes in one process, without sockets: for the demo, and for tests of what is built on [`Peers`].
//!
//! A node hears in a task of its own, and never within the call of who speaks: so what it does for others
//! ends with it, also where each node has a runtime of its own that is ended like a process.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{
    Address, AskError, Carrier, Counts, Dropped, Duplex, Inbox, MESSAGE_BYTES, Peer, Peers,
    StreamError, pair,
};

/// Where the nodes of one process find each other.
#[derive(Clone, Default)]
pub struct Exchange(Arc<Mutex<Members>>);

#[derive(Default)]
struct Members {
    joined: u16,
    by_address: HashMap<Address, Member>,
}

/// What is on its way to a node, one after the other.
type Member = mpsc::UnboundedSender<Coming>;

enum Coming {
    Told(Peer, Bytes),
    Asked(Peer, Bytes, oneshot::Sender<Bytes>),
    Streamed(Peer, Duplex),
    Lost(Peer),
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    /// Takes a node in, until `stop`; then the others lose it. The address that it gets is a name only.
    #[must_use]
    pub fn join(
        &self,
        me: Peer,
        inbox: Arc<dyn Inbox>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Peers {
        let (member, coming) = mpsc::unbounded_channel();
        let address = {
            let mut members = self.0.lock();
            members.joined += 1;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, members.joined));
            members.by_address.insert(address.into(), member);
            address
        };
        let place = Place { exchange: self.clone(), address: address.into(), peer: me.clone() };
        tasks.spawn(hear(place, (inbox, coming), tasks.clone(), stop));
        let kept = Mutex::default();
        Peers::over(Arc::new(Seat {
            me,
            address,
            exchange: self.clone(),
            kept,
            unheard: AtomicU64::new(0),
        }))
    }

    fn leave(&self, address: &Address, peer: &Peer) {
        let others: Vec<Member> = {
            let mut members = self.0.lock();
            members.by_address.remove(address);
            members.by_address.values().cloned().collect()
        };
        for other in others {
            // One that has gone as well misses nothing.
            drop(other.send(Coming::Lost(peer.clone())));
        }
    }
}

/// The others lose the node with this, however its task ends: as a connection breaks when a process dies.
struct Place {
    exchange: Exchange,
    address: Address,
    peer: Peer,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.exchange.leave(&self.address, &self.peer);
    }
}

/// Hands on what comes, until `stop`.
async fn hear(
    place: Place,
    (inbox, mut coming): (Arc<dyn Inbox>, mpsc::UnboundedReceiver<Coming>),
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            Some(next) = coming.recv() => next,
        };
        match next {
            Coming::Told(from, body) => inbox.told(from, body),
            Coming::Asked(from, body, reply) => {
                tasks.spawn(answer(inbox.asked(from, body), reply));
            }
            Coming::Streamed(from, duplex) => inbox.streamed(from, duplex),
            Coming::Lost(peer) => inbox.lost(peer),
        }
    }
    drop(place);
}

/// Works at an answer for as long as somebody waits for it.
async fn answer(asked: BoxFuture<'static, Bytes>, mut reply: oneshot::Sender<Bytes>) {
    let said = tokio::select! {
        () = reply.closed() => return,
        said = asked => said,
    };
    // Whoever asked may have lost patience just now.
    drop(reply.send(said));
}

/// A node's place at the exchange.
struct Seat {
    me: Peer,
    address: SocketAddr,
    exchange: Exchange,
    kept: Mutex<BTreeSet<Address>>,
    unheard: AtomicU64,
}

impl Seat {
    fn member(&self, to: &Address) -> Option<Member> {
        self.exchange.0.lock().by_address.get(to).cloned()
    }

    /// As with sockets, messages go to those only that are kept.
    fn session(&self, to: &Address) -> Option<Member> {
        self.kept.lock().contains(to).then(|| self.member(to)).flatten()
    }
}

impl Carrier for Seat {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn tell(&self, to: &Address, body: Bytes) {
        let session = self.session(to).filter(|_| body.len() <= MESSAGE_BYTES);
        if session.is_none_or(|it| it.send(Coming::Told(self.me.clone(), body)).is_err()) {
            self.unheard.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ask<'a>(
        &'a self,
        to: &'a Address,
        body: Bytes,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Bytes, AskError>> {
        async move {
            if body.len() > MESSAGE_BYTES {
                return Err(AskError::TooLarge(body.len()));
            }
            let session = self.session(to).ok_or_else(|| AskError::NoSession(to.clone()))?;
            let (reply, answer) = oneshot::channel();
            let lost = || AskError::Lost(to.clone());
            session.send(Coming::Asked(self.me.clone(), body, reply)).map_err(|_| lost())?;
            match tokio::time::timeout(patience, answer).await {
                Ok(answered) => answered.map_err(|_| lost()),
                Err(_) => Err(AskError::TimedOut(to.clone())),
            }
        }
        .boxed()
    }

    fn stream<'a>(&'a self, to: &'a Address) -> BoxFuture<'a, Result<Duplex, StreamError>> {
        async move {
            let nobody = || StreamError { to: to.clone(), why: "no node is there".to_owned() };
            let other = self.member(to).ok_or_else(nobody)?;
            let (ours, from_us, to_us) = pair();
            let theirs = Duplex { outgoing: to_us, incoming: from_us };
            other.send(Coming::Streamed(self.me.clone(), theirs)).map_err(|_| nobody())?;
            Ok(ours)
        }
        .boxed()
    }

    fn keep(&self, addresses: BTreeSet<Address>) {
        *self.kept.lock() = addresses;
    }

    fn counts(&self) -> Counts {
        let sessions = self.kept.lock().iter().filter(|it| self.member(it).is_some()).count();
        let unheard = self.unheard.load(Ordering::Relaxed);
        let dropped = vec![(Dropped::NoSession.label(), unheard)];
        Counts { sessions, refused: Vec::new(), dropped }
    }
}
