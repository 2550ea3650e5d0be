//! The sessions of a node: with whom, what is under way, and what belongs to which.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use proto::types::NodeId;
use ractor::ActorRef;
use ractor::rpc::CallResult;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::count::Dropped;
use super::hello::{Greeting, Key};
use super::mail::Mail;
use super::settings::{ASKS, MESSAGE_BYTES, UNDER_WAY_BYTES};
use super::{Address, AskError, Peer};

/// One control connection with a peer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    /// What the peer's messages must show.
    pub(super) ours: Key,
    /// What ours must show there.
    theirs: Key,
    /// What the peer's mailbox is called.
    pub(super) mailbox_name: String,
    /// The peer's mailbox; empty until the session is ready.
    pub(super) mailbox: OnceLock<ActorRef<Mail>>,
    /// Ends the connection.
    pub(super) close: CancellationToken,
    /// Has come true when nothing of it is left.
    pub(super) closed: CancellationToken,
    /// Whether it got so far that messages could go either way.
    pub(super) is_used: AtomicBool,
    /// The peer's questions that may still be taken on.
    pub(super) asks: Arc<Semaphore>,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    taken: AtomicU64,
}

impl Session {
    pub(super) fn new(greeting: Greeting, ours: Key, close: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            peer: greeting.peer,
            ours,
            theirs: greeting.key,
            mailbox_name: greeting.mailbox,
            mailbox: OnceLock::new(),
            close,
            closed: CancellationToken::new(),
            is_used: AtomicBool::new(false),
            asks: Arc::new(Semaphore::new(ASKS)),
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        })
    }

    pub(super) fn tell(&self, body: Bytes) -> Result<(), Dropped> {
        let mailbox = self.admit(body.len())?;
        let sent = mailbox.cast(Mail::Told { key: self.theirs, body });
        sent.map_err(|_| Dropped::NoSession)
    }

    pub(super) async fn ask(
        &self,
        to: &Address,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, AskError> {
        let bytes = body.len();
        let mailbox = self.admit(bytes).map_err(|why| match why {
            Dropped::TooLarge => AskError::TooLarge(bytes),
            Dropped::Full | Dropped::Busy => AskError::Full(to.clone()),
            Dropped::NoSession | Dropped::Stranger => AskError::NoSession(to.clone()),
        })?;
        let key = self.theirs;
        let asked = mailbox.call(|reply| Mail::Asked { key, body, reply }, Some(patience)).await;
        match asked {
            Ok(CallResult::Success(answer)) => Ok(answer.into()),
            Ok(CallResult::Timeout) => Err(AskError::TimedOut(to.clone())),
            Ok(CallResult::SenderError) | Err(_) => Err(AskError::Lost(to.clone())),
        }
    }

    /// Says that this side lives, and how much it has taken so far.
    pub(super) fn beat(&self) {
        let taken = self.taken.load(Ordering::Relaxed);
        if let Some(mailbox) = self.mailbox.get() {
            // A session that has just ended hears of it elsewhere.
            drop(mailbox.cast(Mail::Beat { key: self.theirs, taken }));
        }
    }

    /// So much of what the peer has sent left its queues.
    pub(super) fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The peer has taken so much in all.
    pub(super) fn acknowledge(&self, taken: u64) {
        self.acknowledged.fetch_max(taken, Ordering::Relaxed);
    }

    /// I13: the queues on the way have no bound of their own, so no more goes in than may be under way.
    fn admit(&self, bytes: usize) -> Result<&ActorRef<Mail>, Dropped> {
        if bytes > MESSAGE_BYTES {
            return Err(Dropped::TooLarge);
        }
        let mailbox = self.mailbox.get().ok_or(Dropped::NoSession)?;
        let acknowledged = self.acknowledged.load(Ordering::Relaxed);
        let under_way = self.sent.load(Ordering::Relaxed).saturating_sub(acknowledged);
        if under_way + bytes as u64 > UNDER_WAY_BYTES {
            return Err(Dropped::Full);
        }
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(mailbox)
    }
}

/// All sessions of a node.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Those that this node has dialled and that are ready, to speak on.
    dialled: RwLock<HashMap<Address, Arc<Session>>>,
    /// All, by what their peers' messages show.
    keyed: RwLock<HashMap<Key, Arc<Session>>>,
    /// The newest that each node has dialled.
    accepted: Mutex<HashMap<NodeId, Arc<Session>>>,
}

impl Sessions {
    /// The session that this node speaks to `to` on.
    pub(super) fn to(&self, to: &Address) -> Option<Arc<Session>> {
        self.dialled.read().get(to).cloned()
    }

    /// Whose message it is that shows `key`.
    pub(super) fn with(&self, key: Key) -> Option<Arc<Session>> {
        self.keyed.read().get(&key).cloned()
    }

    pub(super) fn count(&self) -> usize {
        self.keyed.read().len()
    }

    /// From now on the peer's messages are known.
    pub(super) fn open(&self, session: &Arc<Session>) {
        self.keyed.write().insert(session.ours, Arc::clone(session));
    }

    /// The session has ended; whether it was the last one with its peer. Those that never got far don't count.
    pub(super) fn close(&self, session: &Session) -> bool {
        let is_used = |it: &Session| it.is_used.load(Ordering::Relaxed);
        let mut keyed = self.keyed.write();
        keyed.remove(&session.ours);
        is_used(session) && !keyed.values().any(|it| it.peer == session.peer && is_used(it))
    }

    pub(super) fn ready(&self, to: Address, session: &Arc<Session>) {
        self.dialled.write().insert(to, Arc::clone(session));
    }

    pub(super) fn hang_up(&self, to: &Address) {
        self.dialled.write().remove(to);
    }

    /// Takes a session for the one that its node has dialled last. Gives back the one before it, which has to
    /// be over first; `Err` where a later life of the node has one.
    pub(super) fn accept(&self, session: &Arc<Session>) -> Result<Option<Arc<Session>>, Peer> {
        let mut accepted = self.accepted.lock();
        let before = accepted.get(&session.peer.node);
        if let Some(later) = before.filter(|it| it.peer.incarnation > session.peer.incarnation) {
            return Err(later.peer.clone());
        }
        Ok(accepted.insert(session.peer.node.clone(), Arc::clone(session)))
    }

    /// The later life of `peer` that has a session, if there is one.
    pub(super) fn later_than(&self, peer: &Peer) -> Option<Peer> {
        let accepted = self.accepted.lock();
        let session = accepted.get(&peer.node)?;
        (session.peer.incarnation > peer.incarnation).then(|| session.peer.clone())
    }

    pub(super) fn dismiss(&self, session: &Session) {
        let mut accepted = self.accepted.lock();
        if accepted.get(&session.peer.node).is_some_and(|it| it.ours == session.ours) {
            accepted.remove(&session.peer.node);
        }
    }
}
