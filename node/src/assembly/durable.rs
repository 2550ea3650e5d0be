//! What outlives the process: the directory and its lock, objects, journals, local stores.

use std::io::ErrorKind;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actors::engine::{Holding, Life, Stores, View};
use actors::journal::Objects;
use actors::journal::log::{ObjectLog, ObjectLogs};
use actors::lock::DirLock;
use actors::snapshot::Snapshots;
use actors::store::rocks::{Limits, RocksShared, RocksStore};
use actors::store::{Store, StoreError};
use anyhow::Context as _;
use coordinator::control_log::{ControlError, ControlLog};
use coordinator::coordinator::{Coordinator, Cut, Joining, Journals, Membership};
use coordinator::machine::member::Member;
use coordinator::machine::table::Table;
use proto::log::Log;
use proto::types::{Incarnation, Keying, NodeId, RangeId};
use tracing::warn;

use super::upkeep::look;
use crate::cluster::holding::{ended, stretch};
use crate::config::Config;
use crate::problem::{Code, Problem};

/// What a node finds on disk, opened, and its place in the cluster.
pub(super) struct Durable {
    pub(super) lock: Arc<DirLock>,
    pub(super) journal: Arc<dyn Log>,
    pub(super) incarnation: Incarnation,
    pub(super) holdings: Vec<Holding>,
    pub(super) stores: LocalStores,
    pub(super) snapshots: Snapshots,
    pub(super) cluster: ClusterView,
}

/// Who this node is in the control log, and the journals that the log speaks of.
pub(super) struct ClusterView {
    logs: ObjectLogs,
    member: Member,
    control: tokio::sync::Mutex<ControlLog>,
}

impl ClusterView {
    /// What there is to tidy up, by a fresh look at the control log; `None` where this life of the node is over.
    pub(super) async fn look(&self) -> Result<Option<View>, ControlError> {
        let mut control = self.control.lock().await;
        control.catch_up().await?;
        Ok(look::view(control.table(), &self.member))
    }

    /// Whether ids become keys as the cluster file says: see [`agree`].
    pub(super) async fn agrees(&self, config: &Config) -> Result<(), Problem> {
        agree(self.control.lock().await.table(), config)
    }

    /// The journal of one life of a node.
    pub(super) fn journal(&self, (incarnation, node): &Life) -> ObjectLog {
        self.logs.object_log(&journal_prefix(node, *incarnation))
    }
}

/// Where the journal of one life of a node lies.
pub(super) fn journal_prefix(node: &NodeId, incarnation: Incarnation) -> String {
    format!("journal/{node}/{}", incarnation.0)
}

/// What a node finds on disk and in the object store, before it is anybody.
#[derive(Clone)]
pub(super) struct Ground {
    dir: PathBuf,
    /// Nobody else uses the folder as long as somebody has this.
    lock: Arc<DirLock>,
    objects: Objects,
    logs: ObjectLogs,
}

impl Ground {
    /// Opens it. A second process on the same folder is refused.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let dir = config.storage.dir.clone();
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let lock = Arc::new(DirLock::acquire(&dir)?);
        belong(&dir, &config.names.cluster)?;
        let objects = super::objects::open(&config.storage).await?;
        let logs = ObjectLogs::new(Arc::clone(&objects));
        Ok(Self { dir, lock, objects, logs })
    }

    /// The control log.
    pub(super) fn control(&self) -> Arc<dyn Log> {
        self.logs.log("control")
    }

    /// The journals of all nodes.
    pub(super) fn journals(&self) -> NodeJournals {
        NodeJournals(self.logs.clone())
    }

    /// The ranges' local stores.
    pub(super) fn stores(&self, limits: Limits) -> anyhow::Result<LocalStores> {
        LocalStores::new(self.dir.join("state"), limits)
    }

    /// The snapshots of the cluster.
    pub(super) fn snapshots(&self) -> Snapshots {
        Snapshots::new(Arc::clone(&self.objects))
    }

    /// What the control log says of one life of this node.
    pub(super) async fn view(&self, member: Member) -> anyhow::Result<ClusterView> {
        let control = tokio::sync::Mutex::new(ControlLog::open(self.control()).await?);
        Ok(ClusterView { logs: self.logs.clone(), member, control })
    }
}

