//! Which snapshots and which slots of journals may go: none that a restore may still need (I10).
//!
//! Bounds only rise: what may go by one look at the facts may go by every later one, so that whoever acts
//! late does no harm.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{Incarnation, RangeId, Slot};

use super::reach::At;

/// A snapshot, as a look at it found it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Its name.
    pub name: u64,
    /// For each of its ranges the first slot that a restore from it reads; `None` where it cannot be
    /// restored: it does not verify, or the journals no longer reach back to it.
    pub needs: Option<BTreeMap<RangeId, At>>,
}

/// A slot, as its store lists it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Which slot.
    pub at: At,
    /// Its size.
    pub bytes: u64,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_ms: u64,
}

/// How long and how much of the journals is kept to look results up: whichever limit is met first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// For how long.
    pub age_ms: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The snapshots that may be deleted: those older than the newest `keep` that can be restored.
#[must_use]
pub fn deletable(taken: &[Taken], keep: usize) -> Vec<u64> {
    let mut good: Vec<u64> =
        taken.iter().filter(|it| it.needs.is_some()).map(|it| it.name).collect();
    good.sort_unstable();
    let Some(oldest_kept) = good.iter().rev().nth(keep.max(1) - 1) else { return Vec::new() };
    taken.iter().map(|it| it.name).filter(|name| name < oldest_kept).collect()
}

/// The first slot that a restore of any of `ranges` reads, from whichever of the snapshots that can be
/// restored; `None` where nothing may go: there is no such snapshot, or it lacks a range.
#[must_use]
pub fn needed_from(kept: &[Taken], ranges: &[RangeId]) -> Option<At> {
    let needs = kept.iter().filter_map(|it| it.needs.as_ref());
    let first = |needs: &BTreeMap<RangeId, At>| {
        let each: Option<Vec<At>> = ranges.iter().map(|range| needs.get(range).copied()).collect();
        each?.into_iter().min()
    };
    let firsts: Option<Vec<At>> = needs.map(first).collect();
    firsts?.into_iter().min()
}

