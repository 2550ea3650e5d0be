//! `make bench`: a topic that is already full is drained by the real program on fresh state; says what that took.

#![allow(clippy::print_stdout, reason = "a command prints what it found")]

use std::collections::BTreeMap;
use std::time::Duration;

use actors::store::Table;
use anyhow::{Context as _, ensure};
use clap::Parser as _;
use integration::broker::Broker;
use integration::cluster::Cluster;
use integration::drain::{Delivery, Drain, RANGES, brisk};
use integration::drills::pauses::quantile;
use integration::measure::{Usage, files, size};
use integration::peer::{self, Drained};
use integration::standing::Standing;
use integration::tables::{Content, contents};
use node::workload::params::Params;

const PATIENCE: Duration = Duration::from_secs(3_600);
const LOOK: Duration = Duration::from_millis(50);
/// Records of a transaction.
const LEGS: u64 = 3;
/// So far ahead one partition may be of another, as by default.
const ALIGNMENT_S: u64 = 60;

/// Drains a preloaded workload with the real program, and measures it.
#[derive(clap::Parser, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command's")]
struct Arguments {
    /// How many transactions, of three records each.
    #[arg(long, default_value_t = 2_000_000)]
    transactions: u64,
    /// Deliver each result exactly once, instead of at least once.
    #[arg(long)]
    exactly_once: bool,
    /// How often, each time with new topics; the median of each figure is said at the end.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    repeat: u32,
    /// A cluster of so many nodes on this machine, under a steady load, instead of one node that is alone and drains what is
    /// there; of it is said what all nodes have taken together.
    #[arg(long, value_name = "COUNT", conflicts_with = "peer")]
    nodes: Option<usize>,
    /// Transactions a second of that load.
    #[arg(long, default_value_t = 20_000, requires = "nodes")]
    rate: u64,
    /// Its topics are keyed by transaction id, and nodes know.
    #[arg(long, requires = "nodes")]
    keyed: bool,
    /// Another engine, which drains the same topics before the node does: a command that ends when all is read. In it
    /// {brokers}, {topics} and {work} stand for the brokers, what the topics' names begin with, and an empty folder.
    #[arg(long, value_name = "COMMAND")]
    peer: Option<String>,
}

/// What the moment showed at which the last record had been consumed.
struct Measured {
    records: u64,
    transactions: u64,
    elapsed_ms: u64,
    usage: Usage,
    journal_bytes: u64,
    state_bytes: u64,
    standing: Standing,
}

type Rows = Vec<(&'static str, u64)>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let broker = Broker::start().await?;
    let mut rounds = Vec::new();
    for number in 1..=arguments.repeat.max(1) {
        let name = format!("bench-{number}");
        let rows = match arguments.nodes {
            None => round(&broker, &name, &arguments).await?,
            Some(nodes) => together(&broker, &name, nodes, &arguments).await?,
        };
        print(&rows);
        rounds.push(rows);
    }
    if rounds.len() > 1 {
        println!("medians of {} rounds", rounds.len());
        print(&medians(&rounds));
    }
    Ok(())
}

const fn delivery(arguments: &Arguments) -> Delivery {
    if arguments.exactly_once { Delivery::ExactlyOnce } else { Delivery::AtLeastOnce }
}

/// The other engine and the node, the one after the other, on the same topics.
async fn round(broker: &Broker, name: &str, arguments: &Arguments) -> anyhow::Result<Rows> {
    let (bootstrap, transactions) = (broker.bootstrap(), arguments.transactions);
    println!("filling the topics with {transactions} transactions");
    let params = Params::of(transactions);
    let drain = Drain::prepare(&bootstrap, name, params, delivery(arguments)).await?;
    let peer = match &arguments.peer {
        None => None,
        Some(command) => Some(peer::drain(command, (&bootstrap, name), PATIENCE).await?),
    };
    let mut node = drain.start()?;
    node.wait_ready(drain.metrics(), PATIENCE).await?;
    let clock = actors::clock::wall();
    let began_ms = clock();
    let records = drain.expected().record_count();
    drain.consumed(&mut node, records, PATIENCE).await?;
    let measured = Measured {
        records,
        transactions,
        elapsed_ms: clock().saturating_sub(began_ms).max(1),
        usage: Usage::of(node.process().pid())?,
        journal_bytes: size(&drain.folder().join("data/objects")),
        state_bytes: size(&drain.state()),
        standing: Standing::read(drain.metrics()).await?,
    };
    // What is open is only to be seen now; then the node goes on where it was.
    drain.stop(node).await?;
    let contents = contents(&drain.state())?;
    let mut node = drain.start()?;
    let last = drain.through(&mut node, PATIENCE).await?;
    drain.stop(node).await?;
    let report = drain.verify().await?;
    println!("{report}");
    ensure!(report.is_right() && last.imbalance == 0, "what was measured is not right");
    let peers = peer.map_or_else(Vec::new, |it| peer_rows(&measured, it));
    Ok([measured.rows(), state_rows(&contents), peers].concat())
}

