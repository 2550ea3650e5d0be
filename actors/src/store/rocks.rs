//! A range's state in `RocksDB`: one database a range, one column family, no log of its own.
//!
//! The journal is the write-ahead log. A batch holds rows and head alike and goes to one memtable, which
//! is flushed whole, so that whatever a crash leaves is the state after some batch (I2).

use std::path::Path;
use std::sync::Arc;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, ErrorKind, Options, ReadOptions, WriteBatch, WriteOptions, properties};

use super::{Change, Store, StoreError, Table};

mod shared;
mod stall;
#[cfg(test)]
mod tests;

pub use shared::{Limits, RocksShared};
use stall::Background;

/// One range's rows. A row's key is the table's number and the key.
pub struct RocksStore {
    db: DB,
    writing: WriteOptions,
    background: Arc<Background>,
    /// The batches' names for errors: the folder.
    name: String,
}

impl RocksStore {
    /// The store in `dir`, which is created where it does not exist.
    ///
    /// After [`StoreError::Full`] or a failed write a store takes no more changes: drop it, and open it
    /// again when there is space. It then has a state that it had, perhaps an older one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupted`] where what is there does not verify: [`Self::destroy`] it and restore
    /// the range; else what the disk said.
    pub fn open(shared: &RocksShared, dir: &Path) -> Result<Self, StoreError> {
        let name = dir.display().to_string();
        let doing = || format!("open store {name}");
        is_whole(dir).map_err(|detail| StoreError::Corrupted { doing: doing(), detail })?;
        std::fs::create_dir_all(dir).map_err(|error| io(doing(), &error))?;
        let background = Arc::default();
        let options = shared.options(&background);
        let db = DB::open(&options, dir).map_err(|error| opening(doing(), &error))?;
        let mut writing = WriteOptions::default();
        writing.disable_wal(true);
        // A write that has to wait for a flush waits here, where a failed flush ends the wait: within
        // RocksDB 11.8 it hangs for ever once the disk was full, waiting for the recovery that waits for it.
        writing.set_no_slowdown(true);
        Ok(Self { db, writing, background, name })
    }

    /// Removes the store in `dir`, whatever state it is in. A folder that is gone already is no error.
    ///
    /// # Errors
    ///
    /// What the disk said; also where the store is open.
    pub fn destroy(dir: &Path) -> Result<(), StoreError> {
        let doing = || format!("destroy store {}", dir.display());
        if !dir.exists() {
            return Ok(());
        }
        // RocksDB takes its lock first, and so refuses to destroy what is open.
        DB::destroy(&Options::default(), dir).map_err(|error| failed(doing(), &error))?;
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(doing(), &error)),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Makes durable (against the end of the process) what was applied so far.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the disk fails.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| self.failed("flush", &error))
    }

    /// Refuses to go on once a flush or a compaction has failed: `RocksDB` itself would take more rows
    /// until memory is full.
    fn check_background(&self) -> Result<(), StoreError> {
        let Some(said) = self.background.said() else { return Ok(()) };
        let errors = self.db.property_int_value(properties::BACKGROUND_ERRORS);
        if errors.is_ok_and(|errors| errors == Some(0)) {
            return Ok(());
        }
        Err(explain(format!("flush store {}", self.name), said))
    }

    fn failed(&self, doing: &str, error: &rocksdb::Error) -> StoreError {
        failed(format!("{doing} store {}", self.name), error)
    }
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksStore").field("dir", &self.name).finish_non_exhaustive()
    }
}

