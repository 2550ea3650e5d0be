//! A workload through a cluster of real processes: nodes come, are killed, freeze and go, and every result is checked.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use node::workload::verify::Report;
use tokio::time::sleep;

use crate::drain::Drain;
use crate::ports;
use crate::process::Node;
use crate::standing::Standing;
use crate::wall::NodeClock;

const POLL: Duration = Duration::from_millis(20);
/// So many looks in a row must say the same before all is held to be through.
const LOOKS: u32 = 25;

/// Where one node of the cluster lives, whether it runs or not.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its folder: cluster file, log, and `data`.
    pub folder: PathBuf,
    /// Ports of its API, of other nodes, and of its metrics.
    pub ports: [u16; 3],
    /// What other nodes dial: its port for them, or what stands before it.
    pub dial: u16,
    /// Where its data lie.
    pub data: PathBuf,
    /// The clock that it sees; `None` where that is the machine's.
    pub clock: Option<NodeClock>,
}

/// A cluster on one workload, its objects in one folder.
#[derive(Debug)]
pub struct Cluster {
    drain: Drain,
    alignment_s: u64,
    places: Vec<Place>,
    /// The nodes that run, by their place.
    nodes: Vec<Option<Node>>,
}

impl Cluster {
    /// Places for so many nodes on a workload whose topics are filled; none runs yet.
    ///
    /// # Errors
    ///
    /// Where there is no room for them.
    pub fn new(drain: Drain, count: usize, alignment_s: u64) -> anyhow::Result<Self> {
        let place = |number: usize| {
            let name = format!("node-{}", number + 1);
            let folder = drain.folder().join(&name);
            std::fs::create_dir_all(&folder).context("make a node's folder")?;
            let ports = [ports::free()?, ports::free()?, ports::free()?];
            let data = folder.join("data");
            Ok(Place { name, folder, ports, dial: ports[1], data, clock: None })
        };
        let places = (0..count).map(place).collect::<anyhow::Result<Vec<_>>>()?;
        let nodes = (0..count).map(|_| None).collect();
        Ok(Self { drain, alignment_s, places, nodes })
    }

    /// The workload.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// The nodes that are started from now on are others, of another cluster, whose objects are in a folder of its own.
    pub fn move_to(&mut self, cluster: &str) {
        self.drain.move_to(cluster);
        for (number, place) in (1..).zip(&mut self.places) {
            place.name = format!("{cluster}-{number}");
            place.data = place.folder.join(cluster);
        }
    }

    /// The cluster file of a node.
    #[must_use]
    pub fn file(&self, node: usize) -> String {
        self.drain.member_file(self.alignment_s, &self.places[node], &self.places)
    }

