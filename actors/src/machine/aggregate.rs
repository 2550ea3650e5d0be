//! Sums the ranges' shares of cells: repeated, re-ordered and re-sent reports change nothing.

mod again;
pub(crate) mod pieces;
mod standing;
#[cfg(test)]
mod tests;
mod upsert;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::types::{RangeId, RecordTime};

pub use self::again::Again;
pub use self::standing::{AsOf, Heard, Since, Stamp, Standing};
pub use self::upsert::UpsertRow;
use super::partial::{CellKey, Partial, Row};
use super::sketch::Malformed;

/// The most cells of one answer; a query that finds more is cut and says so (I13).
pub const MAX_ANSWER_CELLS: usize = 10_000;

/// What the aggregator of a dimension knows: of each cell the newest share of each range, and their sum.
///
/// # Versions
///
/// Sinks keep the row with the highest version of a key, across restarts of everything. A cell's version
/// is **the count of its transactions**, summed over the ranges. It is a function of the cell's content
/// alone: whoever works it out again from the same commits gets the same version for the same content. A
/// share only grows (a contribution is never taken back: incomplete transactions contribute nothing, so a
/// correction only adds), and a new owner restores at least what was ever reported (I5). So each change
/// raises it, no restore lowers it, and splits, merges and new epochs, which renumber sequences, leave it alone.
/// What it needs is that a sum that lacks a range is never pushed: [`Aggregate::take_changed`] waits until
/// every expected range has reported whole. Should contributions ever be taken back, a partial needs a
/// counter of its changes, to take the place of the count here.
#[derive(Debug)]
pub struct Aggregate {
    cells: BTreeMap<CellKey, Cell>,
    ranges: BTreeMap<RangeId, Standing>,
    /// Cells whose sum may have risen since changes were last taken.
    changed: BTreeSet<CellKey>,
    /// Windows that ended before this are forgotten: one of the ranges has, and from then on a sum
    /// that is built anew would lack its share.
    horizon: i64,
}

#[derive(Debug, Default)]
struct Cell {
    parts: Vec<Part>,
    /// The sum of the parts; `None` where a part has changed since it was last worked out.
    merged: Option<Partial>,
    /// The version that was last given out; 0 where none was.
    published: u64,
}

/// One range's share of a cell, as it was reported: in bytes it takes a third of the memory.
#[derive(Debug)]
struct Part {
    range: RangeId,
    stamp: Stamp,
    value: Box<[u8]>,
}

/// What a range says about its cells. Only what is committed may be reported (I5).
#[derive(Clone, Debug)]
pub struct Report {
    /// Who says it.
    pub range: RangeId,
    /// As of which commit.
    pub stamp: Stamp,
    /// The range's record clock at that commit.
    pub record_time: RecordTime,
    /// What the cells are measured against.
    pub since: Since,
    /// [`Partials::horizon`](super::partial::Partials::horizon): the range has forgotten what ended before.
    pub horizon: i64,
    /// The cells, each with the range's whole share of it.
    pub cells: Arc<[Row]>,
}

/// A cell as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// Which cell.
    pub key: CellKey,
    /// Rises with each change, and never falls (see [`Aggregate`]).
    pub version: u64,
    /// The sum over the ranges.
    pub partial: Partial,
}

/// Which cells are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// The scenario's number.
    pub scenario: u16,
    /// How long the windows are.
    pub window_ms: u32,
    /// The dimension's number in its scenario.
    pub dimension: u16,
    /// Which values; `None` is every value.
    pub values: Option<BTreeSet<Box<str>>>,
    /// Windows that begin at this time or later …
    pub from: i64,
    /// … and before this one.
    pub to: i64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How fresh and how whole it is.
    pub as_of: AsOf,
    /// The cells, by start, then by value.
    pub cells: Vec<View>,
    /// Whether there are more than [`MAX_ANSWER_CELLS`], which were left out.
    pub is_cut: bool,
}

impl Answer {
    /// All cells of the answer together.
    #[must_use]
    pub fn total(&self) -> Partial {
        let mut total = Partial::default();
        self.cells.iter().for_each(|cell| total.merge(&cell.partial));
        total
    }
}

