//! Back-pressure of a range: batches wait while decisions, output or mailboxes pile up, and readers get their credit back
//! only when theirs has been applied (I13).

use std::collections::VecDeque;

use ractor::ActorRef;

use crate::machine::positions::Batch;
use crate::machine::range::Range;
use crate::reader;

/// Transactions that may be under decision at once in a range before batches have to wait. A ractor actor that lives
/// takes about 7 kB: few at once find theirs in the processor's cache, and bound what a node's actors take.
const MAX_DECIDING: usize = 16;

/// Bytes of output that may wait for a commit in a range before batches have to wait.
const MAX_PENDING_BYTES: usize = 4 << 20;

/// Batches that wait for room. Credit bounds their bytes.
#[derive(Debug, Default)]
pub(super) struct Supply {
    waiting: VecDeque<(Batch, ActorRef<reader::Message>)>,
}

impl Supply {
    /// Takes a batch in, behind those that wait.
    pub(super) fn put(&mut self, batch: Batch, reader: ActorRef<reader::Message>) {
        self.waiting.push_back((batch, reader));
    }

    /// How many batches wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next batch, if the range has room for it.
    pub(super) fn next(&mut self, range: &Range) -> Option<(Batch, ActorRef<reader::Message>)> {
        if self.has_next(range) { self.waiting.pop_front() } else { None }
    }

    /// Whether a batch waits that the range has room for.
    pub(super) fn has_next(&self, range: &Range) -> bool {
        !self.waiting.is_empty()
            && range.deciding() < MAX_DECIDING
            && range.pending_bytes() < MAX_PENDING_BYTES
            && !range.awaits_commit()
    }
}
