//! What a node's front has of the cluster around it: who there is, and the way to them.

use std::sync::Arc;
use std::time::Duration;

use actors::clock::Clock;
use bytes::Bytes;
use coordinator::machine::member::Member;
use coordinator::machine::table::Standing;
use proto::types::NodeId;
use tokio::sync::watch;
use tracing::debug;

use super::carry::Carry;
use crate::cluster::agent::{Admin, View};

/// How long another node is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Who leads beats every half second, and another tries to lead after 2 s without: after this long nobody
/// is known to.
const BEATLESS_MS: u64 = 3_000;

/// The cluster around a node.
pub(super) struct Outside {
    /// The cluster's name.
    pub(super) name: String,
    /// This node.
    pub(super) me: NodeId,
    pub(super) view: watch::Receiver<View>,
    pub(super) admin: Admin,
    pub(super) carry: Arc<Carry>,
    pub(super) clock: Clock,
}

impl Outside {
    pub(super) fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Who leads, as far as this node has heard of late. It serves people only (I12).
    pub(super) fn leader(&self) -> Option<NodeId> {
        let view = self.view.borrow();
        let silent_ms = (self.clock)().saturating_sub(view.heard_ms);
        let leader = view.leader.as_ref().filter(|_| silent_ms < BEATLESS_MS);
        leader.map(|leading| leading.leader.clone())
    }

    /// What the node answers; `None` where it does not, or not in time.
    pub(super) async fn ask(&self, view: &View, to: &Member, question: Bytes) -> Option<Bytes> {
        let Some(Standing::Alive { address }) = view.table.standing(to) else { return None };
        match self.carry.ask(address, question, PATIENCE).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                debug!(node = %to.node, %error, "a node does not answer");
                None
            }
        }
    }
}