impl Aggregate {
    /// Nothing is known yet; `ranges` are expected to report.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = RangeId>) -> Self {
        let ranges = ranges.into_iter().map(|range| (range, Standing::Missing)).collect();
        Self { cells: BTreeMap::new(), ranges, changed: BTreeSet::new(), horizon: i64::MIN }
    }

    /// From now on `ranges` are expected, and only they are listened to. Of others everything is forgotten
    /// at once: where a range was split, its share must not be counted beside its children's.
    pub fn expect(&mut self, ranges: &BTreeSet<RangeId>) {
        let gone: Vec<_> = self.ranges.keys().copied().filter(|it| !ranges.contains(it)).collect();
        for range in gone {
            self.forget_range(range);
            self.ranges.remove(&range);
        }
        for &range in ranges {
            self.ranges.entry(range).or_insert(Standing::Missing);
        }
    }

    /// Forgets what a range has reported. It is missing until it reports whole again.
    pub fn forget_range(&mut self, range: RangeId) {
        if let Some(standing) = self.ranges.get_mut(&range) {
            *standing = Standing::Missing;
        }
        self.cells.retain(|_, cell| {
            let before = cell.parts.len();
            cell.parts.retain(|part| part.range != range);
            if cell.parts.len() < before {
                cell.merged = None;
            }
            !cell.parts.is_empty()
        });
    }

    /// Takes a report in: of each cell the newest share counts. A report from a range that is not expected
    /// is ignored; once it is expected, it is wanting and asked again.
    ///
    /// # Errors
    ///
    /// [`Malformed`], where a row of it is none; then nothing of it was taken in (I11).
    pub fn apply(&mut self, report: &Report) -> Result<(), Malformed> {
        if !self.ranges.contains_key(&report.range) {
            return Ok(());
        }
        let decoded = report.cells.iter().map(|row| Ok((row.decode()?.0, &row.value)));
        let cells = decoded.collect::<Result<Vec<_>, Malformed>>()?;
        self.drop_before(report.horizon);
        for (key, value) in cells {
            if key.end() >= self.horizon {
                self.replace(key, report, value);
            }
        }
        let heard = Heard { stamp: report.stamp, record_time: report.record_time };
        if let Some(standing) = self.ranges.get_mut(&report.range) {
            *standing = standing.after(report.since, heard);
        }
        Ok(())
    }

    fn drop_before(&mut self, horizon: i64) {
        if horizon > self.horizon {
            self.horizon = horizon;
            self.cells.retain(|key, _| key.end() >= horizon);
            self.changed.retain(|key| key.end() >= horizon);
        }
    }

    fn replace(&mut self, key: CellKey, report: &Report, value: &[u8]) {
        let cell = self.cells.entry(key.clone()).or_default();
        let (range, stamp) = (report.range, report.stamp);
        match cell.parts.iter_mut().find(|part| part.range == range) {
            Some(part) if part.stamp >= stamp => return,
            Some(part) if *part.value == *value => {
                part.stamp = stamp;
                return;
            }
            Some(part) => *part = Part { range, stamp, value: value.into() },
            None => cell.parts.push(Part { range, stamp, value: value.into() }),
        }
        cell.merged = None;
        self.changed.insert(key);
    }

    /// The cells whose version has risen since the last call, however often they changed in between.
    /// None while a range is missing: its share would be lacking in them (see [`Aggregate`]).
    pub fn take_changed(&mut self) -> Vec<View> {
        if self.ranges.values().any(|it| *it == Standing::Missing) {
            return Vec::new();
        }
        let mut views = Vec::with_capacity(self.changed.len());
        for key in std::mem::take(&mut self.changed) {
            // A cell that was forgotten meanwhile has nothing to say.
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            let partial = cell.merged().clone();
            let version = partial.count();
            if version > cell.published {
                cell.published = version;
                views.push(View { key, version, partial });
            }
        }
        views
    }

    /// The cells that `query` asks for, as far as they were heard.
    pub fn query(&mut self, query: &Query) -> Answer {
        let mut answer = Answer { as_of: self.as_of(), cells: Vec::new(), is_cut: false };
        if query.from >= query.to {
            return answer;
        }
        let asked = |value: &str| query.values.as_ref().is_none_or(|them| them.contains(value));
        let stretch = query.first_at(query.from)..query.first_at(query.to);
        for (key, cell) in self.cells.range_mut(stretch).filter(|(key, _)| asked(&key.value)) {
            if answer.cells.len() == MAX_ANSWER_CELLS {
                answer.is_cut = true;
                break;
            }
            let partial = cell.merged().clone();
            answer.cells.push(View { key: key.clone(), version: partial.count(), partial });
        }
        answer
    }

    /// What was heard of each range.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        AsOf { ranges: self.ranges.iter().map(|(&range, &standing)| (range, standing)).collect() }
    }

    /// How many cells there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl Query {
    /// The least key of a cell that begins at `start`.
    fn first_at(&self, start: i64) -> CellKey {
        let (scenario, window_ms, dimension) = (self.scenario, self.window_ms, self.dimension);
        CellKey { scenario, window_ms, dimension, start, value: "".into() }
    }
}

impl Cell {
    /// The sum of the parts, worked out anew only where one has changed. Least, greatest and sum of
    /// what is forgotten cannot be taken back out of a sum, so nothing is ever subtracted.
    fn merged(&mut self) -> &Partial {
        self.merged.get_or_insert_with(|| {
            let mut sum = Partial::default();
            for part in &self.parts {
                let share = Partial::decode(&part.value);
                sum.merge(&share.expect("a part was decoded when it was reported"));
            }
            sum
        })
    }
}
