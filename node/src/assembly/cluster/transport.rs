//! How a node reaches the others of its cluster.

use std::sync::Arc;

use proto::types::Incarnation;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Names, PeerPort};
use crate::peer::local::Exchange;
use crate::peer::{Inbox, Pace, Peer, Peers, Settings};

/// What carries a node's messages.
pub(in crate::assembly) enum Transport {
    /// Sockets, as the cluster file says.
    Sockets(PeerPort),
    /// The memory of this process, in which the others are too.
    Exchange(Exchange),
}

impl Transport {
    /// Opens it, until `stop`; with it the address at which others reach the node. Its incarnation is the process's,
    /// not a life's: it comes before the first life, and has to be another one at each start.
    pub(super) async fn open(
        self,
        names: &Names,
        started_ms: u64,
        inbox: Arc<dyn Inbox>,
        (tasks, stop): (&TaskTracker, CancellationToken),
    ) -> anyhow::Result<(Peers, String)> {
        let me = Peer { node: names.node.clone(), incarnation: Incarnation(started_ms) };
        let (peers, advertised) = match self {
            Self::Sockets(PeerPort { addr, advertise, tls }) => {
                let (cluster, pace) = (names.cluster.clone(), Pace::default());
                let settings = Settings { cluster, me, listen: addr, tls, pace };
                (Peers::start(settings, inbox, tasks.clone(), stop).await?, advertise)
            }
            Self::Exchange(exchange) => (exchange.join(me, inbox, tasks, stop), None),
        };
        let address = advertised.unwrap_or_else(|| peers.address().to_string());
        Ok((peers, address))
    }
}
