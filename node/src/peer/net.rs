//! A node on real sockets: everything that its connections have in common.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::bulk::Lines;
use super::control::{self, Control};
use super::count::{Counts, Dropped, Tally};
use super::keeper::Kept;
use super::session::{Session, Sessions};
use super::tls::{Certificates, Identity};
use super::{
    Address, AskError, Carrier, Duplex, Inbox, Settings, StreamError, bulk, listener, socket,
};
use crate::problem::{Code, Problem};

/// What a node's connections share.
pub(super) struct Node {
    pub(super) settings: Settings,
    pub(super) inbox: Arc<dyn Inbox>,
    /// How nodes prove who they are; `None` on the loopback interface.
    pub(super) certificates: Option<Certificates>,
    pub(super) sessions: Sessions,
    pub(super) control: Control,
    pub(super) lines: Lines,
    pub(super) tally: Tally,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Node {
    /// A session begins.
    pub(super) fn open(&self, session: &Arc<Session>) {
        self.sessions.open(session);
        self.tally.sessions.store(self.sessions.count(), Ordering::Relaxed);
    }

    /// A session is over.
    pub(super) fn close(&self, session: &Session) {
        let was_last = self.sessions.close(session);
        self.tally.sessions.store(self.sessions.count(), Ordering::Relaxed);
        // At the node's own end the others are not lost.
        if was_last && !self.stop.is_cancelled() {
            info!(peer = %session.peer, "peer lost");
            self.inbox.lost(session.peer.clone());
        }
    }
}

/// A node, to those who send.
struct Net {
    node: Arc<Node>,
    kept: Kept,
    address: SocketAddr,
}

/// Starts a node on real sockets.
pub(super) async fn start(
    settings: Settings,
    inbox: Arc<dyn Inbox>,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> Result<Arc<dyn Carrier>, Problem> {
    let listener = socket::listen(&settings).await?;
    let address = listener.local_addr().map_err(|why| broken(&why))?;
    let certificates = settings.tls.clone().map(|files| {
        let (cluster, node) = (settings.cluster.clone(), settings.me.node.clone());
        Certificates::load(files, Identity { cluster, node })
    });
    let node = Arc::new(Node {
        control: Control::start(&settings).await.map_err(|why| broken(&why))?,
        certificates: certificates.transpose()?,
        settings,
        inbox,
        sessions: Sessions::default(),
        lines: Lines::default(),
        tally: Tally::default(),
        tasks: tasks.clone(),
        stop: stop.clone(),
    });
    let mailbox = control::mailbox(&node).await.map_err(|why| broken(&why))?;
    let streams = bulk::serve(&node);
    tasks.spawn(listener::run(Arc::clone(&node), listener, streams));
    if node.certificates.is_some() {
        tasks.spawn(reload(Arc::clone(&node)));
    }
    let stopping = Arc::clone(&node);
    tasks.spawn(async move {
        stopping.stop.cancelled().await;
        stopping.control.stop(&mailbox);
    });
    Ok(Arc::new(Net { kept: Kept::new(Arc::clone(&node)), node, address }))
}

fn broken(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::Unhealthy, "cannot start what speaks to other nodes", why.to_string())
        .remedy("check the limits on open files and on loopback sockets, and start again")
}

/// Looks at the certificates' files from time to time.
async fn reload(node: Arc<Node>) {
    let Some(certificates) = &node.certificates else { return };
    let mut failed = None;
    let mut looks = tokio::time::interval(node.settings.pace.reload);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = node.stop.cancelled() => return,
        }
        match certificates.reload() {
            Ok(true) => info!("certificates for other nodes replaced"),
            Ok(false) => failed = None,
            Err(problem) => {
                let why = problem.to_string();
                if failed.as_ref() != Some(&why) {
                    warn!(why, "new certificates cannot be used; the old ones stay");
                    failed = Some(why);
                }
            }
        }
    }
}

impl Carrier for Net {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn tell(&self, to: &Address, body: Bytes) {
        let session = self.node.sessions.to(to).ok_or(Dropped::NoSession);
        if let Err(reason) = session.and_then(|it| it.tell(body)) {
            self.node.tally.drop(reason);
        }
    }

    fn ask<'a>(
        &'a self,
        to: &'a Address,
        body: Bytes,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Bytes, AskError>> {
        async move {
            let session = self.node.sessions.to(to);
            let session = session.ok_or_else(|| AskError::NoSession(to.clone()))?;
            session.ask(to, body, patience).await
        }
        .boxed()
    }

    fn stream<'a>(&'a self, to: &'a Address) -> BoxFuture<'a, Result<Duplex, StreamError>> {
        bulk::open(Arc::clone(&self.node), to.clone()).boxed()
    }

    fn keep(&self, addresses: BTreeSet<Address>) {
        self.node.lines.keep(&addresses);
        self.kept.keep(addresses);
    }

    fn counts(&self) -> Counts {
        self.node.tally.counts()
    }
}
