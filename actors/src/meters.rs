//! What the actors of one node measure: how long legs and results travel, how the sink does, what waits.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use proto::types::Leg;

use crate::histogram::{Distribution, Histogram, JOURNEY, Tally, WORK};
use crate::sink::Row;

/// Why a sink is asked again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// A delivery failed.
    Delivery,
    /// The sink did not say what it has.
    Recovery,
}

impl Retry {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Delivery, Self::Recovery];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Recovery => "recovery",
        }
    }
}

/// Measures of one node, shared by its actors.
#[derive(Debug)]
pub struct Meters {
    emit: Histogram,
    delivery_delay: [Histogram; 3],
    sink: Histogram,
    retries: [AtomicU64; 2],
    rows: AtomicUsize,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            emit: Histogram::new(JOURNEY),
            delivery_delay: Leg::ALL.map(|_| Histogram::new(JOURNEY)),
            sink: Histogram::new(WORK),
            retries: Default::default(),
            rows: AtomicUsize::new(0),
        }
    }
}

/// What the measures show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// From the record time of the newest leg of a result to the sink's acknowledgement. Results that a
    /// deadline made, and rows that a restart read back from a journal, are not among them.
    pub emit: Distribution,
    /// From the time inside a leg to its arrival in the source, by leg: what `join.lateness` is chosen by.
    /// What is read again is counted again.
    pub delivery_delay: [(Leg, Distribution); 3],
    /// From the call that delivers rows to their acknowledgement; calls that failed are not among them.
    pub sink: Distribution,
    /// How often the sink failed and was asked again, by reason.
    pub retries: [(Retry, u64); 2],
    /// Committed rows that the sink has not acknowledged.
    pub rows: usize,
}

impl Meters {
    /// A reader has handed on legs of that kind.
    pub fn handed_on(&self, leg: Leg, delays: &mut Tally) {
        self.delivery_delay[leg.index()].add(delays);
    }

    /// The sink has acknowledged `rows` at `now_ms`, of one call that took so long.
    pub fn delivered(&self, rows: &[Row], now_ms: u64, took: Duration) {
        self.sink.observe(took);
        let mut tally = Tally::new(JOURNEY);
        for arrived in rows.iter().filter_map(|row| row.arrived) {
            // A record that is stamped in the future has waited for nothing.
            tally.count_ms(now_ms.saturating_sub(arrived.0));
        }
        self.emit.add(&mut tally);
    }

    /// The sink failed and will be asked again.
    pub fn retried(&self, reason: Retry) {
        self.retries[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Committed rows are on their way to the publisher.
    pub fn rows_wait(&self, rows: usize) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// The sink has these rows.
    pub fn rows_gone(&self, rows: usize) {
        self.rows.fetch_sub(rows, Ordering::Relaxed);
    }

    /// What the measures show now.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown {
            emit: self.emit.shown(),
            delivery_delay: Leg::ALL.map(|leg| (leg, self.delivery_delay[leg.index()].shown())),
            sink: self.sink.shown(),
            retries: Retry::ALL
                .map(|reason| (reason, self.retries[reason as usize].load(Ordering::Relaxed))),
            rows: self.rows.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::types::{Epoch, RangeId, RecordTime, Sequence, Version};

    use super::*;
    use crate::sink::{Outlet, Stamp};

    fn row(arrived: Option<u64>) -> Row {
        let (range, epoch) = (RangeId(1), Epoch::NONE.next());
        let stamp = Stamp { range, epoch, sequence: Sequence(1), version: Version(1) };
        let (key, payload) = ("key".into(), "payload".into());
        let arrived = arrived.map(RecordTime);
        Row { outlet: Outlet::Transactions, stamp, key, payload, headers: vec![], arrived }
    }

    #[test]
    fn a_row_is_measured_from_the_leg_that_made_it_possible_if_one_did() {
        let meters = Meters::default();
        let rows = [row(Some(1_000)), row(None), row(Some(990)), row(Some(2_000))];
        meters.delivered(&rows, 1_020, Duration::from_millis(3));
        let shown = meters.shown();
        // 20 ms, 30 ms, and one that is stamped in the future.
        assert_eq!((shown.emit.count(), shown.emit.sum_us), (3, 50_000));
        assert_eq!(shown.emit.counts[..4], [1, 0, 1, 1]);
        assert_eq!((shown.sink.count(), shown.sink.sum_us), (1, 3_000));
    }

    #[test]
    fn each_leg_and_each_reason_has_its_own_count() {
        let meters = Meters::default();
        for (leg, ms) in [(Leg::Trace, 7), (Leg::Response, 90)] {
            let mut tally = Tally::new(JOURNEY);
            tally.count_ms(ms);
            meters.handed_on(leg, &mut tally);
        }
        meters.retried(Retry::Recovery);
        let shown = meters.shown();
        let sums = shown.delivery_delay.map(|(leg, it)| (leg, it.sum_us));
        assert_eq!(sums, [(Leg::Trace, 7_000), (Leg::Request, 0), (Leg::Response, 90_000)]);
        assert_eq!(shown.retries, [(Retry::Delivery, 0), (Retry::Recovery, 1)]);
    }
}
