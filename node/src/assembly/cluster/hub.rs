//! What comes from other nodes, and who takes it.

use std::sync::{Arc, OnceLock};

use actors::engine::Engine;
use bytes::Bytes;
use coordinator::machine::table::Standing;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::debug;

use super::front::Front;
use crate::cluster::Cluster;
use crate::cluster::agent::View;
use crate::cluster::post::Post;
use crate::peer::{Duplex, Inbox, Peer};

/// Gives what comes to whoever it is for.
pub(super) struct Hub {
    front: Arc<Front>,
    /// Not set before the node takes part in the cluster: what comes by then is lost, and comes again.
    cluster: OnceLock<(Arc<Post>, watch::Receiver<View>)>,
    /// The engine of this life; `None` between two lives.
    engine: Mutex<Option<Arc<Engine>>>,
}

impl Hub {
    pub(super) fn new(front: Arc<Front>) -> Self {
        Self { front, cluster: OnceLock::new(), engine: Mutex::default() }
    }

    pub(super) fn connect(&self, cluster: &Cluster) {
        if self.cluster.set((Arc::clone(&cluster.post), cluster.view.clone())).is_err() {
            debug!("the cluster was known already");
        }
    }

    /// From now on streams are for this life.
    pub(super) fn begin(&self, engine: Arc<Engine>) {
        *self.engine.lock() = Some(engine);
    }

    /// That life is over.
    pub(super) fn end(&self) {
        self.engine.lock().take();
    }
}

impl Inbox for Hub {
    fn told(&self, from: Peer, body: Bytes) {
        if let Some((post, _)) = self.cluster.get() {
            post.deliver(&from.node, &body);
        }
    }

    fn asked(&self, _from: Peer, body: Bytes) -> BoxFuture<'static, Bytes> {
        self.front.asked(&body)
    }

    fn streamed(&self, from: Peer, duplex: Duplex) {
        if let Some(engine) = &*self.engine.lock() {
            engine.accept(from.node, duplex);
        }
    }

    /// Whoever leads need not wait as long for a node whose connection has broken: speed, not safety (I12).
    fn lost(&self, peer: Peer) {
        let Some((post, view)) = self.cluster.get() else { return };
        let table = Arc::clone(&view.borrow().table);
        for member in table.alive().filter(|member| member.node == peer.node) {
            if let Some(Standing::Alive { address }) = table.standing(member) {
                post.lost(address);
            }
        }
    }
}
