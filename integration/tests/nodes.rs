//! A cluster of real processes: nodes are killed and come back, and nothing is lost or counted twice.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::time::Duration;

use integration::broker::Broker;
use integration::cluster::Cluster;
use integration::drain::{Delivery, Drain, odd};

const PATIENCE: Duration = Duration::from_secs(120);
/// Slow enough for kills to meet the nodes in the middle of their work.
const ALIGNMENT_S: u64 = 3;

#[tokio::test]
async fn three_nodes_that_are_killed_by_turns_lose_nothing_and_double_nothing() {
    let broker = Broker::start().await.unwrap();
    let drain = Drain::prepare(&broker.bootstrap(), "nodes", odd(40_000), Delivery::AtLeastOnce)
        .await
        .unwrap();
    let records = drain.expected().record_count();
    let mut cluster = Cluster::new(drain, 3, ALIGNMENT_S).unwrap();
    cluster.start_all().unwrap();
    for (turn, victim) in [(1, 0), (2, 1), (3, 2)] {
        cluster.consumed(records * turn / 5, PATIENCE).await.unwrap();
        cluster.kill9(victim, victim == 1).unwrap();
        cluster.consumed(records * turn / 5 + records / 10, PATIENCE).await.unwrap();
        cluster.start(victim).unwrap();
    }
    let standing = cluster.through(PATIENCE).await.unwrap();
    assert_eq!(standing.imbalance, 0, "I9");
    let report = cluster.verify().await.unwrap();
    assert!(report.is_right(), "{report}");
}
