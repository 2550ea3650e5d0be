//! Where results go: rows from committed slots, each with its stamp, in order for each range.

pub mod file;
pub mod kafka;

use bytes::Bytes;
use futures::future::BoxFuture;
use proto::types::{Epoch, RangeId, RecordTime, Sequence, Version};

use crate::engine::Life;

/// Which of the four outlets a row goes to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Outlet {
    /// Joined transactions, complete, incomplete and corrected.
    Transactions = 0,
    /// Legs that came after their transaction could no longer be corrected.
    Late = 1,
    /// Pairs of legs that contradict each other.
    Conflicts = 2,
    /// Records that could not be understood, with where they came from.
    DeadLetters = 3,
}

/// Where a row stands in its range's output (I6: the content of a range's sequence never changes).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Stamp {
    /// The range that it comes from.
    pub range: RangeId,
    /// The epoch under which it was committed.
    pub epoch: Epoch,
    /// Its number in the range.
    pub sequence: Sequence,
    /// The version of the transaction's result; 1 where the row is none.
    pub version: Version,
}

/// One row of output.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it goes.
    pub outlet: Outlet,
    /// Where it stands.
    pub stamp: Stamp,
    /// The record's key: the transaction id; for a dead letter `topic/partition@offset`.
    pub key: Bytes,
    /// The record's value.
    pub payload: Bytes,
    /// Further headers, for a dead letter where it came from and why it is one.
    pub headers: Vec<(String, String)>,
    /// When the leg that made it possible arrived, by the record clock. It is measured and never written:
    /// `None` where no leg did but a deadline, where the row is no result, and where it was read back.
    pub arrived: Option<RecordTime>,
}

/// Takes rows. One delivery is under way at a time.
pub trait Sink: Send {
    /// Takes nothing of these lives any more, whatever they have sent or will send: they are over, and others
    /// go on with their ranges. Comes before the [`Sink::recover`] that says where (I7). Nothing is done where
    /// the sink cannot, or they are shut out already; after an error it is not known which of them are.
    fn fence<'a>(&'a mut self, lives: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>>;

    /// The last sequence of each range that the sink itself knows to be delivered; the publisher goes
    /// on behind it. Empty where the sink keeps no such memory. Fences an older writer first.
    fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>>;

    /// Delivers all `rows`, in order for each range; returns when every one is acknowledged. After an
    /// error any of them may have been delivered; the caller calls [`Sink::recover`], then delivers again.
    fn deliver<'a>(&'a mut self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>>;
}

/// Why rows were not delivered.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Another process writes under our name: we are the zombie, and must stop (I7).
    #[error("fenced by a newer writer of {0}")]
    Fenced(String),
    /// The sink is out of reach or refuses for now; to be tried again.
    #[error("{doing}")]
    Unavailable {
        /// What was being done, as a verb phrase.
        doing: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
