//! What a workload is a function of: how much, how fast, how late, and how much of it is odd.

use std::fmt;
use std::str::FromStr;

use anyhow::ensure;
use proto::types::Leg;
use serde::{Deserialize, Serialize};

use super::model::{LONGEST_ANSWER_MS, LONGEST_START_MS};
use super::refused;

/// A correction comes this long after its transaction's deadline, and up to [`JITTER_MS`] later: readers
/// are kept within 60 s of each other, so every range has passed the deadline by then.
pub const CORRECTION_GAP_MS: u64 = 200_000;

/// A contradicting copy comes this long after all legs of its transaction, and up to [`JITTER_MS`] later:
/// so the first one wins, however the readers interleave.
pub const CONFLICT_GAP_MS: u64 = 150_000;

/// By how much corrections and contradicting copies are spread.
pub const JITTER_MS: u64 = 30_000;

/// A part of a whole, in millionths. Written as `0.002` or `0.2%`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

impl Share {
    /// None of it.
    pub const NONE: Self = Self(0);
    /// All of it, in millionths.
    pub const WHOLE: u32 = 1_000_000;

    /// The share in millionths.
    #[must_use]
    pub fn millionths(self) -> u64 {
        u64::from(self.0)
    }

    /// That share of `count`, rounded down.
    #[must_use]
    pub fn of(self, count: u64) -> u64 {
        let part = u128::from(count) * u128::from(self.0) / u128::from(Self::WHOLE);
        u64::try_from(part).expect("a part is no more than the whole")
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` must be a share from 0 to 1, as 0.002 or 0.2%");
        let (number, digits) = match text.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 4),
            None => (text, 6),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.len() > digits || number.contains(['+', '-']) {
            return Err(refuse());
        }
        let padded = format!("{whole}{fraction:0<digits$}");
        let millionths: u32 = padded.parse().map_err(|_| refuse())?;
        if millionths > Self::WHOLE {
            return Err(refuse());
        }
        Ok(Self(millionths))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / f64::from(Self::WHOLE))
    }
}

/// Which part of the workload is odd.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oddities {
    /// Share of transactions of which exactly one record is never sent
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    pub missing: Share,
    /// Share of transactions of which one record is sent twice
    #[arg(long, value_name = "SHARE", default_value = "0.2%")]
    pub duplicates: Share,
    /// Share of transactions of which one record is sent again with other content
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub conflicts: Share,
    /// Share of transactions of which one record comes after the deadline, as a correction
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub late: Share,
    /// Records that cannot be understood, as a share of the number of transactions
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub malformed: Share,
}

impl Oddities {
    /// A workload in which nothing is odd.
    pub const NONE: Self = Self {
        missing: Share::NONE,
        duplicates: Share::NONE,
        conflicts: Share::NONE,
        late: Share::NONE,
        malformed: Share::NONE,
    };
}

/// What a workload is a function of.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params {
    /// How many transactions
    #[arg(long, value_name = "COUNT", default_value_t = 2_000_000)]
    pub transactions: u64,
    /// What all that looks random is drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    pub seed: u64,
    /// Transactions that begin in a second of event time
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub rate: u64,
    /// When the first transaction begins, in milliseconds since 1970
    #[arg(long = "t0", value_name = "MS", default_value_t = 1_760_000_000_000)]
    pub t0_ms: u64,
    /// How late a record comes at most, in seconds; cut to the end of the run
    #[arg(long = "max-delay", value_name = "SECONDS", default_value_t = 3_600)]
    pub max_delay_s: u64,
    /// The lateness that the engine is configured with, in seconds
    #[arg(long = "lateness", value_name = "SECONDS", default_value_t = 3_600)]
    pub lateness_s: u64,
    /// The skew between topics that the engine is configured with, in seconds
    #[arg(long = "skew", value_name = "SECONDS", default_value_t = 300)]
    pub skew_s: u64,
    /// How much later all responses come, in seconds: for as long every transaction stays open
    #[arg(long = "hold-back", value_name = "SECONDS", default_value_t = 0)]
    #[serde(default)]
    pub hold_back_s: u64,
    /// How many times sooner than usual all but the first record of a transaction comes
    #[arg(long = "hasten", value_name = "FACTOR", default_value_t = 1)]
    #[serde(default = "unhurried")]
    pub hasten: u64,
    /// Which part of it is odd.
    #[command(flatten)]
    pub oddities: Oddities,
}

/// What an expected outcome of a time says in which nothing could be hastened.
const fn unhurried() -> u64 {
    1
}

impl Params {
    /// The workload of the benchmark, with that many transactions: all defaults.
    #[must_use]
    pub const fn of(transactions: u64) -> Self {
        Self {
            transactions,
            seed: 7,
            rate: 20_000,
            t0_ms: 1_760_000_000_000,
            max_delay_s: 3_600,
            lateness_s: 3_600,
            skew_s: 300,
            hold_back_s: 0,
            hasten: 1,
            oddities: Oddities {
                missing: Share(10_000),
                duplicates: Share(2_000),
                ..Oddities::NONE
            },
        }
    }

    /// From the first leg to the deadline, on the record clock.
    #[must_use]
    pub const fn patience_ms(&self) -> u64 {
        (self.lateness_s + self.skew_s) * 1_000
    }

    /// A time of the ordinary workload, as it is in this one.
    #[must_use]
    pub const fn hastened(&self, ms: u64) -> u64 {
        ms / self.hasten
    }

    /// From a transaction's start to its response at most.
    #[must_use]
    pub const fn longest_ms(&self) -> u64 {
        LONGEST_START_MS + self.hastened(LONGEST_ANSWER_MS)
    }

    /// When transaction `index` begins. Rises with the index.
    #[must_use]
    pub const fn start_ms(&self, index: u64) -> u64 {
        self.t0_ms + index * 1_000 / self.rate
    }

    /// How much later a record of `leg` comes than it would by its delay.
    #[must_use]
    pub const fn held_back_ms(&self, leg: Leg) -> u64 {
        match leg {
            Leg::Trace | Leg::Request => 0,
            Leg::Response => self.hold_back_s * 1_000,
        }
    }

    /// When the last transaction has begun.
    #[must_use]
    pub const fn last_start_ms(&self) -> u64 {
        self.start_ms(self.transactions)
    }

    /// When stragglers come at the latest.
    #[must_use]
    pub const fn end_ms(&self) -> u64 {
        self.last_start_ms() + 5_000
    }

    /// How many records can't be understood.
    #[must_use]
    pub fn broken_count(&self) -> u64 {
        self.oddities.malformed.of(self.transactions)
    }

    /// Whether the outcome of this workload is the same, however topics of `partitions` partitions are read.
    ///
    /// # Errors
    ///
    /// Names the option that has to change, and how.
    pub fn check(&self, partitions: u32) -> anyhow::Result<()> {
        const LIMIT: u64 = 1 << 40;
        ensure!(self.transactions >= 1, refused("`--transactions` must be at least 1"));
        ensure!(
            (1..=1_000_000).contains(&self.rate),
            refused("`--rate` must be from 1 to 1000000")
        );
        ensure!(partitions >= 1, refused("`--partitions` must be at least 1"));
        ensure!((1..=100).contains(&self.hasten), refused("`--hasten` must be from 1 to 100"));
        let numbers = [self.transactions, self.t0_ms / 1_000, self.lateness_s, self.skew_s];
        let delays = [self.max_delay_s, self.hold_back_s];
        ensure!(
            numbers.iter().all(|&it| it < LIMIT) && delays.iter().all(|&it| it < 1_000_000),
            refused(
                "`--transactions`, `--t0`, `--lateness`, `--skew`, `--max-delay` or `--hold-back` is \
                 out of all proportion"
            )
        );
        let Oddities { missing, conflicts, late, .. } = self.oddities;
        ensure!(
            missing.0 + conflicts.0 + late.0 <= Share::WHOLE,
            refused(
                "`--missing`, `--conflicts` and `--late` must together be at most 1: a transaction \
                 is odd in one of these ways"
            )
        );
        self.check_delay()?;
        if late == Share::NONE { Ok(()) } else { self.check_late(partitions) }
    }

    fn check_delay(&self) -> anyhow::Result<()> {
        let run_ms = self.end_ms() - self.t0_ms;
        ensure!(
            (self.max_delay_s * 1_000).min(run_ms) + self.longest_ms() + self.hold_back_s * 1_000
                < self.patience_ms(),
            refused(format!(
                "`--max-delay` ({} s) plus `--hold-back` ({} s) plus the longest answer ({} s) must \
                 be under `--lateness` plus `--skew` ({} s): else transactions would expire that \
                 still become complete; lower `--max-delay` or raise `--lateness`",
                self.max_delay_s,
                self.hold_back_s,
                self.longest_ms().div_ceil(1_000),
                self.patience_ms() / 1_000
            ))
        );
        Ok(())
    }

    fn check_late(&self, partitions: u32) -> anyhow::Result<()> {
        let run_s = (self.last_start_ms() - self.t0_ms) / 1_000;
        let need_s = self.patience_ms() / 1_000 + 300_u64.div_ceil(self.hasten);
        ensure!(
            run_s >= need_s,
            refused(format!(
                "`--late` needs a run of at least {need_s} s of event time (lateness, skew, and what \
                 comes behind them), and this one has {run_s} s: use more `--transactions` or a lower `--rate`"
            ))
        );
        let need_rate = u64::from(partitions).div_ceil(3);
        ensure!(
            self.rate >= need_rate,
            refused(format!(
                "`--late` needs a `--rate` of at least {need_rate} with {partitions} partitions: \
                 the record clock must pass the deadline in every partition before the correction \
                 comes"
            ))
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_part_or_percent() {
        let cases =
            [("0", 0), ("1", 1_000_000), ("0.002", 2_000), ("0.2%", 2_000), ("100%", 1_000_000)];
        for (text, millionths) in cases {
            assert_eq!(text.parse::<Share>().unwrap().0, millionths, "{text}");
        }
        for text in ["", "1.1", "101%", "-0", "+1", ".", "a", "0.0000001", "1e-3"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(Share(2_000).to_string(), "0.002");
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Params), partitions: u32, names: &str) {
        let mut params = Params::of(100_000);
        change(&mut params);
        let error = params.check(partitions).unwrap_err().to_string();
        assert!(error.contains(names), "{error}");
    }

    #[test]
    fn a_workload_whose_outcome_would_depend_on_timing_is_refused() {
        Params::of(100_000).check(8).unwrap();
        refused(|it| it.rate = 0, 8, "`--rate`");
        refused(|it| it.transactions = 0, 8, "`--transactions`");
        refused(|_| {}, 0, "`--partitions`");
        let slow = |it: &mut Params| (it.max_delay_s, it.rate) = (3_840, 10);
        refused(slow, 8, "lower `--max-delay`");
        refused(|it| it.hold_back_s = 3_840, 8, "`--hold-back` (3840 s)");
        refused(|it| it.hold_back_s = 1_000_000, 8, "out of all proportion");
        refused(|it| it.hasten = 0, 8, "`--hasten`");
        let odd = |it: &mut Params| {
            (it.oddities.missing, it.oddities.late) = (Share(600_000), Share(600_000));
        };
        refused(odd, 8, "together be at most 1");
    }

    #[test]
    fn corrections_need_a_long_run_and_a_dense_one() {
        let late = |it: &mut Params| it.oddities.late = Share(10_000);
        refused(late, 8, "a run of at least 4200 s");
        let long = |it: &mut Params| {
            late(it);
            (it.rate, it.transactions) = (20, 100_000);
        };
        refused(long, 100, "a `--rate` of at least 34");
        let mut params = Params::of(0);
        long(&mut params);
        params.check(8).unwrap();
    }

    #[test]
    fn a_hastened_run_may_be_shorter_by_as_much() {
        let brisk = |it: &mut Params| {
            it.oddities.late = Share(10_000);
            (it.hasten, it.rate, it.max_delay_s) = (10, 2_000, 3);
            (it.lateness_s, it.skew_s) = (15, 5);
        };
        refused(
            |it| {
                brisk(it);
                it.transactions = 98_000
            },
            8,
            "a run of at least 50 s",
        );
        let mut params = Params::of(100_000);
        brisk(&mut params);
        params.check(8).unwrap();
        refused(
            |it| {
                brisk(it);
                it.hasten = 2
            },
            8,
            "lower `--max-delay`",
        );
    }
}
