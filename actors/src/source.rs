//! Where records come from: partitions with offsets that can be read again from any offset.

pub mod decode;
pub mod kafka;

use std::sync::Arc;

use proto::types::{Offset, PartitionIndex, SourcePartition};

/// A record, as the source has it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// The source's timestamp, in milliseconds since the Unix epoch. What the record clock runs on.
    pub time_ms: u64,
    /// The message; `None` where the source has a key without a value.
    pub payload: Option<&'a [u8]>,
}

/// How far a read came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The first offset that has not been handed over: everything below it has been, or does not exist.
    pub next: Offset,
    /// The first offset that the source did not have when last heard of; `None` before that is known.
    /// The reader is caught up where `next >= end`.
    pub end: Option<Offset>,
    /// Whether reading on at once may give more. Where not, the waker is called when there is more.
    pub more: bool,
}

/// How much one read may hand over. At least one record is, if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Records at most.
    pub records: usize,
    /// Bytes of payload after which the read ends.
    pub bytes: usize,
}

/// Called, from any thread, when a partition that had nothing more has something again.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// A set of source partitions.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// All source partitions, in a fixed order: the place in it is the partition's index, for the
    /// life of the cluster's state. Legs in their order, then partitions in theirs.
    fn partitions(&self) -> &[SourcePartition];

    /// Opens a partition for reading from `from`. Doesn't wait for the source to answer.
    ///
    /// # Errors
    ///
    /// Where the partition cannot be read at all. That `from` is out of range is told by the first read.
    fn open(
        &self,
        index: PartitionIndex,
        from: Offset,
        waker: Waker,
    ) -> Result<Box<dyn Partition>, SourceError>;

    /// Tells ordinary lag tools up to where the records are durable here. Best effort.
    fn committed(&self, positions: &[(PartitionIndex, Offset)]);
}

/// One source partition, open for reading. Closing is dropping.
pub trait Partition: Send {
    /// Hands over what is there now, in order, without waiting.
    ///
    /// # Errors
    ///
    /// [`SourceError`]; after an error the partition may be read again, from where it stands.
    fn read(
        &mut self,
        limit: Limit,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Result<Progress, SourceError>;

    /// Goes to `offset`; the next read begins there.
    ///
    /// # Errors
    ///
    /// Where the source refuses.
    fn seek(&mut self, offset: Offset) -> Result<(), SourceError>;
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// I10: the source no longer has records that have not been applied. Never skipped.
    #[error(
        "{partition} no longer has offset {wanted}, its first is {first}: retention has passed \
         records that were not yet read"
    )]
    Trimmed {
        /// The partition, as `topic/partition`.
        partition: String,
        /// The offset that was to be read next.
        wanted: Offset,
        /// The first offset that the source has.
        first: Offset,
    },
    /// The source ends before an offset that was read before: the topic is not the one it was.
    #[error("{partition} ends at {end}, before offset {wanted}: was the topic created again?")]
    Shrunk {
        /// The partition, as `topic/partition`.
        partition: String,
        /// The offset that was to be read next.
        wanted: Offset,
        /// The first offset that the source does not have.
        end: Offset,
    },
    /// A topic or file of the configuration does not exist.
    #[error("{0} does not exist")]
    Missing(String),
    /// The source is out of reach for now; the reader tries again.
    #[error("read {what}")]
    Unreachable {
        /// What was being read.
        what: String,
        /// What the client said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
