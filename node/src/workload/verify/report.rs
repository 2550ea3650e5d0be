//! What the checker found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::workload::expected::Results;

/// How many samples of each kind of difference are kept.
const SAMPLES: usize = 5;

/// How long a sample may be.
const SAMPLE_CHARS: usize = 400;

/// In which way results differ from what is expected.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// A result that isn't there.
    Lost,
    /// A result that is there again, under another sequence.
    Doubled,
    /// A result that says something else, or that must not be.
    Wrong,
    /// A result of a transaction that the workload doesn't have.
    Foreign,
    /// A row that is no result, or has no headers.
    Unreadable,
    /// A row that was delivered again, by a sink that should deliver exactly once.
    Resent,
    /// A leg called too late; the workload has none that come so late.
    Late,
    /// A conflict that was not reported.
    ConflictLost,
    /// A conflict that was reported again, under another sequence.
    ConflictDoubled,
    /// A conflict that the workload doesn't have.
    ConflictForeign,
    /// A dead letter that isn't there.
    DeadLetterLost,
    /// A dead letter that is there again, under another sequence.
    DeadLetterDoubled,
    /// A dead letter with the wrong class or topic.
    DeadLetterWrong,
    /// A dead letter with bytes that the workload never sent, or sent as a good record.
    DeadLetterForeign,
    /// A cell of the indicator table that isn't there.
    CellLost,
    /// A cell with a wrong figure.
    CellWrong,
    /// A cell that the table doesn't have.
    CellForeign,
}

/// Differences of one kind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// How many.
    pub count: u64,
    /// Some of them, the first ones.
    pub samples: Vec<String>,
}

/// How much was compared.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows that were read, by outlet.
    pub rows: BTreeMap<&'static str, u64>,
    /// Results by state, each counted once.
    pub results: Results,
    /// What they should be.
    pub expected_results: Results,
    /// Conflicts, each counted once.
    pub conflicts: u64,
    /// What they should be.
    pub expected_conflicts: u64,
    /// Dead letters, each counted once.
    pub dead_letters: u64,
    /// What they should be.
    pub expected_dead_letters: u64,
    /// Cells of the indicator table.
    pub cells: u64,
    /// What they should be.
    pub expected_cells: u64,
    /// Rows that were delivered more than once, under the same range and sequence.
    pub resent: u64,
    /// Rows that came behind a later one of their range, for the first time.
    pub unordered: u64,
}

/// What the checker found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How much was compared.
    pub counts: Counts,
    /// What differs; empty where all is right.
    pub differences: BTreeMap<Difference, Found>,
}

impl Report {
    /// The exit status for a result that is wrong, doubled or lost.
    pub const EXIT_WRONG: u8 = 9;

    /// Whether all that came out is what must come out.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.differences.is_empty()
    }

    /// The exit status: 0 where all is right.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.is_right() { 0 } else { Self::EXIT_WRONG }
    }

    /// Notes a difference; `describe` is asked only while samples are wanted.
    pub(super) fn note(&mut self, difference: Difference, describe: impl FnOnce() -> String) {
        let found = self.differences.entry(difference).or_default();
        found.count += 1;
        if found.samples.len() < SAMPLES {
            found.samples.push(describe().chars().take(SAMPLE_CHARS).collect());
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "results lost",
            Self::Doubled => "results doubled",
            Self::Wrong => "results wrong",
            Self::Foreign => "results of unknown transactions",
            Self::Unreadable => "rows that could not be read",
            Self::Resent => "rows delivered twice",
            Self::Late => "legs wrongly called late",
            Self::ConflictLost => "conflicts lost",
            Self::ConflictDoubled => "conflicts doubled",
            Self::ConflictForeign => "conflicts that are none",
            Self::DeadLetterLost => "dead letters lost",
            Self::DeadLetterDoubled => "dead letters doubled",
            Self::DeadLetterWrong => "dead letters with the wrong class or topic",
            Self::DeadLetterForeign => "dead letters that are none",
            Self::CellLost => "indicator cells lost",
            Self::CellWrong => "indicator cells wrong",
            Self::CellForeign => "indicator cells that should not be",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let (expected, found) = (&counts.expected_results, &counts.results);
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(["", "EXPECTED", "FOUND"]);
        for (what, expected, found) in [
            ("complete", expected.complete, found.complete),
            ("incomplete", expected.incomplete, found.incomplete),
            ("corrected", expected.corrected, found.corrected),
            ("conflicts", counts.expected_conflicts, counts.conflicts),
            ("dead letters", counts.expected_dead_letters, counts.dead_letters),
            ("indicator cells", counts.expected_cells, counts.cells),
        ] {
            table.add_row([what.to_owned(), expected.to_string(), found.to_string()]);
        }
        writeln!(f, "{table}")?;
        if counts.resent + counts.unordered > 0 {
            let Counts { resent, unordered, .. } = counts;
            writeln!(f, "delivered more than once: {resent} rows; out of order: {unordered}")?;
        }
        for (difference, found) in &self.differences {
            writeln!(f, "{}  {difference}", found.count)?;
            for sample in &found.samples {
                writeln!(f, "    {sample}")?;
            }
        }
        f.write_str(if self.is_right() {
            "all right: nothing lost, nothing doubled, nothing wrong"
        } else {
            "WRONG: what came out is not what must come out"
        })
    }
}
