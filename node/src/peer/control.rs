//! The control protocol: `ractor_cluster` on connections of our own, with a heartbeat and without its weak points.
//!
//! Its listener is never used and its cookie proves nothing: who a peer is was decided before it gets a
//! connection. Sessions that it has otherwise are ended.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::registry::pid_registry;
use ractor::{Actor, ActorRef, SpawnErr};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{NodeEventSubscription, NodeServer, NodeServerMessage, NodeSessionMessage};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::hello::Refused;
use super::link::{Link, Wire};
use super::mail::{Mail, Mailbox};
use super::net::Node;
use super::session::Session;
use super::settings::{ENVELOPE_BYTES, MESSAGE_BYTES};
use super::{Peer, Refusal, Settings};

/// What becomes of a connection that was handed over.
enum Event {
    /// Both sides know each other's mailboxes.
    Ready(ActorRef<NodeSessionMessage>),
    /// Nothing is left of it.
    Closed,
}

/// Who waits to hear of which connection.
type Waiting = Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Event>>>>;

/// Which side has dialled. Each has a server of its own, so that a session to a peer and one from it do not compete.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Dialled,
    Accepted,
}

/// The control protocol's servers.
pub(super) struct Control {
    dialled: ActorRef<NodeServerMessage>,
    accepted: ActorRef<NodeServerMessage>,
    waiting: Waiting,
    labels: AtomicU64,
    /// What this node's mailbox is called. The registry is the process's, so the name is unique in it.
    pub(super) mailbox_name: String,
}

/// How many transports this process has started: two of one node in a process need two names.
static STARTED: AtomicU64 = AtomicU64::new(0);

impl Control {
    pub(super) async fn start(settings: &Settings) -> Result<Self, SpawnErr> {
        let Peer { node, incarnation } = &settings.me;
        let name = format!("{node}.{incarnation}.{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let waiting = Waiting::default();
        Ok(Self {
            dialled: server(settings, format!("{name}.dialled"), &waiting).await?,
            accepted: server(settings, format!("{name}.accepted"), &waiting).await?,
            waiting,
            labels: AtomicU64::new(0),
            mailbox_name: format!("mailbox.{name}"),
        })
    }

    /// Stops everything. `mailbox` goes last: it may still be told something meanwhile.
    pub(super) fn stop(&self, mailbox: &ActorRef<Mail>) {
        self.dialled.stop(None);
        self.accepted.stop(None);
        mailbox.stop(None);
        // A stopped server says nothing of its sessions: who waits for that is to wait no longer.
        self.waiting.lock().clear();
    }

    /// Hands a connection over, and gives what is heard of it.
    fn hand_over(
        &self,
        (link, side): (Link, Side),
        session: &Session,
        silence: Duration,
    ) -> (String, mpsc::UnboundedReceiver<Event>) {
        let label = format!("{side:?}-{}", self.labels.fetch_add(1, Ordering::Relaxed));
        let (events, heard) = mpsc::unbounded_channel();
        self.waiting.lock().insert(label.clone(), events);
        let wire = Wire { link, label: label.clone(), silence, close: session.close.clone() };
        let (server, is_server) = match side {
            Side::Dialled => (&self.dialled, false),
            Side::Accepted => (&self.accepted, true),
        };
        let stream = Box::new(wire);
        // Where the server has stopped, the node is stopping, and nothing will be heard.
        drop(server.cast(NodeServerMessage::ConnectionOpenedExternal { stream, is_server }));
        (label, heard)
    }
}

async fn server(
    settings: &Settings,
    name: String,
    waiting: &Waiting,
) -> Result<ActorRef<NodeServerMessage>, SpawnErr> {
    let cookie = Sha256::digest(format!("throughline control {}", settings.cluster));
    let cookie = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
    let most = MESSAGE_BYTES as u64 + ENVELOPE_BYTES;
    let mode = Some(NodeConnectionMode::Isolated);
    let server = NodeServer::new(0, cookie, name.clone(), name, None, mode)
        .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST))
        .with_max_inbound_frame_size(most);
    let (server, _) = Actor::spawn(None, server, ()).await?;
    let subscription = Box::new(Listening(Arc::clone(waiting)));
    let subscribe =
        NodeServerMessage::SubscribeToEvents { id: "throughline".to_owned(), subscription };
    // It has just been started, and a stopped one would be noticed by its first connection.
    drop(server.cast(subscribe));
    Ok(server)
}

