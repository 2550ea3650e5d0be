//! What an aggregator has heard of each range, and what an answer says about it.

use proto::types::{Epoch, RangeId, RecordTime, Sequence};

/// Which commit of a range a report tells of. Later ones are greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stamp {
    /// The epoch under which it was committed.
    pub epoch: Epoch,
    /// The last sequence in the commit.
    pub sequence: Sequence,
}

/// What was heard of a range that is expected to report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Its whole share was not yet heard: figures are too low by what it has.
    Missing,
    /// Its share is known as of this commit.
    Current(Heard),
    /// A report behind this commit was lost, and the whole is asked for again. Its share is known as
    /// of this commit, in places of a later one.
    Behind(Heard),
}

/// Up to where a range was heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heard {
    /// The commit.
    pub stamp: Stamp,
    /// The range's record clock at that commit.
    pub record_time: RecordTime,
}

/// What a report's cells are measured against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Since {
    /// The report has every cell of the range. The first report of each epoch must be such.
    Start,
    /// It has the cells that changed behind this sequence of the same epoch.
    Sequence(Sequence),
}

/// How fresh and how whole an answer is. Every answer carries one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AsOf {
    /// Each range that is expected to report, in order.
    pub ranges: Vec<(RangeId, Standing)>,
}

impl Standing {
    /// The standing after a report as of `heard`, whose cells are those that changed since `since`.
    pub(super) fn after(self, since: Since, heard: Heard) -> Self {
        match (self, since) {
            (Self::Missing, Since::Start) => Self::Current(heard),
            (Self::Missing, Since::Sequence(_)) => Self::Missing,
            (Self::Current(before) | Self::Behind(before), Since::Start) => {
                if heard.stamp >= before.stamp { Self::Current(heard) } else { self }
            }
            (Self::Current(before) | Self::Behind(before), Since::Sequence(since)) => {
                if heard.stamp <= before.stamp {
                    return self;
                }
                let joins =
                    heard.stamp.epoch == before.stamp.epoch && since <= before.stamp.sequence;
                if joins { Self::Current(heard) } else { Self::Behind(before) }
            }
        }
    }
}

impl AsOf {
    /// The ranges whose whole share was not heard. Where there are any, figures are "at least".
    pub fn missing(&self) -> impl Iterator<Item = RangeId> {
        self.ranges.iter().filter(|(_, it)| *it == Standing::Missing).map(|(range, _)| *range)
    }

    /// The ranges that must report every cell: those that are missing, and those that are behind.
    pub fn wanting(&self) -> impl Iterator<Item = RangeId> {
        let is_current = |standing: &Standing| matches!(standing, Standing::Current(_));
        self.ranges.iter().filter(move |(_, it)| !is_current(it)).map(|(range, _)| *range)
    }

    /// The record clock of the range that is furthest behind; `None` where a range is missing.
    #[must_use]
    pub fn record_time(&self) -> Option<RecordTime> {
        let times = self.ranges.iter().map(|(_, standing)| match standing {
            Standing::Missing => None,
            Standing::Current(heard) | Standing::Behind(heard) => Some(heard.record_time),
        });
        // `None` is less than any time, so one missing range makes the answer `None`.
        times.min().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(epoch: u64, sequence: u64) -> Heard {
        let stamp = Stamp { epoch: Epoch::new(epoch), sequence: Sequence(sequence) };
        Heard { stamp, record_time: RecordTime(sequence * 10) }
    }

    /// From a standing, through a report (since, epoch, sequence), to a standing.
    #[track_caller]
    fn check(from: Standing, since: Option<u64>, to: Heard, expected: Standing) {
        let since = since.map_or(Since::Start, |it| Since::Sequence(Sequence(it)));
        assert_eq!(from.after(since, to), expected);
    }

    #[test]
    fn only_a_whole_report_ends_being_missing() {
        check(Standing::Missing, Some(0), heard(1, 3), Standing::Missing);
        check(Standing::Missing, None, heard(1, 3), Standing::Current(heard(1, 3)));
    }

    #[test]
    fn a_report_that_joins_on_moves_on_and_an_old_one_changes_nothing() {
        let now = Standing::Current(heard(1, 3));
        check(now, Some(3), heard(1, 5), Standing::Current(heard(1, 5)));
        check(now, Some(2), heard(1, 5), Standing::Current(heard(1, 5)));
        check(now, Some(2), heard(1, 3), now);
        check(now, Some(1), heard(1, 2), now);
        check(now, None, heard(1, 2), now);
    }

    #[test]
    fn a_gap_leaves_the_range_behind_until_it_is_closed() {
        let behind = Standing::Behind(heard(1, 3));
        check(Standing::Current(heard(1, 3)), Some(4), heard(1, 5), behind);
        check(behind, Some(5), heard(1, 6), behind);
        check(behind, Some(3), heard(1, 5), Standing::Current(heard(1, 5)));
        check(behind, None, heard(1, 6), Standing::Current(heard(1, 6)));
    }

    #[test]
    fn a_new_epoch_begins_with_a_whole_report_and_an_old_one_is_over() {
        let now = Standing::Current(heard(1, 3));
        check(now, Some(3), heard(2, 5), Standing::Behind(heard(1, 3)));
        check(now, None, heard(2, 5), Standing::Current(heard(2, 5)));
        let later = Standing::Current(heard(2, 3));
        check(later, Some(3), heard(1, 9), later);
        check(later, None, heard(1, 9), later);
    }

    #[test]
    fn an_answer_is_as_old_as_its_slowest_range_and_has_no_age_while_one_is_missing() {
        let ranges = |standings: &[Standing]| AsOf {
            ranges: (0..).map(RangeId).zip(standings.iter().copied()).collect(),
        };
        let (fast, slow) = (Standing::Current(heard(1, 9)), Standing::Behind(heard(1, 4)));
        let whole = ranges(&[fast, slow]);
        assert_eq!(whole.record_time(), Some(RecordTime(40)));
        assert_eq!((whole.missing().count(), whole.wanting().collect()), (0, vec![RangeId(1)]));

        let part = ranges(&[fast, Standing::Missing]);
        assert_eq!(part.record_time(), None);
        assert_eq!(part.missing().collect::<Vec<_>>(), [RangeId(1)]);
    }
}
