//! A node's commit as one object: its ranges' blocks, compressed and checksummed, with an index at the end
//! so that one range can be read alone.
//!
//! ```text
//! object = "TLJC", format u16, oldest reader u16, nonce u64, block*, index, foot
//! block  = LZ4 of a range's block
//! index  = (range u16, commit u64, offset u32, length u32, plain length u32, CRC-32C u32)*
//! foot   = count of index entries u32, CRC-32C of head and index u32, "TLJE"
//! ```
//!
//! All numbers are little-endian. A checksum covers a block as it is stored.

use bytes::{BufMut, Bytes, BytesMut};
use lz4::block::{compress, decompress};
use proto::types::RangeId;

use crate::machine::block::{Block, FORMAT};
use crate::machine::codec::{Malformed, Reader};

const MAGIC: &[u8; 4] = b"TLJC";
const END: &[u8; 4] = b"TLJE";
const HEAD: usize = 16;
const ENTRY: usize = 26;
const FOOT: usize = 12;

/// No block is larger than this: a length beyond it is a corrupted length (I13).
const MAX_BLOCK: usize = 1 << 30;

/// A block, ready to be written.
#[derive(Clone, Debug)]
pub struct Packed {
    range: RangeId,
    commit: u64,
    plain: u32,
    crc: u32,
    bytes: Vec<u8>,
}

impl Packed {
    /// Compresses a block. Costs about a microsecond for each kilobyte, so ranges do it, not their node.
    ///
    /// # Panics
    ///
    /// Where the block is 2 GB or larger, more than LZ4 takes; credit bounds it far below.
    #[must_use]
    pub fn new(block: &Block) -> Self {
        let encoded = block.encode();
        let plain = u32::try_from(encoded.len()).expect("credit bounds what a commit holds");
        let bytes = compress(&encoded, None, false).expect("credit bounds what a commit holds");
        let crc = crc32c::crc32c(&bytes);
        Self { range: block.range, commit: block.head.commit, plain, crc, bytes }
    }

    /// How many bytes the block takes in the journal.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the block is empty; no block is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The object that holds `blocks`. `nonce` tells it from every other attempt at the same slot.
///
/// # Panics
///
/// Where the blocks come to 4 GiB or more together; credit bounds them far below.
#[must_use]
pub fn seal(nonce: u64, blocks: &[Packed]) -> Bytes {
    let payload: usize = blocks.iter().map(Packed::len).sum();
    let mut object = BytesMut::with_capacity(HEAD + payload + blocks.len() * ENTRY + FOOT);
    object.put_slice(MAGIC);
    object.put_u16_le(FORMAT);
    object.put_u16_le(FORMAT);
    object.put_u64_le(nonce);
    let mut index = BytesMut::with_capacity(blocks.len() * ENTRY);
    let small = |length: usize| u32::try_from(length).expect("credit bounds what a commit holds");
    for block in blocks {
        index.put_u16_le(block.range.0);
        index.put_u64_le(block.commit);
        index.put_u32_le(small(object.len()));
        index.put_u32_le(small(block.bytes.len()));
        index.put_u32_le(block.plain);
        index.put_u32_le(block.crc);
        object.put_slice(&block.bytes);
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&object[..HEAD]), &index);
    object.put_slice(&index);
    object.put_u32_le(small(blocks.len()));
    object.put_u32_le(crc);
    object.put_slice(END);
    object.freeze()
}

/// A commit's object, verified but for the blocks that have not been read yet.
#[derive(Clone, Debug)]
pub struct Sealed {
    object: Bytes,
    nonce: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    range: RangeId,
    commit: u64,
    offset: usize,
    length: usize,
    plain: usize,
    crc: u32,
}

/// Why an object is not a commit that this version can read. It is refused whole (I11).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ObjectError {
    /// It is something else, for example a fence.
    #[error("the object is no commit")]
    NoCommit,
    /// I14: it was written by a newer version.
    #[error(
        "the object needs a reader of format {needs}; this version reads up to {FORMAT}: use a newer throughline"
    )]
    Newer {
        /// The oldest format that a reader has to know.
        needs: u16,
    },
    /// I11: it is torn or has gone bad.
    #[error("the object does not verify: {0}")]
    Corrupted(&'static str),
}

impl Sealed {
    /// Opens an object; the index is verified, each block when it is read.
    ///
    /// # Errors
    ///
    /// [`ObjectError`], where it is no commit that this version can read.
    pub fn open(object: Bytes) -> Result<Self, ObjectError> {
        const CUT: ObjectError = ObjectError::Corrupted("it is cut");
        if object.get(..4).ok_or(CUT)? != MAGIC {
            return Err(ObjectError::NoCommit);
        }
        let mut head = Reader::new(object.get(4..HEAD).ok_or(CUT)?);
        let number = |reader: &mut Reader<'_>| reader.array().map(u16::from_le_bytes);
        let (_, needs) = (number(&mut head).map_err(|_| CUT)?, number(&mut head).map_err(|_| CUT)?);
        if needs > FORMAT {
            return Err(ObjectError::Newer { needs });
        }
        let nonce = u64::from_le_bytes(head.array().map_err(|_| CUT)?);
        let foot_at = object.len().checked_sub(FOOT).filter(|&it| it >= HEAD).ok_or(CUT)?;
        let mut foot = Reader::new(&object[foot_at..]);
        let count = u32::from_le_bytes(foot.array().map_err(|_| CUT)?);
        let crc = u32::from_le_bytes(foot.array().map_err(|_| CUT)?);
        if foot.array() != Ok(*END) {
            return Err(CUT);
        }
        let size = usize::try_from(count).ok().and_then(|it| it.checked_mul(ENTRY)).ok_or(CUT)?;
        let index_at = foot_at.checked_sub(size).filter(|&it| it >= HEAD).ok_or(CUT)?;
        let index = &object[index_at..foot_at];
        if crc32c::crc32c_append(crc32c::crc32c(&object[..HEAD]), index) != crc {
            return Err(ObjectError::Corrupted("the checksum of its index is wrong"));
        }
        let mut reader = Reader::new(index);
        let mut entries = Vec::with_capacity(size / ENTRY);
        while !reader.is_empty() {
            entries.push(take_entry(&mut reader).map_err(|_| CUT)?);
        }
        Ok(Self { object, nonce, entries })
    }

