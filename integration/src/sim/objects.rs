//! The simulated object store: journals of slots that are created once, the control log, and what torn writes leave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use proto::log::Created;
use proto::types::{Incarnation, Slot};

/// What a fence begins with; a commit begins otherwise.
const FENCE: &[u8] = b"TLFN of a simulated coordinator";

/// One life of a node: the node's number, and which of its lives. It is the name of a journal.
pub(super) type Life = (usize, Incarnation);

/// A log of the store; `None` is the control log.
pub(super) type Of = Option<Life>;

/// All logs. Clones share them: who reads and writes them by itself has one of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    logs: BTreeMap<Of, BTreeMap<Slot, Bytes>>,
    /// What torn writes have left. Nobody looks there.
    temporary: Vec<Bytes>,
}

impl Objects {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("who holds this lock does not panic")
    }

    /// Creates a slot if it does not exist.
    pub(super) fn create(&self, of: Of, slot: Slot, object: &Bytes) -> Created {
        let mut kept = self.kept();
        let log = kept.logs.entry(of).or_default();
        if log.contains_key(&slot) {
            return Created::Exists;
        }
        log.insert(slot, object.clone());
        Created::Won
    }

    /// A write that was cut: the object stays under its temporary name.
    pub(super) fn tear(&self, object: &Bytes, length: usize) {
        self.kept().temporary.push(object.slice(..length.min(object.len())));
    }

    /// The content of a slot.
    #[must_use]
    pub(super) fn read(&self, of: Of, slot: Slot) -> Option<Bytes> {
        self.kept().logs.get(&of)?.get(&slot).cloned()
    }

    /// The slots that a log has, ascending.
    #[must_use]
    pub(super) fn slots(&self, of: Of) -> Vec<Slot> {
        self.kept().logs.get(&of).map(|it| it.keys().copied().collect()).unwrap_or_default()
    }

    /// Ends a journal; answers with the slot of its fence.
    pub(super) fn fence(&self, of: Life) -> Slot {
        let mut slot = self.slots(Some(of)).last().map_or(Slot(1), |it| it.next());
        while self.create(Some(of), slot, &Bytes::from_static(FENCE)) == Created::Exists {
            slot = slot.next();
        }
        slot
    }

    /// Deletes a slot of a journal.
    pub(super) fn delete(&self, of: Life, slot: Slot) {
        if let Some(journal) = self.kept().logs.get_mut(&Some(of)) {
            journal.remove(&slot);
        }
    }

    /// Deletes the slots of which `is_needed` says no, but never the newest of a journal.
    pub(super) fn trim(&self, is_needed: impl Fn(Life, Slot) -> bool) -> usize {
        let mut count = 0;
        for (&of, journal) in &mut self.kept().logs {
            let Some(of) = of else { continue };
            let newest = journal.keys().next_back().copied();
            let before = journal.len();
            journal.retain(|&slot, _| Some(slot) == newest || is_needed(of, slot));
            count += before - journal.len();
        }
        count
    }
}
