//! What goes, and what does not.

use super::*;

mod world;

const NOTHING: Keep = Keep { age_ms: 0, bytes: 0 };

/// A journal's number, and a slot.
type At = (u8, Slot);

fn at(journal: u8, slot: u64) -> At {
    (journal, Slot(slot))
}

/// What is needed of journals, by their numbers.
fn needs(needs: &[(u8, u64)]) -> Needs<u8> {
    needs.iter().map(|&(journal, slot)| at(journal, slot)).collect()
}

const R: RangeId = RangeId(0);

fn span(journal: u8, epoch: u64, from: u64, to: Option<u64>) -> Span<u8> {
    Span { journal, epoch: Epoch::new(epoch), from: Slot(from), to: to.map(Slot) }
}

fn existing(range: RangeId, past: Vec<Span<u8>>) -> Existing<u8> {
    Existing { range, keys: KeyRange::FULL, came_from: BTreeSet::new(), past }
}

/// Snapshot `name`, which has these ranges at an epoch and a slot, all delivered.
fn taken(name: u64, places: &[(RangeId, (u64, u64))]) -> Taken {
    let place = |&(range, (epoch, slot)): &(RangeId, (u64, u64))| {
        let at = (Epoch::new(epoch), Slot(slot));
        (range, Place { at, outbox: (at.0, at.1.next()) })
    };
    Taken { name, places: Some(places.iter().map(place).collect()), is_whole: true }
}

fn unreadable(name: u64) -> Taken {
    Taken { name, places: None, is_whole: false }
}

fn slots(slots: std::ops::RangeInclusive<u64>) -> Vec<Slot> {
    slots.map(Slot).collect()
}

/// Range 0 is in journal 1 under epoch 1, which has slots 1 to 9.
fn one_range(taken: Vec<Taken>) -> Facts<u8> {
    let there = [(1, slots(1..=9))].into();
    Facts { there, ranges: vec![existing(R, vec![span(1, 1, 1, None)])], taken }
}

#[track_caller]
fn check_deletable(facts: &Facts<u8>, keep: usize, expected: &[u64]) {
    assert_eq!(facts.decide(keep).deletable, expected);
}

#[test]
fn the_newest_snapshots_that_can_be_restored_are_kept() {
    let good =
        |names: &[u64]| one_range(names.iter().map(|&name| taken(name, &[(R, (1, 5))])).collect());
    check_deletable(&good(&[]), 1, &[]);
    check_deletable(&good(&[1]), 1, &[]);
    check_deletable(&good(&[1, 2, 3]), 3, &[]);
    check_deletable(&good(&[1, 2, 3, 4]), 3, &[1]);
    check_deletable(&good(&[1, 2, 3]), 1, &[1, 2]);
    check_deletable(&good(&[1, 2, 3]), 0, &[1, 2]);
}

#[test]
fn i10_a_snapshot_that_cannot_be_restored_displaces_none() {
    let good = |name| taken(name, &[(R, (1, 5))]);
    let torn = |name| Taken { is_whole: false, ..good(name) };
    check_deletable(&one_range(vec![good(1), torn(2), unreadable(3)]), 1, &[]);
    check_deletable(&one_range(vec![good(1), unreadable(2), good(3)]), 2, &[]);
    check_deletable(&one_range(vec![unreadable(1), good(2), torn(3), good(4)]), 2, &[1]);
    check_deletable(&one_range(vec![torn(1), unreadable(2)]), 1, &[]);
    // Of another past.
    check_deletable(&one_range(vec![good(1), taken(2, &[(R, (9, 5))])]), 1, &[]);
    let mut cut = one_range(vec![good(1), taken(2, &[(R, (1, 2))])]);
    cut.there = [(1, slots(5..=9))].into();
    check_deletable(&cut, 1, &[]);
    // The journal does not reach back to it any more, since one that stands further is there.
    cut.taken.push(taken(3, &[(R, (1, 6))]));
    check_deletable(&cut, 1, &[1, 2]);
}

