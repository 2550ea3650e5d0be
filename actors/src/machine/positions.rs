//! How far a range has applied each source partition, and what time that makes it (I3).

use proto::types::{Epoch, Offset, PartitionIndex, RangeId, RecordTime};

/// Everything that one source partition has for a range within an interval of offsets.
///
/// "These are all of your records in `from..to`", also where there are none. What a batch carries below a
/// range's position has been applied before and is skipped; a batch that begins beyond it is refused.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The source partition.
    pub partition: PartitionIndex,
    /// The first offset of the interval.
    pub from: Offset,
    /// One past the last offset of the interval.
    pub to: Offset,
    /// The record clock of the partition at `to`.
    pub clock: RecordTime,
    /// The records, one behind the other, as `envelope` describes them.
    pub records: bytes::Bytes,
}

/// What a range says about a batch to the reader that sent it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Which range.
    pub range: RangeId,
    /// The epoch under which it took the batch: a receipt from an earlier one is about nothing any more.
    pub epoch: Epoch,
    /// The batch's source partition.
    pub partition: PartitionIndex,
    /// What became of the batch.
    pub said: Said,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Said {
    /// It has been applied, now or before; so many bytes of credit come back.
    Applied(usize),
    /// It begins beyond where the range stands: go back there.
    Refused(Position),
}

/// How far one source partition has been applied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// The first offset that has not been applied.
    pub offset: Offset,
    /// The record clock there.
    pub clock: RecordTime,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    Behind,
    /// All that the source had was applied when the wall said this.
    CaughtUp {
        wall: RecordTime,
    },
}

/// A range's positions, one for each source partition, and its clock.
#[derive(Clone, Debug)]
pub struct Positions {
    positions: Vec<Position>,
    progress: Vec<Progress>,
    clock: RecordTime,
    /// How far the other partitions let the clock go while a batch is applied.
    others: RecordTime,
}

/// A batch that cannot be applied here; the reader goes back to `position`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Where the range stands.
    pub position: Position,
}

impl Positions {
    /// Positions as restored: `clock` is what the range's clock has shown before.
    #[must_use]
    pub fn new(positions: Vec<Position>, clock: RecordTime) -> Self {
        let progress = vec![Progress::Behind; positions.len()];
        Self { positions, progress, clock, others: RecordTime(0) }
    }

    /// Moves on to the end of `batch`; answers with the position from which its records count. The clock
    /// stays: it moves by [`Positions::reach`], record by record and then to the end of the batch.
    ///
    /// # Errors
    ///
    /// [`Refused`] where the batch leaves a gap, or lies wholly behind (I3).
    pub fn accept(&mut self, batch: &Batch) -> Result<Offset, Refused> {
        let index = batch.partition.index();
        let Some(position) = self.positions.get_mut(index) else {
            return Err(Refused { position: Position::default() });
        };
        if batch.from > position.offset || position.offset >= batch.to {
            return Err(Refused { position: *position });
        }
        let applied = position.offset;
        position.offset = batch.to;
        self.progress[index] = Progress::Behind;
        let others = self.bounds().enumerate().filter(|(it, _)| *it != index);
        self.others = others.map(|(_, bound)| bound).min().unwrap_or(RecordTime(u64::MAX));
        Ok(applied)
    }

    /// Notes that the source had nothing beyond `at` when the wall said `wall`. Ignored where the range
    /// stands elsewhere: then the note is about another position.
    pub fn caught_up(&mut self, partition: PartitionIndex, at: Offset, wall: RecordTime) {
        let index = partition.index();
        if self.positions.get(index).is_some_and(|position| position.offset == at) {
            self.progress[index] = Progress::CaughtUp { wall };
            self.advance();
        }
    }

    /// The partition whose batch is being applied has been applied up to where its clock is `clock`. A leg
    /// must not find that the end of its own batch has made it late.
    pub fn reach(&mut self, partition: PartitionIndex, clock: RecordTime) {
        if let Some(position) = self.positions.get_mut(partition.index()) {
            position.clock = position.clock.max(clock);
            self.clock = self.clock.max(self.others.min(position.clock));
        }
    }

    /// The clock is the least over all partitions, and never goes back.
    fn advance(&mut self) {
        if let Some(now) = self.bounds().min() {
            self.clock = self.clock.max(now);
        }
    }

    /// For each partition the time before which it brings nothing more: its clock, and where all was read
    /// when the wall was last looked at, that. What came since may not have been read: silence is not
    /// idleness.
    fn bounds(&self) -> impl Iterator<Item = RecordTime> {
        self.positions.iter().zip(&self.progress).map(|(position, progress)| match progress {
            Progress::Behind => position.clock,
            Progress::CaughtUp { wall } => position.clock.max(*wall),
        })
    }

