//! What transactions' actors report to their range: they gather here, and one message tells the range of all.

use parking_lot::Mutex;
use proto::types::TransactionKey;

use crate::machine::range::Outcome;

/// A transaction's key, and what its actor has come to.
pub(super) type Report = (TransactionKey, Outcome);

/// Reports that the range has not taken yet. A message of its own for each would cost more than most decisions do.
#[derive(Debug, Default)]
pub struct Reports(Mutex<Vec<Report>>);

impl Reports {
    /// Adds a report; `true` where it is the first, so that the range must be told.
    #[must_use]
    pub fn add(&self, report: Report) -> bool {
        let mut waiting = self.0.lock();
        waiting.push(report);
        waiting.len() == 1
    }

    /// Takes all that wait, in exchange for an empty list whose room is used again.
    pub(super) fn take(&self, room: &mut Vec<Report>) {
        std::mem::swap(&mut *self.0.lock(), room);
    }
}
