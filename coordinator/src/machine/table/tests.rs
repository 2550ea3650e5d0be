//! What the control log may say next, and what follows from what it said.

use proto::types::{Epoch, Keying};

use super::*;
use crate::fixtures::{
    assigned, dead, divided, entry, fold, intended, joined, lead, member, moved, node, released,
    table,
};
use crate::machine::entry::Division;

/// Two nodes, of which `a` owns both ranges.
fn two_ranges() -> Vec<Change> {
    let a = member("a", 1);
    vec![
        lead("a"),
        joined("a", 1),
        joined("b", 1),
        divided(2),
        assigned(&[(0, a.clone(), 1), (1, a, 1)]),
    ]
}

/// After `before`, `change` is refused for `reason`, and the table stays as it was.
fn check_refused(before: &[Change], change: Change, reason: Refused) {
    let mut folded = table(before);
    assert_eq!(fold(&mut folded, change), Err(reason));
    assert_eq!(folded, table(before));
}

/// The range's owner, epoch and lineage (member, epoch, from, to) after `changes`.
fn check_range(
    changes: &[Change],
    owner: &Tenure,
    epoch: u64,
    lineage: &[(Member, u64, u64, u64)],
) {
    let table = table(changes);
    let range = table.range(RangeId(0)).unwrap();
    let spans = lineage.iter().map(|(member, epoch, from, to)| Span {
        range: RangeId(0),
        member: member.clone(),
        epoch: Epoch::new(*epoch),
        from: Slot(*from),
        to: Slot(*to),
    });
    assert_eq!(&range.tenure, owner);
    assert_eq!(range.epoch, Epoch::new(epoch));
    assert_eq!(table.lineage(RangeId(0)), spans.collect::<Vec<_>>());
}

#[test]
fn who_won_the_last_leader_slot_leads() {
    assert_eq!(Table::default().leader(), None);
    let table = table(&[lead("a"), lead("b"), lead("a"), lead("b")]);
    let leader = Leader { candidate: node("b"), term: Term(4) };
    assert_eq!(table.leader(), Some(&leader));
}

#[test]
fn only_an_entry_of_the_present_term_is_taken() {
    for (term, change, expected) in
        [(0, joined("a", 1), 0), (1, joined("a", 1), 0), (0, lead("a"), 1), (2, lead("a"), 1)]
    {
        let refused = Refused::Term { found: Term(term), expected: Term(expected) };
        assert_eq!(Table::default().apply(entry(term, change)), Err(refused));
    }
    for (term, change, expected) in
        [(1, joined("a", 1), 2), (3, joined("a", 1), 2), (2, lead("a"), 3), (4, lead("a"), 3)]
    {
        let refused = Refused::Term { found: Term(term), expected: Term(expected) };
        assert_eq!(table(&[lead("a"), lead("b")]).apply(entry(term, change)), Err(refused));
    }
}

#[test]
fn each_life_of_a_node_has_the_next_number() {
    let before = [lead("a"), joined("a", 1), joined("a", 2), joined("b", 1)];
    assert_eq!(table(&before).next_incarnation(&node("a")), Incarnation(3));
    assert_eq!(table(&before).next_incarnation(&node("b")), Incarnation(2));
    assert_eq!(table(&before).next_incarnation(&node("aa")), Incarnation(1));
    for wrong in [0, 1, 2, 4] {
        let refused = Refused::Incarnation { member: member("a", wrong), next: Incarnation(3) };
        check_refused(&before, joined("a", wrong), refused);
    }
}

#[test]
fn a_life_dies_once_and_stays_dead() {
    let before = [lead("a"), joined("a", 1), dead("a", 1, 4)];
    let standing = Standing::Dead { fenced_at: Slot(4) };
    assert_eq!(table(&before).standing(&member("a", 1)), Some(&standing));
    assert_eq!(table(&before).alive().count(), 0);
    check_refused(&before, dead("a", 1, 4), Refused::NotAlive(member("a", 1)));
    check_refused(&before, dead("a", 2, 4), Refused::NotAlive(member("a", 2)));
}

#[test]
fn a_fence_below_what_is_known_to_be_in_the_journal_is_refused() {
    let early =
        |to, least| Refused::TooEarly { member: member("a", 1), to: Slot(to), least: Slot(least) };
    check_refused(&two_ranges(), dead("a", 1, 0), early(0, 1));
    let mut before = two_ranges();
    before.push(released(member("a", 1), &[(1, 1, 7)]));
    before.push(assigned(&[(1, member("b", 1), 2)]));
    check_refused(&before, dead("a", 1, 6), early(6, 7));
    before.push(dead("a", 1, 7));
    table(&before);
}

