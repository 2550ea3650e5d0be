//! `make drill`'s second half: nodes of a cluster are killed and frozen under load; says how it went and how long it took.

#![allow(clippy::print_stdout, reason = "a command prints what it found")]

use std::time::Duration;

use anyhow::ensure;
use clap::Parser as _;
use integration::broker::Broker;
use integration::cluster::Cluster;
use integration::drain::{Delivery, Drain, RANGES, odd};

const PATIENCE: Duration = Duration::from_secs(300);

/// Kills and restarts the nodes of a cluster by turns, and checks every record.
#[derive(clap::Parser, Debug)]
struct Arguments {
    /// How many transactions, with every oddity.
    #[arg(long, default_value_t = 100_000)]
    transactions: u64,
    /// How many nodes.
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// How often a node is killed.
    #[arg(long, default_value_t = 3)]
    kills: u64,
    /// How close partitions are kept in record time, in seconds: less is slower.
    #[arg(long, default_value_t = 3)]
    alignment: u64,
    /// Deliver each result exactly once, instead of at least once.
    #[arg(long)]
    exactly_once: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let it = Arguments::parse();
    let delivery = if it.exactly_once { Delivery::ExactlyOnce } else { Delivery::AtLeastOnce };
    let broker = Broker::start().await?;
    let drain =
        Drain::prepare(&broker.bootstrap(), "nodes", odd(it.transactions), delivery).await?;
    let records = drain.expected().record_count();
    let mut cluster = Cluster::new(drain, it.nodes, it.alignment)?;
    cluster.start_all()?;
    let clock = actors::clock::wall();
    let began_ms = clock();
    let share = records / (it.kills + 1);
    for turn in 0..it.kills {
        let victim = usize::try_from(turn)? % it.nodes;
        let met = cluster.consumed(share * turn + share / 2, PATIENCE).await?;
        cluster.kill9(victim, turn % 2 == 1)?;
        let killed_ms = clock();
        println!("{} ms: killed node {} at {met}", killed_ms - began_ms, victim + 1);
        cluster.serving(RANGES, PATIENCE).await?;
        println!("all ranges are served again after {} ms", clock() - killed_ms);
        let went_on = cluster.consumed(share * turn + share / 4 * 3, PATIENCE).await?;
        println!("{} ms: the others are at {went_on}", clock() - began_ms);
        cluster.start(victim)?;
    }
    let standing = cluster.through(PATIENCE).await?;
    println!("{} ms: through, {standing:?}", clock() - began_ms);
    let report = cluster.verify().await?;
    println!("{report}");
    ensure!(report.is_right() && standing.imbalance == 0, "records are lost, doubled or wrong");
    Ok(())
}
