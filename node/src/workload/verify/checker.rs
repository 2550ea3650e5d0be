//! Takes rows in any order and compares them with the model, in about a byte for each transaction.

use std::collections::HashMap;

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::indicators::{Cells, Upsert};
use super::letters::Letters;
use super::report::{Difference, Report};
use super::result::{Edition, Result, fault};
use super::row::{Outlet, Row};
use crate::workload::expected::Expected;
use crate::workload::model::{Fate, Model};

/// The bit in a transaction's mark that says that its conflict was reported.
const CONFLICT: u8 = 4;

/// Compares rows with what must come.
#[derive(Debug)]
pub(super) struct Checker {
    model: Model,
    expected: Expected,
    is_exactly_once: bool,
    /// For each transaction, which of its rows were there.
    marks: Vec<u8>,
    /// The highest sequence of each range in each partition of an outlet: what is not above it was
    /// delivered before. Sequences rise in a partition, except where a delivery is repeated (I7).
    sequences: HashMap<(Outlet, i32, u64), u64>,
    letters: Letters,
    cells: Cells,
    report: Report,
}

/// A row of the conflicts outlet, as far as it is the same whatever the broker's offsets are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conflict {
    transaction_id: String,
    leg: String,
    #[serde(default)]
    kept: Option<String>,
    rejected: Option<String>,
}

impl Checker {
    pub(super) fn new(
        expected: Expected,
        scenario: &str,
        is_exactly_once: bool,
    ) -> anyhow::Result<Self> {
        let model = Model::new(expected.parameters);
        let count = usize::try_from(expected.parameters.transactions)
            .context("hold a mark for each transaction")?;
        let letters = Letters::new(&model, &expected.topic_prefix);
        Ok(Self {
            model,
            expected,
            is_exactly_once,
            marks: vec![0; count],
            sequences: HashMap::new(),
            letters,
            cells: Cells::new(scenario),
            report: Report::default(),
        })
    }

    /// Takes a row.
    pub(super) fn take(&mut self, row: &Row<'_>) {
        *self.report.counts.rows.entry(row.outlet.name()).or_default() += 1;
        if row.outlet == Outlet::Indicators {
            return self.indicator(row);
        }
        let (Some(range), Some(sequence)) = (row.range, row.sequence) else {
            let value = row.value.unwrap_or_default();
            return self.unreadable(row.outlet, value, "no header `range` or `sequence`");
        };
        let highest = self.sequences.entry((row.outlet, row.partition, range)).or_default();
        let is_repeat = sequence <= *highest;
        *highest = sequence.max(*highest);
        let is_new = match row.outlet {
            Outlet::Transactions => self.transaction(row, is_repeat),
            Outlet::Conflicts => self.conflict(row, is_repeat),
            Outlet::DeadLetters => self.letter(row, is_repeat),
            Outlet::Late => {
                self.report.note(Difference::Late, || shown(row.value.unwrap_or_default()));
                true
            }
            Outlet::Indicators => return,
        };
        if is_repeat {
            self.repeat(row, is_new);
        }
    }

    /// Notes a row that can't be read.
    pub(super) fn unreadable(&mut self, outlet: Outlet, bytes: &[u8], why: &str) {
        let describe = || format!("{}: {why}: {}", outlet.name(), shown(bytes));
        self.report.note(Difference::Unreadable, describe);
    }

    fn repeat(&mut self, row: &Row<'_>, is_new: bool) {
        let counts = &mut self.report.counts;
        *(if is_new { &mut counts.unordered } else { &mut counts.resent }) += 1;
        if self.is_exactly_once {
            self.report.note(Difference::Resent, || {
                let (range, sequence) = (row.range.unwrap_or(0), row.sequence.unwrap_or(0));
                let bytes = shown(row.value.unwrap_or_default());
                format!("{}: range {range}, sequence {sequence}: {bytes}", row.outlet.name())
            });
        }
    }

