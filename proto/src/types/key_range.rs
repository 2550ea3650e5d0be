//! A piece of the key space.

use std::fmt;
use std::num::NonZeroU16;

/// A half-open, never empty interval of 64-bit key hashes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyRange {
    start: u64,
    /// One past the last hash; 0 stands for 2^64.
    end: u64,
}

impl KeyRange {
    /// Every key.
    pub const FULL: Self = Self { start: 0, end: 0 };

    /// The range `start..end`, or `None` where that would be empty. An `end` of 0 is 2^64.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if end == 0 || start < end { Some(Self { start, end }) } else { None }
    }

    /// `count` ranges of equal size (to one hash) that cover every key, in order.
    pub fn divide(count: NonZeroU16) -> impl Iterator<Item = Self> {
        (0..count.get()).map(move |index| Self::part(index, count))
    }

    /// The one at `index`, which must be below `count`, of those that [`Self::divide`] gives.
    #[must_use]
    pub fn part(index: u16, count: NonZeroU16) -> Self {
        // The last bound is 2^64, which is written as 0.
        let bound =
            |i: u32| u64::try_from((u128::from(i) << 64) / u128::from(count.get())).unwrap_or(0);
        Self { start: bound(index.into()), end: bound(u32::from(index) + 1) }
    }

    /// How many hashes lie in the range.
    #[must_use]
    pub const fn size(self) -> u128 {
        let end = if self.end == 0 { 1 << 64 } else { self.end as u128 };
        end - self.start as u128
    }

    /// The least hash in the range.
    #[must_use]
    pub const fn start(self) -> u64 {
        self.start
    }

    /// One past the greatest hash; 0 stands for 2^64.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.end
    }

    /// The two ranges on either side of `at`, which is the second's first; `None` where one would be
    /// empty.
    #[must_use]
    pub const fn split(self, at: u64) -> Option<(Self, Self)> {
        if at == self.start || !self.contains(at) {
            return None;
        }
        Some((Self { start: self.start, end: at }, Self { start: at, end: self.end }))
    }

    /// This range and the one that begins where it ends; `None` where `next` does not.
    #[must_use]
    pub const fn join(self, next: Self) -> Option<Self> {
        if self.end == 0 || self.end != next.start {
            return None;
        }
        Some(Self { start: self.start, end: next.end })
    }

    /// Whether some hash lies in both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.contains(other.start) || other.contains(self.start)
    }

    /// Whether `hash` lies in the range.
    #[must_use]
    pub const fn contains(self, hash: u64) -> bool {
        self.start <= hash && (self.end == 0 || hash < self.end)
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_division_covers_every_hash_once() {
        for count in [1, 2, 3, 16, 1000] {
            let ranges: Vec<_> = KeyRange::divide(NonZeroU16::new(count).unwrap()).collect();
            assert_eq!(ranges.len(), usize::from(count));
            assert_eq!(ranges[0].start(), 0);
            assert_eq!(ranges[ranges.len() - 1].end(), 0);
            assert!(ranges.windows(2).all(|pair| pair[0].end() == pair[1].start()));
            for hash in [0, 1, u64::MAX / 2, u64::MAX] {
                assert_eq!(ranges.iter().filter(|range| range.contains(hash)).count(), 1);
            }
        }
    }

    #[test]
    fn ranges_overlap_where_some_hash_is_in_both() {
        let range = |start, end| KeyRange::new(start, end).unwrap();
        for (one, other, expected) in [
            (range(0, 10), range(10, 20), false),
            (range(0, 11), range(10, 20), true),
            (range(5, 0), range(0, 5), false),
            (range(5, 0), range(9, 10), true),
            (KeyRange::FULL, range(9, 10), true),
        ] {
            assert_eq!(one.overlaps(other), expected, "{one} {other}");
            assert_eq!(other.overlaps(one), expected, "{other} {one}");
        }
    }

    #[test]
    fn what_is_split_joins_again_and_only_in_its_order() {
        let part = |start, end| KeyRange::new(start, end).unwrap();
        for whole in [KeyRange::FULL, part(5, 0), part(0, 50), part(5, 50)] {
            let (left, right) = whole.split(20).unwrap();
            assert!(left.contains(19) && !left.contains(20) && right.contains(20));
            assert_eq!(left.join(right), Some(whole));
            assert_eq!(right.join(left), None);
        }
        assert_eq!(part(5, 50).join(part(51, 60)), None);
        assert_eq!(part(5, 0).join(part(0, 5)), None);
        for at in [0, 4, 5, 50, 51, u64::MAX] {
            assert_eq!(part(5, 50).split(at), None);
        }
    }
}
