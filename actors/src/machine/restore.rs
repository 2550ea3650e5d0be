//! How a range comes back: where its store stands, which slots it needs beyond, and what each adds.
//!
//! The shell opens stores and reads journals; here stands what it has to read and what it means.

use proto::types::{RangeId, Sequence};

use super::block::{Block, Head, Place};
use super::codec::{Malformed, Reader};
use super::outbox::Outbox;
use super::reach::At;
use crate::sink::Row;
use crate::store::{Change, Store, StoreError, Table};

/// A range whose past is being replayed.
#[derive(Clone, Debug)]
pub struct Standing {
    range: RangeId,
    place: Place,
    commit: u64,
    acknowledged: Sequence,
    rows: Vec<Row>,
    outbox: Outbox,
}

/// I10: commits between what is there and what follows are gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "range {range} has commits up to {have}, but the next in the journal is {found}: commits between them are \
     gone. Put them back from a copy, or restore a snapshot that has them: throughline snapshot restore"
)]
pub struct Gap {
    /// The range.
    pub range: RangeId,
    /// The last commit that is there.
    pub have: u64,
    /// The next that was found.
    pub found: u64,
}

/// A range after the replay.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Where it stands.
    pub place: Place,
    /// The rows that are not known to be acknowledged, in sequence.
    pub rows: Vec<Row>,
    /// The slots that hold them.
    pub outbox: Outbox,
}

impl Standing {
    /// A range whose store is empty.
    #[must_use]
    pub fn nowhere(range: RangeId) -> Self {
        let (place, rows, outbox) = (Place::default(), Vec::new(), Outbox::default());
        Self { range, place, commit: 0, acknowledged: Sequence(0), rows, outbox }
    }

    /// A range as its store has it; `None` where the store is empty.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the store fails or its head is none.
    pub fn of(range: RangeId, store: &dyn Store) -> Result<Option<Self>, StoreError> {
        let Some((place, head)) = Self::head(store)? else { return Ok(None) };
        let (commit, acknowledged) = (head.commit, head.acknowledged);
        Ok(Some(Self { place, commit, acknowledged, ..Self::nowhere(range) }))
    }

    /// Where and how a store says that it stands; `None` where it is empty.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the store fails or its head is none.
    pub fn head(store: &dyn Store) -> Result<Option<(Place, Head)>, StoreError> {
        let Some(row) = store.get(Table::Head, &[])? else { return Ok(None) };
        let mut reader = Reader::new(&row);
        let mut parse = || Ok((Place::take(&mut reader)?, Head::take(&mut reader)?));
        parse().map(Some).map_err(|error: Malformed| StoreError::Corrupted {
            doing: "read its head".to_owned(),
            detail: error.to_string(),
        })
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The first slot that may hold something beyond the store, or rows that may not be acknowledged.
    #[must_use]
    pub fn needed_from(&self) -> At {
        self.place.needed_from()
    }

    /// Whether that slot may hold something beyond the store, or rows that may not be acknowledged.
    #[must_use]
    pub fn needs(&self, at: At) -> bool {
        at >= self.needed_from()
    }

    /// Takes the range's next commit that the journals have; answers with what it changes in the store,
    /// nothing where the store has it already.
    ///
    /// # Errors
    ///
    /// [`Gap`], where commits are missing.
    pub fn follow(&mut self, at: At, mut block: Block) -> Result<Vec<Change>, Gap> {
        let (have, found) = (self.commit, block.head.commit);
        let rows = std::mem::take(&mut block.rows);
        let mut changes = Vec::new();
        if found <= have {
            self.outbox.note(at, block.head.sequence, !rows.is_empty());
        } else if found == have + 1 {
            self.commit = found;
            self.place = self.outbox.committed(at, &block.head, !rows.is_empty());
            changes = block.changes(&self.place);
        } else {
            return Err(Gap { range: self.range, have, found });
        }
        self.rows.extend(rows);
        self.acknowledged = self.acknowledged.max(block.head.acknowledged);
        let acknowledged = self.acknowledged;
        self.rows.retain(|row| row.stamp.sequence > acknowledged);
        self.outbox.acknowledged(acknowledged);
        Ok(changes)
    }

    /// Everything has been replayed.
    #[must_use]
    pub fn replayed(self) -> Replayed {
        Replayed { place: self.place, rows: self.rows, outbox: self.outbox }
    }
}

#[cfg(test)]
mod tests {
    use proto::types::{Epoch, Slot, Version};

