//! Frames out of bytes. What is no frame is refused; nothing makes this panic.

use bytes::Bytes;
use proto::types::{Epoch, Offset, PartitionIndex, RangeId, RecordTime};

use super::figures::{self, ANSWERED, ASK, CELLS, FIGURES, NOT_ANSWERED, WANTING};
use super::{CLOCKS, FORMAT, FrameError, Heard, Pass, ToOwner, ToReader};
use crate::machine::codec::{Malformed, Reader};
use crate::machine::positions::{Batch, Position, Receipt, Said};

impl From<Malformed> for FrameError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl ToOwner {
    /// Out of bytes; a batch's records stay in them.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn decode(frame: &Bytes) -> Result<Self, FrameError> {
        let (kind, mut reader) = opened(frame)?;
        let frame = match kind {
            0 => Self::Open(range(&mut reader)?, epoch(&mut reader)?),
            1 => {
                let (range, epoch) = (range(&mut reader)?, epoch(&mut reader)?);
                let (partition, from, to) =
                    (partition(&mut reader)?, offset(&mut reader)?, offset(&mut reader)?);
                let clock = time(&mut reader)?;
                let records = frame.slice_ref(reader.bytes()?);
                Self::Batch(range, epoch, Batch { partition, from, to, clock, records })
            }
            2 => {
                let (range, epoch) = (range(&mut reader)?, epoch(&mut reader)?);
                let partition = partition(&mut reader)?;
                let at = (offset(&mut reader)?, time(&mut reader)?);
                Self::CaughtUp(range, epoch, partition, at)
            }
            CLOCKS => Self::Clocks(clocks(&mut reader)?),
            FIGURES => figures::take_report(&mut reader)?,
            ASK => figures::take_ask(&mut reader)?,
            _ => return Err(FrameError::Malformed),
        };
        if reader.is_empty() { Ok(frame) } else { Err(FrameError::Malformed) }
    }
}

impl ToReader {
    /// Out of bytes.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn decode(frame: &Bytes) -> Result<Self, FrameError> {
        let (kind, mut reader) = opened(frame)?;
        let frame = match kind {
            CLOCKS => Self::Clocks(clocks(&mut reader)?),
            WANTING => figures::take_wanting(&mut reader)?,
            CELLS => figures::take_cells(&mut reader)?,
            ANSWERED => figures::take_answered(&mut reader)?,
            NOT_ANSWERED => Self::NotAnswered(reader.varint()?),
            _ => Self::about(kind, &mut reader)?,
        };
        if reader.is_empty() { Ok(frame) } else { Err(FrameError::Malformed) }
    }

    /// A frame about a range.
    fn about(kind: u8, reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        let (range, epoch) = (range(reader)?, epoch(reader)?);
        Ok(match kind {
            0 => Self::Positions(range, epoch, positions(reader)?),
            1 => Self::NotHere(range, epoch),
            2 | 3 => {
                let partition = partition(reader)?;
                let said = if kind == 2 {
                    Said::Applied(reader.number()?)
                } else {
                    Said::Refused(position(reader)?)
                };
                Self::Receipt(Receipt { range, epoch, partition, said })
            }
            4 => Self::Committed(range, epoch, positions(reader)?),
            _ => return Err(FrameError::Malformed),
        })
    }
}

fn opened(frame: &Bytes) -> Result<(u8, Reader<'_>), FrameError> {
    let mut reader = Reader::new(frame);
    let [format] = reader.array()?;
    if format != FORMAT {
        return Err(FrameError::Format(format));
    }
    let [kind] = reader.array()?;
    Ok((kind, reader))
}

fn range(reader: &mut Reader<'_>) -> Result<RangeId, Malformed> {
    reader.number().map(RangeId)
}

fn epoch(reader: &mut Reader<'_>) -> Result<Epoch, Malformed> {
    reader.varint().map(Epoch::new)
}

fn partition(reader: &mut Reader<'_>) -> Result<PartitionIndex, Malformed> {
    reader.number().map(PartitionIndex)
}

fn offset(reader: &mut Reader<'_>) -> Result<Offset, Malformed> {
    reader.varint().map(Offset)
}

fn time(reader: &mut Reader<'_>) -> Result<RecordTime, Malformed> {
    reader.varint().map(RecordTime)
}

fn position(reader: &mut Reader<'_>) -> Result<Position, Malformed> {
    Ok(Position { offset: offset(reader)?, clock: time(reader)? })
}

fn positions(reader: &mut Reader<'_>) -> Result<Vec<Position>, Malformed> {
    let mut positions = Vec::new();
    while !reader.is_empty() {
        positions.push(position(reader)?);
    }
    Ok(positions)
}

fn clocks(reader: &mut Reader<'_>) -> Result<Vec<Heard>, Malformed> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        let pass = match reader.array()? {
            [0] => Pass::Front,
            [1] => Pass::Behind,
            [_] => return Err(Malformed),
        };
        let (partition, clock) = (partition(reader)?, time(reader)?);
        all.push(Heard { partition, pass, clock, age_ms: reader.varint()? });
    }
    Ok(all)
}
