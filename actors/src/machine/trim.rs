//! Which snapshots and which slots of journals may go: none that a restore may still need (I10).
//!
//! Bounds only rise: what may go by one look at the facts may go by every later one, so that whoever acts
//! late does no harm.

use std::collections::BTreeMap;

use proto::types::Slot;

/// The first slot of each journal that a restore reads. One that is not named has nothing that it reads.
pub type Needs<J> = BTreeMap<J, Slot>;

/// A snapshot, as a look at it found it. Journals go by whatever tells them apart, in the order of their age.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Taken<J> {
    /// Its name.
    pub name: u64,
    /// What a restore of every range from it reads; `None` where it cannot be restored: it does not verify,
    /// lacks a range, or the journals no longer reach back to it.
    pub needs: Option<Needs<J>>,
}

/// A slot, as its store lists it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored<J> {
    /// Which slot of which journal.
    pub at: (J, Slot),
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
pub fn deletable<J>(taken: &[Taken<J>], keep: usize) -> Vec<u64> {
    let mut good: Vec<u64> =
        taken.iter().filter(|it| it.needs.is_some()).map(|it| it.name).collect();
    good.sort_unstable();
    let Some(oldest_kept) = good.iter().rev().nth(keep.max(1) - 1) else { return Vec::new() };
    taken.iter().map(|it| it.name).filter(|name| name < oldest_kept).collect()
}

/// What a restore reads, from whichever of the snapshots that can be restored; `None` where nothing may go:
/// there is no such snapshot.
#[must_use]
pub fn needed<J: Clone + Ord>(kept: &[Taken<J>]) -> Option<Needs<J>> {
    let needs = kept.iter().filter_map(|it| it.needs.clone());
    needs.reduce(|mut all, needs| {
        for (journal, slot) in needs {
            all.entry(journal).and_modify(|first| *first = slot.min(*first)).or_insert(slot);
        }
        all
    })
}

/// The slots that may go, oldest first: those that are not needed but for those whose results can still be
/// looked up, and for the newest of each journal.
///
/// The newest is its owner's last commit or the fence. Without it a process that was fenced, and does not
/// know it yet, could write there again (I1), however long ago that was (I12).
#[must_use]
pub fn trimmable<J: Clone + Ord>(
    stored: &[Stored<J>],
    needed: &Needs<J>,
    keep: Keep,
    now_ms: u64,
) -> Vec<(J, Slot)> {
    let mut stored = stored.to_vec();
    stored.sort_unstable_by(|it, other| it.at.cmp(&other.at));
    let newest: BTreeMap<J, Slot> = stored.iter().map(|it| it.at.clone()).collect();
    let (mut bytes, mut is_kept) = (0u64, true);
    let mut gone = Vec::new();
    for it in stored.iter().rev() {
        bytes = bytes.saturating_add(it.bytes);
        let is_young = now_ms.saturating_sub(it.created_ms) < keep.age_ms;
        is_kept = is_kept && is_young && bytes <= keep.bytes;
        let (journal, slot) = &it.at;
        let is_needed = needed.get(journal).is_some_and(|first| slot >= first);
        if !is_kept && !is_needed && newest.get(journal) != Some(slot) {
            gone.push(it.at.clone());
        }
    }
    gone.reverse();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Snapshot `name`, from which a restore reads the journals from these slots on.
    fn taken(name: u64, from: &[(u8, u64)]) -> Taken<u8> {
        Taken { name, needs: Some(needs(from)) }
    }

    const fn torn(name: u64) -> Taken<u8> {
        Taken { name, needs: None }
    }

    #[track_caller]
    fn check_deletable(taken: &[Taken<u8>], keep: usize, expected: &[u64]) {
        assert_eq!(deletable(taken, keep), expected);
    }

    #[test]
    fn the_newest_snapshots_that_can_be_restored_are_kept() {
        let good = |names: &[u64]| -> Vec<Taken<u8>> {
            names.iter().map(|&name| taken(name, &[(1, 5)])).collect()
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
        let good = |name| taken(name, &[(1, 5)]);
        check_deletable(&[good(1), torn(2), torn(3)], 1, &[]);
        check_deletable(&[good(1), torn(2), good(3)], 2, &[]);
        check_deletable(&[torn(1), good(2), torn(3), good(4)], 2, &[1]);
        check_deletable(&[torn(1), torn(2)], 1, &[]);
    }

    #[track_caller]
    fn check_needed(kept: &[Taken<u8>], expected: Option<&[(u8, u64)]>) {
        assert_eq!(needed(kept), expected.map(needs));
    }

    #[test]
    fn i10_the_snapshot_that_stands_furthest_back_bounds_each_journal() {
        check_needed(&[taken(7, &[(2, 4)])], Some(&[(2, 4)]));
        check_needed(&[taken(6, &[(2, 3)]), taken(7, &[(2, 4)])], Some(&[(2, 3)]));
        check_needed(&[taken(7, &[(2, 4)]), taken(8, &[(1, 3)])], Some(&[(1, 3), (2, 4)]));
        check_needed(
            &[taken(6, &[(1, 9), (2, 1)]), taken(7, &[(1, 8), (3, 5)])],
            Some(&[(1, 8), (2, 1), (3, 5)]),
        );
        check_needed(&[taken(6, &[(2, 3)]), torn(7)], Some(&[(2, 3)]));
    }

    #[test]
    fn i10_without_a_snapshot_that_can_be_restored_nothing_may_go() {
        check_needed(&[], None);
        check_needed(&[torn(7)], None);
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
}
