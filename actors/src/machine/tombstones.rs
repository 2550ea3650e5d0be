//! The memory that a transaction is done: exact, in time buckets that are dropped whole.
//!
//! A tombstone holds the key (16 bytes), 32 bits of each leg's content, by which a duplicate is told
//! from a conflict, and the commit that holds the result: 32 bytes in the journal, in memory some 8 more. A
//! leg that the result lacks has content 0.

mod bucket;

use std::collections::BTreeMap;

use proto::types::{KeyRange, Leg, RecordTime, TransactionKey};

use self::bucket::Bucket;
use super::codec::{Malformed, Reader};

/// What is remembered of a transaction that is done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tombstone {
    /// 32 bits of each leg's content; 0 where the transaction ended without that leg.
    pub content: [u32; 3],
    /// The low half of the number of the range's commit that holds its last result.
    pub commit: u32,
}

impl Tombstone {
    /// The 32 bits by which contents are compared; never 0.
    #[must_use]
    pub const fn content(hash: u64) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "half of the hash is kept")]
        let low = hash as u32;
        if low == 0 { 1 } else { low }
    }

    /// Whether the transaction ended with `leg`.
    #[must_use]
    pub const fn has(&self, leg: Leg) -> bool {
        self.content[leg as usize] != 0
    }
}

impl Tombstones {
    /// The low half of a commit's number, which is what a tombstone keeps of it.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is kept")]
    pub const fn commit(number: u64) -> u32 {
        number as u32
    }
}

/// The tombstones of one range.
#[derive(Debug)]
pub struct Tombstones {
    bucket_ms: u64,
    buckets: BTreeMap<u64, Bucket>,
    /// Buckets below this one have been dropped.
    floor: u64,
    /// What was added since the last commit closed, by bucket.
    fresh: BTreeMap<u64, Vec<(TransactionKey, Tombstone)>>,
}

impl Tombstones {
    /// An empty memory whose buckets are `bucket_ms` of record time wide.
    #[must_use]
    pub fn new(bucket_ms: u64) -> Self {
        let (buckets, fresh) = (BTreeMap::new(), BTreeMap::new());
        Self { bucket_ms: bucket_ms.max(1), buckets, floor: 0, fresh }
    }

    /// Remembers until `until` at least that the transaction is done.
    pub fn add(&mut self, key: TransactionKey, tombstone: Tombstone, until: RecordTime) {
        let bucket = (until.0 / self.bucket_ms).max(self.floor);
        self.buckets.entry(bucket).or_default().insert(key, tombstone);
        self.fresh.entry(bucket).or_default().push((key, tombstone));
    }

    /// What is remembered of the transaction; `None` where it is not known to be done.
    #[must_use]
    pub fn get(&self, key: TransactionKey) -> Option<&Tombstone> {
        // The newest buckets have most of the traffic.
        self.buckets.values().rev().find_map(|bucket| bucket.get(&key))
    }

    /// Forgets the buckets that are over at `now`.
    pub fn drop_before(&mut self, now: RecordTime) {
        let floor = now.0 / self.bucket_ms;
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        self.buckets = self.buckets.split_off(&floor);
        self.fresh = self.fresh.split_off(&floor);
    }

    /// The first bucket that has not been dropped.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// How many transactions are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.values().map(Bucket::len).sum()
    }

    /// Bytes of memory that they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buckets.values().map(Bucket::bytes).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// What was added since the last call: for each bucket its packed tombstones.
    pub fn take_fresh(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.fresh)
            .into_iter()
            .map(|(bucket, it)| (bucket, pack(&it)))
            .collect()
    }

    /// Takes back what was packed into `bucket`, as far as it is of these keys.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the bytes are no packed tombstones.
    pub fn load(&mut self, bucket: u64, packed: &[u8], keys: KeyRange) -> Result<(), Malformed> {
        let mut reader = Reader::new(packed);
        let tombstones = self.buckets.entry(bucket).or_default();
        tombstones.reserve(packed.len() / PACKED);
        while !reader.is_empty() {
            let key = TransactionKey(u128::from_le_bytes(reader.array()?));
            let mut word = || reader.array().map(u32::from_le_bytes);
            let content = [word()?, word()?, word()?];
            let tombstone = Tombstone { content, commit: word()? };
            if keys.contains(key.hash()) {
                tombstones.insert(key, tombstone);
            }
        }
        Ok(())
    }

    /// Says that buckets below `floor` were dropped before.
    pub fn set_floor(&mut self, floor: u64) {
        self.floor = floor;
    }
}

const PACKED: usize = 32;

fn pack(tombstones: &[(TransactionKey, Tombstone)]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(tombstones.len() * PACKED);
    for (key, tombstone) in tombstones {
        packed.extend_from_slice(&key.0.to_le_bytes());
        for word in tombstone.content.iter().chain([&tombstone.commit]) {
            packed.extend_from_slice(&word.to_le_bytes());
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TransactionKey = TransactionKey(7);

    fn tombstone(commit: u32) -> Tombstone {
        Tombstone { content: [1, 2, 0], commit }
    }

    #[test]
    fn a_tombstone_stays_until_its_time_and_goes_with_its_bucket() {
        let mut tombstones = Tombstones::new(100);
        tombstones.add(KEY, tombstone(1), RecordTime(250));
        tombstones.drop_before(RecordTime(250));
        assert_eq!(tombstones.get(KEY), Some(&tombstone(1)), "remembered until then at least");
        tombstones.drop_before(RecordTime(300));
        assert_eq!(tombstones.get(KEY), None);
        assert!(tombstones.is_empty());
    }

    #[test]
    fn what_comes_for_a_dropped_bucket_is_kept_in_the_oldest() {
        let mut tombstones = Tombstones::new(100);
        tombstones.drop_before(RecordTime(1_000));
        tombstones.add(KEY, tombstone(1), RecordTime(5));
        assert_eq!(tombstones.get(KEY), Some(&tombstone(1)));
    }

    #[test]
    fn packed_tombstones_are_taken_back() {
        let mut tombstones = Tombstones::new(100);
        for i in 0..50 {
            let until = RecordTime(u64::try_from(i).unwrap() * 10);
            tombstones.add(TransactionKey(i), tombstone(9), until);
        }
        let mut restored = Tombstones::new(100);
        for (bucket, packed) in tombstones.take_fresh() {
            restored.load(bucket, &packed, KeyRange::FULL).unwrap();
            assert!(Tombstones::new(100).load(bucket, &packed[1..], KeyRange::FULL).is_err());
        }
        assert_eq!(restored.len(), 50);
        assert_eq!(restored.get(TransactionKey(49)), Some(&tombstone(9)));
        assert!(tombstones.take_fresh().is_empty(), "what was taken is not fresh any more");
    }

    #[test]
    fn a_leg_that_the_transaction_lacked_is_known() {
        assert!(tombstone(1).has(Leg::Trace));
        assert!(!tombstone(1).has(Leg::Response));
        assert_ne!(Tombstone::content(1 << 32), 0, "0 is kept for absence");
    }
}
