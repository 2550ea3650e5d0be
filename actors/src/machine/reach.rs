//! Whether the journals reach back far enough: from where a range stands to its last commit, without a gap.

use std::cmp::Ordering;

use proto::types::{Epoch, Slot};

/// A place in a range's past: under which of its epochs, in which slot of that owner's journal. What came later
/// is greater, also where the range went to another node and came back: epochs only rise (I1).
pub type At = (Epoch, Slot);

/// A stretch of a journal that holds a part of a range's past, and which of its slots are there.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The epoch under which its owner had the range.
    pub epoch: Epoch,
    /// The first slot.
    pub from: Slot,
    /// One past the last.
    pub to: Slot,
    /// The journal's slots that exist, ascending, each once; also those outside of the stretch.
    pub there: &'a [Slot],
}

/// The first slot from `from` on that a range's past has lost; `None` where all of it is there.
///
/// I10: an owner writes slot n + 1 only after slot n, so what is not there has been there. Commit numbers
/// alone would not tell: after the last commit that is left, nothing follows that could show a gap.
#[must_use]
pub fn first_missing(past: &[Stretch<'_>], from: At) -> Option<At> {
    past.iter().filter_map(|stretch| stretch.first_missing(from)).min()
}

/// Whether `at` lies in the past that `stretches` make up: what claims another place is of another past.
#[must_use]
pub fn is_in(past: &[Stretch<'_>], (epoch, slot): At) -> bool {
    let holds = |it: &Stretch<'_>| it.epoch == epoch && it.from <= slot && slot < it.to;
    past.iter().any(holds)
}

/// The greatest epoch from which on a snapshot makes a range's past superfluous: that of the first slot which a
/// restore out of it reads ([`Place::needed_from`](super::block::Place::needed_from)). [`Epoch::NONE`] where there
/// are snapshots and none holds the range; `None` where it cannot be known: there is no snapshot, or one that
/// cannot be read. Of each snapshot comes whether it can be read, and that epoch where it holds the range.
pub fn newest(snapshots: impl IntoIterator<Item = Option<Option<Epoch>>>) -> Option<Epoch> {
    let known: Option<Vec<Option<Epoch>>> = snapshots.into_iter().collect();
    known?.into_iter().map(Option::unwrap_or_default).max()
}

/// Lets the stretches of owners that had trimmed their journals before they got the range begin where these do.
///
/// The control log does not say at which slot an owner got a range, only before which it cannot have been. An owner
/// trims nothing of a range but behind a snapshot that has it (I10), and the newest of these stays. So where a
/// restore out of any snapshot reads from an epoch before a stretch's (`newest` is less), nothing of the range
/// has gone from the stretch: what is not there in front was never the range's. A snapshot may hold the range
/// under the stretch's own epoch and yet read from an earlier one: rows from then still wait for the sink.
/// Without any snapshot nothing is concluded: all of them may have been lost.
///
/// A write that its owner had given up on may arrive when its slot has been trimmed, and stand alone in front of
/// what is there. So a stretch begins behind the last of its slots that is not there. A store that loses objects is
/// found out while they are read: by the range in front of what is lost ([`Stretch::hole_behind`]), or by the number
/// of its next commit behind. It is not where neither is there: where all that the range had here was lost.
pub fn begun(past: &mut [Stretch<'_>], newest: Option<Epoch>) {
    let Some(newest) = newest else { return };
    for stretch in past.iter_mut().filter(|stretch| stretch.epoch > newest) {
        // Where nothing is there but what follows – the fence, or later commits, of which the last stays – the range
        // never had anything in it. The last slot stays: a journal that ends too early has lost it.
        let reaches = stretch.there.last().is_some_and(|it| it.next() >= stretch.to);
        if reaches {
            stretch.from = stretch.from.max(stretch.unbroken());
        }
    }
}

/// The turns in which journals are read so that each range goes through its past in order, and ranges go
/// through a journal together as far as they can. `pasts` has each range's journals, oldest first; a turn has
/// the ranges that take part in it, each with the place of the stretch that is its.
#[must_use]
pub fn turns<J: PartialEq>(pasts: &[Vec<J>]) -> Vec<Vec<(usize, usize)>> {
    let mut next = vec![0; pasts.len()];
    let mut turns = Vec::new();
    let front = |next: &[usize], range: usize| pasts[range].get(next[range]);
    while let Some(journal) = (0..pasts.len()).find_map(|range| front(&next, range)) {
        let here = (0..pasts.len()).filter(|&range| front(&next, range) == Some(journal));
        let turn: Vec<_> = here.map(|range| (range, next[range])).collect();
        turn.iter().for_each(|&(range, _)| next[range] += 1);
        turns.push(turn);
    }
    turns
}

impl Stretch<'_> {
    /// The first slot of it that a restore reads which begins at `from`; `None` where it begins behind.
    #[must_use]
    pub fn needed_from(&self, (epoch, slot): At) -> Option<Slot> {
        match self.epoch.cmp(&epoch) {
            Ordering::Less => None,
            Ordering::Equal => Some(self.from.max(slot)).filter(|it| *it < self.to),
            Ordering::Greater => Some(self.from),
        }
    }

    /// The first slot of it behind `slot` that is not there. Whoever has written slot n + 1 had written slot n.
    #[must_use]
    pub fn hole_behind(&self, slot: Slot) -> Option<Slot> {
        self.first_missing((self.epoch, slot)).map(|(_, hole)| hole)
    }

    /// The slot from which on all are there, up to its end.
    fn unbroken(&self) -> Slot {
        let end = self.there.partition_point(|it| *it < self.to);
        let mut first = self.to;
        for &slot in self.there[..end].iter().rev() {
            if slot.next() != first {
                break;
            }
            first = slot;
        }
        first
    }

    fn first_missing(&self, from: At) -> Option<At> {
        let first = self.needed_from(from)?;
        let begin = self.there.partition_point(|it| *it < first);
        let end = self.there.partition_point(|it| *it < self.to);
        let there = &self.there[begin.min(end)..end];
        let mut wanted = first;
        for &slot in there {
            if slot != wanted {
                break;
            }
            wanted = wanted.next();
        }
        (wanted < self.to).then_some((self.epoch, wanted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_with_the_same_owners_are_read_together() {
        let pasts = vec![vec!["a", "b"]; 3];
        let together = |stretch| (0..3).map(|range| (range, stretch)).collect::<Vec<_>>();
        assert_eq!(turns(&pasts), [together(0), together(1)]);
        assert!(turns::<u8>(&[]).is_empty());
    }

    #[test]
    fn ranges_that_changed_places_each_keep_their_order() {
        let pasts = vec![vec!["a", "b"], vec!["b", "a"], vec!["a", "b", "a"]];
        let expected = [vec![(0, 0), (2, 0)], vec![(0, 1), (1, 0), (2, 1)], vec![(1, 1), (2, 2)]];
        assert_eq!(turns(&pasts), expected);
    }

    proptest! {
        #[test]
        fn each_stretch_has_one_turn_in_order_and_a_turn_has_one_journal(
            pasts in vec(vec(0..4_u8, 0..6), 0..6),
        ) {
            let turns = turns(&pasts);
            for (range, past) in pasts.iter().enumerate() {
                let of = turns.iter().flatten().filter(|(it, _)| *it == range);
                prop_assert!(of.map(|(_, stretch)| *stretch).eq(0..past.len()));
            }
            for turn in turns {
                prop_assert!(turn.windows(2).all(|pair| pair[0].0 < pair[1].0));
                let journal = |&(range, stretch): &(usize, usize)| pasts[range][stretch];
                prop_assert!(turn.iter().all(|it| journal(it) == journal(&turn[0])));
            }
        }
    }

    fn slots(numbers: impl IntoIterator<Item = u64>) -> Vec<Slot> {
        numbers.into_iter().map(Slot).collect()
    }

    /// Under epoch 2 slots 1 to 10, under epoch 5 slots 4 to 8; what is missing from `from` on.
    #[track_caller]
    fn check(there: [&[Slot]; 2], from: (u64, u64), expected: Option<(u64, u64)>) {
        let stretch = |epoch, from, to, there| Stretch {
            epoch: Epoch::new(epoch),
            from: Slot(from),
            to: Slot(to),
            there,
        };
        let past = [stretch(2, 1, 10, there[0]), stretch(5, 4, 8, there[1])];
        let at = |(epoch, slot): (u64, u64)| (Epoch::new(epoch), Slot(slot));
        assert_eq!(first_missing(&past, at(from)), expected.map(at), "from {from:?}");
    }

    #[test]
    fn i10_what_is_missing_from_a_place_on_is_found_and_what_is_missing_before_it_is_not() {
        // Slot 10 and slot 8 are fences: nobody's commit, but there.
        let (second, fifth) = (slots(5..=10), slots(1..=8));
        let whole: [&[Slot]; 2] = [&second, &fifth];
        check(whole, (0, 0), Some((2, 1)));
        check(whole, (2, 1), Some((2, 1)));
        check(whole, (2, 4), Some((2, 4)));
        check(whole, (2, 5), None);
        check(whole, (2, 10), None);
        check(whole, (3, 0), None);
        check(whole, (5, 8), None);
    }

    #[test]
    fn i10_a_hole_at_the_end_is_a_hole() {
        let (second, fifth) = (slots([5, 6, 7, 8, 10]), slots(1..=8));
        check([&second, &fifth], (2, 5), Some((2, 9)));
        let (second, fifth) = (slots(5..=10), slots([4, 5, 6, 8]));
        check([&second, &fifth], (2, 5), Some((5, 7)));
        check([&second, &slots([8])], (2, 6), Some((5, 4)));
        check([&second, &[]], (5, 5), Some((5, 5)));
    }

    #[test]
    fn a_journal_of_which_only_the_fence_is_left_is_no_gap_for_who_stands_behind_it() {
        let (second, fifth) = (slots([10]), slots(4..=8));
        check([&second, &fifth], (2, 10), None);
        check([&second, &fifth], (5, 4), None);
        check([&second, &fifth], (2, 9), Some((2, 9)));
    }

    /// A node that had trimmed its journal got a range, and died before a snapshot held that: its journal begins
    /// with what it had then. Nothing is concluded where snapshots may have been lost, or one cannot be read.
    #[test]
    fn a_range_that_no_snapshot_holds_has_lost_nothing_behind_the_snapshots_of_others() {
        let (epoch, other) = (Epoch::new(2), Some(None));
        let check = |snapshots: &[Option<Option<Epoch>>], expected: Option<u64>| {
            let (from, to, there) = (Slot(1), Slot(10), slots(5..=10));
            let mut past = [Stretch { epoch, from, to, there: &there }];
            begun(&mut past, newest(snapshots.iter().copied()));
            let expected = expected.map(|slot| (epoch, Slot(slot)));
            assert_eq!(first_missing(&past, (Epoch::NONE, Slot(0))), expected, "{snapshots:?}");
        };
        check(&[other, other], None);
        check(&[other, Some(Some(Epoch::new(1)))], None);
        check(&[other, Some(Some(epoch))], Some(1));
        check(&[other, None], Some(1));
        check(&[], Some(1));
    }

    /// So does one of which nothing is left but the fence that ended it, or what followed.
    #[test]
    fn a_range_whose_owner_died_before_it_committed_anything_has_lost_nothing_with_its_journal() {
        let (epoch, from, to) = (Epoch::new(4), Slot(1), Slot(5));
        let check = |there: &[u64], newest: u64, expected: Option<u64>| {
            let there = slots(there.iter().copied());
            let mut past = [Stretch { epoch, from, to, there: &there }];
            begun(&mut past, Some(Epoch::new(newest)));
            let expected = expected.map(|slot| (epoch, Slot(slot)));
            assert_eq!(first_missing(&past, (Epoch::new(2), Slot(2))), expected, "{there:?}");
        };
        check(&[5], 2, None);
        check(&[7, 8], 2, None);
        check(&[4, 5], 2, None);
        check(&[5], 4, Some(1));
        // The last slot stays: a journal without any is lost.
        check(&[], 2, Some(1));
    }

    /// A slot that was trimmed, and written late by who had given up on it, is not where the range began.
    #[test]
    fn a_range_does_not_begin_at_a_slot_that_stands_alone_in_front() {
        let (epoch, from, to) = (Epoch::new(2), Slot(3), Slot(16));
        let check = |there: &[u64], expected: Option<u64>| {
            let there = slots(there.iter().copied());
            let mut past = [Stretch { epoch, from, to, there: &there }];
            begun(&mut past, Some(Epoch::new(1)));
            let expected = expected.map(|slot| (epoch, Slot(slot)));
            assert_eq!(first_missing(&past, (Epoch::NONE, Slot(0))), expected, "{there:?}");
        };
        check(&[3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], None);
        check(&[3, 4, 9, 14, 15], None);
        check(&[3, 16], None);
        check(&[3, 20], None);
        // A journal that ends too early has lost its end.
        check(&[4, 5, 6], Some(3));
    }

    #[test]
    fn i10_a_hole_behind_what_the_range_has_is_found() {
        let there = slots([3, 5, 6, 7]);
        let stretch = Stretch { epoch: Epoch::new(2), from: Slot(1), to: Slot(8), there: &there };
        let holes = [3, 5, 7, 8].map(|slot| stretch.hole_behind(Slot(slot)));
        assert_eq!(holes, [Some(Slot(4)), None, None, None]);
    }

    #[test]
    fn a_place_is_in_the_past_only_within_a_stretch() {
        let there = slots(1..=10);
        let (epoch, from, to) = (Epoch::new(2), Slot(3), Slot(10));
        let past = [Stretch { epoch, from, to, there: &there }];
        for (epoch, slot, expected) in [(2, 3, true), (2, 9, true), (2, 2, false), (2, 10, false)] {
            let at = (Epoch::new(epoch), Slot(slot));
            assert_eq!(is_in(&past, at), expected, "{at:?}");
        }
        assert!(!is_in(&past, (Epoch::new(1), Slot(5))));
    }
}
