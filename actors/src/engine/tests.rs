//! Two nodes in one process, with one source and one object store: ranges go from one to the other under load.

mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use proto::types::{RangeId, Sequence};
use tokio::time::sleep;

use self::world::{Feed, World};
use super::ReleaseError;
use crate::sink::{Outlet, Row};

const TRANSACTIONS: u64 = 4_000;

/// Each transaction has one result, and each range's results are numbered without a gap; how many rows came twice.
fn check(rows: &[Row]) -> usize {
    let mut by_number: BTreeMap<(RangeId, Sequence), &Row> = BTreeMap::new();
    let mut again = 0;
    for row in rows {
        assert_eq!(row.outlet, Outlet::Transactions, "{row:?}");
        let stamp = row.stamp;
        if let Some(before) = by_number.insert((stamp.range, stamp.sequence), row) {
            assert_eq!((&before.key, &before.payload), (&row.key, &row.payload), "I6: {stamp:?}");
            again += 1;
        }
    }
    let mut next: BTreeMap<RangeId, u64> = BTreeMap::new();
    for (range, sequence) in by_number.keys() {
        let next = next.entry(*range).or_insert(1);
        assert_eq!(sequence.0, *next, "I7: a number of {range} is missing");
        *next += 1;
    }
    let mut by_key: BTreeMap<&[u8], u32> = BTreeMap::new();
    for row in by_number.values() {
        *by_key.entry(&row.key).or_default() += 1;
    }
    let doubled: Vec<_> = by_key.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "more than one result: {doubled:?}");
    assert_eq!(by_key.len() as u64, TRANSACTIONS, "transactions without a result");
    again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_i7_ranges_that_move_under_load_lose_nothing_and_deliver_nothing_twice() {
    let mut world = World::new(4, &[2, 2]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    let mut moves = 0;
    while !feed.is_over() || moves < 12 {
        world.moves(moves % 4).await;
        moves += 1;
    }
    world.through(&feed).await;
    assert_eq!(check(&world.rows()), 0, "a planned move delivers nothing again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i6_a_node_that_is_shut_out_loses_its_ranges_to_the_other_and_nothing_else() {
    for is_killed in [true, false] {
        let mut world = World::new(4, &[2, 2]).await;
        let feed = Feed::begin(&world, TRANSACTIONS);
        // Both nodes have had every range, so that each range's past is in two journals.
        for place in [0, 2, 1, 3, 0] {
            world.moves(place).await;
        }
        sleep(Duration::from_millis(100)).await;
        world.shuts_out(0, is_killed).await;
        world.through(&feed).await;
        check(&world.rows());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_whose_results_nobody_takes_is_not_given_up_and_goes_on() {
    let mut world = World::new(2, &[2, 0]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    sleep(Duration::from_millis(100)).await;
    world.close_sinks(true);
    let refused = world.release(0, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(refused, ReleaseError::NotSettled { .. }), "{refused}");
    world.close_sinks(false);
    world.through(&feed).await;
    check(&world.rows());
    world.moves(0).await;
    let refused = world.release_from(0, 0).await.unwrap_err();
    assert!(matches!(refused, ReleaseError::NotOwned(_)), "{refused}");
}
