//! The open transactions of a range: those held in memory, and those whose bytes only the store has.

mod stored;

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};
use proto::types::{TransactionKey, Version};
use rustc_hash::FxBuildHasher;

use self::stored::Stored;
use super::super::mailbox::{Mailbox, Said};
use crate::store::{Store, StoreError, Table};

/// How a mailbox is kept durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kept {
    /// By reference to the source: the store has no row.
    ByReference,
    /// By value, as of that commit.
    ByValue { commit: u64 },
    /// The store has a row or none, and the next commit writes one.
    Dirty,
}

/// Whether an actor is deciding about the transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Deciding {
    No,
    Under,
    /// What it decides about has changed under its hands: its decision will be thrown away.
    Stale,
}

/// A mailbox in memory.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) mailbox: Mailbox,
    pub(super) kept: Kept,
    pub(super) deciding: Deciding,
}

impl Held {
    pub(super) fn opened() -> Self {
        Self { mailbox: Mailbox::default(), kept: Kept::ByReference, deciding: Deciding::No }
    }

    pub(super) const fn said_version(&self) -> Option<Version> {
        match self.mailbox.said {
            Said::Nothing | Said::Due { .. } => None,
            Said::Incomplete { version, .. } => Some(version),
        }
    }
}

/// What a mailbox in memory takes beside its bytes, about.
const OVERHEAD_BYTES: usize = 192;

/// Keys of mailboxes that are gone may wait in the queue for as many as this, beside those that are not.
const SPARE: usize = 1_024;

/// All mailboxes of a range.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    held: HashMap<TransactionKey, Box<Held>, FxBuildHasher>,
    /// Those whose mailbox is the store's row.
    stored: Stored,
    held_bytes: usize,
    correctable: usize,
    deciding: usize,
    /// Mailboxes that a commit has put by value: they may give up their bytes.
    evictable: VecDeque<TransactionKey>,
    /// Mailboxes that are closed while the store still has a row of theirs: since the last close, and
    /// before it.
    leaving: [HashSet<TransactionKey, FxBuildHasher>; 2],
}

impl Boxes {
    /// The mailbox of that key, brought back from the store if need be; `None` where there is none.
    pub(super) fn bring(
        &mut self,
        key: TransactionKey,
        store: &dyn Store,
    ) -> Result<Option<&mut Held>, StoreError> {
        if !self.held.contains_key(&key)
            && self.may_be_stored(key)
            && let Some(held) = load(key, store)?
        {
            self.stored.remove(key);
            self.held_bytes += size(&held);
            // Its row is as good as the mailbox: it may go again without a new commit.
            self.evictable.push_back(key);
            self.held.insert(key, Box::new(held));
        }
        Ok(self.held(key))
    }

    /// Reads a little of these mailboxes, so that they are at hand when it is their turn. One look after the other
    /// would wait for memory each time; looks that do not depend on each other wait together.
    pub(super) fn read_ahead(&self, keys: impl Iterator<Item = TransactionKey>) {
        let mut seen = 0;
        for key in keys {
            let held = self.held.get(&key);
            seen |= held.and_then(|it| it.mailbox.bytes().last()).copied().unwrap_or(0);
        }
        std::hint::black_box(seen);
    }

    /// A row that is about to go is nobody's mailbox.
    fn may_be_stored(&self, key: TransactionKey) -> bool {
        self.stored.may_have(key) && !self.leaving.iter().any(|keys| keys.contains(&key))
    }

    /// The mailbox of that key if it is in memory.
    pub(super) fn held(&mut self, key: TransactionKey) -> Option<&mut Held> {
        self.held.get_mut(&key).map(Box::as_mut)
    }

    /// Opens a mailbox.
    pub(super) fn insert(&mut self, key: TransactionKey, held: Held) {
        self.held_bytes += size(&held);
        self.correctable += usize::from(held.said_version().is_some());
        self.held.insert(key, Box::new(held));
    }

    /// Notes a mailbox that only the store has.
    pub(super) fn insert_stored(&mut self, key: TransactionKey, is_correctable: bool) {
        self.correctable += usize::from(is_correctable);
        self.stored.insert(key);
    }

    /// Closes a mailbox that is in memory.
    pub(super) fn remove(&mut self, key: TransactionKey) -> Option<Held> {
        let held = self.held.remove(&key)?;
        self.held_bytes -= size(&held);
        self.correctable -= usize::from(held.said_version().is_some());
        if held.kept != Kept::ByReference {
            self.leaving[0].insert(key);
        }
        Some(*held)
    }

    /// Accounts for a mailbox whose bytes or words have changed: `before` is [`size`] before.
    pub(super) fn resized(&mut self, before: usize, after: usize) {
        self.held_bytes = self.held_bytes + after - before;
    }

    pub(super) fn became_correctable(&mut self) {
        self.correctable += 1;
    }

    pub(super) fn count_decision(&mut self) {
        self.deciding += 1;
    }

    pub(super) fn end_decision(&mut self) {
        self.deciding -= 1;
    }

