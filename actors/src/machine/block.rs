//! What one range commits at a time: results, changes of state and positions, as one unit (I2).
//!
//! A node's commit holds a block for each of its ranges that has something to commit. A block is also what
//! the local store is derived from: [`Block::changes`] is the one way from the journal to a store, at run
//! time and at a restore alike.

mod encode;
mod head;
mod references;

use std::ops::Range;

use proto::types::{RangeId, Sequence, TransactionKey};

pub use head::{Head, Place};
pub use references::{References, Wanted};

use super::codec::put_varint;
use super::partial;
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
    /// What the commit's transactions have added to indicators.
    pub figures: Figures,
    /// What the store has no more use for.
    pub cleared: Cleared,
    /// What is published once the commit is durable (I5).
    pub rows: Vec<Row>,
}

/// What a commit says about indicators.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Figures {
    /// What was added to cells since the last commit: packed [`Contributions`], one behind the other.
    ///
    /// [`Contributions`]: super::contribution::Contributions
    Added(Vec<u8>),
    /// Every cell that has changed behind an earlier commit, each with all that was ever added to it.
    Cells {
        /// That commit: the last that had cells.
        behind: u64,
        /// The sequence of its last row.
        since: Sequence,
        /// The cells.
        cells: Vec<partial::Row>,
    },
}

/// Rows of the store that a commit makes superfluous, beside those that it names one by one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cleared {
    /// References of these commits: their legs have been joined, or are kept by value.
    pub references: Range<u64>,
    /// Tombstones of buckets before this one.
    pub tombstones_before: Option<u64>,
    /// Cells of windows that ended before this, in milliseconds of the event clock.
    pub cells_before: Option<u64>,
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
        delete_commits(&mut changes, Table::References, &self.cleared.references);
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
        if let Some(bucket) = self.cleared.tombstones_before {
            let floor = bucket.to_be_bytes().to_vec();
            changes.push(Change::DeleteRange(Table::Tombstones, vec![], floor));
        }
        self.change_figures(&mut changes);
        let mut head = Vec::with_capacity(512);
        place.put(&mut head);
        self.head.put(&mut head);
        changes.push(Change::Put(Table::Head, vec![], head));
        changes
    }

    fn change_figures(&self, changes: &mut Vec<Change>) {
        let commit = self.head.commit;
        match &self.figures {
            Figures::Added(added) if added.is_empty() => {}
            Figures::Added(added) => {
                let key = commit.to_be_bytes().to_vec();
                changes.push(Change::Put(Table::Contributions, key, added.clone()));
            }
            Figures::Cells { behind, cells, .. } => {
                delete_commits(changes, Table::Contributions, &(*behind..commit));
                let put = |row: &partial::Row| {
                    Change::Put(Table::Partials, row.key.clone(), row.value.clone())
                };
                changes.extend(cells.iter().map(put));
            }
        }
        if let Some(horizon) = self.cleared.cells_before {
            let (from, to) = partial::keys_before(i64::try_from(horizon).unwrap_or(i64::MAX));
            changes.push(Change::DeleteRange(Table::Partials, from, to));
        }
    }
}

/// Deletes the rows of `commits` one by one: a store that is full of deleted stretches reads slowly.
fn delete_commits(changes: &mut Vec<Change>, table: Table, commits: &Range<u64>) {
    const MANY: u64 = 128;
    if commits.end.saturating_sub(commits.start) > MANY {
        let [from, to] = [commits.start, commits.end].map(|it| it.to_be_bytes().to_vec());
        return changes.push(Change::DeleteRange(table, from, to));
    }
    let delete = |commit: u64| Change::Delete(table, commit.to_be_bytes().to_vec());
    changes.extend(commits.clone().map(delete));
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
