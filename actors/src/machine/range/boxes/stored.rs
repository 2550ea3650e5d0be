//! Which transactions only the store has: four bytes each, so that millions of them fit into memory.

use hashbrown::HashTable;
use proto::types::TransactionKey;

/// Below so many entries a table is not worth being made smaller.
const SMALL: usize = 1_024;

/// A multiset of 32 bits of each key. Who is in it is found; who is not may be found too, one in some
/// thousand, and then the store has no row of that key.
#[derive(Debug, Default)]
pub(super) struct Stored {
    prints: HashTable<u32>,
}

impl Stored {
    /// Whether the key may have been put in. Never says no to one that was.
    pub(super) fn may_have(&self, key: TransactionKey) -> bool {
        let print = print(key);
        self.prints.find(hash(print), |it| *it == print).is_some()
    }

    /// Puts the key in, which must not be in.
    pub(super) fn insert(&mut self, key: TransactionKey) {
        let print = print(key);
        self.prints.insert_unique(hash(print), print, |it| hash(*it));
    }

    /// Takes the key out, which must be in: who shares its bits stays.
    pub(super) fn remove(&mut self, key: TransactionKey) {
        let print = print(key);
        if let Ok(entry) = self.prints.find_entry(hash(print), |it| *it == print) {
            entry.remove();
        }
        let (entries, room) = (self.prints.len(), self.prints.capacity());
        if room > SMALL && entries < room / 8 {
            self.prints.shrink_to(entries * 2, |it| hash(*it));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.prints.len()
    }

    /// Bytes of memory that the set takes.
    pub(super) fn bytes(&self) -> usize {
        self.prints.allocation_size()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "32 bits of the hash are kept")]
const fn print(key: TransactionKey) -> u32 {
    key.0 as u32
}

/// The table takes its tag from the upper bits.
const fn hash(print: u32) -> u64 {
    (print as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: u32) -> TransactionKey {
        TransactionKey::of(&i.to_le_bytes())
    }

    #[test]
    fn who_is_in_is_found_and_hardly_anybody_else() {
        let mut stored = Stored::default();
        (0..100_000).for_each(|i| stored.insert(key(i)));
        assert!((0..100_000).all(|i| stored.may_have(key(i))));
        let strangers = (100_000..200_000).filter(|&i| stored.may_have(key(i))).count();
        assert!(strangers < 30, "{strangers} of 100,000");
    }

    #[test]
    fn of_two_that_share_their_bits_one_stays_when_the_other_goes() {
        let (one, other) = (TransactionKey(7), TransactionKey(7 | 1 << 64));
        let mut stored = Stored::default();
        stored.insert(one);
        stored.insert(other);
        stored.remove(one);
        assert!(stored.may_have(other));
        stored.remove(other);
        assert!(!stored.may_have(other));
    }

    #[test]
    fn a_transaction_takes_few_bytes_and_leaves_none_behind() {
        let mut stored = Stored::default();
        (0..100_000).for_each(|i| stored.insert(key(i)));
        assert!(stored.bytes() < 100_000 * 12, "{} bytes", stored.bytes());
        (0..100_000).for_each(|i| stored.remove(key(i)));
        assert_eq!(stored.len(), 0);
        assert!(stored.bytes() < 32_000, "{} bytes", stored.bytes());
    }
}
