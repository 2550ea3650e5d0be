//! Nodes that sum up for each other: wherever a figure is asked for, it is the fold over the committed results (I8).

use std::time::Duration;

use proto::types::RangeId;
use tokio::time::sleep;

use super::world::{Feed, World};
use super::{TRANSACTIONS, check};

const DIMENSIONS: [&str; 2] = ["channel", "status"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_figures_are_whole_at_every_node_though_ranges_and_aggregators_move_and_connections_are_cut()
 {
    let mut world = World::cluster(6, &[2, 2, 2]).await;
    world.sums("channel", 0);
    world.sums("status", 1);
    let feed = Feed::begin(&world, TRANSACTIONS);
    let mut moves = 0;
    while !feed.is_over() || moves < 12 {
        world.net.cut();
        sleep(Duration::from_millis(20)).await;
        world.moves(moves % 6).await;
        if moves % 3 == 0 {
            world.sums("channel", moves / 3 % 3);
        }
        moves += 1;
    }
    world.through(&feed).await;
    check(&world.rows());
    world.figures(&DIMENSIONS).await;
    world.last_pushed(&DIMENSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_another_node_takes_over_what_one_summed_up_that_is_gone_and_asks_every_range() {
    let mut world = World::cluster(6, &[2, 2, 2]).await;
    for dimension in DIMENSIONS {
        world.sums(dimension, 1);
    }
    let feed = Feed::begin(&world, TRANSACTIONS);
    for place in [0, 3, 5] {
        world.moves(place).await;
    }
    sleep(Duration::from_millis(100)).await;
    world.summed.insert("channel", 2);
    world.summed.insert("status", 0);
    world.loses(1).await;
    world.through(&feed).await;
    check(&world.rows());
    world.figures(&DIMENSIONS).await;
    world.last_pushed(&DIMENSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_map_is_old_makes_figures_of_the_right_one_incomplete_and_says_nothing_last() {
    let mut world = World::cluster(4, &[2, 1, 1]).await;
    for dimension in DIMENSIONS {
        world.sums(dimension, 1);
    }
    let feed = Feed::begin(&world, TRANSACTIONS);
    sleep(Duration::from_millis(100)).await;
    world.deaf.insert(1);
    world.sums("channel", 2);
    world.through(&feed).await;
    // The range of the deaf node tells its share to the deaf node.
    world.misses("channel", &[RangeId(2)]).await;
    world.deaf.clear();
    world.tell();
    let old = [("channel".to_owned(), crate::engine::Place::Here)].into();
    world.nodes[1].engine.aggregate(0, old);
    world.figures(&DIMENSIONS).await;
    world.last_pushed(&DIMENSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_node_without_ranges_sums_up_too_and_hears_all_again_once_it_is_reached_again() {
    let mut world = World::cluster(4, &[2, 2, 0]).await;
    world.nodes[2].engine.read(&[].into()).await.unwrap();
    for number in 0..2 {
        world.nodes[number].engine.read(&super::world::share(number, 2)).await.unwrap();
    }
    for dimension in DIMENSIONS {
        world.sums(dimension, 2);
    }
    // From here on each report joins on to the one before.
    world.misses("channel", &[]).await;
    let feed = Feed::begin(&world, TRANSACTIONS);
    while world.asked(0, "channel").await.cells.is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    let node = world.nodes[2].engine.node().clone();
    world.net.down(&node);
    world.through(&feed).await;
    // Nothing is reported any more: what was lost is noticed by nobody but who connects again.
    world.net.up(&node);
    world.figures(&DIMENSIONS).await;
    world.last_pushed(&DIMENSIONS).await;
}
