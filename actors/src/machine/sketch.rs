//! A sketch of durations: quantiles within 1 %, mergeable in any order, integers only.

mod bounds;
#[cfg(test)]
mod tests;
pub(crate) mod varint;

use std::borrow::Cow;
use std::fmt;

use self::bounds::{BUCKETS, index_of, value_of};
use self::varint::Reader;

/// Bits of a packed bucket that hold its count; the 11 above hold its index.
const COUNT_BITS: u32 = 53;

/// The greatest count of a bucket, where it stays: 300 billion a day for 80 years.
pub(crate) const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;

/// How often which duration occurred: `DDSketch` (Masson, Rim, Lee, VLDB 2019) with relative error 0.01.
///
/// Its state is counts of buckets with fixed integer bounds, so the sum of sketches is the sketch of all
/// values, bit for bit, in whatever order they are added and merged and on whatever machine (I8). There are
/// 2,048 buckets from 0 to the greatest `u64`, so it is bounded without ever collapsing any (I13).
///
/// The newest values are only noted beside the buckets and counted a few at a time: with thousands of cells
/// nearly every look into the buckets of one would have to wait for memory.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// Buckets that have a count, each packed as `index << 53 | count`, ascending.
    buckets: Vec<u64>,
    /// The buckets of values that are not counted in `buckets` yet.
    noted: [u16; NOTED],
    /// How many of `noted` there are.
    noted_len: u8,
}

/// Values that are noted before they are counted: what fits into half a cache line.
const NOTED: usize = 15;

/// Bytes that are not what they should be. Nothing of them is used (I11).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("read partial: {0}")]
pub struct Malformed(pub &'static str);

/// A share of all values, in thousandths: the median is 500.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Quantile(u16);

impl Quantile {
    /// The quantile below which `per_mille` thousandths lie; `None` above 1,000.
    #[must_use]
    pub const fn new(per_mille: u16) -> Option<Self> {
        if per_mille <= 1_000 { Some(Self(per_mille)) } else { None }
    }

    /// The place of this quantile's value among `count` values in order, from 0.
    #[must_use]
    pub fn rank(self, count: u64) -> u64 {
        let rank = u128::from(count.saturating_sub(1)) * u128::from(self.0) / 1_000;
        u64::try_from(rank).expect("a rank is below the count")
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0 / 10)?;
        if self.0.is_multiple_of(10) { Ok(()) } else { write!(f, ".{}", self.0 % 10) }
    }
}

impl Sketch {
    /// Counts `value` once.
    pub fn add(&mut self, value: u64) {
        if usize::from(self.noted_len) == NOTED {
            self.settle();
        }
        let index = u16::try_from(index_of(value)).expect("there are 2,048 buckets");
        self.noted[usize::from(self.noted_len)] = index;
        self.noted_len += 1;
    }

    /// Counts what is only noted. Changes nothing that can be seen.
    pub fn settle(&mut self) {
        for at in 0..usize::from(std::mem::take(&mut self.noted_len)) {
            self.count_one(usize::from(self.noted[at]));
        }
    }

    fn settled(&self) -> Cow<'_, [u64]> {
        if self.noted_len == 0 {
            return Cow::Borrowed(&self.buckets);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled.buckets)
    }

    fn count_one(&mut self, index: usize) {
        let place = self.buckets.partition_point(|&bucket| index_in(bucket) < index);
        match self.buckets.get_mut(place) {
            Some(bucket) if index_in(*bucket) == index => *bucket = grown(*bucket, 1),
            Some(_) | None => self.buckets.insert(place, packed(index, 1)),
        }
    }

    /// Counts everything that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.settle();
        let other = other.settled();
        let mut merged = Vec::with_capacity(self.buckets.len().max(other.len()));
        let mut theirs = other.iter().copied().peekable();
        for &ours in &self.buckets {
            while let Some(less) = theirs.next_if(|&it| index_in(it) < index_in(ours)) {
                merged.push(less);
            }
            let same = theirs.next_if(|&it| index_in(it) == index_in(ours));
            merged.push(same.map_or(ours, |it| grown(ours, count_in(it))));
        }
        merged.extend(theirs);
        self.buckets = merged;
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let noted = u64::from(self.noted_len);
        self.buckets.iter().fold(noted, |sum, &bucket| sum.saturating_add(count_in(bucket)))
    }

    /// The value at `quantile`, at most 1 % off; `None` where nothing was counted.
    #[must_use]
    pub fn quantile(&self, quantile: Quantile) -> Option<u64> {
        let rank = quantile.rank(self.count());
        let mut below = 0_u64;
        for &bucket in &*self.settled() {
            below = below.saturating_add(count_in(bucket));
            if rank < below {
                return Some(value_of(index_in(bucket)));
            }
        }
        None
    }

    /// Bytes of memory that it holds on the heap.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<u64>()
    }

    /// Appends its bytes: how many buckets, then of each the distance from the one before and the count.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let buckets = self.settled();
        varint::put(out, buckets.len() as u64);
        let mut next = 0;
        for &bucket in &*buckets {
            let index = index_in(bucket);
            varint::put(out, (index - next) as u64);
            varint::put(out, count_in(bucket));
            next = index + 1;
        }
    }

    /// The sketch whose bytes come next.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = usize::try_from(reader.number()?).ok().filter(|&len| len <= BUCKETS);
        let len = len.ok_or(Malformed("it has more than 2,048 buckets"))?;
        // Each bucket takes two bytes at least: what is announced but not there reserves no memory.
        let mut buckets = Vec::with_capacity(len.min(reader.0.len() / 2));
        let mut next = 0;
        for _ in 0..len {
            let distance = usize::try_from(reader.number()?).ok().filter(|&it| it < BUCKETS - next);
            let index = next + distance.ok_or(Malformed("a bucket lies beyond the last"))?;
            let count = reader.number()?;
            if count == 0 || count > MAX_COUNT {
                return Err(Malformed("a bucket's count is out of bounds"));
            }
            buckets.push(packed(index, count));
            next = index + 1;
        }
        Ok(Self { buckets, ..Self::default() })
    }
}

impl PartialEq for Sketch {
    fn eq(&self, other: &Self) -> bool {
        self.settled() == other.settled()
    }
}

impl Eq for Sketch {}

const fn packed(index: usize, count: u64) -> u64 {
    (index as u64) << COUNT_BITS | count
}

const fn index_in(bucket: u64) -> usize {
    (bucket >> COUNT_BITS) as usize
}

const fn count_in(bucket: u64) -> u64 {
    bucket & MAX_COUNT
}

fn grown(bucket: u64, by: u64) -> u64 {
    bucket + by.min(MAX_COUNT - count_in(bucket))
}
