//! One process a data directory: a lock that the end of the process frees, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// The right to use a directory, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct DirLock {
    /// The lock is the open file's, not the name's: the file stays when the lock goes.
    _file: File,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process works in it.
    #[error("{} is in use by {holder}: stop that process, or give this one a data directory of its own", dir.display())]
    Held {
        /// The directory.
        dir: PathBuf,
        /// Who holds it, such as `process 4711`.
        holder: String,
    },
    /// The lock's file could not be used.
    #[error("lock {}", dir.display())]
    Failed {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl DirLock {
    /// Takes the lock `<dir>/lock`, creating both where they do not exist.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] where another process (or this one) has it; else what the system said.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Failed { dir: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        // Not truncated: before the lock is ours, what is written there is another's.
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(dir.join("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { dir: dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Who signed, as far as can be read.
fn holder(file: &mut File) -> String {
    let mut signed = String::new();
    let read = file.read_to_string(&mut signed);
    match signed.trim().parse::<u32>() {
        Ok(pid) if read.is_ok() => format!("process {pid}"),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}
