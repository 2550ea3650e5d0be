//! Clusters form, fail and mend; the clock is turned, so that nobody waits.

use std::collections::BTreeMap;
use std::time::Duration;

use coordinator::machine::entry::{Change, Intent};
use proto::types::{NodeId, RangeId};
use tokio::time::{Instant, sleep};

use world::{LEAVE, RANGES, Request, Town};

mod world;

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn intend(name: &str, intent: Intent) -> Request {
    Request::Intend { node: node(name), intent }
}

/// How many ranges each node serves, fewest first.
fn counts(town: &Town) -> Vec<usize> {
    let mut counts: Vec<_> = town.served().values().map(BTreeMap::len).collect();
    counts.sort_unstable();
    counts
}

#[tokio::test(start_paused = true)]
async fn nodes_that_start_at_once_form_one_cluster_and_one_divides_the_keys() {
    let town = Town::of(&["a", "b", "c"]).await;
    assert_eq!(counts(&town), [2, 2, 2]);
    let divided = |entry: &&coordinator::machine::entry::Entry| {
        matches!(entry.change, Change::Divided { .. })
    };
    assert_eq!(town.entries().iter().filter(divided).count(), 1);
    assert!(town.longest_pause() < Duration::from_millis(200), "{:?}", town.longest_pause());
    assert!(town.longest_pause() > Duration::ZERO, "something moved");
}

#[tokio::test(start_paused = true)]
async fn one_node_is_a_cluster_and_another_gets_its_share_of_it() {
    let mut town = Town::of(&["a"]).await;
    let before = town.served()["a"].clone();
    assert_eq!(before.len(), usize::from(RANGES));
    town.start("b").await;
    town.until("the new node has its share", |town| counts(town) == [3, 3]).await;
    town.settle().await;
    let after = town.served();
    let moved = |(range, epoch): (&u16, &u64)| before[range] != *epoch;
    assert_eq!(after["a"].iter().filter(|it| moved(*it)).count(), 0, "what stays is not touched");
    assert!(after["b"].iter().all(moved));
    assert!(town.longest_pause() < Duration::from_millis(200), "{:?}", town.longest_pause());
}

#[tokio::test(start_paused = true)]
async fn a_further_node_moves_only_what_it_gets() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let before = town.served();
    town.start("d").await;
    town.until("it has its share", |town| town.served()["d"].len() == 1).await;
    town.settle().await;
    let after = town.served();
    for name in ["a", "b", "c"] {
        let kept = |(range, epoch): (&u16, &u64)| before[name].get(range) == Some(epoch);
        assert!(after[name].iter().all(kept), "{name}");
    }
}

/// The leader is another, so that only one thing fails.
#[tokio::test(start_paused = true)]
async fn what_a_node_had_that_vanished_is_served_elsewhere_after_its_fence() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let leader = town.leader().unwrap();
    let gone = ["a", "b"].into_iter().find(|name| *name != leader).unwrap();
    let (before, begun) = (town.served(), Instant::now());
    town.kill(gone);
    town.until("all are served again", Town::is_served).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    town.settle().await;
    assert_eq!(town.leader(), Some(leader));
    let after = town.served();
    for (range, epoch) in &before[gone] {
        let now = after.values().find_map(|served| served.get(range));
        assert!(now > Some(epoch), "{range}");
    }
    for (name, ranges) in before.iter().filter(|(name, _)| *name != gone) {
        assert!(ranges.iter().all(|(range, epoch)| after[name].get(range) == Some(epoch)));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_leader_vanishes_another_leads_and_what_is_served_stays_served() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let leader = town.leader().unwrap();
    let (before, begun) = (town.served(), Instant::now());
    town.kill(&leader);
    let others = before.iter().filter(|(name, _)| **name != leader);
    let others: Vec<_> = others.map(|(name, ranges)| (name.clone(), ranges.clone())).collect();
    let stay = others.clone();
    town.until("all are served again", |town| {
        let now = town.served();
        assert!(
            stay.iter().all(|(name, ranges)| ranges
                .iter()
                .all(|(range, epoch)| { now[name].get(range) == Some(epoch) })),
            "nobody who lives stops serving"
        );
        town.is_served()
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_ne!(town.leader(), Some(leader));
    town.settle().await;
}

#[tokio::test(start_paused = true)]
async fn where_the_leader_and_another_vanish_the_last_one_serves_all() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let leader = town.leader().unwrap();
    let other = ["a", "b"].into_iter().find(|name| *name != leader).unwrap();
    town.kill(&leader);
    town.kill(other);
    town.until("all are served again", Town::is_served).await;
    town.settle().await;
    assert_eq!(counts(&town), [usize::from(RANGES)]);
    for name in [&*leader, other] {
        town.start(name).await;
    }
    town.until("all have their share", |town| counts(town) == [2, 2, 2]).await;
    town.settle().await;
}

#[tokio::test(start_paused = true)]
async fn who_was_cut_off_comes_back_as_another_life_in_the_same_process() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let leader = town.leader().unwrap();
    let zombie = ["a", "b"].into_iter().find(|name| *name != leader).unwrap();
    let first = town.body(zombie).unwrap().member.clone();
    town.cut_off(zombie);
    let is_buried = |town: &Town| !town.table().alive().any(|member| *member == first);
    town.until("it is fenced", is_buried).await;
    town.mend();
    town.until("it has its share again", |town| {
        let body = town.body(zombie).unwrap();
        body.member > first && town.served()[zombie].len() == 2
    })
    .await;
    town.settle().await;
}

