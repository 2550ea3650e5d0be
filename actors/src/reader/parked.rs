//! Records that were handed over before their time: those from the first that is too far ahead on.

use std::collections::VecDeque;

use proto::types::{Offset, RecordTime};

use crate::source::Record;

/// Records that wait until the other partitions have come closer. At most what one read takes.
#[derive(Debug, Default)]
pub(super) struct Parked {
    records: VecDeque<Owned>,
}

#[derive(Debug)]
struct Owned {
    offset: Offset,
    time_ms: u64,
    payload: Option<Box<[u8]>>,
}

impl Parked {
    /// The offset of the first that waits; `None` where none does.
    pub(super) fn first(&self) -> Option<Offset> {
        self.records.front().map(|record| record.offset)
    }

    /// The timestamp of the first that waits; `None` where none does.
    pub(super) fn first_time(&self) -> Option<RecordTime> {
        self.records.front().map(|record| RecordTime(record.time_ms))
    }

    /// Gives `take` the record, or keeps it where it or one before it is beyond `horizon`.
    pub(super) fn offer(
        &mut self,
        record: &Record<'_>,
        horizon: RecordTime,
        take: &mut impl FnMut(&Record<'_>),
    ) {
        if self.records.is_empty() && record.time_ms <= horizon.0 {
            return take(record);
        }
        let payload = record.payload.map(Into::into);
        self.records.push_back(Owned { offset: record.offset, time_ms: record.time_ms, payload });
    }

    /// Gives `take` what need not wait any longer.
    pub(super) fn release(&mut self, horizon: RecordTime, take: &mut impl FnMut(&Record<'_>)) {
        while self.records.front().is_some_and(|record| record.time_ms <= horizon.0) {
            let Some(record) = self.records.pop_front() else { return };
            let payload = record.payload.as_deref();
            take(&Record { offset: record.offset, time_ms: record.time_ms, payload });
        }
    }

    /// Forgets all of them: they will be read again.
    pub(super) fn clear(&mut self) {
        self.records.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_ahead_waits_and_so_does_what_follows_it() {
        let mut parked = Parked::default();
        let mut taken = Vec::new();
        for (offset, time_ms) in [(0, 10), (1, 99), (2, 11)] {
            let record = Record { offset: Offset(offset), time_ms, payload: None };
            parked.offer(&record, RecordTime(50), &mut |it| taken.push(it.offset.0));
        }
        assert_eq!((&taken[..], parked.first()), (&[0][..], Some(Offset(1))));
        parked.release(RecordTime(98), &mut |it| taken.push(it.offset.0));
        assert_eq!(taken, [0]);
        parked.release(RecordTime(99), &mut |it| taken.push(it.offset.0));
        assert_eq!((&taken[..], parked.first()), (&[0, 1, 2][..], None));
    }
}
