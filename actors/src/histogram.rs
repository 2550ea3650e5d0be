//! How durations are spread over fixed buckets: counted with an atomic add, read without stopping anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of buckets in microseconds, rising, each of them included.
pub type Bounds = &'static [u64];

/// For what has waited or travelled: 5 ms to an hour.
pub const JOURNEY: Bounds = &[
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
];

/// For a piece of work: 1 ms to a minute.
pub const WORK: Bounds = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Durations by bucket, for many writers at once.
#[derive(Debug)]
pub struct Histogram {
    bounds: Bounds,
    /// One a bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_us: AtomicU64::new(0) }
    }

    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(self.bounds, us)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Adds what `tally` has counted, and empties it.
    ///
    /// # Panics
    ///
    /// Where it counts by other bounds.
    pub fn add(&self, tally: &mut Tally) {
        assert_eq!(self.bounds, tally.bounds, "a tally is added to what it was made for");
        if tally.sum_us == 0 && tally.counts.iter().all(|count| *count == 0) {
            return;
        }
        for (total, count) in self.counts.iter().zip(&mut tally.counts) {
            let count = std::mem::take(count);
            if count > 0 {
                total.fetch_add(count, Ordering::Relaxed);
            }
        }
        self.sum_us.fetch_add(std::mem::take(&mut tally.sum_us), Ordering::Relaxed);
    }

    /// What was counted up to now. Counts and sum are read one after the other: where somebody counts
    /// meanwhile the sum may be ahead of the counts, or behind them.
    #[must_use]
    pub fn shown(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Distribution { bounds: self.bounds, counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

/// Durations by bucket that one actor has counted and not yet shared: no atomics for each of a batch.
#[derive(Debug)]
pub struct Tally {
    bounds: Bounds,
    counts: Vec<u64>,
    sum_us: u64,
}

impl Tally {
    /// An empty one, for a [`Histogram`] of the same bounds.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum_us: 0 }
    }

    /// Counts one.
    pub fn count_ms(&mut self, ms: u64) {
        let us = ms.saturating_mul(1_000);
        self.counts[bucket(self.bounds, us)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }
}

/// What a histogram has counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Distribution {
    /// The buckets' upper ends, in microseconds.
    pub bounds: Bounds,
    /// How many fell into each bucket alone, and, last, beyond them all.
    pub counts: Vec<u64>,
    /// The sum of all of them, in microseconds.
    pub sum_us: u64,
}

impl Distribution {
    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

fn bucket(bounds: Bounds, us: u64) -> usize {
    bounds.partition_point(|&bound| bound < us)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = &[1_000, 5_000];

    fn check(us: &[u64], counts: &[u64], sum_us: u64) {
        let histogram = Histogram::new(BOUNDS);
        us.iter().for_each(|us| histogram.observe(Duration::from_micros(*us)));
        assert_eq!(
            histogram.shown(),
            Distribution { bounds: BOUNDS, counts: counts.to_vec(), sum_us }
        );
    }

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_whose_end_it_does_not_exceed() {
        check(&[], &[0, 0, 0], 0);
        check(&[0, 999, 1_000], &[3, 0, 0], 1_999);
        check(&[1_001, 5_000], &[0, 2, 0], 6_001);
        check(&[5_001, 9_000_000], &[0, 0, 2], 9_005_001);
    }

    #[test]
    fn a_tally_is_added_once_and_is_empty_then() {
        let histogram = Histogram::new(BOUNDS);
        let mut tally = Tally::new(BOUNDS);
        [0, 1, 4, 77].into_iter().for_each(|ms| tally.count_ms(ms));
        histogram.add(&mut tally);
        histogram.add(&mut tally);
        let shown = histogram.shown();
        assert_eq!((shown.counts, shown.sum_us), (vec![2, 1, 1], 82_000));
    }

    #[test]
    fn no_duration_is_too_long_to_be_counted() {
        let mut tally = Tally::new(BOUNDS);
        tally.count_ms(u64::MAX);
        tally.count_ms(u64::MAX);
        let histogram = Histogram::new(BOUNDS);
        histogram.add(&mut tally);
        histogram.observe(Duration::MAX);
        assert_eq!(histogram.shown().count(), 3);
    }

    #[test]
    fn bounds_rise() {
        for bounds in [JOURNEY, WORK] {
            assert!(bounds.is_sorted_by(|one, next| one < next), "{bounds:?}");
        }
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let histogram = Histogram::new(WORK);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..10_000).for_each(|us| histogram.observe(Duration::from_micros(us)));
                });
            }
        });
        let shown = histogram.shown();
        assert_eq!((shown.count(), shown.sum_us), (40_000, 4 * 49_995_000));
        assert_eq!(shown.counts[0], 4 * 1_001);
    }
}
