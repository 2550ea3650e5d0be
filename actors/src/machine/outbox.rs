//! Which slots of journals hold rows that the sink has not acknowledged: a restart reads them from there.

use std::collections::VecDeque;

use proto::types::Sequence;

use super::block::{Head, Place};
use super::reach::At;

/// The slots with rows that wait for acknowledgement, oldest first, each with its last sequence.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outbox {
    slots: VecDeque<(At, Sequence)>,
}

impl Outbox {
    /// Notes a durable commit, and gives the place at which it leaves its range.
    pub fn committed(&mut self, at: At, head: &Head, has_rows: bool) -> Place {
        self.note(at, head.sequence, has_rows);
        self.acknowledged(head.acknowledged);
        let (epoch, slot) = at;
        let outbox = self.slots.front().map_or((epoch, slot.next()), |&(at, _)| at);
        Place { at, outbox }
    }

    /// Notes a commit that the range's store has already.
    pub fn note(&mut self, at: At, last: Sequence, has_rows: bool) {
        if has_rows {
            self.slots.push_back((at, last));
        }
    }

    /// The sink has every row up to `sequence`.
    pub fn acknowledged(&mut self, sequence: Sequence) {
        while self.slots.front().is_some_and(|&(_, last)| last <= sequence) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::types::{Epoch, Slot};

    use super::*;

    const EPOCH: Epoch = Epoch::new(1);

    fn head(sequence: u64, acknowledged: u64) -> Head {
        let (sequence, acknowledged) = (Sequence(sequence), Sequence(acknowledged));
        Head { sequence, acknowledged, ..Head::default() }
    }

    fn check(outbox: &mut Outbox, slot: u64, (sequence, acknowledged): (u64, u64), from: u64) {
        let place =
            outbox.committed((EPOCH, Slot(slot)), &head(sequence, acknowledged), sequence > 0);
        assert_eq!((place.at, place.outbox), ((EPOCH, Slot(slot)), (EPOCH, Slot(from))));
    }

    #[test]
    fn i10_the_outbox_begins_at_the_first_slot_whose_rows_are_not_all_acknowledged() {
        let mut outbox = Outbox::default();
        check(&mut outbox, 1, (0, 0), 2);
        check(&mut outbox, 2, (5, 0), 2);
        check(&mut outbox, 3, (9, 4), 2);
        check(&mut outbox, 4, (12, 5), 3);
        check(&mut outbox, 5, (13, 13), 6);
    }
}
