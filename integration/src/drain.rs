//! A workload through the real program: topics are filled, the node runs until all is through, every result is checked.

use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use actors::journal::remote::Bucket;
use anyhow::{Context as _, anyhow, ensure};
use node::workload::expected::Expected;
use node::workload::generate::{GenerateArgs, Layout, Pace, generate};
use node::workload::kafka::KafkaArgs;
use node::workload::params::Params;
use node::workload::verify::{Report, VerifyArgs, verify};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::ports;
use crate::process::{Node, Process};
use crate::standing::Standing;

mod file;
mod live;
mod load;
mod places;

pub use file::RANGES;
pub(crate) use load::share;
pub use load::{brisk, odd};

const POLL: Duration = Duration::from_millis(50);
/// Between two looks while something is waited for that must be met in the middle.
const CLOSE_LOOK: Duration = Duration::from_millis(5);
/// So many looks in a row must say the same before all is held to be through: results that no commit holds yet
/// are not among those that wait, and on a busy machine a commit takes a second.
const LOOKS: u32 = 5;
/// The default of a cluster file.
const ALIGNMENT_S: u64 = 60;
/// Partitions of each topic.
const PARTITIONS: u32 = 8;
/// The default of a cluster file.
const MEMORY: &str = "1GiB";
const START: Duration = Duration::from_secs(90);

/// How results are delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// A crash can deliver a row again, with the same range and sequence.
    AtLeastOnce,
    /// Each row once for every reader of what is committed.
    ExactlyOnce,
}

impl Delivery {
    /// Its name, also part of topics' names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at-least-once",
            Self::ExactlyOnce => "exactly-once",
        }
    }
}

/// A workload in topics of its own, and where the node that drains it lives.
#[derive(Debug)]
pub struct Drain {
    bootstrap: String,
    name: String,
    /// The cluster's name: that of the topics, until it is moved.
    cluster: String,
    delivery: Delivery,
    /// Whether topics are keyed by transaction id, and nodes know.
    is_keyed: bool,
    expected: Expected,
    ports: (u16, u16),
    memory: String,
    snapshots_ms: Option<u64>,
    /// `None`: a folder.
    bucket: Option<Bucket>,
    folder: TempDir,
}

impl Drain {
    /// Fills three new topics, `<name>.trace` and so on, with the workload of `params`, not keyed.
    ///
    /// # Errors
    ///
    /// Where the broker does not take it.
    pub async fn prepare(
        bootstrap: &str,
        name: &str,
        params: Params,
        delivery: Delivery,
    ) -> anyhow::Result<Self> {
        Self::fill((bootstrap, name), params, delivery, false).await
    }

    /// The same, keyed by transaction id, as nodes know.
    ///
    /// # Errors
    ///
    /// Where the broker does not take it.
    pub async fn prepare_keyed(
        bootstrap: &str,
        name: &str,
        params: Params,
        delivery: Delivery,
    ) -> anyhow::Result<Self> {
        Self::fill((bootstrap, name), params, delivery, true).await
    }

    /// Whether the topics are keyed by transaction id, as nodes know.
    #[must_use]
    pub fn keyed(self, is_keyed: bool) -> Self {
        Self { is_keyed, ..self }
    }

    async fn fill(
        (bootstrap, name): (&str, &str),
        params: Params,
        delivery: Delivery,
        keyed: bool,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("make the node's folder")?;
        let file = folder.path().join("expected.json");
        let args = GenerateArgs {
            params,
            layout: Layout { topic_prefix: name.to_owned(), partitions: PARTITIONS, keyed },
            kafka: brokers(bootstrap),
            dir: None,
            compression: "none".to_owned(),
            append: false,
            pace: Pace { live: false },
            expected: Some(file.clone()),
        };
        let fill = move || generate(&args, &*actors::clock::wall());
        tokio::task::spawn_blocking(fill).await?.context("fill the topics")?;
        let expected = Expected::read(&file)?;
        Ok(Self::with(folder, (bootstrap, name), expected, delivery)?.keyed(keyed))
    }

    fn with(
        folder: TempDir,
        (bootstrap, name): (&str, &str),
        expected: Expected,
        delivery: Delivery,
    ) -> anyhow::Result<Self> {
        let ports = (ports::free()?, ports::free()?);
        let (bootstrap, name) = (bootstrap.to_owned(), name.to_owned());
        let (memory, snapshots_ms, bucket) = (MEMORY.to_owned(), None, None);
        Ok(Self {
            bootstrap,
            cluster: name.clone(),
            name,
            delivery,
            is_keyed: false,
            expected,
            ports,
            memory,
            snapshots_ms,
            bucket,
            folder,
        })
    }