#[test]
fn the_key_space_is_divided_once_and_whole() {
    let begun = [lead("a")];
    check_refused(&[lead("a"), divided(2)], divided(2), Refused::Divided);

    let Change::Divided { ranges, keying } = divided(3) else { unreachable!() };
    let without = |place: usize| {
        let mut ranges = ranges.clone();
        ranges.remove(place);
        Change::Divided { ranges, keying }
    };
    check_refused(&begun, without(0), Refused::Uncovered(RangeId(1)));
    check_refused(&begun, without(1), Refused::Uncovered(RangeId(2)));
    check_refused(&begun, without(2), Refused::Uncovered(RangeId(1)));
    check_refused(
        &begun,
        Change::Divided { ranges: vec![], keying: Keying::default() },
        Refused::Uncovered(RangeId(0)),
    );

    let mut twice = ranges.clone();
    twice.push(Division { range: RangeId(3), keys: ranges[0].keys });
    check_refused(
        &begun,
        Change::Divided { ranges: twice, keying: Keying::default() },
        Refused::Uncovered(RangeId(3)),
    );
    let mut swapped = ranges;
    swapped.swap(0, 1);
    check_refused(
        &begun,
        Change::Divided { ranges: swapped, keying: Keying::default() },
        Refused::Unordered(RangeId(0)),
    );
}

#[test]
fn a_range_gets_each_epoch_once() {
    let mut before = two_ranges();
    before.push(dead("a", 1, 5));
    for found in [0, 1, 3] {
        let refused =
            Refused::Epoch { range: RangeId(0), found: Epoch::new(found), expected: Epoch::new(2) };
        check_refused(&before, assigned(&[(0, member("b", 1), found)]), refused);
    }
    let twice = assigned(&[(0, member("b", 1), 2), (0, member("b", 1), 3)]);
    check_refused(&before, twice, Refused::Unordered(RangeId(0)));
}

#[test]
fn a_range_is_assigned_only_to_the_living_and_only_while_nobody_owns_it() {
    let owned = Refused::Owned { range: RangeId(0), owner: member("a", 1) };
    check_refused(&two_ranges(), assigned(&[(0, member("b", 1), 2)]), owned.clone());
    check_refused(&two_ranges(), assigned(&[(0, member("a", 1), 2)]), owned);

    let mut before = two_ranges();
    before.push(dead("a", 1, 5));
    let refused = Refused::NotAlive(member("a", 1));
    check_refused(&before, assigned(&[(0, member("a", 1), 2)]), refused);
    let refused = Refused::NotAlive(member("b", 2));
    check_refused(&before, assigned(&[(0, member("b", 2), 2)]), refused);
    let refused = Refused::Unknown(RangeId(2));
    check_refused(&before, assigned(&[(0, member("b", 1), 2), (2, member("b", 1), 1)]), refused);
}

#[test]
fn only_its_owner_releases_a_range_and_only_under_its_epoch() {
    let (a, b) = (member("a", 1), member("b", 1));
    let refused = Refused::NotOwner { range: RangeId(0), member: b.clone() };
    check_refused(&two_ranges(), released(b, &[(0, 1, 5)]), refused);
    let refused =
        Refused::Epoch { range: RangeId(0), found: Epoch::new(2), expected: Epoch::new(1) };
    check_refused(&two_ranges(), released(a.clone(), &[(0, 2, 5)]), refused);
    let refused = Refused::TooEarly { member: a.clone(), to: Slot(0), least: Slot(1) };
    check_refused(&two_ranges(), released(a.clone(), &[(0, 1, 0)]), refused);
    let refused = Refused::Unordered(RangeId(0));
    check_refused(&two_ranges(), released(a, &[(0, 1, 5), (0, 1, 5)]), refused);
}

#[test]
fn a_new_range_has_no_owner_and_no_past() {
    check_range(&[lead("a"), divided(1)], &Tenure::Never, 0, &[]);
}

#[test]
fn a_dead_owners_commits_are_the_ranges_past_up_to_the_fence() {
    let mut changes = two_ranges();
    changes.push(dead("a", 1, 5));
    let (a, b) = (member("a", 1), member("b", 1));
    check_range(&changes, &Tenure::Past(a.clone()), 1, &[(a.clone(), 1, 1, 5)]);
    changes.push(assigned(&[(0, b.clone(), 2)]));
    check_range(&changes, &Tenure::Now(b.clone()), 2, &[(a.clone(), 1, 1, 5)]);
    changes.push(dead("b", 1, 3));
    check_range(&changes, &Tenure::Past(b.clone()), 2, &[(a, 1, 1, 5), (b, 2, 1, 3)]);
}

