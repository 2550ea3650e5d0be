//! What one range commits at a time: results, changes of state and positions, as one unit (I2).
//!
//! A node's commit holds a block for each of its ranges that has something to commit. A block is also what
//! the local store is derived from: [`Block::changes`] is the one way from the journal to a store, at run
//! time and at a restore alike.

mod encode;
mod head;
mod references;

use proto::types::{RangeId, TransactionKey};

pub use head::{Head, Place};
pub use references::{References, Wanted};

use super::codec::put_varint;
use crate::sink::Row;
use crate::store::{Change, Table};

/// The block format that this version writes; the number of the oldest reader that understands it is the same.
pub const FORMAT: u16 = 1;

/// A range's commit.
#[derive(Clone, Debug)]
pub struct Block {
    /// The range that commits.
    pub range: RangeId,
    /// Where the range stands after it.
    pub head: Head,
    /// Legs that came since the last commit and are kept by reference.
    pub references: References,
    /// Mailboxes that are kept by value from now on.
    pub puts: Vec<(TransactionKey, Vec<u8>)>,
    /// Transactions whose mailbox goes.
    pub removed: Vec<TransactionKey>,
    /// Who is done, by time bucket, packed as `tombstones` does.
    pub tombstones: Vec<(u64, Vec<u8>)>,
    /// Cumulative partials that changed, as rows.
    pub partials: Vec<(Vec<u8>, Vec<u8>)>,
    /// Partials before this window start are forgotten; `None`: all are kept.
    pub partials_floor: Option<Vec<u8>>,
    /// What is published once the commit is durable (I5).
    pub rows: Vec<Row>,
}

impl Block {
    /// What the commit changes in the range's store, given where it stands in the journal.
    #[must_use]
    pub fn changes(&self, place: &Place) -> Vec<Change> {
        let mut changes = Vec::with_capacity(8 + self.puts.len() + self.removed.len());
        let commit = self.head.commit.to_be_bytes();
        if !self.references.is_empty() {
            changes.push(Change::Put(Table::References, commit.to_vec(), self.references.pack()));
        }
        let live_from = self.head.live_from.to_be_bytes();
        changes.push(Change::DeleteRange(Table::References, vec![], live_from.to_vec()));
        // A transaction that was put and is done within one commit is in neither list.
        for key in &self.removed {
            changes.push(Change::Delete(Table::Open, key.0.to_be_bytes().to_vec()));
        }
        for (key, row) in &self.puts {
            changes.push(Change::Put(Table::Open, key.0.to_be_bytes().to_vec(), row.clone()));
        }
        for (bucket, packed) in &self.tombstones {
            let key = [bucket.to_be_bytes(), commit].concat();
            changes.push(Change::Put(Table::Tombstones, key, packed.clone()));
        }
        let floor = self.head.floor.to_be_bytes();
        changes.push(Change::DeleteRange(Table::Tombstones, vec![], floor.to_vec()));
        for (key, value) in &self.partials {
            changes.push(Change::Put(Table::Partials, key.clone(), value.clone()));
        }
        if let Some(floor) = &self.partials_floor {
            changes.push(Change::DeleteRange(Table::Partials, vec![], floor.clone()));
        }
        let mut head = Vec::with_capacity(512);
        place.put(&mut head);
        self.head.put(&mut head);
        changes.push(Change::Put(Table::Head, vec![], head));
        changes
    }
}

/// Appends a list: its length, then each item by `put`.
fn put_list<T>(out: &mut Vec<u8>, items: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_varint(out, items.len() as u64);
    for item in items {
        put(out, item);
    }
}

#[cfg(test)]
mod tests;
