//! What a range's actor tells about it.

use crate::machine::block::{Head, Place};
use crate::machine::ledger::Counts;
use crate::machine::positions::Position;
use crate::machine::range::{DeadLetters, Identity, Status};

/// How things stand in a range.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which range it is.
    pub identity: Identity,
    /// What the machine says.
    pub status: Status,
    /// How far each source partition has been applied.
    pub positions: Vec<Position>,
    /// What became of each source partition's records.
    pub ledger: Vec<Counts>,
    /// Results of each state since the start: complete, incomplete, corrected.
    pub emitted: [u64; 3],
    /// Dead letters since the start.
    pub dead: DeadLetters,
    /// Bytes of output that is in no durable commit yet, about.
    pub uncommitted_bytes: usize,
    /// Bytes of local state on disk.
    pub store_bytes: u64,
    /// Batches that wait for room.
    pub waiting_batches: usize,
}

/// What a checkpoint holds.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Which range it is.
    pub identity: Identity,
    /// Where it stands in the journal.
    pub place: Place,
    /// How it stands there: positions, ledger, the last row's sequence.
    pub head: Head,
}
