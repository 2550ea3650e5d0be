//! Two nodes in one process, with one source and one object store: ranges go from one to the other under load.

mod figures;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use proto::types::{RangeId, Sequence};
use tokio::time::{sleep, timeout};

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
        assert_eq!(world.fenced(), [world::before()].into(), "whoever was over at the start");
        world.shuts_out(0, is_killed).await;
        world.through(&feed).await;
        check(&world.rows());
        assert_eq!(world.fenced(), [world::before(), world.nodes[0].life.clone()].into());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_whose_results_nobody_takes_is_not_given_up_and_goes_on() {
    let mut world = World::new(2, &[2, 0]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    sleep(Duration::from_millis(100)).await;
    world.close_sinks(true);
    // By now it has results that nobody has taken.
    sleep(Duration::from_millis(100)).await;
    let refused = world.release(0, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(refused, ReleaseError::NotSettled { .. }), "{refused}");
    world.close_sinks(false);
    world.through(&feed).await;
    check(&world.rows());
    world.moves(0).await;
    let refused = world.release_from(0, 0).await.unwrap_err();
    assert!(matches!(refused, ReleaseError::NotOwned(_)), "{refused}");
}

/// A range that has nothing to deliver goes at once, though those beside it have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_given_up_or_goes_on_in_time_while_the_sink_takes_nothing() {
    let mut world = World::new(4, &[4, 0]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    for place in 0..4 {
        sleep(Duration::from_millis(30)).await;
        world.close_sinks(true);
        let ended = world.tries_to_move(place, Duration::from_millis(200));
        assert!(timeout(Duration::from_secs(5), ended).await.is_ok(), "range {place} hangs");
        world.close_sinks(false);
    }
    world.through(&feed).await;
    check(&world.rows());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_i3_nodes_that_read_for_each_other_lose_nothing_though_connections_are_cut_and_ranges_move()
 {
    let mut world = World::cluster(6, &[2, 2, 2]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    let mut moves = 0;
    while !feed.is_over() || moves < 12 {
        world.net.cut();
        sleep(Duration::from_millis(20)).await;
        world.moves(moves % 6).await;
        moves += 1;
    }
    world.through(&feed).await;
    assert_eq!(check(&world.rows()), 0, "a planned move delivers nothing again");
    assert!(world.net.dialled() > 12, "connections were not opened again");
    world.durable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i6_ranges_and_partitions_of_a_node_that_is_gone_go_to_the_others_and_nothing_is_lost() {
    let mut world = World::cluster(6, &[2, 2, 2]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    for place in [0, 3, 5] {
        world.moves(place).await;
    }
    sleep(Duration::from_millis(100)).await;
    world.loses(1).await;
    world.through(&feed).await;
    check(&world.rows());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_a_node_whose_map_is_old_feeds_nobody_under_an_epoch_that_is_over() {
    let mut world = World::cluster(4, &[2, 1, 1]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    let old = world.map(2);
    world.deaf.insert(2);
    // Twice round: each range is back where the old map has it, under a later epoch.
    for moves in 0..12 {
        world.moves(moves % 4).await;
    }
    world.deaf.clear();
    world.tell();
    world.nodes[2].engine.route(0, &old);
    world.through(&feed).await;
    assert_eq!(check(&world.rows()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_out_of_reach_stops_nobody_else_and_is_brought_up_afterwards_by_a_pass_of_its_own() {
    let world = World::cluster(3, &[1, 1, 1]).await;
    let node = world.nodes[2].engine.node().clone();
    world.net.down(&node);
    // Nobody needs what it reads.
    world.nodes[2].engine.read(&[].into()).await.unwrap();
    for number in 0..2 {
        world.nodes[number].engine.read(&world::share(number, 2)).await.unwrap();
    }
    let feed = Feed::begin(&world, TRANSACTIONS);
    while !feed.is_over() {
        sleep(Duration::from_millis(20)).await;
    }
    world.applied(&[0, 1]).await;
    world.net.up(&node);
    world.through(&feed).await;
    check(&world.rows());
    let looked_back = world.looked_back.load(std::sync::atomic::Ordering::SeqCst);
    assert!(looked_back > 0, "those who were through have read all of it again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i13_a_node_that_is_frozen_uses_up_its_credit_and_then_stops_nobody_else() {
    let world = World::cluster(3, &[1, 1, 1]).await;
    world.nodes[2].engine.read(&[].into()).await.unwrap();
    for number in 0..2 {
        world.nodes[number].engine.read(&world::share(number, 2)).await.unwrap();
    }
    let feed = Feed::begin(&world, TRANSACTIONS);
    sleep(Duration::from_millis(100)).await;
    let node = world.nodes[2].engine.node().clone();
    world.net.freeze(&node);
    while !feed.is_over() {
        sleep(Duration::from_millis(20)).await;
    }
    world.applied(&[0, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_two_readers_of_one_partition_are_harmless_and_so_is_a_change_of_readers() {
    let world = World::cluster(4, &[2, 1, 1]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    let mut round = 0;
    while !feed.is_over() {
        for number in 0..3 {
            let mut reads = world::share((number + round) % 3, 3);
            reads.extend(world::share((number + round + 1) % 3, 3));
            world.nodes[number].engine.read(&reads).await.unwrap();
        }
        round += 1;
        sleep(Duration::from_millis(50)).await;
    }
    for number in 0..3 {
        world.nodes[number].engine.read(&world::share(number, 3)).await.unwrap();
    }
    world.through(&feed).await;
    assert_eq!(check(&world.rows()), 0);
    world.durable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_range_goes_on_from_its_copy_also_where_that_has_missed_a_move() {
    let mut world = World::cluster(4, &[2, 1, 1]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    for moves in 0..8 {
        world.warms(moves % 4).await;
        world.moves(moves % 4).await;
        assert!(world.nodes.iter().all(|node| node.engine.copies().is_empty()));
    }
    world.warms(0).await;
    world.moves_by(0, 2).await;
    sleep(Duration::from_millis(50)).await;
    world.moves_by(0, 2).await;
    assert!(world.nodes.iter().all(|node| node.engine.copies().is_empty()));
    world.through(&feed).await;
    assert_eq!(check(&world.rows()), 0);
}

/// Children of children too, also while they move to other nodes, and before they have committed anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_i3_i9_ranges_that_are_split_under_load_lose_nothing_and_count_nothing_twice() {
    let mut world = World::cluster(2, &[1, 1, 0]).await;
    world.sums("channel", 0);
    world.sums("status", 1);
    let feed = Feed::begin(&world, TRANSACTIONS);
    for step in 0..12 {
        sleep(Duration::from_millis(30)).await;
        let place = step * 5 % world.count();
        world.splits(place).await;
        if step % 2 == 0 {
            world.moves(place + 1).await;
        } else {
            world.net.cut();
        }
    }
    assert_eq!(world.count(), 14);
    world.through(&feed).await;
    assert_eq!(check(&world.rows()), 0, "what is planned delivers nothing again");
    world.figures(&["channel", "status"]).await;
    world.last_pushed(&["channel", "status"]).await;
}

/// Their parent is restored out of journals alone, of whichever nodes had it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_children_of_a_split_whose_owner_is_gone_come_back_elsewhere() {
    let mut world = World::new(2, &[1, 1]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    for place in [0, 1, 0] {
        sleep(Duration::from_millis(50)).await;
        world.moves(place).await;
        world.splits(place).await;
        world.splits(place).await;
    }
    world.shuts_out(0, true).await;
    world.through(&feed).await;
    check(&world.rows());
}

/// It has a store that is open and a source of its own, for which whoever waits for the node's tasks would wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_ends_with_its_engine() {
    let world = World::new(2, &[1, 1]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    sleep(Duration::from_millis(100)).await;
    world.warms(0).await;
    let engine = &world.nodes[1].engine;
    assert_eq!(engine.copies().len(), 1);
    engine.stop(Duration::from_secs(5)).await;
    assert!(engine.copies().is_empty());
    drop(feed);
}
