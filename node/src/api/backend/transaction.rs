//! What is known of one transaction.

use proto::types::{EventTime, Leg, Offset, RecordTime, SourcePartition, Version};

/// One leg of a transaction and where it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeenLeg {
    /// Where it was read; its leg says which of the three it is.
    pub source: SourcePartition,
    /// Its place there.
    pub offset: Offset,
    /// The time inside the message; `None` where only the result is kept.
    pub event_time: Option<EventTime>,
    /// The record's timestamp; `None` where only the result is kept.
    pub record_time: Option<RecordTime>,
}

/// How a result stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResultState {
    /// All three legs.
    Complete,
    /// The deadline passed first.
    Incomplete,
    /// A leg came after the deadline.
    Corrected,
}

/// What is known of a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transaction {
    /// It waits for legs.
    Open {
        /// Those that came.
        legs: Vec<SeenLeg>,
        /// Those that did not.
        missing: Vec<Leg>,
        /// When it is given up, on the record clock.
        deadline: RecordTime,
    },
    /// It has a result, kept whole.
    Result {
        /// How it stands.
        state: ResultState,
        /// Which statement about the transaction it is.
        version: Version,
        /// The legs in it.
        legs: Vec<SeenLeg>,
        /// The legs that it lacks.
        missing: Vec<Leg>,
        /// The result as it went to the transactions topic.
        json: String,
    },
    /// It is done; the result is no longer kept here.
    Done,
    /// Never seen, or longer ago than anything is remembered.
    Unknown,
}
