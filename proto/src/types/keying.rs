//! How transaction ids become keys: spread evenly, or by partitions.

use std::num::NonZeroU16;

use super::{KeyRange, TransactionKey};

/// How transaction ids become keys. It is settled when the key space is cut, for good: under another one a transaction would
/// be sought in another range.
///
/// Where topics are keyed by transaction id, each partition's transactions can have keys that lie together. Then whoever owns
/// these reads what it owns, and nothing crosses from node to node. A record that is in another partition than its id says
/// is joined like any other: nothing but the way to its range hangs on it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Keying {
    partitions: Option<NonZeroU16>,
}

impl Keying {
    /// By so many partitions of each topic, to which producers assign transaction ids as Kafka's Java client does by default.
    #[must_use]
    pub const fn by(partitions: NonZeroU16) -> Self {
        Self { partitions: Some(partitions) }
    }

    /// By how many partitions; `None` where keys say nothing of partitions.
    #[must_use]
    pub const fn partitions(self) -> Option<NonZeroU16> {
        self.partitions
    }

    /// The key of the transaction with this id.
    #[must_use]
    pub fn key(self, id: &[u8]) -> TransactionKey {
        let key = TransactionKey::of(id);
        let Some(partitions) = self.partitions else { return key };
        let partition = (murmur2(id) & 0x7fff_ffff) % u32::from(partitions.get());
        let partition = u16::try_from(partition).expect("a remainder is below what divides");
        let keys = KeyRange::part(partition, partitions);
        // Spread over the partition's keys as it was over all.
        let hash = u128::from(keys.start()) + ((u128::from(key.hash()) * keys.size()) >> u64::BITS);
        let lower = key.0 & u128::from(u64::MAX);
        TransactionKey((hash << 64) | lower)
    }

    /// The keys of the transactions whose records are in this partition; `None` where keys say nothing of it.
    #[must_use]
    pub fn keys(self, partition: i32) -> Option<KeyRange> {
        let partitions = self.partitions?;
        let partition = u16::try_from(partition).ok().filter(|&it| it < partitions.get())?;
        Some(KeyRange::part(partition, partitions))
    }
}

/// `MurmurHash2` (Appleby) with the seed of Kafka's Java client, `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    // As the client's: lengths of ids are far below 2^32.
    let mut hash = 0x9747_b28c ^ u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        let mixed = (mixed ^ (mixed >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ mixed;
    }
    for (place, &byte) in (0..).zip(rest) {
        hash ^= u32::from(byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by(partitions: u16) -> Keying {
        Keying::by(NonZeroU16::new(partitions).unwrap())
    }

    /// What the Java client's own test of the function expects.
    #[test]
    fn ids_hash_as_in_the_java_client() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (id, hash) in cases {
            assert_eq!(murmur2(id.as_bytes()).cast_signed(), hash, "{id}");
        }
    }

    proptest! {
        /// As many ranges as partitions are the partitions' keys, and each id has a key in its partition's.
        #[test]
        fn each_partition_has_the_keys_of_its_ids(id in "[ -~]{0,40}", partitions in 1..300_u16) {
            let keying = by(partitions);
            let count = NonZeroU16::new(partitions).unwrap();
            let ranges: Vec<_> = KeyRange::divide(count).collect();
            let keys: Vec<_> = (0..i32::from(partitions)).map(|it| keying.keys(it)).collect();
            prop_assert_eq!(ranges.iter().copied().map(Some).collect::<Vec<_>>(), keys);
            let partition = (murmur2(id.as_bytes()) & 0x7fff_ffff) % u32::from(partitions);
            let place = usize::try_from(partition).unwrap();
            prop_assert!(ranges[place].contains(keying.key(id.as_bytes()).hash()));
        }
    }

    #[test]
    fn keys_that_say_nothing_of_partitions_are_the_hashes() {
        assert_eq!(Keying::default().key(b"t-1"), TransactionKey::of(b"t-1"));
        assert_eq!(by(1).key(b"t-1"), TransactionKey::of(b"t-1"));
        assert_eq!(Keying::default().keys(0), None);
        assert_eq!((by(4).keys(4), by(4).keys(-1)), (None, None));
    }

    #[test]
    fn the_keys_of_a_partition_are_spread_evenly() {
        let keying = by(8);
        let mut halves = [0_u32; 16];
        for number in 0..16_000_u32 {
            let hash = keying.key(format!("t-{number}").as_bytes()).hash();
            halves[usize::try_from(hash >> 60).unwrap()] += 1;
        }
        assert!(halves.iter().all(|count| (850..1150).contains(count)), "{halves:?}");
    }
}
