//! A node that is killed at random moments loses nothing and counts nothing twice, in both ways of delivery.
//! `make drill` does the same with more kills and a larger load.

#![allow(clippy::print_stdout, reason = "a drill says how it went")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use integration::broker::Broker;
use integration::drain::{Delivery, odd};
use integration::drill::Drill;

const KILLS: u32 = 6;

async fn survives(delivery: Delivery, seed: u64) {
    let broker = Broker::start().await.unwrap();
    let drill = Drill { params: odd(40_000), delivery, kills: KILLS, seed };
    let outcome = drill.run(&broker.bootstrap(), delivery.name()).await.unwrap();
    println!("{outcome}; consumed at each kill: {:?}", outcome.kills);
    assert!(outcome.is_right(), "{outcome}\n{}", outcome.report);
    assert!(outcome.in_the_middle() >= 2, "the kills came too late to prove anything: {outcome}");
}

#[tokio::test]
async fn kills_lose_nothing_and_double_nothing() {
    survives(Delivery::AtLeastOnce, 1).await;
}

#[tokio::test]
async fn kills_deliver_no_row_twice_where_each_is_to_come_once() {
    survives(Delivery::ExactlyOnce, 2).await;
}
