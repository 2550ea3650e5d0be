//! All partials of one range: the hot path of folding, and what is committed of it.

use std::sync::Arc;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::cell::{Family, Wanted, end_bytes};
use super::layout::Layout;
use super::{CellKey, Contribution, MAX_VALUE_BYTES, Malformed, OTHER, Partial, Row};

/// A range's partials, of every cell whose window is not yet forgotten.
///
/// It is the fold of the contributions that were added, and what [`Partials::take_changed`] gave out is
/// all that is needed to have it again by [`Partials::load`]. The limit on values is kept by counting
/// cells, so a restored range goes on exactly where the other stopped.
#[derive(Debug)]
pub struct Partials {
    layout: Arc<Layout>,
    cells: HashMap<CellKey, Cell, FxBuildHasher>,
    /// How many values each window of a dimension keeps apart, [`OTHER`] not counted.
    values: HashMap<Family, u32, FxBuildHasher>,
    /// Cells that changed since they were last taken, each once.
    changed: Vec<CellKey>,
    /// Contributions that went to [`OTHER`] or nowhere. Not state: counted from the start of the process.
    beyond: Beyond,
    /// Windows that ended before this are forgotten.
    horizon: i64,
}

#[derive(Debug, Default)]
struct Cell {
    partial: Partial,
    is_changed: bool,
}

/// How many contributions did not go to the cell of their value, for metrics.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Beyond {
    /// Went to the cell of [`OTHER`] values instead.
    pub other: u64,
    /// Were not taken, for their window is forgotten.
    pub forgotten: u64,
}

/// Where a contribution went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Added {
    /// To the cell of its value.
    Own,
    /// To the cell of [`OTHER`] values: its window has as many values as it may, or the value is too long.
    Other,
    /// Nowhere: its window is forgotten, or lies at the end of time.
    Forgotten,
}

impl Partials {
    /// No partials yet. `layout` has the limits on values; the limit of an unknown dimension is 0.
    #[must_use]
    pub fn new(layout: Arc<Layout>) -> Self {
        Self {
            layout,
            cells: HashMap::default(),
            values: HashMap::default(),
            changed: Vec::new(),
            beyond: Beyond::default(),
            horizon: i64::MIN,
        }
    }

    /// What has the limits.
    #[must_use]
    pub fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout)
    }

    /// Takes the limits from `layout` from now on. Values that have a cell keep it.
    pub fn set_layout(&mut self, layout: Arc<Layout>) {
        self.layout = layout;
    }

    /// Adds what one transaction contributes to one cell.
    pub fn add(&mut self, it: &Contribution<'_>) -> Added {
        if self.add_to_known(it, it.value) {
            return Added::Own;
        }
        self.add_first(it)
    }

    /// The hot path: allocates nothing. False where there is no such cell.
    fn add_to_known(&mut self, it: &Contribution<'_>, value: &str) -> bool {
        let wanted = Wanted { family: Family::of(it), value };
        let Some((key, cell)) = self.cells.get_key_value_mut(&wanted) else { return false };
        cell.partial.add(it.populations, it.duration_ms);
        if !cell.is_changed {
            cell.is_changed = true;
            self.changed.push(key.clone());
        }
        true
    }

    #[cold]
    fn add_first(&mut self, it: &Contribution<'_>) -> Added {
        let family = Family::of(it);
        if family.end() < self.horizon || family.end() == i64::MAX {
            self.beyond.forgotten += 1;
            return Added::Forgotten;
        }
        let limit = self.layout.dimension(it.scenario, it.dimension).map_or(0, |it| it.max_values);
        let has_room = self.values.get(&family).copied().unwrap_or(0) < limit;
        let is_own = it.value == OTHER || (has_room && it.value.len() <= MAX_VALUE_BYTES);
        let value = if is_own { it.value } else { OTHER };
        if !self.add_to_known(it, value) {
            self.insert(CellKey::of(it, value), Cell::default());
            self.add_to_known(it, value);
        }
        if is_own {
            return Added::Own;
        }
        self.beyond.other += 1;
        Added::Other
    }

    /// The rows of all cells that changed since the last call, ascending by key.
    pub fn take_changed(&mut self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.changed.len());
        for key in self.changed.drain(..) {
            // A cell that was forgotten meanwhile has no row any more.
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.is_changed = false;
            cell.partial.settle();
            rows.push(row(&key, cell));
        }
        rows.sort_unstable();
        rows
    }

    /// The rows of all cells, ascending by key: the whole that an aggregator asks for. Changes that are
    /// not yet taken are in it, so call it right after [`Partials::take_changed`] (I5).
    #[must_use]
    pub fn all(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.cells.iter().map(|(key, cell)| row(key, cell)).collect();
        rows.sort_unstable();
        rows
    }

    /// Takes back a row that was committed; in place of what the cell held.
    ///
    /// # Errors
    ///
    /// [`Malformed`], where the row is none; then nothing changed.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let (key, partial) = (CellKey::decode(key)?, Partial::decode(value)?);
        self.insert(key, Cell { partial, is_changed: false });
        Ok(())
    }

    fn insert(&mut self, key: CellKey, cell: Cell) {
        let (family, is_other) = (Family::of_cell(&key), *key.value == *OTHER);
        let had = self.cells.insert(key, cell);
        if had.is_none() && !is_other {
            *self.values.entry(family).or_default() += 1;
        }
    }

    /// Forgets the cells whose window ended before `horizon`, and takes no more for them. Gives the
    /// stretch of keys `from..to` that is to be deleted in the store, in the same commit.
    ///
    /// The horizon must come from what is committed (the record clock), never fall, and be set again after
    /// a restore, before anything is added: a cell that was forgotten and began anew would count too little.
    /// Goes through all cells, here and in the aggregators: raise it in steps of a minute or more.
    pub fn drop_before(&mut self, horizon: i64) -> (Vec<u8>, Vec<u8>) {
        self.horizon = self.horizon.max(horizon);
        let horizon = self.horizon;
        self.cells.retain(|key, _| key.end() >= horizon);
        self.values.retain(|family, _| family.end() >= horizon);
        keys_before(horizon)
    }

    /// What did not go to the cell of its value, since the process started.
    #[must_use]
    pub const fn beyond(&self) -> Beyond {
        self.beyond
    }

    /// Windows that ended before this are forgotten; the least time where none are.
    #[must_use]
    pub const fn horizon(&self) -> i64 {
        self.horizon
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

    /// Bytes of memory that the cells hold, about. Goes through all of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |(key, cell): (&CellKey, &Cell)| {
            size_of::<CellKey>() + 16 + key.value.len() + cell.partial.bytes()
        };
        self.cells.iter().map(of).sum()
    }
}

/// The stretch of keys `from..to` of all cells whose window ended before `horizon`.
#[must_use]
pub fn keys_before(horizon: i64) -> (Vec<u8>, Vec<u8>) {
    (end_bytes(i64::MIN).to_vec(), end_bytes(horizon).to_vec())
}

fn row(key: &CellKey, cell: &Cell) -> Row {
    Row { key: key.encode(), value: cell.partial.encode() }
}
