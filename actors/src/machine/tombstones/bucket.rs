//! The tombstones of one time bucket: packed one behind the other, with a small table to find them.
//!
//! A hash table of the tombstones themselves would have half its places empty after each doubling, and needs
//! half as much again while it doubles: here that is so for the four bytes of a place alone.

use hashbrown::HashTable;
use proto::types::TransactionKey;

use super::Tombstone;

/// Tombstones that are allocated at once.
const CHUNK: usize = 4_096;

type Entry = (TransactionKey, Tombstone);

/// Tombstones by key.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Each but the last has [`CHUNK`] entries.
    chunks: Vec<Vec<Entry>>,
    /// The place of each.
    places: HashTable<u32>,
}

impl Bucket {
    pub(super) fn get(&self, key: &TransactionKey) -> Option<&Tombstone> {
        let is_it = |place: &u32| entry(&self.chunks, *place).0 == *key;
        let place = self.places.find(hash(*key), is_it)?;
        Some(&entry(&self.chunks, *place).1)
    }

    /// Takes a tombstone in, in the place of one of the same key.
    pub(super) fn insert(&mut self, key: TransactionKey, tombstone: Tombstone) {
        let Self { chunks, places } = self;
        if let Some(&place) = places.find(hash(key), |it| entry(chunks, *it).0 == key) {
            chunks[place as usize / CHUNK][place as usize % CHUNK].1 = tombstone;
            return;
        }
        let place = u32::try_from(places.len()).expect("memory ends before 2^32 tombstones");
        match chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push((key, tombstone)),
            // The first one grows: a bucket may stay small.
            None => chunks.push(vec![(key, tombstone)]),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push((key, tombstone));
                chunks.push(chunk);
            }
        }
        places.insert_unique(hash(key), place, |it| hash(entry(chunks, *it).0));
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, count: usize) {
        let Self { chunks, places } = self;
        places.reserve(count, |it| hash(entry(chunks, *it).0));
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of memory that the bucket takes.
    pub(super) fn bytes(&self) -> usize {
        let room = |chunk: &Vec<Entry>| chunk.capacity() * size_of::<Entry>();
        let last = self.chunks.last().map_or(0, room);
        let full = self.chunks.len().saturating_sub(1) * CHUNK * size_of::<Entry>();
        full + last + self.places.allocation_size()
    }
}

fn entry(chunks: &[Vec<Entry>], place: u32) -> &Entry {
    &chunks[place as usize / CHUNK][place as usize % CHUNK]
}

/// A range has but a part of the upper half's values.
#[expect(clippy::cast_possible_truncation, reason = "half of the hash is enough to spread")]
const fn hash(key: TransactionKey) -> u64 {
    key.0 as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tombstone(commit: u32) -> Tombstone {
        Tombstone { content: [1, 2, 3], commit }
    }

    fn key(i: u32) -> TransactionKey {
        TransactionKey::of(&i.to_le_bytes())
    }

    #[test]
    fn each_is_found_and_nobody_else_across_chunks() {
        let mut bucket = Bucket::default();
        (0..20_000).for_each(|i| bucket.insert(key(i), tombstone(i)));
        assert_eq!(bucket.len(), 20_000);
        assert!((0..20_000).all(|i| bucket.get(&key(i)) == Some(&tombstone(i))));
        assert!((20_000..40_000).all(|i| bucket.get(&key(i)).is_none()));
    }

    #[test]
    fn the_last_of_a_key_counts() {
        let mut bucket = Bucket::default();
        bucket.insert(key(1), tombstone(1));
        bucket.insert(key(1), tombstone(2));
        assert_eq!((bucket.len(), bucket.get(&key(1))), (1, Some(&tombstone(2))));
    }

    #[test]
    fn a_tombstone_takes_little_more_than_itself() {
        let mut bucket = Bucket::default();
        for i in 0..100_000 {
            bucket.insert(key(i), tombstone(i));
            let most = 48 * bucket.len() + CHUNK * size_of::<Entry>();
            assert!(bucket.bytes() <= most, "{} bytes for {}", bucket.bytes(), bucket.len());
        }
    }
}
