//! A workload with every oddity goes through the real program and a real broker, and exactly the right results come out.

#![allow(clippy::print_stdout, reason = "a test that takes a while says what it saw")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::time::Duration;

use integration::broker::Broker;
use integration::drain::{Delivery, Drain, odd};

const PATIENCE: Duration = Duration::from_secs(180);

async fn drains(delivery: Delivery) {
    let broker = Broker::start().await.unwrap();
    let name = delivery.name();
    let drain = Drain::prepare(&broker.bootstrap(), name, odd(24_000), delivery).await.unwrap();
    let mut node = drain.start().unwrap();
    let standing = drain.through(&mut node, PATIENCE).await.unwrap();
    drain.stop(node).await.unwrap();
    let report = drain.verify().await.unwrap();
    println!("{name}: {standing:?}\n{report}");

    assert!(report.is_right(), "{report}");
    assert_eq!(standing.imbalance, 0);
    assert_eq!(report.counts.resent, 0, "nothing failed, so nothing was delivered again");
    // A workload without oddities would prove little.
    let expected = drain.expected();
    assert!(expected.results.corrected > 100 && expected.results.incomplete > 100);
    assert!(expected.conflicts > 100 && expected.duplicates > 100);
    assert_eq!(standing.dead, expected.dead_letters.values().sum::<u64>());
    assert_eq!(standing.measured_legs, expected.record_count() - standing.dead);
    let results = expected.results.complete + expected.results.corrected;
    assert_eq!(standing.measured_results, results, "all that no deadline made");
}

#[tokio::test]
async fn every_record_counts_once() {
    drains(Delivery::AtLeastOnce).await;
}

#[tokio::test]
async fn a_reader_of_what_is_committed_sees_each_row_once() {
    drains(Delivery::ExactlyOnce).await;
}
