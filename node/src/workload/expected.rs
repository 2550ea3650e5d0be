//! What must come of a workload: counts, and every cell of the indicator table, computed the obvious way.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use proto::types::Leg;
use serde::{Deserialize, Serialize};

use super::broken;
use super::model::{MODEL_VERSION, Model};
use super::names::{APPROVED, SUCCESS};
use super::params::Params;
use super::refused;
use super::transaction::{Fate, Transaction, channel};

/// The window of the indicators.
pub const WINDOW_MS: u64 = 60_000;

/// The dimensions of the indicators.
pub const DIMENSIONS: [&str; 3] = ["channel", "institution", "product"];

/// The exact outcome of a workload. What each transaction's result must say is not in it: the
/// parameters tell.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    /// Of which model the parameters are.
    pub model: u32,
    /// What the topics are called before the dot.
    pub topic_prefix: String,
    /// What the workload is a function of.
    pub parameters: Params,
    /// How many records each topic has, by leg.
    pub records: BTreeMap<String, u64>,
    /// How many results there must be.
    pub results: Results,
    /// How many results lack each leg; a corrected one is counted with what it lacked before.
    pub missing: BTreeMap<String, u64>,
    /// Records that say what an earlier one said. They leave no trace in the results.
    pub duplicates: u64,
    /// Records that contradict an earlier one.
    pub conflicts: u64,
    /// Records that can't be understood, by error class.
    pub dead_letters: BTreeMap<String, u64>,
    /// The whole indicator table, in order of window, dimension and value.
    pub indicators: Vec<(Place, Cell)>,
}

/// How many results of each state there must be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Results {
    /// Complete at once.
    pub complete: u64,
    /// Incomplete at the deadline, whether corrected later or not.
    pub incomplete: u64,
    /// Complete after the deadline.
    pub corrected: u64,
}

/// Where a cell stands in the table.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// When the window begins, in milliseconds since 1970.
    pub start: u64,
    /// One of [`DIMENSIONS`].
    pub dimension: String,
    /// The value of the dimension.
    pub value: String,
}

/// The figures of a cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cell {
    /// Complete transactions.
    pub count: u64,
    /// Those whose result code is a success.
    pub success: u64,
    /// Those that were approved.
    pub approved: u64,
    /// All durations together.
    pub sum_ms: u64,
    /// The shortest duration.
    pub min_ms: u64,
    /// The longest duration.
    pub max_ms: u64,
    /// The median: between these two, both included, by whichever of the usual definitions of a rank.
    pub p50_ms: (u64, u64),
    /// The 95th percentile, likewise.
    pub p95_ms: (u64, u64),
}

impl Expected {
    /// The outcome of the workload of `model`.
    #[must_use]
    pub fn of(model: &Model, topic_prefix: &str) -> Self {
        let none = || Leg::ALL.map(|leg| (leg.name().to_owned(), 0)).into();
        let mut expected = Self {
            model: MODEL_VERSION,
            topic_prefix: topic_prefix.to_owned(),
            parameters: *model.params(),
            records: none(),
            results: Results::default(),
            missing: none(),
            duplicates: 0,
            conflicts: 0,
            dead_letters: BTreeMap::new(),
            indicators: Vec::new(),
        };
        let mut window = Window::default();
        for index in 0..model.params().transactions {
            let transaction = model.transaction(index);
            expected.count(&transaction);
            let start = transaction.event_ms[0] / WINDOW_MS * WINDOW_MS;
            // Transactions are in order of their beginning: a window is done when the next one begins.
            if start != window.start {
                window.close_into(&mut expected.indicators);
                window.start = start;
            }
            if transaction.completes() {
                window.add(model, &transaction);
            }
        }
        window.close_into(&mut expected.indicators);
        for number in 0..model.params().broken_count() {
            let broken = broken::broken(model, number);
            *expected.dead_letters.entry(broken.class.to_owned()).or_default() += 1;
            expected.add_record(broken.leg);
        }
        expected
    }

    fn count(&mut self, transaction: &Transaction) {
        for leg in Leg::ALL {
            if transaction.fate != Fate::Missing(leg) {
                self.add_record(leg);
            }
        }
        if let Some((leg, _)) = transaction.duplicate {
            self.duplicates += 1;
            self.add_record(leg);
        }
        if let Some(leg) = transaction.lacking() {
            *self.missing.entry(leg.name().to_owned()).or_default() += 1;
        }
        match transaction.fate {
            Fate::Plain => self.results.complete += 1,
            Fate::Missing(_) => self.results.incomplete += 1,
            Fate::Late(_) => {
                self.results.incomplete += 1;
                self.results.corrected += 1;
            }
            Fate::Conflict(leg, _) => {
                self.results.complete += 1;
                self.conflicts += 1;
                self.add_record(leg);
            }
        }
    }

    fn add_record(&mut self, leg: Leg) {
        *self.records.entry(leg.name().to_owned()).or_default() += 1;
    }

    /// How many records there are in all topics together.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.records.values().sum()
    }

    /// Reads the outcome that a generator left.
    ///
    /// # Errors
    ///
    /// Where the file can't be read, or is of another model.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path)
            .with_context(|| format!("read expected outcome {}", path.display()))?;
        let expected: Self = serde_json::from_slice(&text)
            .with_context(|| format!("understand expected outcome {}", path.display()))?;
        ensure!(
            expected.model == MODEL_VERSION,
            refused(format!(
                "{} is of workload model {}, and this program has model {MODEL_VERSION}: generate \
                 the workload again, or verify with the program that generated it",
                path.display(),
                expected.model
            ))
        );
        expected.parameters.check(1)?;
        Ok(expected)
    }

    /// Leaves the outcome for a checker.
    ///
    /// # Errors
    ///
    /// Where the file can't be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec(self).context("write expected outcome as JSON")?;
        std::fs::write(path, text)
            .with_context(|| format!("write expected outcome {}", path.display()))
    }
}

