//! What two nodes say to each other: about a range that one reads for and the other owns, and about figures that one
//! has shares of and the other sums up.
//!
//! Who dials has readers, who answers has ranges. Every frame about a range carries its epoch, and one about an
//! epoch that the other side does not know changes nothing there (I1). What may come twice or late: all of them.
//!
//! | From the readers | The owner's answer |
//! |---|---|
//! | [`ToOwner::Open`]: how does this range stand? | [`ToReader::Positions`], or [`ToReader::NotHere`] |
//! | [`ToOwner::Batch`]: all of its records in an interval (I3) | [`ToReader::Receipt`], or [`ToReader::NotHere`] |
//! | [`ToOwner::CaughtUp`]: the source has nothing more | – |
//!
//! Who dials has shares too, and questions; who answers aggregates. A report whose epoch or place in the order is not
//! the next changes nothing there that it should not (I8: [`Aggregate`](super::aggregate::Aggregate) sees to that).
//!
//! | From the ranges, or who asks | The aggregator's answer |
//! |---|---|
//! | [`ToOwner::Figures`]: a range's share has changed so | [`ToReader::Wanting`], where something is missing |
//! | [`ToOwner::Ask`]: which cells are there? | [`ToReader::Cells`], then [`ToReader::Answered`]; or [`ToReader::NotAnswered`] |
//!
//! Both say [`Heard`] of each partition several times a second, and the owner [`ToReader::Committed`].

mod figures;
mod take;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::types::{Epoch, Offset, PartitionIndex, RangeId, RecordTime};

pub use self::figures::answered;
use super::aggregate::{AsOf, Query, Report};
use super::codec::{put_bytes, put_varint};
use super::partial::Row;
use super::positions::{Batch, Position, Receipt, Said};

/// The format of the frames; a node refuses those of another (I14).
const FORMAT: u8 = 1;

/// Why a frame was not understood. The connection ends with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// I14: it was written by another version.
    #[error(
        "a frame has format {0}, this version knows {FORMAT}: the nodes' versions are too far apart"
    )]
    Format(u8),
    /// It is none.
    #[error("a frame is malformed")]
    Malformed,
}

/// Which pass of a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pass {
    /// The one that new records come with.
    Front = 0,
    /// The one that brings up ranges that are far behind.
    Behind = 1,
}

/// A partition's record clock, as somebody knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heard {
    /// The partition.
    pub partition: PartitionIndex,
    /// Which pass over it.
    pub pass: Pass,
    /// The clock; `u64::MAX` where it holds nobody back.
    pub clock: RecordTime,
    /// How long ago it was so.
    pub age_ms: u64,
}

/// What the readers' node says to the owner's.
#[derive(Clone, Debug)]
pub enum ToOwner {
    /// How does the range stand? It will be fed from there.
    Open(RangeId, Epoch),
    /// All of its records in an interval.
    Batch(RangeId, Epoch, Batch),
    /// The source had nothing beyond that offset when the wall said this.
    CaughtUp(RangeId, Epoch, PartitionIndex, (Offset, RecordTime)),
    /// The partitions' record clocks.
    Clocks(Vec<Heard>),
    /// What a range says about its cells of a dimension.
    Figures(String, Report),
    /// A question about a dimension, under a number of the asker's.
    Ask(u64, String, Query),
}

/// What the owner's node says to the readers'.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ToReader {
    /// So the range stands, for each source partition.
    Positions(RangeId, Epoch, Vec<Position>),
    /// The range is not served here under that epoch.
    NotHere(RangeId, Epoch),
    /// What became of a batch.
    Receipt(Receipt),
    /// Up to here all is durable.
    Committed(RangeId, Epoch, Vec<Position>),
    /// The partitions' record clocks.
    Clocks(Vec<Heard>),
    /// These ranges are to tell their whole share of a dimension: something of it is missing.
    Wanting(String, BTreeSet<RangeId>),
    /// Some cells of the answer to the question of that number.
    Cells(u64, Vec<Row>),
    /// That was the answer: how whole it is, and whether cells were left out.
    Answered(u64, AsOf, bool),
    /// The dimension is not summed up here.
    NotAnswered(u64),
}

impl ToOwner {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Open(range, epoch) => about(0, *range, *epoch, 0),
            Self::Batch(range, epoch, batch) => {
                let mut out = about(1, *range, *epoch, batch.records.len() + 48);
                put_varint(&mut out, u64::from(batch.partition.0));
                put_varint(&mut out, batch.from.0);
                put_varint(&mut out, batch.to.0);
                put_varint(&mut out, batch.clock.0);
                put_bytes(&mut out, &batch.records);
                out
            }
            Self::CaughtUp(range, epoch, partition, (at, wall)) => {
                let mut out = about(2, *range, *epoch, 24);
                put_varint(&mut out, u64::from(partition.0));
                put_varint(&mut out, at.0);
                put_varint(&mut out, wall.0);
                out
            }
            Self::Clocks(all) => clocks(all),
            Self::Figures(dimension, report) => figures::report(dimension, report),
            Self::Ask(number, dimension, query) => figures::ask(*number, dimension, query),
        }
        .into()
    }
}

impl ToReader {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Positions(range, epoch, positions) => {
                with_positions(about(0, *range, *epoch, positions.len() * 12), positions)
            }
            Self::NotHere(range, epoch) => about(1, *range, *epoch, 0),
            Self::Receipt(Receipt { range, epoch, partition, said: Said::Applied(bytes) }) => {
                let mut out = about(2, *range, *epoch, 16);
                put_varint(&mut out, u64::from(partition.0));
                put_varint(&mut out, *bytes as u64);
                out
            }
            Self::Receipt(Receipt { range, epoch, partition, said: Said::Refused(position) }) => {
                let mut out = about(3, *range, *epoch, 24);
                put_varint(&mut out, u64::from(partition.0));
                put_position(&mut out, *position);
                out
            }
            Self::Committed(range, epoch, positions) => {
                with_positions(about(4, *range, *epoch, positions.len() * 12), positions)
            }
            Self::Clocks(all) => clocks(all),
            Self::Wanting(dimension, ranges) => figures::wanting(dimension, ranges),
            Self::Cells(number, rows) => figures::cells(*number, rows),
            Self::Answered(number, as_of, is_cut) => {
                figures::answered_as_of(*number, as_of, *is_cut)
            }
            Self::NotAnswered(number) => figures::numbered(figures::NOT_ANSWERED, *number),
        }
        .into()
    }
}

/// The number of the frame that both sides send.
const CLOCKS: u8 = 9;

/// The beginning of a frame about a range, with room for so many bytes more.
fn about(kind: u8, range: RangeId, epoch: Epoch, more: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + more);
    out.extend_from_slice(&[FORMAT, kind]);
    put_varint(&mut out, u64::from(range.0));
    put_varint(&mut out, epoch.get());
    out
}

fn clocks(all: &[Heard]) -> Vec<u8> {
    let mut out = vec![FORMAT, CLOCKS];
    for heard in all {
        out.push(heard.pass as u8);
        put_varint(&mut out, u64::from(heard.partition.0));
        put_varint(&mut out, heard.clock.0);
        put_varint(&mut out, heard.age_ms);
    }
    out
}

fn with_positions(mut out: Vec<u8>, positions: &[Position]) -> Vec<u8> {
    positions.iter().for_each(|position| put_position(&mut out, *position));
    out
}

fn put_position(out: &mut Vec<u8>, position: Position) {
    put_varint(out, position.offset.0);
    put_varint(out, position.clock.0);
}