    /// How many nodes there are, whether they run or not.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.places.len()
    }

    /// Where a node lives, to be changed before it is started.
    pub fn place_mut(&mut self, node: usize) -> &mut Place {
        &mut self.places[node]
    }

    /// Whether a node was started and not ended by us.
    #[must_use]
    pub fn runs(&self, node: usize) -> bool {
        self.nodes[node].is_some()
    }

    /// Where a node lives.
    #[must_use]
    pub fn place(&self, node: usize) -> &Place {
        &self.places[node]
    }

    /// The process of a node that runs.
    ///
    /// # Errors
    ///
    /// Where it does not.
    pub fn node(&mut self, node: usize) -> anyhow::Result<&mut Node> {
        self.nodes[node].as_mut().with_context(|| format!("node {node} does not run"))
    }

    /// Starts a node, without waiting for it.
    ///
    /// # Errors
    ///
    /// Where the program has not been built.
    pub fn start(&mut self, node: usize) -> anyhow::Result<()> {
        let place = &self.places[node];
        let file = self.file(node);
        let variables: Vec<_> = place.clock.iter().flat_map(NodeClock::variables).collect();
        self.nodes[node] = Some(Node::start_with(&variables, &place.folder, &file)?);
        Ok(())
    }

    /// Starts every node, without waiting for them.
    ///
    /// # Errors
    ///
    /// Where the program has not been built.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        (0..self.places.len()).try_for_each(|node| self.start(node))
    }

    /// Ends a node as a power cut would; its local state too, where `is_disk_lost`.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn kill9(&mut self, node: usize, is_disk_lost: bool) -> anyhow::Result<()> {
        if let Some(mut process) = self.nodes[node].take() {
            process.kill9()?;
        }
        if is_disk_lost {
            std::fs::remove_dir_all(&self.places[node].data).context("remove the node's folder")?;
        }
        Ok(())
    }

    /// Asks a node to end, which it must do in order.
    ///
    /// # Errors
    ///
    /// Where it had to be killed, or ended with a fault.
    pub async fn stop(&mut self, node: usize) -> anyhow::Result<()> {
        let Some(mut process) = self.nodes[node].take() else { return Ok(()) };
        let status = process.terminate().await?;
        let (name, log) = (&self.places[node].name, process.process().log_tail());
        ensure!(status.success(), "stop {name}: {status}; {log}");
        Ok(())
    }

    /// How all nodes that run stand, added up. A node that does not answer counts as nothing.
    pub async fn standing(&self) -> Standing {
        let mut sum = Standing::default();
        for (place, _) in self.running() {
            if let Ok(standing) = Standing::read(place.ports[2]).await {
                sum = sum.plus(standing);
            }
        }
        sum
    }

    fn running(&self) -> impl Iterator<Item = (&Place, &Node)> {
        self.places
            .iter()
            .zip(&self.nodes)
            .filter_map(|(place, node)| Some((place, node.as_ref()?)))
    }

    /// Waits until at least `records` were consumed, by all nodes together.
    ///
    /// # Errors
    ///
    /// Where a node ends, or `patience` runs out: with how far they came.
    pub async fn consumed(&mut self, records: u64, patience: Duration) -> anyhow::Result<u64> {
        let until = |standing: Standing| standing.consumed >= records;
        Ok(self.wait(until, 1, patience).await?.consumed)
    }

    /// Waits until so many ranges are served, by all nodes together.
    ///
    /// # Errors
    ///
    /// Where a node ends, or `patience` runs out: with how far they came.
    pub async fn serving(&mut self, ranges: u64, patience: Duration) -> anyhow::Result<()> {
        self.wait(|standing| standing.serving == ranges, 1, patience).await.map(|_| ())
    }

    /// Waits until every record was consumed, no transaction is open and no result waits.
    ///
    /// # Errors
    ///
    /// Where a node ends, or `patience` runs out: with how far they came.
    pub async fn through(&mut self, patience: Duration) -> anyhow::Result<Standing> {
        let records = self.drain.expected().record_count();
        self.wait(|standing| standing.is_through(records), LOOKS, patience).await
    }

    async fn wait(
        &mut self,
        is_there: impl Fn(Standing) -> bool,
        looks: u32,
        patience: Duration,
    ) -> anyhow::Result<Standing> {
        let (mut last, mut seen) = (Standing::default(), 0);
        let waited = tokio::time::timeout(patience, async {
            loop {
                self.all_run()?;
                last = self.standing().await;
                seen = if is_there(last) { seen + 1 } else { 0 };
                if seen >= looks {
                    return Ok(last);
                }
                sleep(POLL).await;
            }
        });
        match waited.await {
            Ok(standing) => standing,
            Err(_) => Err(anyhow!("not there within {patience:?}: {last:?}\n{}", self.logs())),
        }
    }

    /// Whether all nodes that were started still run.
    fn all_run(&mut self) -> anyhow::Result<()> {
        for (place, node) in self.places.iter().zip(&mut self.nodes) {
            let Some(node) = node else { continue };
            if let Some(status) = node.process().ended()? {
                return Err(anyhow!(
                    "{} ended: {status}\n{}",
                    place.name,
                    node.process().log_tail()
                ));
            }
        }
        Ok(())
    }

    /// The ends of all nodes' logs.
    pub fn logs(&mut self) -> String {
        let mut logs = String::new();
        for (place, node) in self.places.iter().zip(&mut self.nodes) {
            if let Some(node) = node {
                logs += &format!("--- {}\n{}\n", place.name, node.process().log_tail());
            }
        }
        logs
    }

    /// Asks all nodes to end, which they must do in order, and compares what came out with what must.
    ///
    /// # Errors
    ///
    /// Where a node had to be killed, or the results cannot be read.
    pub async fn verify(&mut self) -> anyhow::Result<Report> {
        for node in 0..self.places.len() {
            self.stop(node).await?;
        }
        self.drain.verify().await
    }
}
