//! A range becomes others: what one of them begins with, out of the store of the range that it came from.
//!
//! Positions and clocks are the parent's, and so is the number of the last commit. Transactions go with their keys. The
//! figures, and the account of all records that wait no more, go to one child as they are: sums over the ranges don't
//! care which (I8, I9). Output begins anew, under the child's own number: of the parent's nothing waits for the sink.
//!
//! Tombstones stay in rows with those of other keys, which are passed over when they are read, and go with their time.

use proto::types::{Epoch, KeyRange, Sequence, TransactionKey};

use super::block::{Head, Place};
use super::codec::{Malformed, Reader};
use super::envelope::Kind;
use super::ledger::Counts;
use super::mailbox::Mailbox;
use super::range::LoadError;
use super::restore::Standing;
use crate::store::{Change, Store, StoreError, Table};

/// One of the ranges that a range has become.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Child {
    /// Its keys.
    pub keys: KeyRange,
    /// Its first epoch, greater than all of the parent's: by this in its head, at a place of the parent's, a store is
    /// known as the child's.
    pub epoch: Epoch,
    /// Whether it has the parent's figures and account.
    pub has_figures: bool,
}

impl Child {
    /// What makes the store of the parent the child's, all at once. Nothing, where the parent has committed nothing.
    ///
    /// # Errors
    ///
    /// [`LoadError::Unsettled`] where the parent was not closed by value with everything delivered.
    pub fn born(&self, store: &dyn Store) -> Result<Vec<Change>, LoadError> {
        let Some((place, head)) = Standing::head(store)? else { return Ok(Vec::new()) };
        if head.acknowledged != head.sequence {
            return Err(LoadError::Unsettled { what: "results that wait for the sink" });
        }
        if has_rows(store, Table::References)? {
            return Err(LoadError::Unsettled { what: "legs that are kept by reference" });
        }
        let mut changes = self.strangers_go();
        if !self.has_figures {
            changes
                .extend([Table::Partials, Table::Contributions].map(|table| all_go(table, vec![])));
        }
        let ledger = self.account(store, &head.ledger)?;
        let head = Head {
            epoch: self.epoch,
            sequence: Sequence(0),
            acknowledged: Sequence(0),
            ledger,
            ..head
        };
        let place = Place { at: place.at, outbox: (place.at.0, place.at.1.next()) };
        let mut row = Vec::new();
        place.put(&mut row);
        head.put(&mut row);
        changes.push(Change::Put(Table::Head, vec![], row));
        Ok(changes)
    }

    /// Transactions of other keys go. Their rows are in the order of their hashes.
    fn strangers_go(&self) -> Vec<Change> {
        let first = |hash: u64| (u128::from(hash) << 64).to_be_bytes().to_vec();
        let mut changes = Vec::new();
        if self.keys.start() > 0 {
            changes.push(Change::DeleteRange(Table::Open, vec![], first(self.keys.start())));
        }
        if self.keys.end() > 0 {
            changes.push(all_go(Table::Open, first(self.keys.end())));
        }
        changes
    }

    /// The child's part of the parent's account: the records that wait in its own mailboxes, and with the figures
    /// all that wait no more.
    fn account(&self, store: &dyn Store, parent: &[Counts]) -> Result<Vec<Counts>, LoadError> {
        let mut ledger = match self.has_figures {
            true => parent.to_vec(),
            false => vec![Counts::default(); parent.len()],
        };
        let mut fault = None;
        store.scan(Table::Open, &mut |key, row| {
            fault = fault.or(self.count(key, row, &mut ledger).err());
        })?;
        match fault {
            None => Ok(ledger),
            Some(source) => Err(LoadError::Parent { table: Table::Open, source }),
        }
    }

    /// The records that wait in a mailbox change the account where it goes to another than the figures.
    fn count(&self, key: &[u8], row: &[u8], ledger: &mut [Counts]) -> Result<(), Malformed> {
        let key = TransactionKey(u128::from_be_bytes(Reader::new(key).array()?));
        let is_mine = self.keys.contains(key.hash());
        let change: fn(&mut Counts) = match (self.has_figures, is_mine) {
            (true, false) => |counts| counts.give_open(1),
            (false, true) => |counts| counts.take_open(1),
            (true, true) | (false, false) => return Ok(()),
        };
        each_open(&Mailbox::from_row(row)?, |partition| {
            ledger.get_mut(partition).into_iter().for_each(change);
        });
        Ok(())
    }
}

/// Whether a child's store is as its parent left it, since a crash took what made it the child's; `child_epoch` is the
/// child's first.
///
/// # Errors
///
/// Where the store fails, or its head is none.
pub fn is_unborn(store: &dyn Store, child_epoch: Epoch) -> Result<bool, StoreError> {
    let head = Standing::head(store)?;
    // A parent that had become it only just stands at a place of a grandparent's too, but under its own epoch.
    Ok(head.is_some_and(|(place, head)| place.at.0 < child_epoch && head.epoch != child_epoch))
}

