//! Questions about indicators, and their answers.

use std::num::NonZeroUsize;

use proto::types::EventTime;

/// How an indicator is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IndicatorKind {
    /// Numerator over denominator.
    Ratio,
    /// How long transactions took.
    Durations,
}

/// An indicator that can be asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Indicator {
    /// The scenario that declares it.
    pub scenario: String,
    /// Its name there.
    pub name: String,
    /// How it is counted.
    pub kind: IndicatorKind,
    /// By what it can be grouped.
    pub dimensions: Vec<String>,
    /// The window sizes that are kept, such as `1m`.
    pub windows: Vec<String>,
}

/// A question about one indicator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// The scenario that declares it.
    pub scenario: String,
    /// Its name there.
    pub indicator: String,
    /// A cell for each window of that size; `None`: one cell over the whole time asked for.
    pub window: Option<String>,
    /// Windows that start at or after this.
    pub from: Option<EventTime>,
    /// Windows that start before this.
    pub to: Option<EventTime>,
    /// A cell for each value of it; `None`: over all transactions.
    pub dimension: Option<String>,
    /// Only this value of the dimension.
    pub value: Option<String>,
    /// Only the values with the most transactions.
    pub top: Option<NonZeroUsize>,
}

/// One value of an indicator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cell {
    /// Where its time begins.
    pub start: EventTime,
    /// One past where its time ends.
    pub end: EventTime,
    /// Dimension and value; `None` for all transactions.
    pub key: Option<(String, String)>,
    /// What was counted.
    pub figure: Figure,
    /// Rises with each change.
    pub version: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Figure {
    /// A rate.
    Ratio {
        /// Those that did.
        numerator: u64,
        /// Those that could.
        denominator: u64,
    },
    /// Times in milliseconds.
    Durations {
        /// How many.
        count: u64,
        /// Their sum.
        sum_ms: u64,
        /// The least.
        min_ms: u64,
        /// The greatest.
        max_ms: u64,
        /// The median, to 1 %.
        p50_ms: u64,
        /// Nineteen of twenty are below, to 1 %.
        p95_ms: u64,
    },
}
