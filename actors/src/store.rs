//! A range's local state on disk: derived from the journal, and thrown away where in doubt.

pub mod memory;
pub mod rocks;

use std::path::Path;

/// A range's tables. The number is the first byte of every key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Table {
    /// One row: which commit this is, positions, clocks, ledger.
    Head = 0,
    /// Open and correctable transactions whose legs are kept by value.
    Open = 1,
    /// Legs that are kept by reference, one row a commit.
    References = 2,
    /// Who is done: one row a time bucket and commit.
    Tombstones = 3,
    /// Cumulative partials of indicators, one row a cell.
    Partials = 4,
    /// What transactions have added to cells since these were put last, one row a commit.
    Contributions = 5,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 6] = [
        Self::Head,
        Self::Open,
        Self::References,
        Self::Tombstones,
        Self::Partials,
        Self::Contributions,
    ];
}

/// A change to one row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The row at the key becomes the value.
    Put(Table, Vec<u8>, Vec<u8>),
    /// The row at the key goes.
    Delete(Table, Vec<u8>),
    /// All rows with keys in `from..to` go.
    DeleteRange(Table, Vec<u8>, Vec<u8>),
}

/// One range's state. The order of rows is the order of keys' bytes.
pub trait Store: Send + std::fmt::Debug {
    /// The row at `key`; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the disk or the data fail.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Every row of `table`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the disk or the data fail.
    fn scan(&self, table: Table, take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError>;

    /// Makes all changes, in order, or none: also across `kill -9`. What was applied last may be lost
    /// in a crash, but never a part of it, and never something that was applied before what is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the disk or the data fail.
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Writes a copy of the present state to the folder `to`, which does not exist yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the disk or the data fail.
    fn checkpoint(&self, to: &Path) -> Result<(), StoreError>;

    /// Bytes on disk, about.
    fn bytes(&self) -> u64;
}

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data do not verify. The folder is thrown away and the range restored from what is durable.
    #[error("{doing}: the local state is corrupted: {detail}")]
    Corrupted {
        /// What was being done, as a verb phrase.
        doing: String,
        /// What does not fit.
        detail: String,
    },
    /// The disk is full; what was to be written was not.
    #[error("{doing}: no space left")]
    Full {
        /// What was being done, as a verb phrase.
        doing: String,
    },
    /// The disk failed otherwise.
    #[error("{doing}: {detail}")]
    Failed {
        /// What was being done, as a verb phrase.
        doing: String,
        /// What the store said.
        detail: String,
    },
}
