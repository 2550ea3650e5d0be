//! Where a drill is played: a cluster of real processes, a real broker, steady load, and an eye on the results.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actors::clock::Clock;
use anyhow::{Context as _, bail, ensure};
use node::workload::verify::Report;
use tokio::time::sleep;

use super::needs::Props;
use super::play::Load;
use super::results::{Results, Track};
use super::{Fault, Needs};
use crate::broker::Broker;
use crate::cluster::Cluster;
use crate::drain::{Drain, RANGES};
use crate::process::Process;
use crate::standing::Standing;
use crate::view::View;

/// How long anything may take that a fault is not expected to make longer.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);
/// So far ahead one partition may be of another: less than contradictions come later than what they contradict.
const ALIGNMENT_S: u64 = 3;
/// A range is served again where its last result is no older.
const FRESH_MS: u64 = 1_000;

/// A cluster under load.
pub struct Stage {
    /// The nodes.
    pub cluster: Cluster,
    /// The broker.
    pub broker: Broker,
    pub(super) props: Props,
    results: Results,
    feed: Process,
    clock: Clock,
    /// How many ranges there are.
    ranges: usize,
    /// Those that are no more.
    gone: BTreeSet<u64>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Stage {
    /// Starts a broker and the nodes, waits until these serve all ranges, and begins to send.
    ///
    /// # Errors
    ///
    /// Where something is missing on this machine, or does not start.
    pub(super) async fn set(needs: Needs, load: &Load, seconds: u64) -> anyhow::Result<Self> {
        let clock = actors::clock::wall();
        let broker = Broker::start().await?;
        let params = needs.params(load.rate, seconds);
        let drain = Drain::live(&broker, "drill", params, load.delivery).await?;
        let (drain, mut props) = needs.set(drain).await?;
        let mut cluster = Cluster::new(drain, load.nodes, ALIGNMENT_S)?;
        needs.set_around(&mut cluster, &mut props).await?;
        cluster.start_all()?;
        cluster.serving(RANGES, PATIENCE).await.context("wait until all ranges are served")?;
        let topic = format!("{}.transactions", cluster.drain().results_prefix());
        let results =
            Results::watch(&cluster.drain().brokers(), &topic, std::sync::Arc::clone(&clock))?;
        let feed = cluster.drain().feed()?;
        let ranges = usize::try_from(RANGES)?;
        let mut stage =
            Self { cluster, broker, props, results, feed, clock, ranges, gone: BTreeSet::new() };
        stage.whole().await?;
        Ok(stage)
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    /// What came out so far.
    pub(super) fn tracks(&self) -> BTreeMap<u64, Track> {
        self.results.tracks()
    }

    /// How the cluster stands, as any node says.
    ///
    /// # Errors
    ///
    /// Where none answers for long.
    pub async fn view(&self) -> anyhow::Result<View> {
        let asked = async {
            loop {
                if let Some(view) = self.cluster.view(None).await {
                    return view;
                }
                sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.context("wait for any node to answer")
    }

    /// Waits until all nodes are alive, all ranges are shared out, and each gives results.
    ///
    /// # Errors
    ///
    /// Where that does not come, with how it stands instead.
    pub async fn whole(&mut self) -> anyhow::Result<()> {
        let (mut view, mut last) = (View::default(), BTreeMap::new());
        let (nodes, ranges) = (self.cluster.size(), self.ranges);
        let began_ms = self.now();
        while self.now() < began_ms + u64::try_from(PATIENCE.as_millis())? {
            ensure!(self.is_fed()?, "the load ended before the drill: give it more --seconds");
            view = self.cluster.view(None).await.unwrap_or_default();
            last = self.results.last();
            let fresh_ms = self.now().saturating_sub(FRESH_MS);
            let is_fresh = |id: &u64| last.get(id).is_some_and(|it| *it >= fresh_ms);
            let is_fresh = view.serving.iter().all(is_fresh);
            if view.is_whole(nodes, ranges) && is_fresh {
                return Ok(());
            }
            sleep(POLL).await;
        }
        let logs = self.cluster.logs();
        bail!(
            "the cluster is not whole again after {PATIENCE:?}: {view:?}, last results {last:?}\n{logs}"
        )
    }

    /// A fault begins now, which hits these ranges.
    #[must_use]
    pub fn fault(&self, hit: BTreeSet<u64>, is_moved: bool) -> Fault {
        let began_ms = self.now();
        let (before, gone) = (self.results.epochs(), self.gone.clone());
        Fault { began_ms, hit, gone, is_moved, before, marks: Vec::new() }
    }

    /// Something happened now.
    pub fn mark(&self, fault: &mut Fault, what: &str) {
        fault.marks.push((what.to_owned(), self.now()));
    }

    /// A range becomes two, under load: waits until its owner serves them, and says which they are.
    ///
    /// # Errors
    ///
    /// Where it is not granted, or does not come.
    pub async fn split(&mut self, range: u64) -> anyhow::Result<BTreeSet<u64>> {
        let before = self.view().await?.owned();
        self.cluster.ask_to_split(range).await?;
        let split = async {
            loop {
                let view = self.cluster.view(None).await.unwrap_or_default();
                let children: BTreeSet<u64> = view.serving.difference(&before).copied().collect();
                if children.len() == 2 {
                    return children;
                }
                sleep(POLL).await;
            }
        };
        let children = tokio::time::timeout(PATIENCE, split).await;
        self.ranges += 1;
        self.gone.insert(range);
        children.with_context(|| format!("wait until range {range} has become two"))
    }

    /// Waits until the others know that `victim` has none of the ranges any more that were hit.
    ///
    /// # Errors
    ///
    /// Where that does not come.
    pub async fn detected(&self, fault: &mut Fault, victim: usize) -> anyhow::Result<()> {
        let known = async {
            loop {
                let view = self.cluster.view(Some(victim)).await.unwrap_or_default();
                if !view.owners.is_empty() && view.of(victim).is_disjoint(&fault.hit) {
                    return;
                }
                sleep(POLL).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, known).await;
        waited.context("wait until the others have taken over")?;
        self.mark(fault, "taken over");
        Ok(())
    }

    /// Waits until the ranges that were hit give results after the last mark: under their next owner, where they were
    /// moved.
    ///
    /// # Errors
    ///
    /// Where that does not come.
    pub async fn served(&self, fault: &mut Fault) -> anyhow::Result<()> {
        let after_ms = fault.marks.last().map_or(fault.began_ms, |(_, at)| *at);
        let is_back = |id: &u64, epochs: &BTreeMap<u64, u64>, last: &BTreeMap<u64, u64>| {
            let is_next = epochs.get(id) > fault.before.get(id) || !fault.is_moved;
            is_next && last.get(id).is_some_and(|it| *it > after_ms)
        };
        let served = async {
            loop {
                let (epochs, last) = (self.results.epochs(), self.results.last());
                if fault.hit.iter().all(|id| is_back(id, &epochs, &last)) {
                    return;
                }
                sleep(POLL).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, served).await;
        waited.context("wait until the ranges that were hit give results again")?;
        self.mark(fault, "served again");
        Ok(())
    }

    /// Waits until the fault is so old.
    pub async fn rest(&self, fault: &Fault, long: Duration) {
        let gone = Duration::from_millis(self.now().saturating_sub(fault.began_ms));
        sleep(long.saturating_sub(gone)).await;
    }

    /// Whether more is being sent.
    ///
    /// # Errors
    ///
    /// Where the operating system does not say.
    pub fn is_fed(&mut self) -> anyhow::Result<bool> {
        Ok(self.feed.ended()?.is_none())
    }

    /// Waits until all was sent and is through, and compares what came out with what must.
    ///
    /// # Errors
    ///
    /// Where that does not come, or a node does not end in order.
    pub async fn finish(&mut self, patience: Duration) -> anyhow::Result<(Standing, Report)> {
        let sent = tokio::time::timeout(patience, self.feed.wait()).await;
        let status = sent.context("wait until all was sent")??;
        ensure!(status.success(), "send the load: {status}; {}", self.feed.log_tail());
        let standing = self.cluster.through(patience).await?;
        Ok((standing, self.cluster.verify().await?))
    }
}