    /// The same, where the node may take so much memory, as a cluster file says it.
    #[must_use]
    pub fn within(mut self, memory: &str) -> Self {
        memory.clone_into(&mut self.memory);
        self
    }

    /// The same with a snapshot each `every_ms`, of which two are kept, and journals that are trimmed behind
    /// them at once.
    #[must_use]
    pub fn with_snapshots(self, every_ms: u64) -> Self {
        Self { snapshots_ms: Some(every_ms), ..self }
    }

    /// The same with all objects in a bucket; its keys go into files.
    ///
    /// # Errors
    ///
    /// Where the keys cannot be written.
    pub fn in_bucket(mut self, bucket: Bucket) -> anyhow::Result<Self> {
        for (name, key) in [("access", &bucket.keys.access), ("secret", &bucket.keys.secret)] {
            fs::write(self.folder.path().join(name), key).context("write a key")?;
        }
        self.bucket = Some(bucket);
        Ok(self)
    }

    /// What must come of it.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The port of the node's metrics.
    #[must_use]
    pub const fn metrics(&self) -> u16 {
        self.ports.1
    }

    /// Starts the node, for the first time or again, without waiting for it.
    ///
    /// # Errors
    ///
    /// Where the program has not been built.
    pub fn start(&self) -> anyhow::Result<Node> {
        self.start_paced(ALIGNMENT_S)
    }

    /// The same with partitions kept closer to each other. A step of record time then takes a moment of the
    /// wall, so that a workload takes seconds that otherwise rushes through.
    ///
    /// # Errors
    ///
    /// Where the program has not been built.
    pub fn start_paced(&self, alignment_s: u64) -> anyhow::Result<Node> {
        Node::start(self.folder.path(), &self.cluster_file(alignment_s))
    }

    /// Waits until at least `records` were consumed, and says how many.
    ///
    /// # Errors
    ///
    /// Where the node ends before, or `patience` runs out.
    pub async fn consumed(
        &self,
        node: &mut Node,
        records: u64,
        patience: Duration,
    ) -> anyhow::Result<u64> {
        let (port, mut consumed) = (self.metrics(), 0);
        let enough = async |_: &mut Process| {
            sleep(CLOSE_LOOK).await;
            consumed = Standing::read(port).await.map_or(consumed, |it| it.consumed);
            consumed >= records
        };
        node.process().wait_until("enough was consumed", patience, enough).await?;
        Ok(consumed)
    }

    /// Waits until every record was consumed, no transaction is open and no result waits.
    ///
    /// # Errors
    ///
    /// Where the node ends before, or `patience` runs out: then with how far it came.
    pub async fn through(&self, node: &mut Node, patience: Duration) -> anyhow::Result<Standing> {
        node.wait_ready(self.metrics(), START).await?;
        let records = self.expected.record_count();
        let (port, mut last, mut looks) = (self.metrics(), Standing::default(), 0);
        let is_through = async |_: &mut Process| {
            sleep(POLL).await;
            let Ok(standing) = Standing::read(port).await else { return false };
            last = standing;
            looks = if last.is_through(records) { looks + 1 } else { 0 };
            looks >= LOOKS
        };
        let waited = node.process().wait_until("all was through", patience, is_through).await;
        waited.map_err(|fault| anyhow!("{fault:#}\nof {records} records: {last:?}"))?;
        Ok(last)
    }

    /// Asks the node to end, which it must do in order.
    ///
    /// # Errors
    ///
    /// Where it had to be killed, or ended with a fault.
    pub async fn stop(&self, mut node: Node) -> anyhow::Result<()> {
        let status: ExitStatus = node.terminate().await?;
        ensure!(status.success(), "stop the node: {status}; {}", node.process().log_tail());
        Ok(())
    }

    /// Compares what came out with what must come out; a reader sees only what is committed.
    ///
    /// # Errors
    ///
    /// Where the results cannot be read.
    pub async fn verify(&self) -> anyhow::Result<Report> {
        let args = VerifyArgs {
            expected: self.folder.path().join("expected.json"),
            kafka: self.brokers(),
            results_dir: None,
            results_prefix: self.results_prefix(),
            scenario: "bank".to_owned(),
            exactly_once: self.delivery == Delivery::ExactlyOnce,
        };
        tokio::task::spawn_blocking(move || verify(&args)).await?.context("verify the results")
    }
}

fn brokers(bootstrap: &str) -> KafkaArgs {
    KafkaArgs { brokers: Some(bootstrap.to_owned()), properties: Vec::new() }
}
