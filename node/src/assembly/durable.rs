//! What outlives the process: the directory and its lock, objects, journals, local stores.

use std::path::PathBuf;
use std::sync::Arc;

use actors::engine::{Holding, Past, Stores};
use actors::journal::local::open_objects;
use actors::journal::log::ObjectLogs;
use actors::lock::DirLock;
use actors::snapshot::Snapshots;
use actors::store::rocks::{Limits, RocksShared, RocksStore};
use actors::store::{Store, StoreError};
use anyhow::Context as _;
use coordinator::control_log::ControlLog;
use coordinator::coordinator::{Coordinator, Joining, Journals, Membership};
use proto::log::Log;
use proto::types::{Incarnation, NodeId, RangeId};
use tracing::warn;

use crate::config::Config;

/// What a node finds on disk, opened, and its place in the cluster.
pub(super) struct Durable {
    pub(super) lock: DirLock,
    pub(super) journal: Arc<dyn Log>,
    pub(super) incarnation: Incarnation,
    pub(super) holdings: Vec<Holding>,
    pub(super) stores: LocalStores,
    pub(super) snapshots: Snapshots,
}

/// Opens everything, and joins the cluster as its only node: whoever ran here before is fenced.
pub(super) async fn open(config: &Config, limits: Limits) -> anyhow::Result<Durable> {
    let dir = &config.storage.dir;
    std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let lock = DirLock::acquire(dir)?;
    let objects = open_objects(&config.storage.objects)
        .with_context(|| format!("open {}", config.storage.objects.display()))?;
    let logs = ObjectLogs::new(Arc::clone(&objects));
    let control = ControlLog::open(logs.log("control")).await?;
    let journals: Arc<dyn Journals> = Arc::new(NodeJournals(logs));
    let joining = Joining {
        node: config.names.node.clone(),
        address: config.listen.public.to_string(),
        ranges: config.storage.ranges,
    };
    let mut coordinator = Coordinator::new(control, Arc::clone(&journals));
    let membership = coordinator.join(&joining, &mut actors::clock::nonce).await?;
    for warning in &membership.warnings {
        warn!("{warning}");
    }
    Ok(Durable {
        lock,
        journal: journals.journal(&joining.node, membership.incarnation),
        incarnation: membership.incarnation,
        holdings: holdings(membership, &*journals),
        stores: LocalStores::new(dir.join("state"), limits)?,
        snapshots: Snapshots::new(objects),
    })
}

fn holdings(membership: Membership, journals: &dyn Journals) -> Vec<Holding> {
    let one = |holding: coordinator::coordinator::Holding| Holding {
        id: holding.range,
        keys: holding.keys,
        epoch: holding.epoch,
        past: holding
            .lineage
            .into_iter()
            .map(|span| Past {
                incarnation: span.member.incarnation,
                journal: journals.journal(&span.member.node, span.member.incarnation),
                from: span.from,
                to: span.to,
            })
            .collect(),
    };
    membership.holdings.into_iter().map(one).collect()
}

#[derive(Debug)]
struct NodeJournals(ObjectLogs);

impl Journals for NodeJournals {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        self.0.log(&format!("journal/{node}/{}", incarnation.0))
    }
}

/// A folder with a `RocksDB` a range.
#[derive(Debug)]
pub(super) struct LocalStores {
    dir: PathBuf,
    shared: RocksShared,
}

impl LocalStores {
    fn new(dir: PathBuf, limits: Limits) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Ok(Self { dir, shared: RocksShared::new(limits)? })
    }

    fn of(&self, range: RangeId) -> PathBuf {
        self.dir.join(range.to_string())
    }
}

impl Stores for LocalStores {
    fn open(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(RocksStore::open(&self.shared, &self.of(range))?))
    }

    fn destroy(&self, range: RangeId) -> Result<(), StoreError> {
        RocksStore::destroy(&self.of(range))
    }
}
