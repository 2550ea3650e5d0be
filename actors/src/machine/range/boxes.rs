//! The open transactions of a range: those held in memory, and those whose bytes only the store has.

use std::collections::VecDeque;

use hashbrown::HashMap;
use proto::types::{TransactionKey, Version};
use rustc_hash::FxBuildHasher;

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

#[derive(Debug)]
enum Slot {
    Held(Box<Held>),
    /// The store's row is the mailbox.
    Stored,
}

/// What a mailbox in memory takes beside its bytes, about.
const OVERHEAD_BYTES: usize = 192;

/// All mailboxes of a range.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    slots: HashMap<TransactionKey, Slot, FxBuildHasher>,
    held_bytes: usize,
    correctable: usize,
    deciding: usize,
    /// Mailboxes that a commit has put by value: they may give up their bytes.
    evictable: VecDeque<TransactionKey>,
}

impl Boxes {
    /// The mailbox of that key, brought back from the store if need be; `None` where there is none.
    pub(super) fn bring(
        &mut self,
        key: TransactionKey,
        store: &dyn Store,
    ) -> Result<Option<&mut Held>, StoreError> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(None) };
        if matches!(slot, Slot::Stored) {
            let held = load(key, store)?;
            self.held_bytes += size(&held);
            // Its row is as good as the mailbox: it may go again without a new commit.
            self.evictable.push_back(key);
            *slot = Slot::Held(Box::new(held));
        }
        match slot {
            Slot::Held(held) => Ok(Some(held)),
            Slot::Stored => Ok(None),
        }
    }

    /// The mailbox of that key if it is in memory.
    pub(super) fn held(&mut self, key: TransactionKey) -> Option<&mut Held> {
        match self.slots.get_mut(&key)? {
            Slot::Held(held) => Some(held),
            Slot::Stored => None,
        }
    }

    /// Opens a mailbox.
    pub(super) fn insert(&mut self, key: TransactionKey, held: Held) {
        self.held_bytes += size(&held);
        self.correctable += usize::from(held.said_version().is_some());
        self.slots.insert(key, Slot::Held(Box::new(held)));
    }

    /// Notes a mailbox that only the store has.
    pub(super) fn insert_stored(&mut self, key: TransactionKey, is_correctable: bool) {
        self.correctable += usize::from(is_correctable);
        self.slots.insert(key, Slot::Stored);
    }

    /// Closes a mailbox that is in memory.
    pub(super) fn remove(&mut self, key: TransactionKey) -> Option<Held> {
        match self.slots.remove(&key)? {
            Slot::Held(held) => {
                self.held_bytes -= size(&held);
                self.correctable -= usize::from(held.said_version().is_some());
                Some(*held)
            }
            Slot::Stored => None,
        }
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

    /// Lets mailboxes that commit `applied` or an earlier one put by value go, oldest first, until
    /// `limit` bytes are held or none is left that may.
    pub(super) fn evict(&mut self, applied: u64, limit: usize) {
        while self.held_bytes > limit {
            let Some(key) = self.evictable.pop_front() else { return };
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let Slot::Held(held) = slot else { continue };
            let is_safe = matches!(held.kept, Kept::ByValue { commit } if commit <= applied);
            if is_safe && held.deciding == Deciding::No {
                self.held_bytes -= size(held);
                *slot = Slot::Stored;
            }
        }
    }

    /// Notes mailboxes that a commit has put by value.
    pub(super) fn may_evict(&mut self, keys: impl IntoIterator<Item = TransactionKey>) {
        self.evictable.extend(keys);
    }

    pub(super) fn open(&self) -> usize {
        self.slots.len() - self.correctable
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
    held.mailbox.bytes().len() + OVERHEAD_BYTES
}

fn load(key: TransactionKey, store: &dyn Store) -> Result<Held, StoreError> {
    let doing = || format!("read open transaction {key}");
    let row = store.get(Table::Open, &key.0.to_be_bytes())?.ok_or_else(|| {
        StoreError::Corrupted { doing: doing(), detail: "its row is missing".to_owned() }
    })?;
    let mailbox = Mailbox::from_row(&row)
        .map_err(|error| StoreError::Corrupted { doing: doing(), detail: error.to_string() })?;
    // A row is only given up for when its commit has been applied, so 0 is no lie.
    Ok(Held { mailbox, kept: Kept::ByValue { commit: 0 }, deciding: Deciding::No })
}
