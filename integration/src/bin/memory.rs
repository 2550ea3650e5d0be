//! `make memory`: millions of transactions are open at once, in less memory than they are large; every result is checked.

#![allow(clippy::print_stdout, reason = "a command prints what it found")]

use std::time::Duration;

use anyhow::ensure;
use clap::Parser as _;
use integration::broker::Broker;
use integration::drain::{Delivery, Drain};
use integration::measure::{Usage, size};
use integration::standing::Standing;
use integration::watch::{Look, watch};
use node::workload::params::Params;

const PATIENCE: Duration = Duration::from_secs(7_200);
/// Between two lines that say how far it has come.
const SAY_MS: u64 = 10_000;
/// So much later than the last request the first response comes.
const GAP_S: u64 = 100;

/// Drains a workload whose responses come only when all else has been read, and measures memory.
#[derive(clap::Parser, Debug)]
struct Arguments {
    /// How many transactions are open at once.
    #[arg(long, default_value_t = 10_000_000)]
    open: u64,
    /// What the node may take, as in a cluster file.
    #[arg(long, default_value = "1536MiB")]
    memory: String,
    /// What it must stay under, in MiB; without it nothing is demanded.
    #[arg(long)]
    limit_mib: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { open, memory, limit_mib } = Arguments::parse();
    let broker = Broker::start().await?;
    println!("filling the topics with {open} transactions");
    let mut params = Params::of(open);
    params.hold_back_s = open / params.rate + GAP_S;
    let drain = Drain::prepare(&broker.bootstrap(), "memory", params, Delivery::AtLeastOnce)
        .await?
        .within(&memory);
    let mut node = drain.start()?;
    node.wait_ready(drain.metrics(), PATIENCE).await?;
    let idle = Usage::of(node.process().pid())?;
    let clock = actors::clock::wall();
    let began_ms = clock();
    let (mut said_ms, mut state_bytes) = (0, 0);
    let most = watch(&drain, &mut node, PATIENCE, |look| {
        if clock() >= said_ms + SAY_MS {
            said_ms = clock();
            state_bytes = size(&drain.state()).max(state_bytes);
            say(said_ms - began_ms, look, state_bytes);
        }
    })
    .await?;
    let elapsed_ms = clock().saturating_sub(began_ms).max(1);
    let last = drain.through(&mut node, PATIENCE).await?;
    let usage = Usage::of(node.process().pid())?;
    drain.stop(node).await?;
    let grown = most.rss_then_bytes.saturating_sub(idle.rss_bytes);
    for (name, value) in [
        ("records", last.consumed),
        ("elapsed ms", elapsed_ms),
        ("records per second", last.consumed * 1_000 / elapsed_ms),
        ("open transactions at most", most.open),
        ("rss bytes when idle", idle.rss_bytes),
        ("rss bytes then", most.rss_then_bytes),
        ("rss bytes at most", usage.peak_rss_bytes),
        ("rss bytes per open transaction", grown / most.open.max(1)),
        ("held bytes at most", most.held_bytes),
        ("held bytes that may be", most.held_limit_bytes),
        ("state bytes at most", state_bytes),
        ("written bytes", usage.written_bytes),
    ] {
        println!("{name:<36}{value:>16}");
    }
    let report = drain.verify().await?;
    println!("{report}");
    ensure!(report.is_right() && last.imbalance == 0, "what was measured is not right");
    ensure!(most.open * 100 >= open * 95, "only {} were open at once", most.open);
    let limit = limit_mib.map_or(u64::MAX, |mib| mib << 20);
    ensure!(usage.peak_rss_bytes <= limit, "more memory was taken than may be");
    Ok(())
}

fn say(elapsed_ms: u64, look: &Look, state_bytes: u64) {
    let Standing { consumed, open, held_bytes, waiting_bytes, .. } = look.standing;
    println!(
        "{:>6} s  {consumed:>10} consumed  {open:>10} open   MiB: {:>6} rss {:>6} held {:>6} state {:>4} wait",
        elapsed_ms / 1_000,
        look.usage.rss_bytes >> 20,
        held_bytes >> 20,
        state_bytes >> 20,
        waiting_bytes >> 20,
    );
}