/// It reaches the store, so it can win the lead, again and again; what it leads then hears nobody.
#[tokio::test(start_paused = true)]
async fn who_is_cut_off_keeps_nobody_from_being_served() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let cut = town.leader().unwrap();
    town.cut_off(&cut);
    let begun = Instant::now();
    let held = |town: &Town| {
        let others = town.served().into_iter().filter(|(name, _)| *name != cut);
        others.map(|(_, served)| served.len()).sum::<usize>()
    };
    town.until("the others serve all", |town| held(town) == usize::from(RANGES)).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    sleep(Duration::from_secs(60)).await;
    town.until("the others serve all still", |town| held(town) == usize::from(RANGES)).await;
    let led = |town: &Town| {
        let entries = town.entries();
        entries.iter().filter(|it| matches!(it.change, Change::Leader { .. })).count()
    };
    let before = led(&town);
    sleep(Duration::from_secs(60)).await;
    assert!(led(&town) - before <= 6, "it asks less and less often");
    town.mend();
    town.until("all have their share", |town| counts(town) == [2, 2, 2]).await;
    town.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_empties_a_node_and_a_cordon_keeps_it_so() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    town.ask("a", intend("b", Intent::Drain)).await.unwrap();
    assert_eq!(town.table().intent(&node("b")), Intent::Drain, "an answer is a promise");
    town.until("it is empty", |town| town.served()["b"].is_empty() && town.is_served()).await;
    town.settle().await;
    assert!(town.longest_pause() < Duration::from_millis(200), "{:?}", town.longest_pause());
    town.ask("b", intend("b", Intent::Cordon)).await.unwrap();
    town.settle().await;
    assert!(town.served()["b"].is_empty());
    town.ask("c", intend("b", Intent::Serve)).await.unwrap();
    town.until("it has its share again", |town| counts(town) == [2, 2, 2]).await;
    town.settle().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_to_stop_hands_over_first_also_where_it_leads() {
    for is_leader in [false, true] {
        let mut town = Town::of(&["a", "b", "c"]).await;
        let leader = town.leader().unwrap();
        let gone = ["a", "b", "c"].into_iter().find(|it| (*it == leader) == is_leader).unwrap();
        let first = town.body(gone).unwrap().member.clone();
        let begun = Instant::now();
        town.stop(&[gone]).await;
        assert!(begun.elapsed() < LEAVE / 4, "{:?}", begun.elapsed());
        let mut owned = town.table();
        assert_eq!(owned.ranges().filter(|(_, it)| it.owner() == Some(&first)).count(), 0);
        town.until("the others serve all", Town::is_served).await;
        town.settle().await;
        assert!(town.longest_pause() < Duration::from_millis(200), "{:?}", town.longest_pause());
        let was_cold = town
            .entries()
            .into_iter()
            .skip_while(|it| !matches!(&it.change, Change::Leaving { member } if *member == first));
        let mut was_cold = was_cold.filter(|it| matches!(it.change, Change::Assigned { .. }));
        assert_eq!(was_cold.next(), None, "nothing had to be taken from the dead");
        town.start(gone).await;
        town.until("it has its share again", |town| counts(town) == [2, 2, 2]).await;
        town.settle().await;
        owned = town.table();
        assert_eq!(owned.leaving().count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn where_all_are_asked_to_stop_nobody_waits_for_the_others() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let begun = Instant::now();
    town.stop(&["a", "b", "c"]).await;
    assert!(begun.elapsed() < LEAVE / 2, "{:?}", begun.elapsed());
    let mut alone = Town::of(&["a"]).await;
    let begun = Instant::now();
    alone.stop(&["a"]).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Where who leads is not there, patience ends.
#[tokio::test(start_paused = true)]
async fn who_is_cut_off_stops_after_all() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let leader = town.leader().unwrap();
    let gone = ["a", "b"].into_iter().find(|name| *name != leader).unwrap();
    town.cut_off(gone);
    let begun = Instant::now();
    town.stop(&[gone]).await;
    assert!(begun.elapsed() <= LEAVE + Duration::from_secs(1), "{:?}", begun.elapsed());
    town.mend();
    town.until("the others serve all", Town::is_served).await;
    town.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_range_goes_where_an_operator_wants_it_and_stays_there() {
    let mut town = Town::of(&["a", "b"]).await;
    let range = RangeId(*town.served()["a"].keys().next().unwrap());
    town.ask("b", Request::Move { range, to: node("b") }).await.unwrap();
    town.until("it is there", |town| town.served()["b"].contains_key(&range.0)).await;
    town.settle().await;
    assert!(town.served()["b"].contains_key(&range.0), "the plan doesn't move it back");
    assert!(town.longest_pause() < Duration::from_millis(200), "{:?}", town.longest_pause());
    town.ask("a", Request::Rebalance).await.unwrap();
    town.settle().await;
    assert_eq!(counts(&town), [3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_range_that_is_split_is_served_as_two_and_they_move_like_others() {
    let mut town = Town::of(&["a", "b"]).await;
    let range = RangeId(0);
    let keys = town.table().range(range).unwrap().keys;
    town.ask("b", Request::Split { range, at: None }).await.unwrap();
    town.until("it is two", |town| town.table().ranges().len() == usize::from(RANGES) + 1).await;
    town.settle().await;
    let table = town.table();
    assert!(table.range(range).is_none());
    let [first, second] = [RANGES, RANGES + 1].map(|it| table.range(RangeId(it)).unwrap());
    assert_eq!(first.keys.join(second.keys), Some(keys));
    let owners: Vec<_> = table.ranges().map(|(_, it)| it.owner().unwrap().node.clone()).collect();
    let of = |name: &str| owners.iter().filter(|it| it.as_str() == name).count();
    assert!(of("a").abs_diff(of("b")) <= 1, "{owners:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_denied_with_what_to_do() {
    let town = Town::of(&["a", "b"]).await;
    let denied = async |request| town.ask("b", request).await.unwrap_err();
    let range = RangeId(0);
    let check = |found: String, words: &str| assert!(found.contains(words), "{found}");
    check(denied(Request::Move { range: RangeId(99), to: node("a") }).await, "no range r99");
    check(denied(Request::Move { range, to: node("x") }).await, "node x never joined");
    check(denied(intend("x", Intent::Drain)).await, "node x never joined");
    check(denied(Request::Merge { left: range, right: RangeId(1) }).await, "equal positions");
    check(denied(Request::Split { range, at: Some(0) }).await, "does not lie inside");
}

/// Whoever works it out from the control log comes to the same.
#[tokio::test(start_paused = true)]
async fn all_nodes_have_the_same_map_and_each_partition_has_one_reader() {
    let mut town = Town::of(&["a", "b", "c"]).await;
    let maps = |town: &Town| {
        let names = town.served().into_keys();
        names.map(|name| town.body(&name).unwrap().map().unwrap()).collect::<Vec<_>>()
    };
    for names in [3, 2] {
        let maps = maps(&town);
        assert_eq!(maps.len(), names);
        let mut read: Vec<_> = maps.iter().flat_map(|map| map.partitions.clone()).collect();
        read.sort_unstable();
        assert_eq!(read, (0..12).map(proto::types::PartitionIndex).collect::<Vec<_>>());
        let first = &maps[0];
        assert_eq!(first.routes.len(), usize::from(RANGES));
        assert!(maps.iter().all(|map| {
            (&map.routes, &map.aggregators, map.version)
                == (&first.routes, &first.aggregators, first.version)
        }));
        if names == 3 {
            let gone = ["a", "b"].into_iter().find(|it| Some(*it) != town.leader().as_deref());
            town.kill(gone.unwrap());
            town.until("all are served again", Town::is_served).await;
            town.settle().await;
        }
    }
}
