//! `make drill`: a node is killed again and again under load, in both ways of delivery; says how it went.

#![allow(clippy::print_stdout, reason = "a command prints what it found")]

use anyhow::ensure;
use clap::Parser as _;
use integration::broker::Broker;
use integration::drain::{Delivery, odd};
use integration::drill::Drill;

/// Kills and restarts a node under load, and checks every record.
#[derive(clap::Parser, Debug)]
struct Arguments {
    /// How many transactions, with every oddity.
    #[arg(long, default_value_t = 300_000)]
    transactions: u64,
    /// How often the node is killed, in each way of delivery.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// What the moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { transactions, kills, seed } = Arguments::parse();
    let broker = Broker::start().await?;
    let mut all_right = true;
    for delivery in [Delivery::AtLeastOnce, Delivery::ExactlyOnce] {
        let drill = Drill { params: odd(transactions), delivery, kills, seed };
        let outcome = drill.run(&broker.bootstrap(), delivery.name()).await?;
        println!("{outcome}");
        if !outcome.is_right() {
            println!("{}", outcome.report);
            all_right = false;
        }
    }
    ensure!(all_right, "the drill found records lost, doubled or wrong");
    Ok(())
}
