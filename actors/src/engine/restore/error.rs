//! Why ranges could not be restored.

use proto::log::LogError;
use proto::types::{RangeId, Slot};

use super::super::Life;
use super::origin::Origin;
use crate::journal::object::ObjectError;
use crate::machine::range::LoadError;
use crate::machine::restore::Gap;
use crate::snapshot::SnapshotError;
use crate::source::SourceError;
use crate::store::StoreError;

/// Why ranges could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The journal could not be read.
    #[error("read the journal")]
    Log(#[from] LogError),
    /// I11: an object of the journal is refused.
    #[error(
        "journal {}/{}, slot {slot}: {source}; nothing was changed. Put the object back from a copy, or \
         restore a snapshot that stands behind it: throughline snapshot restore",
        life.1, life.0.0
    )]
    Object {
        /// Whose journal.
        life: Life,
        /// Which slot.
        slot: Slot,
        /// What is wrong with it.
        source: ObjectError,
    },
    /// I10: commits between what is there and what follows are gone.
    #[error(transparent)]
    Gap(#[from] Gap),
    /// A slot was listed, and gone when it was to be read: its owner has taken a snapshot meanwhile.
    #[error("slot {slot} of journal {}/{} went while it was to be read: try again", life.1, life.0.0)]
    Trimmed {
        /// Whose journal.
        life: Life,
        /// Which slot.
        slot: Slot,
    },
    /// I10: from no state that is there do the journals reach to the last commit.
    #[error(
        "range {range} cannot be restored without a gap: {refused}; nothing is served that would have one"
    )]
    Nowhere {
        /// The range.
        range: RangeId,
        /// What was tried, and why it was refused.
        refused: String,
    },
    /// No snapshot can be put back.
    #[error("no snapshot can be restored without a gap: {0}")]
    NoSnapshot(String),
    /// The snapshots could not be read.
    #[error("use the snapshots")]
    Snapshot(#[from] SnapshotError),
    /// A state verifies, and is not what ranges write.
    #[error("{origin} of range {range} holds what no range has written")]
    Rotten {
        /// The range.
        range: RangeId,
        /// Where the state is from.
        origin: Origin,
        /// What is wrong.
        source: LoadError,
    },
    /// A local store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A local store holds what no range has written.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A source does not give young legs again.
    #[error("read young legs again")]
    Source(#[from] SourceError),
    /// A source had fewer of them than there were.
    #[error(
        "{missing} legs that range {range} keeps by reference are not in the source any more: its records have \
         changed or were deleted"
    )]
    Lost {
        /// The range.
        range: RangeId,
        /// How many.
        missing: usize,
    },
}