    /// A result; says whether it is one that was not yet there.
    fn transaction(&mut self, row: &Row<'_>, is_repeat: bool) -> bool {
        let Some(result) = self.parse::<Result>(row) else { return false };
        let describe = || shown(row.value.unwrap_or_default());
        let Some(index) = self.model.index_of(&result.transaction_id) else {
            self.report.note(Difference::Foreign, describe);
            return false;
        };
        let transaction = self.model.transaction(index);
        let Some(edition) = Edition::of(result.version, &transaction) else {
            self.report.note(Difference::Wrong, || format!("no such version: {}", describe()));
            return false;
        };
        let about = (&self.model, self.expected.topic_prefix.as_str());
        let wrong_header = row.version != Some(result.version);
        let fault = fault(about, &transaction, edition, &result)
            .or_else(|| wrong_header.then(|| format!("header `version` is {:?}", row.version)));
        if let Some(fault) = fault {
            self.report.note(Difference::Wrong, || format!("{fault}: {}", describe()));
        }
        let is_new = self.mark(index, edition.bit());
        if is_new {
            let results = &mut self.report.counts.results;
            match result.state.as_str() {
                "COMPLETE" => results.complete += 1,
                "INCOMPLETE" => results.incomplete += 1,
                _ => results.corrected += 1,
            }
        } else if !is_repeat {
            self.report.note(Difference::Doubled, describe);
        }
        is_new
    }

    fn conflict(&mut self, row: &Row<'_>, is_repeat: bool) -> bool {
        let Some(conflict) = self.parse::<Conflict>(row) else { return false };
        let describe = || shown(row.value.unwrap_or_default());
        let index = self.model.index_of(&conflict.transaction_id);
        let fate = index.map(|index| self.model.transaction(index).fate);
        let (Some(index), Some(Fate::Conflict(leg, _))) = (index, fate) else {
            self.report.note(Difference::ConflictForeign, describe);
            return false;
        };
        let topic = format!("{}.{leg}", self.expected.topic_prefix);
        let is_there = conflict.rejected.as_deref().is_some_and(|it| it.starts_with(&topic));
        if conflict.leg != leg.name() || !is_there || conflict.kept == conflict.rejected {
            self.report.note(Difference::ConflictForeign, describe);
        }
        let is_new = self.mark(index, CONFLICT);
        if is_new {
            self.report.counts.conflicts += 1;
        } else if !is_repeat {
            self.report.note(Difference::ConflictDoubled, describe);
        }
        is_new
    }

    fn letter(&mut self, row: &Row<'_>, is_repeat: bool) -> bool {
        let is_new = self.letters.take(row, is_repeat, &mut self.report);
        self.report.counts.dead_letters += u64::from(is_new);
        is_new
    }

    fn indicator(&mut self, row: &Row<'_>) {
        if let Some(upsert) = self.parse::<Upsert>(row) {
            self.cells.take(upsert, &mut self.report);
        }
    }

    fn parse<T: DeserializeOwned>(&mut self, row: &Row<'_>) -> Option<T> {
        let value = row.value.unwrap_or_default();
        serde_json::from_slice(value)
            .map_err(|error| self.unreadable(row.outlet, value, &error.to_string()))
            .ok()
    }

    /// Sets a bit in a transaction's mark; says whether it was not yet set.
    fn mark(&mut self, index: u64, bit: u8) -> bool {
        let place = usize::try_from(index).expect("there is a mark for each transaction");
        let mark = &mut self.marks[place];
        let is_new = *mark & bit == 0;
        *mark |= bit;
        is_new
    }

    /// What was found, with what never came.
    pub(super) fn finish(mut self) -> Report {
        for index in 0..self.model.params().transactions {
            self.finish_transaction(index);
        }
        self.letters.finish(&mut self.report);
        let cells = self.cells.finish(&self.expected.indicators, &mut self.report);
        let counts = &mut self.report.counts;
        counts.cells = cells;
        counts.expected_results = self.expected.results;
        counts.expected_conflicts = self.expected.conflicts;
        counts.expected_dead_letters = self.expected.dead_letters.values().sum();
        counts.expected_cells = u64::try_from(self.expected.indicators.len()).unwrap_or(u64::MAX);
        self.report
    }

    fn finish_transaction(&mut self, index: u64) {
        let fate = self.model.transaction(index).fate;
        let place = usize::try_from(index).expect("there is a mark for each transaction");
        let mark = self.marks[place];
        let first = (Edition::First.bit(), Difference::Lost, "result");
        let other: Option<(u8, Difference, &str)> = match fate {
            Fate::Plain | Fate::Missing(_) => None,
            Fate::Late(_) => Some((Edition::Correction.bit(), Difference::Lost, "correction")),
            Fate::Conflict(..) => Some((CONFLICT, Difference::ConflictLost, "conflict")),
        };
        for (bit, difference, what) in std::iter::once(first).chain(other) {
            if mark & bit == 0 {
                let id = self.model.id(index);
                self.report.note(difference, || format!("no {what} for {id}, which is {fate:?}"));
            }
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
