//! Cells: what a figure is about, as a key in memory and as a key of a row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::Equivalent;
use proto::types::EventTime;

use crate::machine::sketch::Malformed;

/// The value of a dimension that stands for all values beyond its limit.
pub const OTHER: &str = "other";

/// The longest value of a dimension, in bytes; a longer one counts as [`OTHER`].
pub const MAX_VALUE_BYTES: usize = 128;

/// Which cell: one value of one dimension in one window. Ordered so that a query is one stretch.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CellKey {
    /// The scenario's number.
    pub scenario: u16,
    /// How long the window is.
    pub window_ms: u32,
    /// The dimension's number in its scenario.
    pub dimension: u16,
    /// When the window begins, on the event clock.
    pub start: i64,
    /// The dimension's value.
    pub value: Arc<str>,
}

/// What one transaction adds to one cell.
#[derive(Clone, Copy, Debug)]
pub struct Contribution<'a> {
    /// The scenario's number.
    pub scenario: u16,
    /// How long the window is.
    pub window_ms: u32,
    /// The dimension's number in its scenario.
    pub dimension: u16,
    /// When the window begins: [`window_start`] of the transaction's start.
    pub start: i64,
    /// The dimension's value.
    pub value: &'a str,
    /// The populations that the transaction belongs to, a bit each.
    pub populations: u64,
    /// How long the transaction took.
    pub duration_ms: u64,
}

/// When the window begins that `time` falls in. `window_ms` is not 0.
#[must_use]
pub fn window_start(time: EventTime, window_ms: u32) -> i64 {
    let window_ms = i64::from(window_ms);
    time.0.div_euclid(window_ms).saturating_mul(window_ms)
}

/// Which window of which dimension, without the value: what the limit on values is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Family {
    head: u64,
    start: i64,
}

impl Family {
    pub(super) fn of_cell(key: &CellKey) -> Self {
        Self { head: head(key.scenario, key.dimension, key.window_ms), start: key.start }
    }

    pub(super) fn of(it: &Contribution<'_>) -> Self {
        Self { head: head(it.scenario, it.dimension, it.window_ms), start: it.start }
    }

    /// When the window ends.
    pub(super) const fn end(self) -> i64 {
        // The head's lower half is the window's length.
        window_end(self.start, (self.head & 0xffff_ffff) as u32)
    }
}

/// When a window ends; the end of time for one that would end later.
const fn window_end(start: i64, window_ms: u32) -> i64 {
    start.saturating_add(window_ms as i64)
}

fn head(scenario: u16, dimension: u16, window_ms: u32) -> u64 {
    u64::from(scenario) << 48 | u64::from(dimension) << 32 | u64::from(window_ms)
}

/// A cell that is looked for, without owning its value. Hashes as the [`CellKey`] that it finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) family: Family,
    pub(super) value: &'a str,
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.family.hash(state);
        self.value.hash(state);
    }
}

impl Hash for CellKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted { family: Family::of_cell(self), value: &self.value }.hash(state);
    }
}

impl Equivalent<CellKey> for Wanted<'_> {
    fn equivalent(&self, key: &CellKey) -> bool {
        self.family == Family::of_cell(key) && *self.value == *key.value
    }
}

impl CellKey {
    /// The key of the cell that `it` adds to, under `value`.
    pub(super) fn of(it: &Contribution<'_>, value: &str) -> Self {
        Self {
            scenario: it.scenario,
            window_ms: it.window_ms,
            dimension: it.dimension,
            start: it.start,
            value: value.into(),
        }
    }

    /// When the cell's window ends.
    #[must_use]
    pub fn end(&self) -> i64 {
        window_end(self.start, self.window_ms)
    }

    /// The key of the cell's row. The window's *end* comes first, so that all windows that ended
    /// before a moment are one stretch of keys, whatever their length:
    ///
    /// ```text
    /// end 8 | window length 4 | scenario 2 | dimension 2 | value     numbers big-endian, end with its sign flipped
    /// ```
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.value.len());
        bytes.extend_from_slice(&end_bytes(self.end()));
        bytes.extend_from_slice(&self.window_ms.to_be_bytes());
        bytes.extend_from_slice(&self.scenario.to_be_bytes());
        bytes.extend_from_slice(&self.dimension.to_be_bytes());
        bytes.extend_from_slice(self.value.as_bytes());
        bytes
    }

    /// The cell whose row has this key.
    ///
    /// # Errors
    ///
    /// [`Malformed`], where no cell has this key.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        const SHORT: Malformed = Malformed("a cell's key ends too early");
        let (&end, rest) = bytes.split_first_chunk::<8>().ok_or(SHORT)?;
        let (&window_ms, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let (&scenario, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
        let (&dimension, value) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
        let window_ms = u32::from_be_bytes(window_ms);
        let start = end_from(end).checked_sub(i64::from(window_ms)).filter(|_| window_ms > 0);
        if value.len() > MAX_VALUE_BYTES {
            return Err(Malformed("a cell's value is too long"));
        }
        Ok(Self {
            scenario: u16::from_be_bytes(scenario),
            window_ms,
            dimension: u16::from_be_bytes(dimension),
            start: start.ok_or(Malformed("a cell's window is none"))?,
            value: str::from_utf8(value).map_err(|_| Malformed("a value is no UTF-8"))?.into(),
        })
    }
}

const HEAD_BYTES: usize = 16;

/// A time in bytes that sort as the times do.
pub(super) fn end_bytes(end: i64) -> [u8; 8] {
    (end ^ i64::MIN).to_be_bytes()
}

fn end_from(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}
