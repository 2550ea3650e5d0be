//! What the cluster is said to be, given what the control log and the nodes say.

use proto::types::EventTime;

use super::*;
use crate::assembly::cluster::fixtures::*;

fn picture(table: &Table, said: Vec<Word>) -> Picture {
    let leader = node("a");
    Picture::of(&Known { name: "bank", table, map_version: 9, leader: Some(&leader) }, said)
}

/// Three nodes with two ranges each.
fn three() -> Table {
    let joins = ["a", "b", "c"].map(|name| joined(name, &format!("{name}:7700")));
    let owned = [divided(6), assigned(&["a", "b", "c", "a", "b", "c"])];
    table(joins.into_iter().chain(owned).collect())
}

fn words() -> Vec<Word> {
    vec![word("a", 6, &[0, 3]), word("b", 6, &[1, 4]), word("c", 6, &[2, 5])]
}

fn states(picture: &Picture) -> Vec<RangeState> {
    picture.overview.ranges.iter().map(|range| range.state).collect()
}

#[test]
fn where_all_answer_the_cluster_is_whole_and_the_ledger_their_sum() {
    let whole = picture(&three(), words());
    let cluster = &whole.overview.cluster;
    assert_eq!((cluster.health, cluster.reasons.as_slice()), (Health::Healthy, &[][..]));
    assert_eq!((cluster.nodes, cluster.ranges), (3, 6));
    assert_eq!(cluster.leader, Some(node("a")));
    assert_eq!(whole.as_of.map_version, 9);
    assert!(whole.as_of.missing.is_empty());
    assert_eq!(states(&whole), [RangeState::Serving; 6]);
    let consumed: Vec<_> = whole.ledger.rows.iter().map(|(_, it)| it.consumed).collect();
    assert_eq!(consumed, [60 + 15, 60]);
    assert!(whole.ledger.is_balanced());
}

#[test]
fn it_does_not_matter_who_answered_first() {
    let mut turned = words();
    turned.rotate_left(1);
    assert_eq!(picture(&three(), turned), picture(&three(), words()));
}

#[test]
fn the_ranges_of_a_node_that_is_silent_are_missing() {
    let mut said = words();
    said.remove(1);
    let part = picture(&three(), said);
    assert_eq!(part.as_of.missing, [RangeId(1), RangeId(4)]);
    assert_eq!(states(&part)[1], RangeState::Silent);
    assert_eq!(part.overview.nodes[1].state, NodeState::Suspect);
    assert_eq!(part.overview.nodes[1].ranges, 2);
    assert_eq!(part.overview.cluster.health, Health::Degraded);
    let reasons = ["b does not answer", "2 ranges are where nobody answers: r1 … r4"];
    assert_eq!(part.overview.cluster.reasons, reasons);
}

#[test]
fn a_range_that_its_owner_does_not_serve_yet_is_being_restored() {
    let mut said = words();
    said[2] = word("c", 6, &[2]);
    let part = picture(&three(), said);
    assert_eq!(part.as_of.missing, [RangeId(5)]);
    assert_eq!(states(&part)[5], RangeState::Restoring);
    assert_eq!(part.overview.cluster.reasons, ["r5 is being restored"]);
}

#[test]
fn a_dead_node_and_its_ranges_make_the_cluster_degraded() {
    let joins = ["a", "b"].map(|name| joined(name, &format!("{name}:7700")));
    let rest = [divided(2), assigned(&["a", "b"]), dead("b")];
    let table = table(joins.into_iter().chain(rest).collect());
    let part = picture(&table, vec![word("a", 2, &[0])]);
    assert_eq!(part.overview.nodes[1].state, NodeState::Dead);
    assert_eq!(part.overview.cluster.nodes, 1);
    assert_eq!(states(&part), [RangeState::Serving, RangeState::Unowned]);
    assert_eq!(part.overview.cluster.reasons, ["b is dead", "r1 has no owner"]);
    assert_eq!(part.as_of.missing, [RangeId(1)]);
}

#[test]
fn a_node_that_was_drained_before_it_died_is_nothing_to_worry_about() {
    let joins = ["a", "b"].map(|name| joined(name, &format!("{name}:7700")));
    let rest = [divided(1), assigned(&["a"]), intended("b", Intent::Drain)];
    let mut table = table(joins.into_iter().chain(rest).collect());
    let said = || vec![word("a", 1, &[0]), word("b", 1, &[])];
    assert_eq!(picture(&table, said()).overview.nodes[1].state, NodeState::Draining);
    let term = table.term();
    table.apply(coordinator::machine::entry::Entry { term, change: dead("b") }).unwrap();
    let after = picture(&table, vec![word("a", 1, &[0])]);
    assert_eq!(after.overview.cluster.health, Health::Healthy);
    assert_eq!(after.overview.nodes[1].state, NodeState::Dead);
}

#[test]
fn where_no_range_answers_the_cluster_is_unavailable() {
    let none = picture(&three(), Vec::new());
    assert_eq!(none.overview.cluster.health, Health::Unavailable);
    assert_eq!(none.as_of.missing.len(), 6);
}

#[test]
fn what_a_node_complains_of_and_that_nobody_leads_are_reasons() {
    let mut said = words();
    said[1].reasons = vec!["results are 41 s behind".to_owned()];
    let known = Known { name: "bank", table: &three(), map_version: 9, leader: None };
    let cluster = Picture::of(&known, said).overview.cluster;
    assert_eq!(cluster.health, Health::Degraded);
    let reasons =
        ["no node is known to lead: nothing moves until one does", "b: results are 41 s behind"];
    assert_eq!(cluster.reasons, reasons);
}

#[test]
fn a_range_that_two_nodes_speak_for_is_counted_once() {
    let mut said = words();
    assert!(!is_blurred(&said));
    // r0 has gone from a to b, and a had answered before.
    said[1] = word("b", 6, &[0, 1, 4]);
    said[1].ranges[0].epoch = Epoch::new(2);
    assert!(is_blurred(&said));
    let part = picture(&three(), said);
    // Nothing of a: its counts for r0 and r3 are one.
    assert_eq!(part.as_of.missing, [RangeId(3)]);
    assert_eq!(part.overview.ranges[0].owner, Some(node("b")));
    assert_eq!(part.ledger.rows[1].1.consumed, 50);
}

#[test]
fn the_oldest_news_count() {
    let mut said = words();
    said[1].as_of = AsOf { business_time: Some(EventTime(700)), lag_ms: 900, ..AsOf::default() };
    // One without ranges has none.
    said.push(Word { as_of: AsOf::default(), ..word("d", 6, &[]) });
    let as_of = picture(&three(), said).as_of;
    assert_eq!((as_of.business_time, as_of.lag_ms), (Some(EventTime(700)), 900));
}
