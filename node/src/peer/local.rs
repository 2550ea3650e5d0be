//! Several nodes in one process, without sockets: for the demo, and for tests of what is built on [`Peers`].

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::mpsc;
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

#[derive(Clone)]
struct Member {
    inbox: Arc<dyn Inbox>,
    /// One after the other, and not within the sender's call.
    told: mpsc::UnboundedSender<(Peer, Bytes)>,
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
        let (told, mut telling) = mpsc::unbounded_channel::<(Peer, Bytes)>();
        let member = Member { inbox: Arc::clone(&inbox), told };
        let address = {
            let mut members = self.0.lock();
            members.joined += 1;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, members.joined));
            members.by_address.insert(address.into(), member);
            address
        };
        let (exchange, peer) = (self.clone(), me.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    Some((from, body)) = telling.recv() => inbox.told(from, body),
                }
            }
            exchange.leave(&address.into(), &peer);
        });
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
            other.inbox.lost(peer.clone());
        }
    }
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
        if session.is_none_or(|it| it.told.send((self.me.clone(), body)).is_err()) {
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
            let asked = session.inbox.asked(self.me.clone(), body);
            let answered = tokio::time::timeout(patience, asked).await;
            answered.map_err(|_| AskError::TimedOut(to.clone()))
        }
        .boxed()
    }

    fn stream<'a>(&'a self, to: &'a Address) -> BoxFuture<'a, Result<Duplex, StreamError>> {
        async move {
            let nobody = || StreamError { to: to.clone(), why: "no node is there".to_owned() };
            let other = self.member(to).ok_or_else(nobody)?;
            let (ours, from_us, to_us) = pair();
            other.inbox.streamed(self.me.clone(), Duplex { outgoing: to_us, incoming: from_us });
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