/// The source partition of each record in the mailbox that no result has yet.
fn each_open(mailbox: &Mailbox, mut take: impl FnMut(usize)) {
    let said = mailbox.said.published();
    let is_said = |kind| matches!(kind, Kind::Leg(leg) if said.has(leg));
    for envelope in mailbox.envelopes().filter(|it| !is_said(it.kind)) {
        take(envelope.partition.index());
    }
}

fn all_go(table: Table, from: Vec<u8>) -> Change {
    // Behind every key: none is as long.
    Change::DeleteRange(table, from, vec![u8::MAX; 1 << 10])
}

fn has_rows(store: &dyn Store, table: Table) -> Result<bool, StoreError> {
    let mut found = false;
    store.scan(table, &mut |_, _| found = true)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::types::{Leg, PartitionIndex, Slot, Version};

    use super::super::envelope::tests::leg;
    use super::super::mailbox::{Legs, Said};
    use super::*;
    use crate::machine::ledger::Fate;
    use crate::store::memory::MemoryStore;

    const PARTITIONS: usize = 3;
    const LOWER: KeyRange = match KeyRange::new(0, 1 << 63) {
        Some(keys) => keys,
        None => KeyRange::FULL,
    };
    const UPPER: KeyRange = match KeyRange::new(1 << 63, 0) {
        Some(keys) => keys,
        None => KeyRange::FULL,
    };

    /// A mailbox of these legs, the first `said` of which are in a result.
    fn mailbox(legs: &[(Leg, u16)], said: usize) -> Mailbox {
        let mut mailbox = Mailbox::default();
        for (place, &(leg_of, partition)) in legs.iter().enumerate() {
            let mut envelope = leg(leg_of, 0, 10, b"body");
            envelope.partition = PartitionIndex(partition);
            mailbox.put(leg_of, &envelope);
            if place < said {
                let legs = match mailbox.said {
                    Said::Incomplete { legs, .. } => legs.with(leg_of),
                    Said::Nothing | Said::Due { .. } => Legs::default().with(leg_of),
                };
                mailbox.said = Said::Incomplete { version: Version(1), legs };
            }
        }
        mailbox
    }

    /// The store of a range that is closed, with these transactions, and the account of what it has consumed.
    fn closed(boxes: &[(u64, Mailbox)], done: u64) -> MemoryStore {
        let mut ledger = vec![Counts::default(); PARTITIONS];
        for counts in &mut ledger {
            (0..done).for_each(|_| {
                counts.consume();
                counts.enter(Fate::Joined);
            });
        }
        let mut changes = Vec::new();
        for (number, (hash, mailbox)) in (0_u64..).zip(boxes) {
            let key = (u128::from(*hash) << 64) | u128::from(number);
            changes.push(Change::Put(Table::Open, key.to_be_bytes().to_vec(), mailbox.to_row()));
            each_open(mailbox, |partition| ledger[partition].take_open(1));
        }
        for table in [Table::Partials, Table::Contributions] {
            changes.push(Change::Put(table, vec![0, 1], vec![7]));
        }
        let (epoch, sequence) = (Epoch::new(4), Sequence(9));
        let head =
            Head { epoch, commit: 12, sequence, acknowledged: sequence, ledger, ..Head::default() };
        let place = Place { at: (epoch, Slot(5)), outbox: (epoch, Slot(6)) };
        changes.push(Change::Put(Table::Head, vec![], row(&place, &head)));
        let mut store = MemoryStore::new(0);
        store.apply(&changes).unwrap();
        store
    }

    fn row(place: &Place, head: &Head) -> Vec<u8> {
        let mut row = Vec::new();
        place.put(&mut row);
        head.put(&mut row);
        row
    }

    fn child(keys: KeyRange, has_figures: bool) -> Child {
        Child { keys, epoch: Epoch::new(5), has_figures }
    }

    /// The head of the child of a copy of that store, and the hashes of its transactions.
    fn born(boxes: &[(u64, Mailbox)], done: u64, child: Child) -> (Head, Vec<u64>, MemoryStore) {
        let mut store = closed(boxes, done);
        let changes = child.born(&store).unwrap();
        store.apply(&changes).unwrap();
        let mut hashes = Vec::new();
        let mut take = |key: &[u8], _: &[u8]| {
            hashes.push(u64::from_be_bytes(key[..8].try_into().unwrap()));
        };
        store.scan(Table::Open, &mut take).unwrap();
        let (_, head) = Standing::head(&store).unwrap().unwrap();
        (head, hashes, store)
    }

    fn any_box() -> impl Strategy<Value = (u64, Mailbox)> {
        let legs = prop::sample::subsequence(Leg::ALL.to_vec(), 1..=3);
        (any::<u64>(), legs, prop::array::uniform3(0..3_u16), 0..4_usize).prop_map(
            |(hash, legs, partitions, said)| {
                let legs: Vec<_> = legs.into_iter().zip(partitions).collect();
                (hash, mailbox(&legs, said))
            },
        )
    }

    proptest! {
        /// I2, I9: each transaction has one child, and together they account for what the parent did; each balances.
        #[test]
        fn children_share_out_transactions_and_account(
            boxes in prop::collection::vec(any_box(), 0..12), done in 0..20_u64,
        ) {
            let (first, lower, _) = born(&boxes, done, child(LOWER, true));
            let (second, upper, _) = born(&boxes, done, child(UPPER, false));
            let mut hashes: Vec<_> = boxes.iter().map(|(hash, _)| *hash).collect();
            hashes.sort_unstable();
            prop_assert_eq!([lower.clone(), upper].concat(), hashes);
            prop_assert!(lower.iter().all(|hash| LOWER.contains(*hash)));
            let parent = Standing::head(&closed(&boxes, done)).unwrap().unwrap().1;
            for partition in 0..PARTITIONS {
                let mut sum = first.ledger[partition];
                sum.add(&second.ledger[partition]);
                prop_assert_eq!(sum, parent.ledger[partition]);
                prop_assert!(first.ledger[partition].balances());
                prop_assert!(second.ledger[partition].balances());
            }
            let waiting = |partition: usize, keys: KeyRange| {
                let mut count = 0;
                for (_, mailbox) in boxes.iter().filter(|(hash, _)| keys.contains(*hash)) {
                    each_open(mailbox, |it| count += u64::from(it == partition));
                }
                count
            };
            for partition in 0..PARTITIONS {
                prop_assert_eq!(first.ledger[partition].of(Fate::Open), waiting(partition, LOWER));
                prop_assert_eq!(second.ledger[partition].consumed, waiting(partition, UPPER));
            }
        }
    }

    #[test]
    fn one_child_has_the_figures_and_each_begins_its_output_anew_where_the_parent_stood() {
        for has_figures in [true, false] {
            let (head, _, store) = born(&[], 3, child(UPPER, has_figures));
            for table in [Table::Partials, Table::Contributions] {
                assert_eq!(has_rows(&store, table).unwrap(), has_figures, "{table:?}");
            }
            assert_eq!(
                (head.commit, head.sequence, head.acknowledged),
                (12, Sequence(0), Sequence(0))
            );
            let (place, _) = Standing::head(&store).unwrap().unwrap();
            assert_eq!(place.needed_from(), (Epoch::new(4), Slot(6)));
        }
        assert!(child(UPPER, true).born(&MemoryStore::new(0)).unwrap().is_empty());
    }

    /// A crash may take what made a store the child's, also that of a child of a child that has committed nothing.
    #[test]
    fn a_store_that_is_still_the_parents_is_known() {
        let parent = closed(&[], 1);
        assert!(is_unborn(&parent, Epoch::new(5)).unwrap());
        let (_, _, mut store) = born(&[], 1, child(LOWER, true));
        assert!(!is_unborn(&store, Epoch::new(5)).unwrap());
        assert!(is_unborn(&store, Epoch::new(6)).unwrap(), "its own child's is not born yet");
        let grandchild = Child { epoch: Epoch::new(6), ..child(LOWER, true) };
        store.apply(&grandchild.born(&store).unwrap()).unwrap();
        assert!(!is_unborn(&store, Epoch::new(6)).unwrap());
        let (mut place, mut head) = Standing::head(&store).unwrap().unwrap();
        (place.at, head.epoch) = ((Epoch::new(7), Slot(1)), Epoch::new(7));
        store.apply(&[Change::Put(Table::Head, vec![], row(&place, &head))]).unwrap();
        assert!(!is_unborn(&store, Epoch::new(6)).unwrap(), "a later owner's");
    }

    #[test]
    fn i7_a_parent_with_something_left_has_no_children() {
        let refused = |change: Change| {
            let mut store = closed(&[], 1);
            store.apply(&[change]).unwrap();
            child(LOWER, true).born(&store).unwrap_err().to_string()
        };
        let reference = Change::Put(Table::References, vec![0; 8], vec![]);
        assert!(refused(reference).contains("by reference"));
        let (place, mut head) = Standing::head(&closed(&[], 1)).unwrap().unwrap();
        head.acknowledged = Sequence(8);
        let waiting = refused(Change::Put(Table::Head, vec![], row(&place, &head)));
        assert!(waiting.contains("wait for the sink"));
    }
}