/// Makes the folder `dir`, which is locked, the cluster's. What another cluster has under the number of a range is not
/// that range.
///
/// # Errors
///
/// [`Code::PlaceTaken`] where it is another cluster's.
pub(super) fn belong(dir: &Path, cluster: &str) -> anyhow::Result<()> {
    let file = dir.join("cluster");
    let named = match std::fs::read_to_string(&file) {
        Ok(named) => named,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    match named.trim_end() {
        named if named == cluster => Ok(()),
        // Also one whose making a crash has broken off.
        "" => std::fs::write(&file, format!("{cluster}\n"))
            .with_context(|| format!("write {}", file.display())),
        other => {
            let what = format!("{} is the cluster {other}'s", dir.display());
            let why = format!("a node of {cluster} would take that one's state for its own");
            Err(Problem::new(Code::PlaceTaken, what, why)
                .remedy("name another folder in storage.dir of the cluster file")
                .into())
        }
    }
}

/// How the cluster file wants the key space to be cut, if nobody has cut it before.
pub(super) const fn cut(config: &Config) -> Cut {
    Cut { ranges: config.storage.ranges, keying: config.sources.keying }
}

/// Whether ids become keys in the cluster as the cluster file says.
///
/// # Errors
///
/// [`Code::BadConfig`] where they do not.
fn agree(table: &Table, config: &Config) -> Result<(), Problem> {
    let (theirs, ours) = (table.keying(), config.sources.keying);
    if table.ranges().len() == 0 || theirs == ours {
        return Ok(());
    }
    let told = |keying: Keying| keying.partitions().map_or(0, NonZeroU16::get);
    let what = format!(
        "sources.keyedPartitions is {}, and the cluster began with {}",
        told(ours),
        told(theirs)
    );
    let why = "it says which range a transaction belongs to, and cannot change afterwards";
    Err(Problem::new(Code::BadConfig, what, why)
        .remedy(format!("set sources.keyedPartitions to {} in the cluster file", told(theirs)))
        .remedy("or begin a new cluster, with its own storage.objects and storage.dir"))
}

/// Opens everything, and joins the cluster as its only node: whoever ran here before is fenced.
pub(super) async fn open(config: &Config, limits: Limits) -> anyhow::Result<Durable> {
    let ground = Ground::open(config).await?;
    let control = ControlLog::open(ground.control()).await?;
    let journals: Arc<dyn Journals> = Arc::new(ground.journals());
    agree(control.table(), config)?;
    let joining = Joining {
        node: config.names.node.clone(),
        address: config.listen.public.to_string(),
        cut: cut(config),
    };
    let mut coordinator = Coordinator::new(control, Arc::clone(&journals));
    let membership = coordinator.join(&joining, &mut actors::clock::nonce).await?;
    // Somebody else may have cut the key space since.
    agree(coordinator.table(), config)?;
    for warning in &membership.warnings {
        warn!("{warning}");
    }
    let member = Member { node: joining.node.clone(), incarnation: membership.incarnation };
    // Those that were fenced just now are among them.
    let ended = ended(coordinator.table());
    Ok(Durable {
        journal: journals.journal(&joining.node, membership.incarnation),
        incarnation: membership.incarnation,
        holdings: holdings(membership, &*journals, &ended),
        stores: ground.stores(limits)?,
        snapshots: ground.snapshots(),
        cluster: ground.view(member).await?,
        lock: ground.lock,
    })
}

fn holdings(membership: Membership, journals: &dyn Journals, ended: &Arc<[Life]>) -> Vec<Holding> {
    let one = |holding: coordinator::coordinator::Holding| Holding {
        id: holding.range,
        keys: holding.keys,
        epoch: holding.epoch,
        past: holding.lineage.iter().map(|span| stretch(span, journals)).collect(),
        ancestors: holding.ancestors,
        ended: Arc::clone(ended),
    };
    membership.holdings.into_iter().map(one).collect()
}

/// The journals of all nodes, in the object store.
#[derive(Debug)]
pub(super) struct NodeJournals(ObjectLogs);

impl Journals for NodeJournals {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        self.0.log(&journal_prefix(node, incarnation))
    }
}

/// A folder with a `RocksDB` a range.
#[derive(Debug)]
pub(super) struct LocalStores {
    dir: PathBuf,
    shared: RocksShared,
}

impl LocalStores {
    pub(super) fn new(dir: PathBuf, limits: Limits) -> anyhow::Result<Self> {
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

    fn folder(&self, range: RangeId) -> PathBuf {
        self.dir.join(format!("{range}.restored"))
    }

    fn adopt(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError> {
        self.destroy(range)?;
        let (from, to) = (self.folder(range), self.of(range));
        std::fs::rename(&from, &to).map_err(|error| StoreError::Failed {
            doing: format!("rename {} to {}", from.display(), to.display()),
            detail: error.to_string(),
        })?;
        self.open(range)
    }
}

#[cfg(test)]
mod tests;
