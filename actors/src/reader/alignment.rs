//! Keeps source partitions together in record time: three topics drain at different speeds, and without
//! this the open set explodes.

use std::sync::atomic::{AtomicU64, Ordering};

use proto::types::{PartitionIndex, RecordTime};

/// What a partition says that holds nobody back.
const RELEASED: u64 = u64::MAX;

/// The record clocks of all partitions that are behind.
#[derive(Debug)]
pub struct Alignment {
    clocks: Vec<AtomicU64>,
    ahead_ms: u64,
}

impl Alignment {
    /// Partitions that start at `clocks` and may be `ahead_ms` ahead of the slowest.
    #[must_use]
    pub fn new(clocks: &[RecordTime], ahead_ms: u64) -> Self {
        Self { clocks: clocks.iter().map(|clock| AtomicU64::new(clock.0)).collect(), ahead_ms }
    }

    /// A partition has been read up to `clock`.
    pub fn set(&self, partition: PartitionIndex, clock: RecordTime) {
        if let Some(mine) = self.clocks.get(partition.index()) {
            mine.store(clock.0, Ordering::Relaxed);
        }
    }

    /// A partition has nothing more for now.
    pub fn release(&self, partition: PartitionIndex) {
        self.set(partition, RecordTime(RELEASED));
    }

    /// How far a partition may go: records beyond wait until the slowest has come closer.
    #[must_use]
    pub fn horizon(&self, partition: PartitionIndex) -> RecordTime {
        let others =
            self.clocks.iter().enumerate().filter(|(index, _)| *index != partition.index());
        let slowest =
            others.map(|(_, clock)| clock.load(Ordering::Relaxed)).min().unwrap_or(RELEASED);
        RecordTime(slowest.saturating_add(self.ahead_ms))
    }

    /// Whether a partition whose clock is `clock` may go on.
    #[must_use]
    pub fn allows(&self, partition: PartitionIndex, clock: RecordTime) -> bool {
        clock <= self.horizon(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: PartitionIndex = PartitionIndex(0);
    const SLOW: PartitionIndex = PartitionIndex(1);

    #[test]
    fn who_is_too_far_ahead_of_the_slowest_waits_and_the_slowest_never_does() {
        let alignment = Alignment::new(&[RecordTime(0), RecordTime(0)], 100);
        assert!(alignment.allows(FAST, RecordTime(100)));
        assert!(!alignment.allows(FAST, RecordTime(101)));
        alignment.set(FAST, RecordTime(101));
        assert!(alignment.allows(SLOW, RecordTime(0)));
        alignment.set(SLOW, RecordTime(50));
        assert!(alignment.allows(FAST, RecordTime(101)));
    }

    #[test]
    fn who_has_nothing_more_holds_nobody_back() {
        let alignment = Alignment::new(&[RecordTime(0), RecordTime(0)], 100);
        alignment.release(SLOW);
        assert!(alignment.allows(FAST, RecordTime(1_000_000)));
    }
}