/// A range had moved on before its former owner was done with a snapshot.
#[test]
fn i10_a_snapshot_that_was_done_later_displaces_none_that_stands_further() {
    let former = |name| taken(name, &[(R, (1, 5))]);
    let present = |name, slot| taken(name, &[(R, (2, slot))]);
    let facts = |taken| {
        let mut facts = one_range(taken);
        facts.ranges = vec![existing(R, vec![span(1, 1, 1, Some(7)), span(2, 2, 1, None)])];
        facts.there.insert(2, slots(1..=9));
        facts
    };
    check_deletable(&facts(vec![present(1, 3), former(2)]), 1, &[]);
    check_deletable(&facts(vec![present(1, 3), former(2), former(3)]), 1, &[2]);
    check_deletable(&facts(vec![former(1), present(2, 3), former(3)]), 2, &[1]);
    // The journal may have gone on since it was listed.
    check_deletable(&facts(vec![present(1, 12), former(2)]), 1, &[]);
    // Of another past it says nothing.
    check_deletable(&facts(vec![taken(1, &[(R, (3, 12))]), former(2)]), 1, &[1]);
}

#[test]
fn i10_the_newest_are_counted_for_each_range_whichever_node_took_them() {
    const S: RangeId = RangeId(1);
    let (of_r, of_s) = ([(R, (1, 5))], [(S, (1, 5))]);
    let both = [of_r[0], of_s[0]];
    let facts = |taken: Vec<Taken>| {
        let other = existing(S, vec![span(2, 1, 1, None)]);
        let mut facts = one_range(taken);
        facts.there.insert(2, slots(1..=9));
        facts.ranges.push(other);
        facts
    };
    let many = vec![taken(1, &of_s), taken(2, &of_r), taken(3, &of_r), taken(4, &of_r)];
    check_deletable(&facts(many), 1, &[2, 3]);
    let moved = vec![taken(1, &both), taken(2, &of_r), taken(3, &of_r), taken(4, &of_s)];
    check_deletable(&facts(moved.clone()), 1, &[1, 2]);
    check_deletable(&facts(moved), 2, &[]);
    // One that nobody can read may be of the range that has no other.
    check_deletable(&facts(vec![unreadable(1), taken(2, &of_r), taken(3, &of_r)]), 1, &[2]);
}

#[test]
fn i10_what_a_snapshot_has_of_ranges_that_were_split_stays_for_those_that_came_of_them() {
    const CHILD: RangeId = RangeId(7);
    let parent = taken(1, &[(R, (1, 5))]);
    let mut facts = one_range(vec![parent, taken(2, &[(CHILD, (2, 8))])]);
    facts.ranges = vec![existing(CHILD, vec![span(1, 2, 1, None)])];
    check_deletable(&facts, 1, &[]);
    facts.ranges[0].came_from.insert(R);
    check_deletable(&facts, 1, &[1]);
    check_deletable(&facts, 2, &[]);
}

#[track_caller]
fn check_needed(facts: &Facts<u8>, keep: usize, expected: Option<&[(u8, u64)]>) {
    assert_eq!(facts.decide(keep).needed, expected.map(needs));
}

#[test]
fn i10_the_snapshot_that_stands_furthest_back_bounds_each_journal() {
    let of = |names: &[(u64, u64)]| {
        one_range(names.iter().map(|&(name, slot)| taken(name, &[(R, (1, slot))])).collect())
    };
    check_needed(&of(&[(7, 4)]), 1, Some(&[(1, 5)]));
    check_needed(&of(&[(6, 2), (7, 4)]), 2, Some(&[(1, 3)]));
    check_needed(&of(&[(6, 2), (7, 4)]), 1, Some(&[(1, 5)]));
    let mut waiting = of(&[(7, 4)]);
    let places = waiting.taken[0].places.as_mut().unwrap();
    places.get_mut(&R).unwrap().outbox.1 = Slot(2);
    check_needed(&waiting, 1, Some(&[(1, 2)]));
}

#[test]
fn i10_a_range_without_a_snapshot_that_can_be_restored_needs_all_of_its_past() {
    check_needed(&one_range(vec![]), 1, Some(&[(1, 1)]));
    check_needed(&one_range(vec![unreadable(7)]), 1, Some(&[(1, 1)]));
    let mut none = one_range(vec![taken(7, &[(R, (1, 4))])]);
    none.ranges.clear();
    check_needed(&none, 1, None);
    check_deletable(&none, 1, &[]);
}

