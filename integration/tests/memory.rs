//! More transactions are open at once than fit into memory: their bytes go to disk and come back, and nothing is lost.

#![allow(clippy::print_stdout, reason = "a test that takes a while says what it saw")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::time::Duration;

use integration::broker::Broker;
use integration::drain::{Delivery, Drain};
use integration::watch::{Most, watch};
use node::workload::params::Params;

const PATIENCE: Duration = Duration::from_secs(240);
const OPEN: u64 = 240_000;
/// Two legs of a transaction, without what the mailbox itself takes.
const LEGS_BYTES: u64 = 400;
/// What is under way to the store comes on top: of 8 ranges 2 MiB each, and the batch that made it too much.
const UNDER_WAY_BYTES: u64 = 8 * (3 << 20);
/// The least that a node can be given.
const MEMORY: &str = "512MiB";
/// Generous: what the allocator keeps differs from machine to machine.
const RSS_BYTES: u64 = 768 << 20;

#[tokio::test]
async fn i13_open_transactions_beyond_the_memory_wait_on_disk() {
    let broker = Broker::start().await.unwrap();
    let mut params = Params::of(OPEN);
    // Beyond the other legs and the alignment: the first response is read when all else has been.
    params.hold_back_s = 100;
    let bootstrap = broker.bootstrap();
    let drain = Drain::prepare(&bootstrap, "memory", params, Delivery::AtLeastOnce).await.unwrap();
    let drain = drain.within(MEMORY);
    let mut node = drain.start().unwrap();
    node.wait_ready(drain.metrics(), PATIENCE).await.unwrap();
    let most: Most = watch(&drain, &mut node, PATIENCE, |_| {}).await.unwrap();
    let standing = drain.through(&mut node, PATIENCE).await.unwrap();
    drain.stop(node).await.unwrap();
    let report = drain.verify().await.unwrap();
    println!("{most:?}\n{report}");

    assert!(report.is_right(), "{report}");
    assert_eq!(standing.imbalance, 0);
    assert!(most.open > OPEN * 3 / 4, "nearly all were seen open at once: {most:?}");
    assert!(most.open * LEGS_BYTES > most.held_limit_bytes, "they do not fit: {most:?}");
    assert!(most.held_bytes < most.held_limit_bytes + UNDER_WAY_BYTES, "{most:?}");
    assert!(most.rss_bytes < RSS_BYTES, "{most:?}");
}
