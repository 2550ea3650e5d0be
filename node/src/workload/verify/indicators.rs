//! The indicator table that came out, cell by cell against the one that must come out.

use std::collections::HashMap;

use serde::Deserialize;

use super::report::{Difference, Report};
use crate::workload::expected::{Cell, DIMENSIONS, Place};

/// The name of the window that is compared.
const WINDOW: &str = "1m";

/// The sketch's relative error; a figure in whole milliseconds may be rounded on top.
const ERROR: f64 = 0.01;
const ROUNDING_MS: f64 = 1.0;

/// An upsert of a cell.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Upsert {
    scenario: String,
    window: String,
    start: u64,
    dimension: String,
    value: String,
    version: u64,
    indicators: Figures,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Figures {
    #[serde(rename = "transaction-success")]
    success: Ratio,
    #[serde(rename = "transaction-approval")]
    approval: Ratio,
    duration: Durations,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
struct Ratio {
    numerator: u64,
    denominator: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Durations {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    p50: f64,
    p95: f64,
}

/// The cells that came, each in its highest version.
#[derive(Debug)]
pub(super) struct Cells {
    scenario: String,
    cells: HashMap<Place, (u64, Figures)>,
}

impl Cells {
    pub(super) fn new(scenario: &str) -> Self {
        Self { scenario: scenario.to_owned(), cells: HashMap::new() }
    }

    /// Takes an upsert; those of other scenarios, windows and dimensions are passed over.
    pub(super) fn take(&mut self, upsert: Upsert, report: &mut Report) {
        let Upsert { scenario, window, start, dimension, value, version, indicators } = upsert;
        if scenario != self.scenario
            || window != WINDOW
            || !DIMENSIONS.contains(&dimension.as_str())
        {
            return;
        }
        let place = Place { start, dimension, value };
        match self.cells.get_mut(&place) {
            Some((held, figures)) if *held == version && *figures != indicators => {
                report.note(Difference::CellWrong, || {
                    format!("{}: version {version} says two things", shown(&place))
                });
            }
            Some((held, _)) if *held >= version => {}
            Some(cell) => *cell = (version, indicators),
            None => {
                self.cells.insert(place, (version, indicators));
            }
        }
    }

    /// Compares the table; the number of its cells is returned.
    pub(super) fn finish(mut self, expected: &[(Place, Cell)], report: &mut Report) -> u64 {
        let count = self.cells.len();
        for (place, cell) in expected {
            let Some((version, figures)) = self.cells.remove(place) else {
                report.note(Difference::CellLost, || shown(place));
                continue;
            };
            if let Some(fault) = fault(cell, &figures) {
                let describe = || format!("{}, version {version}: {fault}", shown(place));
                report.note(Difference::CellWrong, describe);
            }
        }
        for place in self.cells.keys() {
            report.note(Difference::CellForeign, || shown(place));
        }
        u64::try_from(count).expect("usize has at most 64 bits")
    }
}

fn shown(place: &Place) -> String {
    format!("{}|{}|{}", place.start, place.dimension, place.value)
}

fn fault(right: &Cell, found: &Figures) -> Option<String> {
    let Figures { success, approval, duration } = found;
    let exact = [
        ("transaction-success.numerator", success.numerator, right.success),
        ("transaction-success.denominator", success.denominator, right.count),
        ("transaction-approval.numerator", approval.numerator, right.approved),
        ("transaction-approval.denominator", approval.denominator, right.count),
        ("duration.count", duration.count, right.count),
        ("duration.sum", duration.sum, right.sum_ms),
        ("duration.min", duration.min, right.min_ms),
        ("duration.max", duration.max, right.max_ms),
    ];
    let differing = exact.iter().find(|(_, found, right)| found != right);
    let about = [("p50", duration.p50, right.p50_ms), ("p95", duration.p95, right.p95_ms)];
    let off = about.iter().find(|(_, found, right)| !is_near(*found, *right));
    differing
        .map(|(name, found, right)| format!("{name} is {found} and must be {right}"))
        .or_else(|| off.map(|(name, found, right)| format!("{name} is {found}, exactly {right:?}")))
}

fn is_near(found: f64, (low, high): (u64, u64)) -> bool {
    let low = as_f64(low) * (1.0 - ERROR) - ROUNDING_MS;
    let high = as_f64(high) * (1.0 + ERROR) + ROUNDING_MS;
    (low..=high).contains(&found)
}

fn as_f64(duration_ms: u64) -> f64 {
    f64::from(u32::try_from(duration_ms).unwrap_or(u32::MAX))
}