    /// What tells this attempt from every other.
    #[must_use]
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The ranges that have a block here, with the number of their commit.
    pub fn ranges(&self) -> impl Iterator<Item = (RangeId, u64)> {
        self.entries.iter().map(|entry| (entry.range, entry.commit))
    }

    /// The block of `range`; `None` where it has none here.
    ///
    /// # Errors
    ///
    /// [`ObjectError::Corrupted`] where the block does not verify.
    pub fn block(&self, range: RangeId) -> Result<Option<Block>, ObjectError> {
        const BAD: ObjectError = ObjectError::Corrupted("the checksum of a block is wrong");
        const MALFORMED: ObjectError = ObjectError::Corrupted("a block does not parse");
        let Some(entry) = self.entries.iter().find(|entry| entry.range == range) else {
            return Ok(None);
        };
        let end = entry.offset.checked_add(entry.length).ok_or(BAD)?;
        let bytes = self.object.get(entry.offset..end).ok_or(BAD)?;
        if crc32c::crc32c(bytes) != entry.crc || entry.plain > MAX_BLOCK {
            return Err(BAD);
        }
        let plain = i32::try_from(entry.plain).map_err(|_| BAD)?;
        let plain = decompress(bytes, Some(plain)).map_err(|_| MALFORMED)?;
        let block = Block::decode(&plain).map_err(|_| MALFORMED)?;
        let is_expected = block.range == range && block.head.commit == entry.commit;
        if is_expected { Ok(Some(block)) } else { Err(MALFORMED) }
    }
}

fn take_entry(reader: &mut Reader<'_>) -> Result<Entry, Malformed> {
    let range = RangeId(u16::from_le_bytes(reader.array()?));
    let commit = u64::from_le_bytes(reader.array()?);
    let mut word = || reader.array().map(u32::from_le_bytes);
    let (offset, length, plain, crc) = (word()?, word()?, word()?, word()?);
    let size = |word: u32| usize::try_from(word).map_err(|_| Malformed);
    let (offset, length, plain) = (size(offset)?, size(length)?, size(plain)?);
    Ok(Entry { range, commit, offset, length, plain, crc })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::block::{Cleared, Figures, Head, References};

    fn block(range: u16, commit: u64) -> Block {
        Block {
            range: RangeId(range),
            head: Head { commit, ..Head::default() },
            references: References::default(),
            puts: vec![],
            removed: vec![],
            tombstones: vec![(1, vec![9; 320])],
            figures: Figures::Added(vec![]),
            cleared: Cleared::default(),
            rows: vec![],
        }
    }

    fn object() -> Bytes {
        seal(77, &[Packed::new(&block(1, 5)), Packed::new(&block(9, 6))])
    }

    #[test]
    fn one_range_can_be_read_alone() {
        let sealed = Sealed::open(object()).unwrap();
        assert_eq!(sealed.nonce(), 77);
        assert_eq!(sealed.ranges().collect::<Vec<_>>(), [(RangeId(1), 5), (RangeId(9), 6)]);
        assert_eq!(sealed.block(RangeId(9)).unwrap().unwrap().head.commit, 6);
        assert!(sealed.block(RangeId(2)).unwrap().is_none());
    }

    #[test]
    fn i11_an_object_that_is_cut_or_has_gone_bad_is_refused() {
        let object = object();
        for length in 0..object.len() {
            assert!(Sealed::open(object.slice(..length)).is_err(), "cut at {length}");
        }
        for at in 0..object.len() {
            let mut bytes = object.to_vec();
            bytes[at] ^= 0x10;
            let read = Sealed::open(bytes.into())
                .and_then(|it| Ok((it.block(RangeId(1))?, it.block(RangeId(9))?)));
            assert!(!matches!(read, Ok((Some(_), Some(_)))), "byte {at} was flipped unnoticed");
        }
    }

    #[test]
    fn i14_an_object_of_a_newer_format_is_refused_and_says_so() {
        let mut bytes = object().to_vec();
        bytes[6] = 9;
        assert_eq!(Sealed::open(bytes.into()).unwrap_err(), ObjectError::Newer { needs: 9 });
    }

    #[test]
    fn what_is_something_else_is_no_commit() {
        let fence = Bytes::from_static(b"TLFN and so on");
        assert_eq!(Sealed::open(fence).unwrap_err(), ObjectError::NoCommit);
    }
}