impl Store for RocksStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get(row(table, key)).map_err(|error| self.failed("read", &error))
    }

    fn scan(&self, table: Table, take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let mut reading = ReadOptions::default();
        reading.set_iterate_range(row(table, &[])..vec![table as u8 + 1]);
        // A scan is done once, at the start: it should not drive the hot rows out.
        reading.fill_cache(false);
        let mut rows = self.db.raw_iterator_opt(reading);
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            take(&key[1..], value);
            rows.next();
        }
        // An iterator that meets a bad block just ends: without this it would look like the end.
        rows.status().map_err(|error| self.failed("scan", &error))
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for wait in stall::waits() {
            self.check_background()?;
            match self.db.write_opt(batch(changes), &self.writing) {
                Err(error) if error.kind() == ErrorKind::Incomplete => wait.wait(),
                written => return written.map_err(|error| self.failed("write", &error)),
            }
        }
        let detail = "the disk does not keep up: it took nothing for 10 s".to_owned();
        Err(StoreError::Failed { doing: format!("write store {}", self.name), detail })
    }

    fn checkpoint(&self, to: &Path) -> Result<(), StoreError> {
        let doing = || format!("write checkpoint {}", to.display());
        // Without a log of its own only what is flushed gets into a checkpoint.
        self.flush()?;
        std::fs::create_dir_all(to.parent().unwrap_or(to)).map_err(|error| io(doing(), &error))?;
        Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(to))
            .map_err(|error| failed(doing(), &error))
    }

    fn bytes(&self) -> u64 {
        let size = self.db.property_int_value(properties::TOTAL_SST_FILES_SIZE);
        size.ok().flatten().unwrap_or_default()
    }
}

fn batch(changes: &[Change]) -> WriteBatch {
    let mut batch = WriteBatch::with_capacity_bytes(changes.iter().map(size).sum());
    for change in changes {
        match change {
            Change::Put(table, key, value) => batch.put(row(*table, key), value),
            Change::Delete(table, key) => batch.delete(row(*table, key)),
            // RocksDB refuses the whole batch for a range that ends before it starts.
            Change::DeleteRange(_, from, to) if from >= to => {}
            Change::DeleteRange(table, from, to) => {
                batch.delete_range(row(*table, from), row(*table, to));
            }
        }
    }
    batch
}

fn row(table: Table, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + key.len());
    row.push(table as u8);
    row.extend_from_slice(key);
    row
}

/// At least the bytes that the change takes in a batch.
fn size(change: &Change) -> usize {
    // The kind, the table, two lengths.
    const AROUND: usize = 12;
    match change {
        Change::Put(_, key, value) => AROUND + key.len() + value.len(),
        Change::Delete(_, key) => AROUND + key.len(),
        Change::DeleteRange(_, from, to) => AROUND + from.len() + to.len(),
    }
}

/// Whether the folder can be a store, or why not: `RocksDB` itself takes a folder that has lost its
/// `CURRENT` for a new one, and starts empty beside the old rows.
fn is_whole(dir: &Path) -> Result<(), String> {
    let has_rows = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
        let name = name.to_string_lossy();
        name.ends_with(".sst") || name.starts_with("MANIFEST")
    };
    let has_rows = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.any(has_rows));
    if has_rows && !dir.join("CURRENT").exists() {
        return Err("the file CURRENT is missing".to_owned());
    }
    Ok(())
}

fn opening(doing: String, error: &rocksdb::Error) -> StoreError {
    // `RocksDB` reports a file that its own manifest names, and is not there, as an I/O error.
    if error.as_ref().contains("No such file") {
        return StoreError::Corrupted { doing, detail: error.to_string() };
    }
    failed(doing, error)
}

fn failed(doing: String, error: &rocksdb::Error) -> StoreError {
    explain(doing, error.to_string())
}

fn explain(doing: String, detail: String) -> StoreError {
    if detail.contains("Corruption:") {
        return StoreError::Corrupted { doing, detail };
    }
    if detail.contains("No space left") || detail.contains("Disk quota exceeded") {
        return StoreError::Full { doing };
    }
    StoreError::Failed { doing, detail }
}

fn io(doing: String, error: &std::io::Error) -> StoreError {
    if crate::journal::log::is_full(error) {
        return StoreError::Full { doing };
    }
    StoreError::Failed { doing, detail: error.to_string() }
}
