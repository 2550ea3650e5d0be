//! Legs kept by reference: where the source has them, so that a restore can read them again.

use std::collections::BTreeMap;

use proto::types::{Offset, PartitionIndex, RecordTime};

use super::super::codec::{Malformed, Reader, put_varint};
use super::super::positions::Position;

/// Offsets by source partition. A packed reference takes 1 or 2 bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct References {
    partitions: BTreeMap<PartitionIndex, Wanted>,
}

/// The legs that are wanted of one source partition.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Where to begin to read, and the record clock there: it runs on from here as it ran before.
    pub base: Position,
    /// The offsets, ascending and each once, when taken by [`References::sorted`].
    pub offsets: Vec<Offset>,
}

impl References {
    /// Adds a reference. Within a partition they come in rising order, or nearly.
    pub fn add(&mut self, partition: PartitionIndex, offset: Offset) {
        self.partitions.entry(partition).or_default().offsets.push(offset);
    }

    /// Says where each partition stood before the references of this commit.
    pub fn set_bases(&mut self, positions: &[Position]) {
        for (partition, wanted) in &mut self.partitions {
            wanted.base = positions.get(partition.index()).copied().unwrap_or_default();
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.values().map(|wanted| wanted.offsets.len()).sum()
    }

    /// Adds what `other` wants.
    pub fn merge(&mut self, other: Self) {
        for (partition, its) in other.partitions {
            self.want(partition, its);
        }
    }

    fn want(&mut self, partition: PartitionIndex, its: Wanted) {
        let Some(mine) = self.partitions.get_mut(&partition) else {
            self.partitions.insert(partition, its);
            return;
        };
        if its.base.offset < mine.base.offset {
            mine.base = its.base;
        }
        mine.offsets.extend(its.offsets);
    }

    /// The partitions and what is wanted of them, offsets ascending and each once.
    pub fn sorted(mut self) -> impl Iterator<Item = (PartitionIndex, Wanted)> {
        for wanted in self.partitions.values_mut() {
            wanted.offsets.sort_unstable();
            wanted.offsets.dedup();
        }
        self.partitions.into_iter()
    }

    /// The references as bytes: for each partition its number, where to begin, how many, and each offset's
    /// distance from the one before.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * self.len() + 16);
        for (partition, wanted) in self.clone().sorted() {
            put_varint(&mut out, u64::from(partition.0));
            put_varint(&mut out, wanted.base.offset.0);
            put_varint(&mut out, wanted.base.clock.0);
            put_varint(&mut out, wanted.offsets.len() as u64);
            let mut last = 0;
            for offset in wanted.offsets {
                put_varint(&mut out, offset.0 - last);
                last = offset.0;
            }
        }
        out
    }

    /// Adds what was packed.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the bytes are no packed references.
    pub fn load(&mut self, packed: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(packed);
        while !reader.is_empty() {
            let partition = PartitionIndex(reader.number()?);
            let (offset, clock) = (Offset(reader.varint()?), RecordTime(reader.varint()?));
            let mut wanted = Wanted { base: Position { offset, clock }, offsets: Vec::new() };
            let mut last = 0u64;
            for _ in 0..reader.varint()? {
                last = last.checked_add(reader.varint()?).ok_or(Malformed)?;
                wanted.offsets.push(Offset(last));
            }
            self.want(partition, wanted);
        }
        Ok(())
    }
}
