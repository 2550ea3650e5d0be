//! Waiting for a flush, and knowing when it will never come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How often a write is tried while no memory is free: for ten seconds, every millisecond.
const TRIES: usize = 10_000;

/// What one store's background work said when it failed.
#[derive(Debug, Default)]
pub(super) struct Background {
    has_said: AtomicBool,
    said: Mutex<String>,
}

impl Background {
    /// Remembers an error that `RocksDB` logged: the first, for the later ones follow from it.
    pub(super) fn say(&self, error: &str) {
        if !self.has_said.load(Ordering::Acquire) {
            error.clone_into(&mut self.said.lock());
            self.has_said.store(true, Ordering::Release);
        }
    }

    /// The error; `None` where there was none.
    pub(super) fn said(&self) -> Option<String> {
        self.has_said.load(Ordering::Acquire).then(|| self.said.lock().clone())
    }
}

/// A pause between two tries.
pub(super) struct Wait;

impl Wait {
    /// Blocks the thread, which is the back-pressure on the range, for a millisecond.
    pub(super) fn wait(self) {
        let never = Mutex::new(());
        Condvar::new().wait_for(&mut never.lock(), Duration::from_millis(1));
    }
}

/// The tries of one write.
pub(super) fn waits() -> impl Iterator<Item = Wait> {
    (0..TRIES).map(|_| Wait)
}