    use super::*;
    use crate::machine::block::{Cleared, Figures, References};
    use crate::sink::{Outlet, Stamp};
    use crate::store::memory::MemoryStore;

    const RANGE: RangeId = RangeId(3);
    const EPOCH: Epoch = Epoch::new(1);

    /// Commit `commit` brings row `commit`.
    fn block(commit: u64, acknowledged: u64) -> Block {
        let (sequence, epoch) = (Sequence(commit), Epoch::NONE.next());
        let stamp = Stamp { range: RANGE, epoch, sequence, version: Version(1) };
        let (key, payload) = ("key".into(), "payload".into());
        let headers = vec![];
        let row = Row { outlet: Outlet::Late, stamp, key, payload, headers, arrived: None };
        let acknowledged = Sequence(acknowledged);
        Block {
            range: RANGE,
            head: Head { epoch, commit, sequence, acknowledged, ..Head::default() },
            references: References::default(),
            puts: vec![],
            removed: vec![],
            tombstones: vec![],
            figures: Figures::Added(vec![]),
            cleared: Cleared::default(),
            rows: vec![row],
        }
    }

    /// A store that has commits 1 to `commits`, in slots of the same numbers.
    fn store(commits: u64, acknowledged: u64) -> MemoryStore {
        let mut store = MemoryStore::default();
        let mut standing = Standing::nowhere(RANGE);
        for commit in 1..=commits {
            let block = block(commit, acknowledged.min(commit - 1));
            store.apply(&standing.follow((EPOCH, Slot(commit)), block).unwrap()).unwrap();
        }
        store
    }

    #[test]
    fn what_is_beyond_the_store_is_applied_and_what_it_has_is_not() {
        let mut store = store(3, 0);
        let mut standing = Standing::of(RANGE, &store).unwrap().unwrap();
        assert!(standing.follow((EPOCH, Slot(3)), block(3, 0)).unwrap().is_empty());
        store.apply(&standing.follow((EPOCH, Slot(4)), block(4, 0)).unwrap()).unwrap();
        assert_eq!(Standing::of(RANGE, &store).unwrap().unwrap().place(), standing.place());
        assert_eq!(standing.place().at, (EPOCH, Slot(4)));
    }

    #[test]
    fn i10_a_gap_is_refused() {
        let mut standing = Standing::of(RANGE, &store(3, 0)).unwrap().unwrap();
        let gap = Gap { range: RANGE, have: 3, found: 5 };
        assert_eq!(standing.follow((EPOCH, Slot(5)), block(5, 0)).unwrap_err(), gap);
    }

    #[test]
    fn rows_that_are_not_acknowledged_are_given_again_and_their_slots_are_needed() {
        let mut standing = Standing::of(RANGE, &store(5, 2)).unwrap().unwrap();
        let needed: Vec<_> = (0..8).filter(|&slot| standing.needs((EPOCH, Slot(slot)))).collect();
        assert_eq!(needed, [3, 4, 5, 6, 7]);
        assert!(standing.needs((EPOCH.next(), Slot(1))), "a later owner's is beyond");
        for commit in 3..=6 {
            standing.follow((EPOCH, Slot(commit)), block(commit, 3)).unwrap();
        }
        let replayed = standing.replayed();
        let sequences: Vec<_> = replayed.rows.iter().map(|row| row.stamp.sequence.0).collect();
        assert_eq!(sequences, [4, 5, 6]);
        assert_eq!(replayed.place.outbox, (EPOCH, Slot(4)));
    }

    #[test]
    fn an_empty_store_needs_everything() {
        assert!(Standing::of(RANGE, &MemoryStore::default()).unwrap().is_none());
        assert!(Standing::nowhere(RANGE).needs((EPOCH, Slot(1))));
    }
}