    /// A commit closes: the rows of those who left go with it.
    pub(super) fn closed(&mut self) {
        let [now, before] = &mut self.leaving;
        before.extend(now.drain());
    }

    /// The commit that closed last is in the store: `put` are the mailboxes that it put by value.
    pub(super) fn applied(&mut self, put: impl IntoIterator<Item = TransactionKey>) {
        self.leaving[1] = HashSet::default();
        self.may_evict(put);
        // Those who are done meanwhile stay in the queue until it is their turn, which may be never.
        if self.evictable.len() > 2 * self.held.len() + SPARE {
            let held = &self.held;
            self.evictable.retain(|key| held.contains_key(key));
            self.evictable.shrink_to(self.evictable.len() * 2);
        }
    }

    /// Lets mailboxes that commit `applied` or an earlier one put by value go, oldest first, until
    /// `limit` bytes are held or none is left that may.
    pub(super) fn evict(&mut self, applied: u64, limit: usize) {
        while self.held_bytes > limit {
            let Some(key) = self.evictable.pop_front() else { return };
            let Some(held) = self.held.get(&key) else { continue };
            let is_safe = matches!(held.kept, Kept::ByValue { commit } if commit <= applied);
            if is_safe && held.deciding == Deciding::No {
                self.held_bytes -= size(held);
                self.held.remove(&key);
                self.stored.insert(key);
            }
        }
    }

    /// Notes mailboxes that a commit has put by value.
    pub(super) fn may_evict(&mut self, keys: impl IntoIterator<Item = TransactionKey>) {
        self.evictable.extend(keys);
    }

    /// Bytes that stay in memory whatever gives up its own.
    pub(super) fn index_bytes(&self) -> usize {
        self.stored.bytes()
    }

    pub(super) fn open(&self) -> usize {
        self.held.len() + self.stored.len() - self.correctable
    }

    pub(super) const fn correctable(&self) -> usize {
        self.correctable
    }

    pub(super) const fn deciding(&self) -> usize {
        self.deciding
    }

    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

/// Bytes that a mailbox takes in memory, about.
pub(super) fn size(held: &Held) -> usize {
    held.mailbox.room() + OVERHEAD_BYTES
}

/// `None` where the store has no row of that key.
fn load(key: TransactionKey, store: &dyn Store) -> Result<Option<Held>, StoreError> {
    let Some(row) = store.get(Table::Open, &key.0.to_be_bytes())? else { return Ok(None) };
    let mailbox = Mailbox::from_row(&row).map_err(|error| StoreError::Corrupted {
        doing: format!("read open transaction {key}"),
        detail: error.to_string(),
    })?;
    // A row is only given up for when its commit has been applied, so 0 is no lie.
    Ok(Some(Held { mailbox, kept: Kept::ByValue { commit: 0 }, deciding: Deciding::No }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::envelope::tests::leg;
    use crate::store::Change;
    use crate::store::memory::MemoryStore;
    use proto::types::Leg;

    /// Two keys that share the bits by which the index knows them.
    const KEYS: [TransactionKey; 2] = [TransactionKey(7), TransactionKey(7 | 1 << 64)];

    fn held(kept: Kept) -> Held {
        let mut held = Held { kept, ..Held::opened() };
        held.mailbox.put(Leg::Trace, &leg(Leg::Trace, 1, 10, b"body"));
        held
    }

    fn row(key: TransactionKey) -> Change {
        let row = held(Kept::ByReference).mailbox.to_row();
        Change::Put(Table::Open, key.0.to_be_bytes().to_vec(), row)
    }

    #[test]
    fn a_row_that_is_about_to_go_is_not_taken_for_that_of_another_who_shares_its_bits() {
        let mut store = MemoryStore::default();
        store.apply(&KEYS.map(row)).unwrap();
        let [done, open] = KEYS;
        let mut boxes = Boxes::default();
        boxes.insert(done, held(Kept::ByValue { commit: 1 }));
        boxes.insert_stored(open, false);
        assert!(boxes.remove(done).is_some());

        assert!(boxes.bring(done, &store).unwrap().is_none(), "before the commit closes");
        boxes.closed();
        assert!(boxes.bring(done, &store).unwrap().is_none(), "while it is written");
        store.apply(&[Change::Delete(Table::Open, done.0.to_be_bytes().to_vec())]).unwrap();
        boxes.applied([]);
        assert!(boxes.bring(done, &store).unwrap().is_none(), "once it is in the store");
        assert_eq!(boxes.open(), 1);
        assert!(boxes.bring(open, &store).unwrap().is_some());
        assert_eq!(boxes.open(), 1);
    }

    #[test]
    fn mailboxes_that_are_done_leave_nothing_behind_in_the_queue() {
        let mut boxes = Boxes::default();
        for i in 0..100_000 {
            let key = TransactionKey(i);
            boxes.insert(key, held(Kept::ByValue { commit: 1 }));
            boxes.applied([key]);
            boxes.remove(key);
            boxes.closed();
        }
        assert!(boxes.evictable.len() <= SPARE + 2, "{} keys", boxes.evictable.len());
        assert_eq!((boxes.held_bytes(), boxes.open()), (0, 0));
    }
}
