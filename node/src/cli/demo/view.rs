//! What the live view knows: the newest reading, and the last two minutes of what moves.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use proto::types::RangeId;

use super::poll::Reading;
use crate::api::backend::Pulse;
use crate::cli::{Down, format};

/// How many readings the small curves show.
const HISTORY: usize = 120;

/// The state of the picture: fed with readings, shown by [`super::screen`] and [`super::lines`].
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) api: SocketAddr,
    pub(super) metrics: SocketAddr,
    /// Since the demo began.
    pub(super) elapsed: Duration,
    pub(super) is_paused: bool,
    /// `None` until the first answer.
    pub(super) reading: Option<Reading>,
    /// Why the last attempt to read failed; the picture before it stays.
    pub(super) trouble: Option<String>,
    /// Transactions a second, open ones and lag, oldest first.
    pub(super) rates: History,
    pub(super) open: History,
    pub(super) lags_ms: History,
    /// Bytes a second between the last two readings.
    pub(super) bytes_per_second: u64,
    /// The nodes that were killed and are not back.
    pub(super) down: Vec<Down>,
    /// Of each range that was ever read the last result, and how many transactions were open.
    known: BTreeMap<RangeId, (u64, u64)>,
}

/// The last values of something.
#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<u64>);

impl History {
    fn push(&mut self, value: u64) {
        if self.0.len() == HISTORY {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.0.back().copied()
    }

    /// The newest `count` values, oldest first.
    pub(super) fn newest(&self, count: usize) -> Vec<u64> {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied().collect()
    }
}

impl View {
    pub(super) fn new(api: SocketAddr, metrics: SocketAddr) -> Self {
        Self {
            api,
            metrics,
            elapsed: Duration::ZERO,
            is_paused: false,
            reading: None,
            trouble: None,
            rates: History::default(),
            open: History::default(),
            lags_ms: History::default(),
            bytes_per_second: 0,
            down: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// Takes the reading made `at` after the demo began.
    pub(super) fn take(&mut self, at: Duration, mut reading: Reading) {
        let span = at.saturating_sub(self.elapsed);
        if reading.overview.nodes.len() > 1 {
            self.complete(&mut reading);
        }
        if let Some(before) = &self.reading {
            let (before, now) = (&before.pulse, &reading.pulse);
            self.rates.push(per_second(transactions(before), transactions(now), span));
            self.bytes_per_second = per_second(before.bytes, now.bytes, span);
        }
        self.open.push(reading.pulse.open);
        self.lags_ms.push(reading.as_of.lag_ms);
        self.elapsed = at;
        self.trouble = None;
        self.reading = Some(reading);
    }

    /// Of several nodes some may be silent: of their ranges what was read last stays. A range's sequence outlives its
    /// owner, unlike the counters, and generated traffic has no rows but results.
    fn complete(&mut self, reading: &mut Reading) {
        for range in reading.ranges.iter().filter(|range| !range.state.is_missing()) {
            self.known.insert(range.id, (range.sequence.0, range.open));
        }
        let pulse = &mut reading.pulse;
        let results: u64 = self.known.values().map(|(sequence, _)| sequence).sum();
        pulse.complete = results.saturating_sub(pulse.incomplete + pulse.corrected);
        pulse.open = self.known.values().map(|(_, open)| open).sum();
    }

    /// Notes that no reading could be had.
    pub(super) fn miss(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// What stays on the screen when the demo has ended.
    pub(super) fn farewell(&self) -> String {
        let Some(reading) = &self.reading else {
            return "Stopped before there was anything to tell.".to_owned();
        };
        let (pulse, total) = (&reading.pulse, reading.ledger.total());
        let verdict = match reading.ledger.is_balanced() {
            true => "every one of them accounted for ✓".to_owned(),
            false => format!("{} of them unaccounted for ■", format::thousands(total.imbalance())),
        };
        format!(
            "{}  {} transactions: {} joined, {} incomplete, {} open. {} records read, {verdict}",
            clock(self.elapsed),
            format::thousands(transactions(pulse)),
            format::thousands(pulse.complete),
            format::thousands(pulse.incomplete),
            format::thousands(pulse.open),
            format::thousands(total.consumed),
        )
    }
}

/// Every transaction that has been seen: with a result, or open.
pub(super) fn transactions(pulse: &Pulse) -> u64 {
    pulse.complete + pulse.incomplete + pulse.open
}

/// `01:02`, and `1:00:00` from an hour on.
pub(super) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        return format!("{hours}:{minutes:02}:{seconds:02}");
    }
    format!("{minutes:02}:{seconds:02}")
}

fn per_second(before: u64, now: u64, span: Duration) -> u64 {
    let (rise, ms) = (u128::from(now.saturating_sub(before)), span.as_millis());
    (rise * 1000).checked_div(ms).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_was_added_over_the_time_it_took() {
        assert_eq!(per_second(0, 2000, Duration::from_secs(1)), 2000);
        assert_eq!(per_second(1000, 4000, Duration::from_millis(1500)), 2000);
        assert_eq!(per_second(5, 4, Duration::from_secs(1)), 0);
        assert_eq!(per_second(0, 9, Duration::ZERO), 0);
    }

    #[test]
    fn a_history_forgets_the_oldest() {
        let mut history = History::default();
        (0..200).for_each(|value| history.push(value));
        assert_eq!(history.newest(usize::MAX).len(), HISTORY);
        assert_eq!(history.newest(3), [197, 198, 199]);
        assert_eq!(history.last(), Some(199));
    }

    #[test]
    fn the_clock_shows_hours_only_when_there_are_any() {
        assert_eq!(clock(Duration::from_millis(12_900)), "00:12");
        assert_eq!(clock(Duration::from_secs(3599)), "59:59");
        assert_eq!(clock(Duration::from_secs(3600)), "1:00:00");
    }
}
