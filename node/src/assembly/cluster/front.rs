//! What this node answers: for the life that it has at the moment.

use std::sync::{Arc, OnceLock};

use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::debug;

use crate::api::backend::{
    Backend, Cell, Cluster, Indicator, Ledger, Node, Pulse, Query, Range, Reply, Snapshot,
    Transaction, Verdict,
};
use crate::assembly::backend::EngineBackend;
use crate::cluster;
use crate::cluster::agent::View;
use crate::problem::{Code, Problem};

/// Answers by whatever life there is.
#[derive(Default)]
pub(super) struct Front {
    /// `None` between two lives.
    life: Mutex<Option<Arc<EngineBackend>>>,
    view: OnceLock<watch::Receiver<View>>,
}

impl Front {
    pub(super) fn connect(&self, cluster: &cluster::Cluster) {
        if self.view.set(cluster.view.clone()).is_err() {
            debug!("the cluster was known already");
        }
    }

    /// From now on this life answers.
    pub(super) fn begin(&self, life: Arc<EngineBackend>) {
        *self.life.lock() = Some(life);
    }

    /// That life is over.
    pub(super) fn end(&self) {
        self.life.lock().take();
    }

    fn life(&self) -> Result<Arc<EngineBackend>, Problem> {
        self.life.lock().clone().ok_or_else(|| self.no_life())
    }

    fn no_life(&self) -> Problem {
        let leader = self.view.get().and_then(|view| view.borrow().leader.clone());
        let why = match leader {
            Some(leader) => format!("{} leads and has not taken it in yet", leader.leader),
            None => "no node is known to lead: it tries to, unless `coordinator.candidate` says no"
                .to_owned(),
        };
        Problem::new(Code::CatchingUp, "this node has not joined the cluster yet", why)
            .remedy("throughline status   until it has; its log says what it waits for")
    }
}

/// A call, passed on to the life that there is.
macro_rules! by_life {
    ($($name:ident($($argument:ident: $kind:ty)?) -> $answer:ty;)*) => {
        impl Backend for Front {
            $(fn $name(&self $(, $argument: $kind)?) -> Reply<'_, $answer> {
                async move { self.life()?.$name($($argument)?).await }.boxed()
            })*
        }
    };
}

by_life! {
    cluster() -> Cluster;
    nodes() -> Vec<Node>;
    ranges() -> Vec<Range>;
    ledger() -> Ledger;
    transaction(id: String) -> Transaction;
    indicators() -> Vec<Indicator>;
    query(query: Query) -> Vec<Cell>;
    snapshots() -> Vec<Snapshot>;
    create_snapshot(request_id: String) -> Snapshot;
    verify_snapshot(name: String) -> Verdict;
    pulse() -> Pulse;
}