/// The slots that may go, oldest first: those before `needed_from` but for those whose results can still
/// be looked up, and for the newest of each life.
///
/// The newest is a life's last commit or its fence. Without it a process that was fenced, and does not know
/// it yet, could write there again (I1), however long ago that was (I12).
#[must_use]
pub fn trimmable(stored: &[Stored], needed_from: At, keep: Keep, now_ms: u64) -> Vec<At> {
    let mut stored = stored.to_vec();
    stored.sort_unstable_by_key(|it| it.at);
    let newest: BTreeMap<Incarnation, Slot> = stored.iter().map(|it| it.at).collect();
    let newest: BTreeSet<At> = newest.into_iter().collect();
    let (mut bytes, mut is_kept) = (0u64, true);
    let mut gone = Vec::new();
    for it in stored.iter().rev() {
        bytes = bytes.saturating_add(it.bytes);
        let is_young = now_ms.saturating_sub(it.created_ms) < keep.age_ms;
        is_kept = is_kept && is_young && bytes <= keep.bytes;
        if !is_kept && it.at < needed_from && !newest.contains(&it.at) {
            gone.push(it.at);
        }
    }
    gone.reverse();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Keep = Keep { age_ms: 0, bytes: 0 };
    const RANGES: [RangeId; 2] = [RangeId(0), RangeId(1)];

    fn at(life: u64, slot: u64) -> At {
        (Incarnation(life), Slot(slot))
    }

    /// Snapshot `name`, whose ranges 0, 1 … need the journals from these slots on.
    fn taken(name: u64, needs: &[(u64, u64)]) -> Taken {
        let needs = needs.iter().map(|&(life, slot)| at(life, slot));
        Taken { name, needs: Some((0..).map(RangeId).zip(needs).collect()) }
    }

    const fn torn(name: u64) -> Taken {
        Taken { name, needs: None }
    }

    #[track_caller]
    fn check_deletable(taken: &[Taken], keep: usize, expected: &[u64]) {
        assert_eq!(deletable(taken, keep), expected);
    }

    #[test]
    fn the_newest_snapshots_that_can_be_restored_are_kept() {
        let good = |names: &[u64]| -> Vec<Taken> {
            names.iter().map(|&name| taken(name, &[(1, 5), (1, 5)])).collect()
        };
        check_deletable(&[], 1, &[]);
        check_deletable(&good(&[1]), 1, &[]);
        check_deletable(&good(&[1, 2, 3]), 3, &[]);
        check_deletable(&good(&[1, 2, 3, 4]), 3, &[1]);
        check_deletable(&good(&[1, 2, 3]), 1, &[1, 2]);
        check_deletable(&good(&[1, 2, 3]), 0, &[1, 2]);
    }

    #[test]
    fn i10_a_snapshot_that_cannot_be_restored_displaces_none() {
        let good = |name| taken(name, &[(1, 5), (1, 5)]);
        check_deletable(&[good(1), torn(2), torn(3)], 1, &[]);
        check_deletable(&[good(1), torn(2), good(3)], 2, &[]);
        check_deletable(&[torn(1), good(2), torn(3), good(4)], 2, &[1]);
        check_deletable(&[torn(1), torn(2)], 1, &[]);
    }

    #[track_caller]
    fn check_needed(kept: &[Taken], expected: Option<(u64, u64)>) {
        assert_eq!(needed_from(kept, &RANGES), expected.map(|(life, slot)| at(life, slot)));
    }

    #[test]
    fn i10_the_range_that_stands_furthest_back_in_any_snapshot_bounds_all() {
        check_needed(&[taken(7, &[(2, 9), (2, 4)])], Some((2, 4)));
        check_needed(&[taken(7, &[(2, 9), (1, 40)])], Some((1, 40)));
        check_needed(&[taken(6, &[(2, 3), (2, 3)]), taken(7, &[(2, 9), (2, 4)])], Some((2, 3)));
        // By name the newest, but of a process that did not know yet that it was fenced.
        check_needed(&[taken(7, &[(2, 9), (2, 4)]), taken(8, &[(1, 3), (1, 7)])], Some((1, 3)));
        check_needed(&[taken(6, &[(2, 5), (2, 3)]), torn(7)], Some((2, 3)));
    }

    #[test]
    fn i10_without_a_snapshot_of_every_range_nothing_may_go() {
        check_needed(&[], None);
        check_needed(&[torn(7)], None);
        check_needed(&[taken(7, &[(2, 9)])], None);
        check_needed(&[taken(6, &[(2, 3), (2, 3)]), taken(7, &[(2, 9)])], None);
    }

    /// Slots of 10 bytes each, created one a second: life 1 has 1 to 4 (the last its fence), life 2 has 1 to 5.
    fn stored() -> Vec<Stored> {
        let ats = (1..=4).map(|slot| at(1, slot)).chain((1..=5).map(|slot| at(2, slot)));
        (0..)
            .zip(ats)
            .map(|(second, at)| Stored { at, bytes: 10, created_ms: second * 1_000 })
            .collect()
    }

    #[track_caller]
    fn check(needed_from: (u64, u64), keep: Keep, expected: &[(u64, u64)]) {
        let needed_from = at(needed_from.0, needed_from.1);
        let expected: Vec<At> = expected.iter().map(|&(life, slot)| at(life, slot)).collect();
        let gone = trimmable(&stored(), needed_from, keep, 8_000);
        assert_eq!(gone, expected, "needed from {needed_from:?} with {keep:?}");
        let mut other_order = stored();
        other_order.reverse();
        assert_eq!(trimmable(&other_order, needed_from, keep, 8_000), expected);
    }

    #[test]
    fn i10_nothing_goes_that_a_restore_reads() {
        check((0, 0), NOTHING, &[]);
        check((1, 1), NOTHING, &[]);
        check((1, 2), NOTHING, &[(1, 1)]);
        check((1, 4), NOTHING, &[(1, 1), (1, 2), (1, 3)]);
        check((2, 3), NOTHING, &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]);
    }

    #[test]
    fn i1_the_newest_of_each_life_stays_for_ever() {
        check((9, 9), NOTHING, &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4)]);
    }

    #[test]
    fn results_can_be_looked_up_for_their_time() {
        let of_age = |age_ms| Keep { age_ms, bytes: u64::MAX };
        check((9, 9), of_age(4_000), &[(1, 1), (1, 2), (1, 3), (2, 1)]);
        check((9, 9), of_age(6_001), &[(1, 1), (1, 2)]);
        check((9, 9), of_age(9_000), &[]);
        check((1, 2), of_age(4_000), &[(1, 1)]);
    }

    #[test]
    fn results_can_be_looked_up_as_far_as_their_bytes_are_kept() {
        let of_size = |bytes| Keep { age_ms: u64::MAX, bytes };
        check((9, 9), of_size(90), &[]);
        check((9, 9), of_size(89), &[(1, 1)]);
        check((9, 9), of_size(60), &[(1, 1), (1, 2), (1, 3)]);
        check((9, 9), Keep { age_ms: 2_001, bytes: 60 }, &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_no_hole() {
        let mut stored = stored();
        // By the clock slot 2 of life 1 is the youngest of all.
        stored[1].created_ms = 100_000;
        let keep = Keep { age_ms: 4_000, bytes: u64::MAX };
        let gone = trimmable(&stored, at(9, 9), keep, 8_000);
        assert_eq!(gone, [at(1, 1), at(1, 2), at(1, 3), at(2, 1)]);
    }

    #[test]
    fn what_goes_at_one_look_goes_at_every_later_one() {
        let keep = Keep { age_ms: 3_000, bytes: 50 };
        let mut before = Vec::new();
        for (now_ms, slot) in (0..20_000).step_by(500).zip(1..) {
            let gone = trimmable(&stored(), at(2, slot), keep, now_ms);
            assert!(before.iter().all(|at| gone.contains(at)), "at {now_ms}");
            before = gone;
        }
    }
}
