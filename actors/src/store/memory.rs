//! A range's state in memory, for tests and simulation: it loses what a crash would lose, never a part of it.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Change, Store, StoreError, Table};

#[cfg(test)]
mod tests;

/// Where a checkpoint keeps its rows, within its folder.
const ROWS: &str = "rows";

/// Rows in memory. Clones share the rows: a test keeps one as the disk that outlives the process.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Rows>>);

/// Rows by table and key.
type Sorted = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

#[derive(Debug, Default)]
struct Rows {
    rows: Sorted,
    /// What would undo each of the last batches, the oldest first.
    unsynced: VecDeque<Vec<Undo>>,
    /// How many batches a crash may take.
    keep: usize,
}

/// A row as it was before a change.
#[derive(Debug)]
struct Undo {
    table: Table,
    key: Vec<u8>,
    /// `None` where there was no row.
    value: Option<Vec<u8>>,
}

impl MemoryStore {
    /// An empty store of which a crash can take the last `keep` batches at most.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self(Arc::new(Mutex::new(Rows { keep, ..Rows::default() })))
    }

    /// The store that [`Store::checkpoint`] wrote to `dir`.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the folder is none or does not verify.
    pub fn open(dir: &Path, keep: usize) -> Result<Self, StoreError> {
        let doing = || format!("open checkpoint {}", dir.display());
        let bytes = std::fs::read(dir.join(ROWS))
            .map_err(|error| StoreError::Failed { doing: doing(), detail: error.to_string() })?;
        let rows = decode(&bytes).ok_or_else(|| StoreError::Corrupted {
            doing: doing(),
            detail: "its rows do not parse".to_owned(),
        })?;
        Ok(Self(Arc::new(Mutex::new(Rows { rows, keep, ..Rows::default() }))))
    }

    /// Crashes: takes back the last `batches` batches, fewer where fewer are at risk. How many were
    /// taken back.
    pub fn lose_tail(&self, batches: usize) -> usize {
        let mut state = self.0.lock();
        let lost = batches.min(state.unsynced.len());
        for _ in 0..lost {
            let undos = state.unsynced.pop_back().unwrap_or_default();
            undos.into_iter().rev().for_each(|undo| state.undo(undo));
        }
        // What is left was read back from disk by the new process: no later crash takes it.
        state.unsynced.clear();
        lost
    }
}

impl Rows {
    fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) -> Undo {
        let before = match value {
            Some(value) => self.rows.insert((table, key.clone()), value),
            None => self.rows.remove(&(table, key.clone())),
        };
        Undo { table, key, value: before }
    }

    fn undo(&mut self, undo: Undo) {
        self.set(undo.table, undo.key, undo.value);
    }

    fn delete_range(&mut self, table: Table, from: &[u8], to: &[u8], undos: &mut Vec<Undo>) {
        if from >= to {
            return;
        }
        let range = (table, from.to_vec())..(table, to.to_vec());
        let keys: Vec<_> = self.rows.range(range).map(|((_, key), _)| key.clone()).collect();
        undos.extend(keys.into_iter().map(|key| self.set(table, key, None)));
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().rows.get(&(table, key.to_vec())).cloned())
    }

    fn scan(&self, table: Table, take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let state = self.0.lock();
        let rows = state.rows.range((table, Vec::new())..);
        rows.take_while(|((of, _), _)| *of == table).for_each(|((_, key), value)| take(key, value));
        Ok(())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        let mut undos = Vec::new();
        for change in changes {
            match change {
                Change::Put(table, key, value) => {
                    undos.push(state.set(*table, key.clone(), Some(value.clone())));
                }
                Change::Delete(table, key) => undos.push(state.set(*table, key.clone(), None)),
                Change::DeleteRange(table, from, to) => {
                    state.delete_range(*table, from, to, &mut undos);
                }
            }
        }
        state.unsynced.push_back(undos);
        if state.unsynced.len() > state.keep {
            state.unsynced.pop_front();
        }
        Ok(())
    }

    fn checkpoint(&self, to: &Path) -> Result<(), StoreError> {
        let bytes = encode(&self.0.lock().rows);
        std::fs::create_dir_all(to.parent().unwrap_or(to))
            .and_then(|()| std::fs::create_dir(to))
            .and_then(|()| std::fs::write(to.join(ROWS), bytes))
            .map_err(|error| StoreError::Failed {
                doing: format!("write checkpoint {}", to.display()),
                detail: error.to_string(),
            })
    }

    fn bytes(&self) -> u64 {
        let state = self.0.lock();
        state.rows.iter().map(|((_, key), value)| (1 + key.len() + value.len()) as u64).sum()
    }
}

/// Each row as table, length and bytes of the key, length and bytes of the value.
fn encode(rows: &BTreeMap<(Table, Vec<u8>), Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for ((table, key), value) in rows {
        bytes.push(*table as u8);
        for part in [key, value] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

/// `None` where the bytes are not what [`encode`] makes.
fn decode(mut bytes: &[u8]) -> Option<Sorted> {
    let mut rows = BTreeMap::new();
    while let Some((table, rest)) = bytes.split_first() {
        bytes = rest;
        let key = take_part(&mut bytes)?;
        let value = take_part(&mut bytes)?;
        rows.insert((table_of(*table)?, key), value);
    }
    Some(rows)
}

fn take_part(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (part, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(part.to_vec())
}

fn table_of(number: u8) -> Option<Table> {
    Table::ALL.into_iter().find(|table| *table as u8 == number)
}
