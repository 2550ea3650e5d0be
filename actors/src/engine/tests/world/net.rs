//! Connections between nodes in one process, which can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures::FutureExt as _;
use parking_lot::Mutex;
use proto::types::NodeId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Engine;
use crate::remote::{Dial, DialError, Duplex};

#[derive(Clone, Default)]
pub(in crate::engine::tests) struct Net(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeId, Weak<Engine>>,
    down: BTreeSet<NodeId>,
    frozen: BTreeSet<NodeId>,
    cut: CancellationToken,
    dialled: usize,
}

impl Net {
    /// A node can be dialled.
    pub(super) fn join(&self, engine: &Arc<Engine>) {
        self.0.lock().nodes.insert(engine.node().clone(), Arc::downgrade(engine));
    }

    /// Every connection is cut; each may be opened again.
    pub(in crate::engine::tests) fn cut(&self) {
        std::mem::take(&mut self.0.lock().cut).cancel();
    }

    /// Every connection is cut, and none from or to that node is opened any more.
    pub(in crate::engine::tests) fn down(&self, node: &NodeId) {
        self.0.lock().down.insert(node.clone());
        self.cut();
    }

    /// The node can be reached again.
    pub(in crate::engine::tests) fn up(&self, node: &NodeId) {
        self.0.lock().down.remove(node);
    }

    /// Connections stay, but nothing comes to or from that node any more.
    pub(in crate::engine::tests) fn freeze(&self, node: &NodeId) {
        self.0.lock().frozen.insert(node.clone());
    }

    /// How many connections were opened.
    pub(in crate::engine::tests) fn dialled(&self) -> usize {
        self.0.lock().dialled
    }

    /// How `from` reaches others.
    pub(super) fn dial(&self, from: NodeId) -> Dial {
        let net = self.clone();
        Box::new(move |to| {
            let dialled = net.connect(&from, to);
            async { dialled }.boxed()
        })
    }

    fn connect(&self, from: &NodeId, to: &NodeId) -> Result<Duplex, DialError> {
        let mut state = self.0.lock();
        let is_down = state.down.contains(from) || state.down.contains(to);
        let engine = state.nodes.get(to).and_then(Weak::upgrade).filter(|_| !is_down);
        let down = || DialError { node: to.clone(), why: "it is down".to_owned() };
        let engine = engine.ok_or_else(down)?;
        state.dialled += 1;
        let (cut, pair) = (state.cut.clone(), (from.clone(), to.clone()));
        let (client_out, to_server) = unbounded_channel();
        let (server_out, to_client) = unbounded_channel();
        let client = Duplex {
            outgoing: client_out,
            incoming: self.relay(to_client, cut.clone(), pair.clone()),
        };
        let server = Duplex { outgoing: server_out, incoming: self.relay(to_server, cut, pair) };
        engine.accept(from.clone(), server);
        Ok(client)
    }

    fn relay(
        &self,
        mut from: UnboundedReceiver<Bytes>,
        cut: CancellationToken,
        (one, other): (NodeId, NodeId),
    ) -> UnboundedReceiver<Bytes> {
        let (to, received): (UnboundedSender<Bytes>, _) = unbounded_channel();
        let net = self.clone();
        let is_frozen = move || {
            let frozen = &net.0.lock().frozen;
            frozen.contains(&one) || frozen.contains(&other)
        };
        let relayed = async move {
            while let Some(frame) = from.recv().await {
                if !is_frozen() && to.send(frame).is_err() {
                    return;
                }
            }
        };
        TaskTracker::new().spawn(async move {
            tokio::select! {
                () = relayed => {}
                () = cut.cancelled() => {}
            }
        });
        received
    }
}
