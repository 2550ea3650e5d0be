//! Files of earlier checkpoints, so that a snapshot reads only what is new since the one before.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::FileEntry;

/// What tells a file of rows from every other. `RocksDB` writes such a file once, and a checkpoint has a link
/// to it: the same file, not a copy.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Mark {
    name: String,
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// The files of one folder.
pub(super) type Seen = HashMap<Mark, FileEntry>;

/// For each checkpoint's folder the files that were in it last time.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<PathBuf, Seen>>>);

impl Mark {
    /// The file's mark; `None` where it is not a file of rows: the others are small, and written again.
    pub(super) fn of(path: &Path) -> std::io::Result<Option<Self>> {
        if path.extension().is_none_or(|it| it != "sst") {
            return Ok(None);
        }
        let meta = std::fs::metadata(path)?;
        Ok(Some(Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }))
    }
}

impl Known {
    pub(super) fn get(&self, folder: &Path, mark: &Mark) -> Option<FileEntry> {
        self.0.lock().get(folder)?.get(mark).cloned()
    }

    pub(super) fn replace(&self, folder: &Path, seen: Seen) {
        self.0.lock().insert(folder.to_owned(), seen);
    }
}
