//! A cluster of real processes: nodes are killed, stand still and come back, and nothing is lost or counted twice.
//! `make drill` does the same with more kills and a larger load.

#![allow(clippy::print_stdout, reason = "a drill says how it went")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::time::Duration;

use integration::broker::Broker;
use integration::cluster::Cluster;
use integration::drain::{Delivery, Drain, RANGES, odd};

const PATIENCE: Duration = Duration::from_secs(180);
/// Slow enough for all that happens to meet the nodes in the middle of their work.
const ALIGNMENT_S: u64 = 3;

/// One node is killed and loses its disk, one stands still until the others have its ranges, and goes on then as if
/// nothing had been (I1, I2, I7, I8, I9).
#[tokio::test]
async fn a_node_that_dies_and_one_that_stands_still_cost_nothing_and_double_nothing() {
    let broker = Broker::start().await.unwrap();
    let bootstrap = broker.bootstrap();
    let prepared = Drain::prepare(&bootstrap, "nodes", odd(40_000), Delivery::ExactlyOnce);
    let drain = prepared.await.unwrap();
    let records = drain.expected().record_count();
    let mut cluster = Cluster::new(drain, 3, ALIGNMENT_S).unwrap();
    cluster.start_all().unwrap();
    cluster.serving(RANGES, PATIENCE).await.unwrap();

    cluster.consumed(records / 5, PATIENCE).await.unwrap();
    cluster.kill9(0, true).unwrap();
    cluster.serving(RANGES, PATIENCE).await.unwrap();
    cluster.start(0).unwrap();

    let met = cluster.consumed(records * 2 / 5, PATIENCE).await.unwrap();
    cluster.node(1).unwrap().process().freeze().unwrap();
    cluster.serving(RANGES, PATIENCE).await.unwrap();
    cluster.consumed((met + records / 10).min(records), PATIENCE).await.unwrap();
    cluster.node(1).unwrap().process().thaw().unwrap();

    let standing = cluster.through(PATIENCE).await.unwrap();
    assert_eq!(standing.imbalance, 0, "I9: {standing:?}");
    let report = cluster.verify().await.unwrap();
    println!("{report}");
    assert!(report.is_right(), "{report}");
}
