//! Whether the journals reach back far enough: from where a range stands to its last commit, without a gap.

use proto::types::{Incarnation, Slot};

/// A slot of one of a node's lives. What came later is greater.
pub type At = (Incarnation, Slot);

/// A stretch of a journal that holds a part of a range's past, and which of its slots are there.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Whose journal it is.
    pub incarnation: Incarnation,
    /// The first slot.
    pub from: Slot,
    /// One past the last.
    pub to: Slot,
    /// The journal's slots that exist, ascending, each once; also those outside of the stretch.
    pub there: &'a [Slot],
}

/// The first slot from `from` on that a range's past has lost; `None` where all of it is there.
///
/// I10: a life writes slot n + 1 only after slot n, so what is not there has been there. Commit numbers
/// alone would not tell: after the last commit that is left, nothing follows that could show a gap.
#[must_use]
pub fn first_missing(past: &[Stretch<'_>], from: At) -> Option<At> {
    past.iter().filter_map(|stretch| stretch.first_missing(from)).min()
}

/// Whether `at` lies in the past that `stretches` make up: what claims another place is of another past.
#[must_use]
pub fn is_in(past: &[Stretch<'_>], (incarnation, slot): At) -> bool {
    let holds = |it: &Stretch<'_>| it.incarnation == incarnation && it.from <= slot && slot < it.to;
    past.iter().any(holds)
}

impl Stretch<'_> {
    fn first_missing(&self, (incarnation, slot): At) -> Option<At> {
        let first = match self.incarnation.cmp(&incarnation) {
            std::cmp::Ordering::Less => return None,
            std::cmp::Ordering::Equal => self.from.max(slot),
            std::cmp::Ordering::Greater => self.from,
        };
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
        (wanted < self.to).then_some((self.incarnation, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(numbers: impl IntoIterator<Item = u64>) -> Vec<Slot> {
        numbers.into_iter().map(Slot).collect()
    }

    /// Life 2 from slot 1 to 10, life 5 from slot 4 to 8; what is missing from `from` on.
    #[track_caller]
    fn check(there: [&[Slot]; 2], from: (u64, u64), expected: Option<(u64, u64)>) {
        let stretch = |life, from, to, there| Stretch {
            incarnation: Incarnation(life),
            from: Slot(from),
            to: Slot(to),
            there,
        };
        let past = [stretch(2, 1, 10, there[0]), stretch(5, 4, 8, there[1])];
        let at = |(life, slot): (u64, u64)| (Incarnation(life), Slot(slot));
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

    #[test]
    fn a_place_is_in_the_past_only_within_a_stretch() {
        let there = slots(1..=10);
        let (incarnation, from, to) = (Incarnation(2), Slot(3), Slot(10));
        let past = [Stretch { incarnation, from, to, there: &there }];
        for (life, slot, expected) in [(2, 3, true), (2, 9, true), (2, 2, false), (2, 10, false)] {
            assert_eq!(is_in(&past, (Incarnation(life), Slot(slot))), expected, "{life} {slot}");
        }
        assert!(!is_in(&past, (Incarnation(1), Slot(5))));
    }
}