/// The cells of the window at hand, with all their durations.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    cells: BTreeMap<(&'static str, String), Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    success: u64,
    approved: u64,
    durations_ms: Vec<u64>,
}

impl Window {
    fn add(&mut self, model: &Model, transaction: &Transaction) {
        let content = &transaction.content;
        let values = [channel(content), model.institution(content), model.product(content)];
        for (dimension, value) in DIMENSIONS.into_iter().zip(values) {
            let cell = self.cells.entry((dimension, value.to_owned())).or_default();
            cell.success += u64::from(content.result_code == SUCCESS);
            cell.approved += u64::from(content.decision == APPROVED);
            cell.durations_ms.push(transaction.duration_ms());
        }
    }

    fn close_into(&mut self, indicators: &mut Vec<(Place, Cell)>) {
        let start = self.start;
        for ((dimension, value), tally) in std::mem::take(&mut self.cells) {
            let place = Place { start, dimension: dimension.to_owned(), value };
            indicators.push((place, tally.close()));
        }
    }
}

impl Tally {
    fn close(mut self) -> Cell {
        self.durations_ms.sort_unstable();
        let at = |rank: usize| self.durations_ms[rank];
        let last = self.durations_ms.len() - 1;
        // Definitions of a quantile differ in how they round the rank: all lie between these two.
        let quantile =
            |percent: usize| (at(last * percent / 100), at((last * percent).div_ceil(100)));
        Cell {
            count: u64::try_from(self.durations_ms.len()).expect("usize has at most 64 bits"),
            success: self.success,
            approved: self.approved,
            sum_ms: self.durations_ms.iter().sum(),
            min_ms: at(0),
            max_ms: at(last),
            p50_ms: quantile(50),
            p95_ms: quantile(95),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::schedule::{Schedule, What};

    fn model() -> Model {
        let mut params = Params::of(40_000);
        (params.rate, params.lateness_s, params.max_delay_s) = (40, 60, 60);
        for (share, text) in [
            (&mut params.oddities.conflicts, "1%"),
            (&mut params.oddities.late, "2%"),
            (&mut params.oddities.malformed, "1%"),
        ] {
            *share = text.parse().unwrap();
        }
        params.check(8).unwrap();
        Model::new(params)
    }

    #[test]
    fn as_many_records_are_expected_as_are_sent() {
        let model = model();
        let expected = Expected::of(&model, "bank");
        let mut sent: BTreeMap<String, u64> = BTreeMap::new();
        for entry in Schedule::new(&model) {
            let leg = match entry.what {
                What::Leg(_, leg) | What::Contradiction(_, leg) => leg,
                What::Broken(number) => broken::broken(&model, number).leg,
            };
            *sent.entry(leg.name().to_owned()).or_default() += 1;
        }
        assert_eq!(sent, expected.records);
        let Results { complete, incomplete, corrected } = expected.results;
        assert_eq!(complete + incomplete, 40_000);
        assert!(corrected > 100 && expected.conflicts > 300 && expected.duplicates > 50);
        assert_eq!(expected.missing.values().sum::<u64>(), incomplete);
        assert_eq!(expected.dead_letters.values().sum::<u64>(), 400);
    }

    #[test]
    fn each_dimension_counts_every_complete_transaction_once() {
        let expected = Expected::of(&model(), "bank");
        let Results { complete, corrected, .. } = expected.results;
        for dimension in DIMENSIONS {
            let of = |(place, cell): &(Place, Cell)| {
                (place.dimension == dimension).then_some(cell.count)
            };
            let count: u64 = expected.indicators.iter().filter_map(of).sum();
            assert_eq!(count, complete + corrected, "{dimension}");
        }
        assert!(expected.indicators.is_sorted_by(|a, b| a.0 < b.0));
        assert!(expected.indicators.iter().all(|(_, it)| it.approved <= it.success
            && it.min_ms <= it.p50_ms.0
            && it.p50_ms <= it.p95_ms
            && it.p95_ms.1 <= it.max_ms));
    }

    #[test]
    fn a_quantile_lies_between_the_ranks_that_definitions_round_to() {
        let tally =
            |durations_ms: Vec<u64>| Tally { success: 0, approved: 0, durations_ms }.close();
        assert_eq!(tally(vec![7]).p50_ms, (7, 7));
        assert_eq!(tally(vec![9, 1]).p50_ms, (1, 9));
        assert_eq!(tally((0..=100).rev().collect()).p95_ms, (95, 95));
        assert_eq!(tally((0..100).collect()).p95_ms, (94, 95));
    }

    #[test]
    fn the_file_gives_back_what_was_written_and_refuses_another_model() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bank.expected.json");
        let mut expected = Expected::of(&model(), "bank");
        expected.write(&path).unwrap();
        assert_eq!(Expected::read(&path).unwrap(), expected);
        expected.model += 1;
        expected.write(&path).unwrap();
        let error = Expected::read(&path).unwrap_err().to_string();
        assert!(error.contains("generate the workload again"), "{error}");
    }
}
