//! Back-pressure of a range: a reader gets its credit back when the range has room for more (I13).

use ractor::{ActorProcessingErr, ActorRef};

use crate::machine::range::Range;
use crate::reader;

/// Transactions that may be under decision at once in a range before readers have to wait. A ractor actor
/// that lives takes about 7 kB, so this bounds what a node's actors take to some ten MiB.
const MAX_DECIDING: usize = 128;

/// Bytes of output that may wait for a commit in a range before readers have to wait.
const MAX_PENDING_BYTES: usize = 1 << 20;

/// Credit that is owed to readers.
#[derive(Debug, Default)]
pub(super) struct Supply {
    owed: Vec<(ActorRef<reader::Message>, reader::Message)>,
}

impl Supply {
    pub(super) fn owe(&mut self, reader: ActorRef<reader::Message>, credit: reader::Message) {
        self.owed.push((reader, credit));
    }

    /// Gives back what is owed, unless decisions or output have piled up.
    pub(super) fn settle(&mut self, range: &Range) -> Result<(), ActorProcessingErr> {
        if range.deciding() > MAX_DECIDING || range.pending_bytes() > MAX_PENDING_BYTES {
            return Ok(());
        }
        for (reader, credit) in self.owed.drain(..) {
            reader.cast(credit)?;
        }
        Ok(())
    }
}
