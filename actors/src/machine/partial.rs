//! Partials: a range's share of each cell, folded as transactions complete, cumulative and mergeable.

mod cell;
pub mod layout;
mod table;
#[cfg(test)]
mod tests;

pub use self::cell::{CellKey, Contribution, MAX_VALUE_BYTES, OTHER, window_start};
pub use self::table::{Added, Beyond, Partials, keys_before};

use super::sketch::varint::{self, Reader};
use super::sketch::{MAX_COUNT, Malformed, Quantile, Sketch};

/// The format of a row's value. Another is refused (I14).
const FORMAT: u8 = 1;

/// The most populations of a scenario: a bit each in a contribution.
const MAX_POPULATIONS: usize = 64;

/// What was folded of one cell: by one range, or, merged, by several. Never empty in a row.
///
/// Folding and merging are sums, least and greatest, so any order and grouping gives the same partial,
/// bit for bit (I8). All figures but [`Partial::min_ms`] only grow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partial {
    /// Transactions of each population, up to the last that has any.
    populations: Vec<u64>,
    count: u64,
    sum_ms: u64,
    min_ms: u64,
    max_ms: u64,
    sketch: Sketch,
}

/// A cell's row in [`Table::Partials`](crate::store::Table::Partials), in the journal and in reports.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Row {
    /// [`CellKey::encode`].
    pub key: Vec<u8>,
    /// [`Partial::encode`]: the whole share, not what changed.
    pub value: Vec<u8>,
}

impl Row {
    /// The cell and the share of it.
    ///
    /// # Errors
    ///
    /// [`Malformed`], where either is not what it should be.
    pub fn decode(&self) -> Result<(CellKey, Partial), Malformed> {
        Ok((CellKey::decode(&self.key)?, Partial::decode(&self.value)?))
    }
}

impl Default for Partial {
    fn default() -> Self {
        let (populations, sketch) = (Vec::new(), Sketch::default());
        Self { populations, count: 0, sum_ms: 0, min_ms: u64::MAX, max_ms: 0, sketch }
    }
}

impl Partial {
    /// Counts one transaction.
    pub fn add(&mut self, populations: u64, duration_ms: u64) {
        let mut rest = populations;
        while rest != 0 {
            let place = rest.trailing_zeros() as usize;
            if place >= self.populations.len() {
                self.populations.resize(place + 1, 0);
            }
            self.populations[place] += 1;
            rest &= rest - 1;
        }
        self.count += 1;
        // Saturating sums are still the same in any order; only a broken clock comes near 2^64 ms.
        self.sum_ms = self.sum_ms.saturating_add(duration_ms);
        self.min_ms = self.min_ms.min(duration_ms);
        self.max_ms = self.max_ms.max(duration_ms);
        self.sketch.add(duration_ms);
    }

    /// Counts everything that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        if other.populations.len() > self.populations.len() {
            self.populations.resize(other.populations.len(), 0);
        }
        for (ours, theirs) in self.populations.iter_mut().zip(&other.populations) {
            *ours = ours.saturating_add(*theirs);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.min_ms = self.min_ms.min(other.min_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        self.sketch.merge(&other.sketch);
    }

    /// How many transactions were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many of them belong to the population with that bit.
    #[must_use]
    pub fn population(&self, bit: u8) -> u64 {
        self.populations.get(usize::from(bit)).copied().unwrap_or(0)
    }

    /// All their durations together.
    #[must_use]
    pub const fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    /// The shortest; `None` where nothing was counted.
    #[must_use]
    pub fn min_ms(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min_ms)
    }

    /// The longest; `None` where nothing was counted.
    #[must_use]
    pub fn max_ms(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max_ms)
    }

    /// The duration at `quantile`, at most 1 % off; `None` where nothing was counted.
    #[must_use]
    pub fn quantile(&self, quantile: Quantile) -> Option<u64> {
        self.sketch.quantile(quantile).map(|value| value.clamp(self.min_ms, self.max_ms))
    }

    /// Bytes of memory that it holds, itself included.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.populations.capacity() * 8 + self.sketch.heap_bytes()
    }

    /// Makes ready for [`Partial::encode`], which needs less time then.
    pub fn settle(&mut self) {
        self.sketch.settle();
    }

    /// The value of the cell's row: format, sum, least, greatest, populations, sketch. The count is the
    /// sketch's, so the two cannot disagree.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(FORMAT);
        for number in [self.sum_ms, self.min_ms, self.max_ms, self.populations.len() as u64] {
            varint::put(&mut bytes, number);
        }
        for &population in &self.populations {
            varint::put(&mut bytes, population);
        }
        self.sketch.encode(&mut bytes);
        bytes
    }

    /// The partial whose row has this value.
    ///
    /// # Errors
    ///
    /// [`Malformed`], where no partial has these bytes, or their format is not known.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        if reader.byte()? != FORMAT {
            return Err(Malformed("its format is not known to this version"));
        }
        let (sum_ms, min_ms, max_ms) = (reader.number()?, reader.number()?, reader.number()?);
        let populations = populations(&mut reader)?;
        let sketch = Sketch::decode(&mut reader)?;
        reader.end()?;
        let count = sketch.count();
        let partial = Self { populations, count, sum_ms, min_ms, max_ms, sketch };
        partial.check()?;
        Ok(partial)
    }

    /// Refuses figures that no fold can have given. Sums of as many partials as there are ranges stay
    /// far from the end of 64 bits.
    fn check(&self) -> Result<(), Malformed> {
        let is_possible = (1..=MAX_COUNT).contains(&self.count)
            && self.min_ms <= self.max_ms
            && self.max_ms <= self.sum_ms
            && self.populations.iter().all(|&it| it <= self.count)
            && self.populations.last() != Some(&0);
        if is_possible { Ok(()) } else { Err(Malformed("its figures contradict each other")) }
    }
}

fn populations(reader: &mut Reader<'_>) -> Result<Vec<u64>, Malformed> {
    let len = usize::try_from(reader.number()?).ok().filter(|&len| len <= MAX_POPULATIONS);
    let len = len.ok_or(Malformed("it has more than 64 populations"))?;
    (0..len).map(|_| reader.number()).collect()
}