#[test]
fn i10_what_an_owner_let_go_before_it_got_a_range_is_not_missed() {
    // Journal 2 had been trimmed up to slot 5 when the range came, at some slot that nobody knows.
    let past = vec![span(1, 1, 1, Some(6)), span(2, 2, 1, None)];
    let there = BTreeMap::from([(1, slots(1..=6)), (2, slots(6..=8))]);
    let facts = |taken| {
        let ranges = vec![existing(R, past.clone())];
        Facts { there: there.clone(), ranges, taken }
    };
    let before = taken(1, &[(R, (1, 4))]);
    check_needed(&facts(vec![before.clone()]), 1, Some(&[(1, 5), (2, 6)]));
    // It may have been trimmed behind one that was taken there: then the one before does not reach.
    let after = taken(2, &[(R, (2, 7))]);
    let damaged = Taken { is_whole: false, ..after.clone() };
    for newest in [damaged, unreadable(2)] {
        check_needed(&facts(vec![before.clone(), newest]), 1, Some(&[(1, 1), (2, 1)]));
    }
    check_needed(&facts(vec![before, after]), 2, Some(&[(2, 8)]));
}

/// Slots of 10 bytes each, created one a second: journal 1 has 1 to 4 (the last its fence), journal 2 has 1 to 5.
fn stored() -> Vec<Stored<u8>> {
    let ats = (1..=4).map(|slot| at(1, slot)).chain((1..=5).map(|slot| at(2, slot)));
    (0..)
        .zip(ats)
        .map(|(second, at)| Stored { at, bytes: 10, created_ms: second * 1_000 })
        .collect()
}

#[track_caller]
fn check(needed: &[(u8, u64)], keep: Keep, expected: &[(u8, u64)]) {
    let needed = needs(needed);
    let expected: Vec<At> = expected.iter().map(|&(journal, slot)| at(journal, slot)).collect();
    let gone = trimmable(&stored(), &needed, keep, 8_000);
    assert_eq!(gone, expected, "needed {needed:?} with {keep:?}");
    let mut other_order = stored();
    other_order.reverse();
    assert_eq!(trimmable(&other_order, &needed, keep, 8_000), expected);
}

#[test]
fn i10_nothing_goes_that_a_restore_reads() {
    check(&[(1, 1), (2, 1)], NOTHING, &[]);
    check(&[(1, 2), (2, 1)], NOTHING, &[(1, 1)]);
    check(&[(1, 4), (2, 1)], NOTHING, &[(1, 1), (1, 2), (1, 3)]);
    check(&[(2, 3)], NOTHING, &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]);
    // A range came back from journal 2 to journal 1.
    check(&[(1, 3)], NOTHING, &[(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4)]);
}

#[test]
fn i1_the_newest_of_each_journal_stays_for_ever() {
    check(&[], NOTHING, &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4)]);
}

#[test]
fn results_can_be_looked_up_for_their_time() {
    let of_age = |age_ms| Keep { age_ms, bytes: u64::MAX };
    check(&[], of_age(4_000), &[(1, 1), (1, 2), (1, 3), (2, 1)]);
    check(&[], of_age(6_001), &[(1, 1), (1, 2)]);
    check(&[], of_age(9_000), &[]);
    check(&[(1, 2), (2, 1)], of_age(4_000), &[(1, 1)]);
}

#[test]
fn results_can_be_looked_up_as_far_as_their_bytes_are_kept() {
    let of_size = |bytes| Keep { age_ms: u64::MAX, bytes };
    check(&[], of_size(90), &[]);
    check(&[], of_size(89), &[(1, 1)]);
    check(&[], of_size(60), &[(1, 1), (1, 2), (1, 3)]);
    check(&[], Keep { age_ms: 2_001, bytes: 60 }, &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]);
}

#[test]
fn a_clock_that_was_set_back_leaves_no_hole() {
    let mut stored = stored();
    // By the clock slot 2 of journal 1 is the youngest of all.
    stored[1].created_ms = 100_000;
    let keep = Keep { age_ms: 4_000, bytes: u64::MAX };
    let gone = trimmable(&stored, &Needs::new(), keep, 8_000);
    assert_eq!(gone, [at(1, 1), at(1, 2), at(1, 3), at(2, 1)]);
}

#[test]
fn what_goes_at_one_look_goes_at_every_later_one() {
    let keep = Keep { age_ms: 3_000, bytes: 50 };
    let mut before = Vec::new();
    for (now_ms, slot) in (0..20_000).step_by(500).zip(1..) {
        let gone = trimmable(&stored(), &needs(&[(2, slot)]), keep, now_ms);
        assert!(before.iter().all(|at| gone.contains(at)), "at {now_ms}");
        before = gone;
    }
}
