//! Which slots of journals hold rows that the sink has not acknowledged: a restart reads them from there.

use std::collections::VecDeque;

use proto::types::{Incarnation, Sequence, Slot};

use super::block::{Head, Place};

/// The slots with rows that wait for acknowledgement, oldest first, each with its last sequence.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outbox {
    slots: VecDeque<(Incarnation, Slot, Sequence)>,
}

impl Outbox {
    /// Notes a durable commit, and gives the place at which it leaves its range.
    pub fn committed(
        &mut self,
        (incarnation, slot): (Incarnation, Slot),
        head: &Head,
        has_rows: bool,
    ) -> Place {
        self.note((incarnation, slot), head.sequence, has_rows);
        self.acknowledged(head.acknowledged);
        let (outbox_incarnation, outbox_slot) =
            self.slots.front().map_or((incarnation, slot.next()), |&(of, at, _)| (of, at));
        Place { incarnation, slot, outbox_incarnation, outbox_slot }
    }

    /// Notes a commit that the range's store has already.
    pub fn note(&mut self, (of, at): (Incarnation, Slot), last: Sequence, has_rows: bool) {
        if has_rows {
            self.slots.push_back((of, at, last));
        }
    }

    /// The sink has every row up to `sequence`.
    pub fn acknowledged(&mut self, sequence: Sequence) {
        while self.slots.front().is_some_and(|&(_, _, last)| last <= sequence) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Incarnation = Incarnation(1);

    fn head(sequence: u64, acknowledged: u64) -> Head {
        let (sequence, acknowledged) = (Sequence(sequence), Sequence(acknowledged));
        Head { sequence, acknowledged, ..Head::default() }
    }

    fn check(outbox: &mut Outbox, slot: u64, (sequence, acknowledged): (u64, u64), from: u64) {
        let place =
            outbox.committed((LIFE, Slot(slot)), &head(sequence, acknowledged), sequence > 0);
        assert_eq!((place.slot, place.outbox_slot), (Slot(slot), Slot(from)));
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
