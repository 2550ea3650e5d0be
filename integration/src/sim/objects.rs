//! The simulated object store: journals of slots that are created once, and what a torn write leaves.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::log::Created;
use proto::types::{Incarnation, Slot};

/// What a fence begins with; a commit begins otherwise.
const FENCE: &[u8] = b"TLFN of a simulated coordinator";

/// All journals.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects {
    journals: BTreeMap<Incarnation, BTreeMap<Slot, Bytes>>,
    /// What torn writes have left. Nobody looks there.
    temporary: Vec<Bytes>,
}

impl Objects {
    /// Creates a slot if it does not exist.
    pub(super) fn create(&mut self, of: Incarnation, slot: Slot, object: &Bytes) -> Created {
        let journal = self.journals.entry(of).or_default();
        if journal.contains_key(&slot) {
            return Created::Exists;
        }
        journal.insert(slot, object.clone());
        Created::Won
    }

    /// A write that was cut: the object stays under its temporary name.
    pub(super) fn tear(&mut self, object: &Bytes, length: usize) {
        self.temporary.push(object.slice(..length.min(object.len())));
    }

    /// The content of a slot.
    #[must_use]
    pub(super) fn read(&self, of: Incarnation, slot: Slot) -> Option<Bytes> {
        self.journals.get(&of)?.get(&slot).cloned()
    }

    /// The slots that a journal has, ascending.
    #[must_use]
    pub(super) fn slots(&self, of: Incarnation) -> Vec<Slot> {
        self.journals.get(&of).map(|it| it.keys().copied().collect()).unwrap_or_default()
    }

    /// Ends a journal; answers with the slot of its fence.
    pub(super) fn fence(&mut self, of: Incarnation) -> Slot {
        let mut slot = self.slots(of).last().map_or(Slot(1), |it| it.next());
        while self.create(of, slot, &Bytes::from_static(FENCE)) == Created::Exists {
            slot = slot.next();
        }
        slot
    }

    /// Deletes the slots of which `is_needed` says no, but never the newest of a journal.
    pub(super) fn trim(&mut self, is_needed: impl Fn(Incarnation, Slot) -> bool) -> usize {
        let mut count = 0;
        for (&of, journal) in &mut self.journals {
            let newest = journal.keys().next_back().copied();
            let before = journal.len();
            journal.retain(|&slot, _| Some(slot) == newest || is_needed(of, slot));
            count += before - journal.len();
        }
        count
    }
}