/// Starts a node's mailbox.
pub(super) async fn mailbox(node: &Arc<Node>) -> Result<ActorRef<Mail>, SpawnErr> {
    let name = node.control.mailbox_name.clone();
    Actor::spawn(Some(name), Mailbox, Arc::clone(node)).await.map(|it| it.0)
}

/// Passes on what a server says of its sessions.
struct Listening(Waiting);

impl Listening {
    fn pass(&self, session: &NodeServerSessionInformation, event: Event) {
        if let Some(events) = self.0.lock().get(&session.peer_addr) {
            // Whoever waited may have gone.
            drop(events.send(event));
        }
    }
}

impl NodeEventSubscription for Listening {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        if !self.0.lock().contains_key(&session.peer_addr) {
            // I15: over the protocol's own listener, past everything that checks who it is.
            session.actor.stop(Some("not from our listener".to_owned()));
        }
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.pass(&session, Event::Closed);
    }

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        // Else each spawn and stop of any actor in the process would be put into the session's mailbox,
        // ahead of all messages: at the rate at which transactions come that is a gigabyte in seconds.
        pid_registry::demonitor(session.actor.get_id());
        self.pass(&session, Event::Ready(session.actor.clone()));
    }
}

/// Runs a session on `link` until it has ended; `ready` is called once it can be spoken on.
pub(super) async fn run(
    node: &Arc<Node>,
    end: (Link, Side),
    session: &Arc<Session>,
    ready: impl FnOnce(),
) -> Result<(), Refused> {
    node.open(session);
    let (label, mut events) = node.control.hand_over(end, session, node.settings.pace.silence);
    let ran = speak(node, session, &mut events, ready).await;
    session.close.cancel();
    if ran.is_none() {
        // Until it is gone the same peer must not be let in again: the two would be taken for one.
        let gone = async { while !matches!(events.recv().await, Some(Event::Closed) | None) {} };
        drop(tokio::time::timeout(node.settings.pace.handshake, gone).await);
    }
    node.control.waiting.lock().remove(&label);
    node.close(session);
    session.closed.cancel();
    let is_ready = session.mailbox.get().is_some();
    is_ready.then_some(()).ok_or_else(|| {
        Refused::new(Refusal::Protocol, "it did not get through the control protocol's handshake")
    })
}

/// Until the session is closed from here (`None`) or from there.
async fn speak(
    node: &Node,
    session: &Session,
    events: &mut mpsc::UnboundedReceiver<Event>,
    ready: impl FnOnce(),
) -> Option<()> {
    let pace = node.settings.pace;
    let first = tokio::select! {
        first = tokio::time::timeout(pace.handshake, events.recv()) => first.ok().flatten(),
        () = session.close.cancelled() => None,
    };
    match first {
        Some(Event::Ready(actor)) => {
            let mailbox = mailbox_of(&actor, session)?;
            session.mailbox.set(mailbox).ok()?;
        }
        Some(Event::Closed) => return Some(()),
        None => return None,
    }
    session.is_used.store(true, Ordering::Relaxed);
    ready();
    let mut beats = tokio::time::interval(pace.beat);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Ready(_)) => {}
                Some(Event::Closed) | None => return Some(()),
            },
            _ = beats.tick() => session.beat(),
            () = session.close.cancelled() => return None,
        }
    }
}

/// The peer's mailbox, as this session knows it: a child of the session, under the name from the hello.
/// Process groups and names would find those of all nodes in the process.
fn mailbox_of(actor: &ActorRef<NodeSessionMessage>, session: &Session) -> Option<ActorRef<Mail>> {
    let children = actor.get_children();
    let is_it = |name: Option<String>| name.as_deref() == Some(session.mailbox_name.as_str());
    let found = children.into_iter().find(|it| !it.get_id().is_local() && is_it(it.get_name()));
    found.map(ActorRef::from)
}