    /// The range's record clock.
    #[must_use]
    pub const fn clock(&self) -> RecordTime {
        self.clock
    }

    /// The least record clock of the partitions that have had records: the wall has no part in it, so an old
    /// topic that is read again is not taken for forgotten once its end is reached.
    #[must_use]
    pub fn records_clock(&self) -> RecordTime {
        let clocks = self.positions.iter().map(|position| position.clock);
        clocks.filter(|clock| *clock > RecordTime(0)).min().unwrap_or_default()
    }

    /// Every partition's position.
    #[must_use]
    pub fn all(&self) -> &[Position] {
        &self.positions
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const P0: PartitionIndex = PartitionIndex(0);
    const P1: PartitionIndex = PartitionIndex(1);

    fn batch(partition: PartitionIndex, from: u64, to: u64, clock: u64) -> Batch {
        let (from, to, clock) = (Offset(from), Offset(to), RecordTime(clock));
        Batch { partition, from, to, clock, records: Bytes::new() }
    }

    /// A batch is applied: accepted, and its clock reached.
    fn apply(positions: &mut Positions, batch: &Batch) {
        positions.accept(batch).unwrap();
        positions.reach(batch.partition, batch.clock);
    }

    fn start() -> Positions {
        Positions::new(vec![Position::default(); 2], RecordTime(0))
    }

    #[test]
    fn i3_a_gap_is_refused_and_a_repeat_is_ignored() {
        let mut positions = start();
        let at = |offset, clock| Refused {
            position: Position { offset: Offset(offset), clock: RecordTime(clock) },
        };
        assert_eq!(positions.accept(&batch(P0, 3, 9, 1)), Err(at(0, 0)));
        assert_eq!(positions.accept(&batch(P0, 0, 5, 1)), Ok(Offset(0)));
        assert_eq!(positions.accept(&batch(P0, 0, 5, 1)), Err(at(5, 0)));
        assert_eq!(positions.accept(&batch(P0, 3, 9, 2)), Ok(Offset(5)));
        assert_eq!(positions.accept(&batch(P0, 10, 12, 2)), Err(at(9, 0)));
    }

    #[test]
    fn the_clock_is_that_of_the_partition_that_is_furthest_behind() {
        let mut positions = start();
        apply(&mut positions, &batch(P0, 0, 5, 500));
        assert_eq!(positions.clock(), RecordTime(0), "the other partition may hold older records");
        apply(&mut positions, &batch(P1, 0, 5, 300));
        assert_eq!(positions.clock(), RecordTime(300));
    }

    #[test]
    fn a_batch_makes_none_of_its_own_records_late() {
        let mut positions = start();
        apply(&mut positions, &batch(P1, 0, 5, 900));
        positions.accept(&batch(P0, 0, 5, 500)).unwrap();
        assert_eq!(positions.clock(), RecordTime(0), "none of its records has been applied");
        positions.reach(P0, RecordTime(200));
        assert_eq!(positions.clock(), RecordTime(200));
    }

    #[test]
    fn a_note_about_the_end_is_good_up_to_its_time() {
        let mut positions = start();
        positions.caught_up(P1, Offset(0), RecordTime(300));
        apply(&mut positions, &batch(P0, 0, 5, 500));
        assert_eq!(positions.clock(), RecordTime(300), "what came since may not have been read");
    }

    #[test]
    fn a_partition_that_is_caught_up_holds_nobody_back() {
        let mut positions = start();
        apply(&mut positions, &batch(P0, 0, 5, 500));
        positions.caught_up(P1, Offset(7), RecordTime(900));
        assert_eq!(positions.clock(), RecordTime(0), "the note is about another position");
        positions.caught_up(P1, Offset(0), RecordTime(900));
        assert_eq!(positions.clock(), RecordTime(500));
        positions.caught_up(P0, Offset(5), RecordTime(950));
        assert_eq!(positions.clock(), RecordTime(900), "all are caught up: the wall leads");
    }

    #[test]
    fn the_wall_is_no_record() {
        let mut positions = start();
        positions.caught_up(P0, Offset(0), RecordTime(900));
        positions.caught_up(P1, Offset(0), RecordTime(900));
        assert_eq!(
            (positions.clock(), positions.records_clock()),
            (RecordTime(900), RecordTime(0))
        );
        apply(&mut positions, &batch(P0, 0, 5, 500));
        assert_eq!(positions.records_clock(), RecordTime(500));
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut positions = start();
        positions.caught_up(P0, Offset(0), RecordTime(900));
        positions.caught_up(P1, Offset(0), RecordTime(900));
        apply(&mut positions, &batch(P0, 0, 5, 500));
        assert_eq!(positions.clock(), RecordTime(900));
    }
}
