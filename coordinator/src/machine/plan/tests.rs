//! Placements are even, stay where they can, and follow the nodes that serve.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fixtures::node;

/// Facts with these nodes, in which range i is at home on the node `homes[i]`; a home beyond the
/// nodes is none.
fn facts(conditions: &[Condition], homes: &[usize]) -> Facts {
    let name = |place| node(&format!("node-{place:03}"));
    let home = |&place| (place < conditions.len()).then(|| name(place));
    Facts {
        nodes: conditions.iter().enumerate().map(|(place, &is)| (name(place), is)).collect(),
        homes: (0..).map(RangeId).zip(homes.iter().map(home)).collect(),
    }
}

/// The same nodes, after the ranges have gone where they should.
fn settled(mut facts: Facts) -> Facts {
    for (range, node) in plan(&facts) {
        facts.homes.insert(range, Some(node));
    }
    facts
}

fn serving(facts: &Facts) -> BTreeSet<&NodeId> {
    let serving = facts.nodes.iter().filter(|&(_, &is)| is == Condition::Serving);
    serving.map(|(node, _)| node).collect()
}

fn loads(facts: &Facts, placement: &Placement) -> Vec<usize> {
    let load = |node| placement.values().filter(|&owner| owner == node).count();
    serving(facts).into_iter().map(load).collect()
}

/// The ranges that are not where they were, with where they go.
fn moves<'a>(facts: &'a Facts, placement: &'a Placement) -> Vec<(Option<&'a NodeId>, &'a NodeId)> {
    let moves = placement.iter().map(|(range, to)| (facts.homes[range].as_ref(), to));
    moves.filter(|&(from, to)| from != Some(to)).collect()
}

fn conditions() -> impl Strategy<Value = Vec<Condition>> {
    let condition = prop_oneof![
        3 => Just(Condition::Serving),
        1 => Just(Condition::Draining),
        1 => Just(Condition::Dead),
    ];
    prop::collection::vec(condition, 1..12)
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let homes = prop::collection::vec(0..14_usize, 0..60);
    (conditions(), homes).prop_map(|(conditions, homes)| facts(&conditions, &homes))
}

proptest! {
    #[test]
    fn every_range_has_an_owner_as_soon_as_a_node_serves(facts in any_facts()) {
        let placed = if serving(&facts).is_empty() { 0 } else { facts.homes.len() };
        prop_assert_eq!(plan(&facts).len(), placed);
    }

    #[test]
    fn only_nodes_that_serve_own_ranges(facts in any_facts()) {
        let placement = plan(&facts);
        prop_assert!(placement.values().all(|owner| serving(&facts).contains(owner)));
    }

    #[test]
    fn no_node_owns_two_ranges_more_than_another(facts in any_facts()) {
        let loads = loads(&facts, &plan(&facts));
        let spread = loads.iter().max().unwrap_or(&0) - loads.iter().min().unwrap_or(&0);
        prop_assert!(spread <= 1, "{loads:?}");
    }

    #[test]
    fn a_placement_that_was_reached_does_not_change(facts in any_facts()) {
        let settled = settled(facts);
        let placement = plan(&settled);
        prop_assert_eq!(moves(&settled, &placement), []);
    }

    #[test]
    fn a_range_moves_only_from_a_node_that_has_too_many_or_may_have_none(facts in any_facts()) {
        let placement = plan(&facts);
        let serving = serving(&facts);
        let homes: Vec<_> = facts.homes.values().flatten().collect();
        for (from, _) in moves(&facts, &placement) {
            let Some(from) = from.filter(|from| serving.contains(from)) else { continue };
            let had = homes.iter().filter(|home| **home == from).count();
            prop_assert!(had > facts.homes.len() / serving.len(), "{from} had {had}");
        }
    }

    #[test]
    fn a_node_that_comes_gets_its_share_and_nothing_else_moves(facts in any_facts()) {
        let mut settled = settled(facts);
        let new = node("node-new");
        settled.nodes.insert(new.clone(), Condition::Serving);
        // Where no node served, ranges may be homeless.
        let before = serving(&settled).len() > 1;
        let placement = plan(&settled);
        let moves = moves(&settled, &placement);
        prop_assert!(moves.iter().all(|&(_, to)| *to == new));
        let share = settled.homes.len() / serving(&settled).len();
        prop_assert!(!before || moves.len() == share, "{} moves for {share}", moves.len());
    }

    #[test]
    fn a_node_that_goes_gives_away_its_ranges_and_nothing_else_moves(
        facts in any_facts(), which in any::<prop::sample::Index>(), drains in any::<bool>(),
    ) {
        let mut settled = settled(facts);
        let gone = settled.nodes.keys().nth(which.index(settled.nodes.len())).cloned().unwrap();
        let condition = if drains { Condition::Draining } else { Condition::Dead };
        settled.nodes.insert(gone.clone(), condition);
        let placement = plan(&settled);
        let moves = moves(&settled, &placement);
        prop_assert!(moves.iter().all(|&(from, _)| from == Some(&gone)), "{moves:?}");
        prop_assert!(placement.values().all(|owner| *owner != gone));
    }
}

#[test]
fn where_ranges_go_does_not_depend_on_chance() {
    let conditions = [Condition::Serving; 3];
    let homes: Vec<_> = plan(&facts(&conditions, &[9; 7])).into_values().collect();
    let names: Vec<_> = homes.iter().map(NodeId::as_str).collect();
    let [a, b, c] = ["node-000", "node-001", "node-002"];
    assert_eq!(names, [a, a, a, b, b, c, c]);
}

/// 52 plans of the largest cluster: an algorithm that is quadratic would be felt here.
#[test]
fn ten_thousand_ranges_on_five_hundred_nodes_are_planned_and_replanned() {
    let mut cluster = settled(facts(&[Condition::Serving; 500], &[usize::MAX; 10_000]));
    assert!(loads(&cluster, &plan(&cluster)).iter().all(|&load| load == 20));
    for place in 0..50 {
        let gone = node(&format!("node-{place:03}"));
        cluster.nodes.insert(gone, Condition::Dead);
        let placement = plan(&cluster);
        let moved = moves(&cluster, &placement).len();
        assert!((20..=23).contains(&moved), "{moved} moves");
        cluster = settled(cluster);
    }
}