/// Several nodes, which share the ranges and the partitions: where topics are not keyed most legs cross from node to node.
/// The first that starts has every range at first: the load begins when each node has its share.
async fn together(
    broker: &Broker,
    name: &str,
    nodes: usize,
    arguments: &Arguments,
) -> anyhow::Result<Rows> {
    let Arguments { transactions, rate, keyed, .. } = *arguments;
    let params = brisk(rate, (transactions / rate).max(1));
    let drain = Drain::live(broker, name, params, delivery(arguments)).await?.keyed(keyed);
    let records = drain.expected().record_count();
    let mut cluster = Cluster::new(drain, nodes, ALIGNMENT_S)?;
    let clock = actors::clock::wall();
    cluster.start_all()?;
    spread(&cluster, RANGES / nodes as u64).await?;
    let (began_ms, before) = (clock(), usages(&mut cluster)?);
    let feeder = cluster.drain().feed()?;
    cluster.consumed(records, PATIENCE).await?;
    drop(feeder);
    let elapsed_ms = clock().saturating_sub(began_ms).max(1);
    let usages = usages(&mut cluster)?;
    cluster.through(PATIENCE).await?;
    let entries = files(&cluster.drain().objects().join("control"));
    let report = cluster.verify().await?;
    println!("{report}");
    ensure!(report.is_right(), "what was measured is not right");
    let spent = |(after, before): (&Usage, &Usage)| after.cpu_ms - before.cpu_ms;
    let cpu_ms: u64 = usages.iter().zip(&before).map(spent).sum();
    let per_million = cpu_ms * 1_000_000 * LEGS / records.max(1);
    Ok(vec![
        ("nodes", nodes as u64),
        ("records", records),
        ("elapsed_ms", elapsed_ms),
        ("records_per_second", records * 1_000 / elapsed_ms),
        ("cpu_ms_per_million_transactions", per_million),
        ("peak_rss_bytes_of_a_node", usages.iter().map(|it| it.peak_rss_bytes).max().unwrap_or(0)),
        ("control_log_entries", entries),
    ])
}

/// Waits until every node serves so many ranges at least.
async fn spread(cluster: &Cluster, ranges: u64) -> anyhow::Result<()> {
    let waited = tokio::time::timeout(PATIENCE, async {
        for node in 0..cluster.size() {
            let metrics = cluster.place(node).ports[2];
            let serves = async || Standing::read(metrics).await.map(|it| it.serving);
            while serves().await.unwrap_or(0) < ranges {
                tokio::time::sleep(LOOK).await;
            }
        }
    });
    waited.await.with_context(|| format!("wait for {ranges} ranges on each node"))
}

/// What each node has taken.
fn usages(cluster: &mut Cluster) -> anyhow::Result<Vec<Usage>> {
    (0..cluster.size()).map(|node| Usage::of(cluster.node(node)?.process().pid())).collect()
}

/// The other engine's figures are of its whole life, the node's of its life until all was consumed.
fn peer_rows(measured: &Measured, peer: Drained) -> Rows {
    let Drained { elapsed_ms, usage } = peer;
    let per_million = |cpu_ms: u64| cpu_ms * 1_000_000 / measured.transactions.max(1);
    let percent = |theirs: u64, ours: u64| theirs * 100 / ours.max(1);
    vec![
        ("peer_elapsed_ms", elapsed_ms),
        ("peer_cpu_ms_per_million_transactions", per_million(usage.cpu_ms)),
        ("peer_peak_rss_bytes", usage.peak_rss_bytes),
        ("peer_elapsed_percent_of_ours", percent(elapsed_ms, measured.elapsed_ms)),
        ("peer_cpu_percent_of_ours", percent(usage.cpu_ms, measured.usage.cpu_ms)),
        (
            "peer_peak_rss_percent_of_ours",
            percent(usage.peak_rss_bytes, measured.usage.peak_rss_bytes),
        ),
    ]
}

/// All rounds have the same rows.
fn medians(rounds: &[Rows]) -> Rows {
    let of = |index: usize| rounds.iter().map(|it| it[index].1).collect::<Vec<_>>();
    let names = rounds.iter().take(1).flatten().map(|(name, _)| *name);
    names.enumerate().map(|(index, name)| (name, quantile(&of(index), 50))).collect()
}

impl Measured {
    fn rows(&self) -> Rows {
        let transactions = self.transactions.max(1);
        vec![
            ("records", self.records),
            ("elapsed_ms", self.elapsed_ms),
            ("records_per_second", self.records * 1_000 / self.elapsed_ms),
            ("cpu_ms_per_million_transactions", self.usage.cpu_ms * 1_000_000 / transactions),
            ("peak_rss_bytes", self.usage.peak_rss_bytes),
            ("written_bytes_per_transaction", self.usage.written_bytes / transactions),
            ("journal_bytes_per_transaction", self.journal_bytes / transactions),
            ("state_bytes_on_disk", self.state_bytes),
            ("open_transactions", self.standing.open),
        ]
    }
}

/// What the ranges' stores hold, before compression: most of it remembers who is done, and grows with
/// the time that is remembered, not with what is open.
fn state_rows(contents: &BTreeMap<Table, Content>) -> Rows {
    let of = |table| contents.get(&table).copied().unwrap_or_default();
    let open = of(Table::Open);
    vec![
        ("stored_open_transactions", open.rows),
        ("stored_bytes_per_open_transaction", open.bytes_per_row()),
        ("stored_bytes_of_open_transactions", open.bytes),
        ("stored_bytes_of_references", of(Table::References).bytes),
        ("stored_bytes_of_tombstones", of(Table::Tombstones).bytes),
        ("stored_bytes_of_partials", of(Table::Partials).bytes),
        ("stored_bytes_of_heads", of(Table::Head).bytes),
    ]
}

fn print(rows: &[(&'static str, u64)]) {
    for (name, value) in rows {
        println!("{:<36}{value:>16}", name.replace('_', " "));
    }
    let json: Vec<String> =
        rows.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    println!("{{{}}}", json.join(","));
}
