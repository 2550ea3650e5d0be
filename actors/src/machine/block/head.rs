//! Where a range stands after a commit, and where that commit stands in its journals.

use proto::types::{Epoch, Offset, RecordTime, Sequence, Slot};

use super::super::codec::{Malformed, Reader, put_varint};
use super::super::ledger::Counts;
use super::super::positions::Position;
use super::super::reach::At;

/// A range's state but for its rows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The epoch under which the range committed.
    pub epoch: Epoch,
    /// The number of the commit: one more than the last, whatever the epoch (I1).
    pub commit: u64,
    /// The sequence of the last row of output.
    pub sequence: Sequence,
    /// The last sequence that the sink had acknowledged when the commit closed.
    pub acknowledged: Sequence,
    /// The range's record clock.
    pub clock: RecordTime,
    /// The first commit whose references may still be needed.
    pub live_from: u64,
    /// The first bucket of tombstones that has not been dropped.
    pub floor: u64,
    /// The last commit that had cells: what later ones have added is not in them.
    pub folded: u64,
    /// Windows that ended before this are forgotten, in milliseconds of the event clock; 0: none.
    pub horizon_ms: u64,
    /// How far each source partition has been applied.
    pub positions: Vec<Position>,
    /// What became of each source partition's records.
    pub ledger: Vec<Counts>,
}

impl Head {
    /// Appends the head to `out`.
    pub fn put(&self, out: &mut Vec<u8>) {
        let numbers = [
            self.epoch.get(),
            self.commit,
            self.sequence.0,
            self.acknowledged.0,
            self.clock.0,
            self.live_from,
            self.floor,
            self.folded,
            self.horizon_ms,
        ];
        numbers.iter().for_each(|&number| put_varint(out, number));
        super::put_list(out, &self.positions, |out, position| {
            put_varint(out, position.offset.0);
            put_varint(out, position.clock.0);
        });
        super::put_list(out, &self.ledger, |out, counts| counts.put(out));
    }

    /// The head at the front of `reader`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where there is none.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut head = Self {
            epoch: Epoch::new(reader.varint()?),
            commit: reader.varint()?,
            sequence: Sequence(reader.varint()?),
            acknowledged: Sequence(reader.varint()?),
            clock: RecordTime(reader.varint()?),
            live_from: reader.varint()?,
            floor: reader.varint()?,
            folded: reader.varint()?,
            horizon_ms: reader.varint()?,
            ..Self::default()
        };
        for _ in 0..reader.number::<u16>()? {
            let (offset, clock) = (Offset(reader.varint()?), RecordTime(reader.varint()?));
            head.positions.push(Position { offset, clock });
        }
        for _ in 0..reader.number::<u16>()? {
            head.ledger.push(Counts::take(reader)?);
        }
        Ok(head)
    }
}

/// Where a range's commits stand in the journals of its owners.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// Where the commit is.
    pub at: At,
    /// Where the first row is that was not acknowledged. Up to there every row of the range has been delivered.
    pub outbox: At,
}

impl Place {
    /// The first slot that a restore from here reads: of what follows, and of rows that wait for the sink.
    #[must_use]
    pub fn needed_from(&self) -> At {
        let (epoch, slot) = self.at;
        self.outbox.min((epoch, slot.next()))
    }

    /// Appends the place to `out`.
    pub fn put(&self, out: &mut Vec<u8>) {
        for (epoch, slot) in [self.at, self.outbox] {
            put_varint(out, epoch.get());
            put_varint(out, slot.0);
        }
    }

    /// The place at the front of `reader`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where there is none.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut at = || Ok((Epoch::new(reader.varint()?), Slot(reader.varint()?)));
        Ok(Self { at: at()?, outbox: at()? })
    }
}
