//! The control log, read, folded and written by one process that may lead.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use proto::log::{Log, LogError};
use proto::types::Slot;

pub use crate::claim::Unclear;
use crate::claim::{Claim, claim, highest, look};
use crate::machine::entry::{Change, Entry, EntryError};
use crate::machine::member::Term;
use crate::machine::table::{Refused, Table};

/// How many slots are fetched at a time when the log is opened.
const READS_AT_ONCE: usize = 16;

/// A process's view of the control log, and its leadership where it has one.
#[derive(Debug)]
pub struct ControlLog {
    log: Arc<dyn Log>,
    table: Table,
    /// The first slot that the table does not know.
    next: Slot,
    /// The leadership that this process has won and not lost since, as far as it knows.
    won: Option<Term>,
}

/// Whether an entry got the slot it was written for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Append {
    /// It is in the log, at this slot.
    Won(Slot),
    /// Another entry is at this slot, and has been folded: what was decided without it must be
    /// decided anew. This process leads no more.
    Lost(Slot),
}

/// Why the control log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The store failed.
    #[error("use the control log")]
    Store(#[from] LogError),
    /// The store's answer to a write stayed unclear. Whoever asked opens the log again.
    #[error("append to the control log")]
    Unclear(#[from] Unclear),
    /// A slot below others is gone. The control log is never trimmed (I10).
    #[error(
        "read slot {0} of the control log: it is gone, although later ones exist; restore the store's `control` folder"
    )]
    Missing(Slot),
    /// A slot holds what this version cannot read (I11, I14).
    #[error("read slot {slot} of the control log")]
    Unreadable {
        /// The slot.
        slot: Slot,
        /// What is wrong with it.
        source: EntryError,
    },
    /// An entry breaks the rules that the log lives by.
    #[error("fold slot {slot} of the control log")]
    Impossible {
        /// The slot that the entry has, or would have got.
        slot: Slot,
        /// The rule.
        source: Refused,
    },
    /// Only who leads may write.
    #[error("append to the control log: this process does not lead")]
    NotLeading,
}

impl ControlLog {
    /// Reads and folds the whole log.
    ///
    /// # Errors
    ///
    /// [`ControlError`] where the store fails, or the log is not one that this version can follow.
    pub async fn open(log: Arc<dyn Log>) -> Result<Self, ControlError> {
        let mut control = Self { log, table: Table::default(), next: Slot(1), won: None };
        let last = highest(&*control.log).await?.unwrap_or(Slot(0));
        let log = Arc::clone(&control.log);
        let mut objects = stream::iter((1..=last.0).map(Slot))
            .map(|slot| look(&*log, slot))
            .buffered(READS_AT_ONCE);
        while let Some(object) = objects.next().await {
            let object = object?.ok_or(ControlError::Missing(control.next))?;
            control.fold(&object)?;
        }
        // A list may be older than the log.
        control.catch_up().await?;
        Ok(control)
    }

    /// What the log says, as far as this process has read it.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The last slot that the table knows; 0 before the first.
    #[must_use]
    pub const fn read(&self) -> Slot {
        Slot(self.next.0 - 1)
    }

    /// The term in which this process leads; `None` where it knows that it does not. Another may
    /// have won a slot since: only an entry that is won proves the leadership.
    #[must_use]
    pub fn leading(&self) -> Option<Term> {
        self.won.filter(|&term| term == self.table.term())
    }

    /// Folds what others have written since.
    ///
    /// # Errors
    ///
    /// As [`ControlLog::open`].
    pub async fn catch_up(&mut self) -> Result<(), ControlError> {
        while let Some(object) = look(&*self.log, self.next).await? {
            self.fold(&object)?;
        }
        Ok(())
    }

    /// Writes `change` into the next slot, under this process's term, or under the next one where it
    /// asks to lead. `nonce` must differ from that of every other call.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotLeading`] where only a leader may write this; [`ControlError::Impossible`],
    /// before anything is written, where no reader would take the entry; otherwise as
    /// [`ControlLog::open`]. After [`ControlError::Unclear`] the entry may be in the log.
    pub async fn append(&mut self, change: Change, nonce: u64) -> Result<Append, ControlError> {
        let asks_to_lead = matches!(change, Change::Leader { .. });
        let term = if asks_to_lead { Some(self.table.term().next()) } else { self.leading() };
        let entry = Entry { term: term.ok_or(ControlError::NotLeading)?, change };
        let slot = self.next;
        let impossible = |source| ControlError::Impossible { slot, source };
        self.table.check(&entry).map_err(impossible)?;

        let object = entry.seal(nonce);
        match claim(&*self.log, slot, &object).await? {
            Claim::Ours => self.fold(&object)?,
            Claim::Taken(standing) => {
                self.won = None;
                self.fold(&standing)?;
                return Ok(Append::Lost(slot));
            }
        }
        self.won = term;
        Ok(Append::Won(slot))
    }

    fn fold(&mut self, object: &Bytes) -> Result<(), ControlError> {
        let slot = self.next;
        let entry =
            Entry::open(object).map_err(|source| ControlError::Unreadable { slot, source })?;
        let impossible = |source| ControlError::Impossible { slot, source };
        self.table.apply(entry).map_err(impossible)?;
        self.next = slot.next();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