#[test]
fn a_range_that_comes_back_to_a_life_continues_above_what_it_had_there() {
    let (a, b) = (member("a", 1), member("b", 1));
    let mut changes = two_ranges();
    changes.push(released(a.clone(), &[(0, 1, 5)]));
    check_range(&changes, &Tenure::Past(a.clone()), 1, &[(a.clone(), 1, 1, 5)]);
    changes.push(assigned(&[(0, b.clone(), 2)]));
    changes.push(released(b.clone(), &[(0, 2, 9)]));
    changes.push(assigned(&[(0, a.clone(), 3)]));
    changes.push(dead("a", 1, 8));
    let past = [(a.clone(), 1, 1, 5), (b, 2, 1, 9), (a.clone(), 3, 5, 8)];
    check_range(&changes, &Tenure::Past(a), 3, &past);
}

#[test]
fn a_handover_ends_one_owner_and_begins_another_at_once() {
    let (a, b) = (member("a", 1), member("b", 1));
    let mut changes = two_ranges();
    changes.push(moved(a.clone(), &[(0, 5, b.clone(), 2)]));
    check_range(&changes, &Tenure::Now(b.clone()), 2, &[(a.clone(), 1, 1, 5)]);
    // Back to who had it, and back to whom it has now.
    changes.push(moved(b.clone(), &[(0, 9, a.clone(), 3)]));
    changes.push(moved(a.clone(), &[(0, 7, a.clone(), 4)]));
    let past = [(a.clone(), 1, 1, 5), (b, 2, 1, 9), (a.clone(), 3, 5, 7)];
    check_range(&changes, &Tenure::Now(a), 4, &past);
}

#[test]
fn only_its_owner_hands_a_range_over_and_only_to_the_living_at_the_next_epoch() {
    let (a, b) = (member("a", 1), member("b", 1));
    let check = |member: &Member, handover: (u16, u64, Member, u64), reason| {
        check_refused(&two_ranges(), moved(member.clone(), &[handover]), reason);
    };
    let range = RangeId(0);
    let refused = Refused::NotOwner { range, member: b.clone() };
    check(&b, (0, 5, b.clone(), 2), refused);
    check(&a, (0, 5, member("b", 2), 2), Refused::NotAlive(member("b", 2)));
    check(&a, (2, 5, b.clone(), 1), Refused::Unknown(RangeId(2)));
    let refused = Refused::TooEarly { member: a.clone(), to: Slot(0), least: Slot(1) };
    check(&a, (0, 0, b.clone(), 2), refused);
    for epoch in [0, 1, 3] {
        let found = Epoch::new(epoch);
        let refused = Refused::Epoch { range, found, expected: Epoch::new(2) };
        check(&a, (0, 5, b.clone(), epoch), refused);
    }
    let twice = moved(a, &[(0, 5, b.clone(), 2), (0, 5, b, 2)]);
    check_refused(&two_ranges(), twice, Refused::Unordered(range));
}

#[test]
fn an_owner_that_committed_nothing_leaves_no_past() {
    let mut changes = two_ranges();
    for life in 1..100 {
        changes.push(dead("a", life, 1));
        changes.push(joined("a", life + 1));
        changes.push(assigned(&[(0, member("a", life + 1), life + 1)]));
    }
    check_range(&changes, &Tenure::Now(member("a", 100)), 100, &[]);
}

#[test]
fn the_death_of_one_node_leaves_the_ranges_of_the_others() {
    let mut changes = two_ranges();
    changes.push(dead("b", 1, 1));
    check_range(&changes, &Tenure::Now(member("a", 1)), 1, &[]);
}

#[test]
fn what_a_node_is_to_be_used_for_holds_in_all_its_lives_until_another_is_said() {
    let mut table = table(&[lead("a"), joined("a", 1), joined("b", 1)]);
    assert_eq!(table.intent(&node("a")), Intent::Serve);
    for intent in [Intent::Drain, Intent::Cordon, Intent::Cordon] {
        fold(&mut table, intended("a", intent)).unwrap();
        assert_eq!(table.intent(&node("a")), intent);
    }
    fold(&mut table, dead("a", 1, 1)).unwrap();
    fold(&mut table, lead("b")).unwrap();
    fold(&mut table, joined("a", 2)).unwrap();
    assert_eq!(
        (table.intent(&node("a")), table.intent(&node("b"))),
        (Intent::Cordon, Intent::Serve)
    );
    fold(&mut table, intended("a", Intent::Serve)).unwrap();
    assert_eq!(table.intent(&node("a")), Intent::Serve);
}

#[test]
fn nothing_is_intended_for_a_node_that_never_joined() {
    let before = [lead("a"), joined("ab", 1)];
    check_refused(&before, intended("a", Intent::Drain), Refused::Stranger(node("a")));
}
