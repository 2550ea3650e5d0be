//! How far a node has come, as its metrics say.

use anyhow::{Context as _, ensure};

use crate::http::get;

/// How far a node has come, by its metrics.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Records consumed.
    pub consumed: u64,
    /// Transactions that wait for a leg.
    pub open: u64,
    /// Bytes of results that wait for the sink.
    pub waiting_bytes: u64,
    /// Bytes of open transactions in memory, and of what has to stay there.
    pub held_bytes: u64,
    /// What these should be at most.
    pub held_limit_bytes: u64,
    /// Ranges that it serves.
    pub serving: u64,
    /// Dead letters.
    pub dead: u64,
    /// Records lost or counted twice, over all topics.
    pub imbalance: u64,
    /// Legs whose delay was measured.
    pub measured_legs: u64,
    /// Results whose latency was measured.
    pub measured_results: u64,
}

impl Standing {
    /// Reads the metrics of the node that serves them at `port`.
    ///
    /// # Errors
    ///
    /// Where it does not answer, or not with these metrics.
    pub async fn read(port: u16) -> anyhow::Result<Self> {
        let text = get(port, "/metrics").await?;
        Ok(Self {
            consumed: sum(&text, "throughline_records_consumed_total")?,
            open: sum(&text, "throughline_open_transactions")?,
            waiting_bytes: sum(&text, "throughline_results_waiting_bytes")?,
            held_bytes: sum(&text, "throughline_held_bytes")?,
            held_limit_bytes: sum(&text, "throughline_held_limit_bytes")?,
            serving: sum(&text, "throughline_ranges{state=\"serving\"}")?,
            dead: sum(&text, "throughline_dead_letters_total")?,
            imbalance: sum(&text, "throughline_ledger_imbalance_records")?,
            measured_legs: sum(&text, "throughline_delivery_delay_seconds_count")?,
            measured_results: sum(&text, "throughline_emit_latency_seconds_count")?,
        })
    }

    /// Two nodes' standings together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            consumed: self.consumed + other.consumed,
            open: self.open + other.open,
            waiting_bytes: self.waiting_bytes + other.waiting_bytes,
            held_bytes: self.held_bytes + other.held_bytes,
            held_limit_bytes: self.held_limit_bytes + other.held_limit_bytes,
            serving: self.serving + other.serving,
            dead: self.dead + other.dead,
            imbalance: self.imbalance + other.imbalance,
            measured_legs: self.measured_legs + other.measured_legs,
            measured_results: self.measured_results + other.measured_results,
        }
    }

    /// Whether `records` were consumed and nothing is under way.
    #[must_use]
    pub const fn is_through(&self, records: u64) -> bool {
        self.consumed == records && self.open == 0 && self.waiting_bytes == 0
    }
}

/// The sum of a family's samples, or of one with its labels, without their signs.
fn sum(text: &str, family: &str) -> anyhow::Result<u64> {
    let mut values = Vec::new();
    for line in text.lines() {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        if series == family || series.split('{').next() == Some(family) {
            values.push(value.trim_start_matches('-').parse::<u64>().context("read a metric")?);
        }
    }
    ensure!(!values.is_empty(), "{family} is not among the metrics");
    Ok(values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_added_up_and_not_mistaken_for_one_that_begins_alike() {
        let text = "# TYPE a gauge\na{x=\"1\"} 3\na{x=\"2\"} -4\nab 100\n";
        assert_eq!(sum(text, "a").unwrap(), 7);
        assert!(sum(text, "b").is_err());
    }
}
