//! A leg on its way: what a reader hands to a range, what a mailbox holds, what the journal keeps.
//!
//! ```text
//! record   = key (16, LE), envelope
//! envelope = kind u8, partition u16, offset u64, record time u64, event time i64, content u64,
//!            length u32, body            all numbers little-endian
//! ```
//!
//! A kind below 3 is a leg and its body is as `fields` describes it. Kind 3 is a record that could not be
//! understood; its body is class, detail and the raw bytes, each behind its length.

use proto::types::{EventTime, Leg, Offset, PartitionIndex, RecordTime, TransactionKey};

use super::codec::{Malformed, Reader};

/// What an envelope carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A leg of a transaction.
    Leg(Leg),
    /// A record that could not be understood.
    Dead,
}

const DEAD: u8 = 3;
const HEAD: usize = 1 + 2 + 8 + 8 + 8 + 8 + 4;

/// One record, as the engine carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope<'a> {
    /// What it carries.
    pub kind: Kind,
    /// The source partition that it comes from.
    pub partition: PartitionIndex,
    /// Its place there.
    pub offset: Offset,
    /// The record clock of its partition at this record.
    pub record_time: RecordTime,
    /// The time inside the message.
    pub event_time: EventTime,
    /// A hash of the raw bytes: equal content, equal hash. Never 0.
    pub content: u64,
    /// The kept parts of the message.
    pub body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// The order that decides between contradicting legs: the least wins.
    #[must_use]
    pub const fn order(&self) -> (RecordTime, PartitionIndex, Offset) {
        (self.record_time, self.partition, self.offset)
    }

    /// How many bytes [`Envelope::put`] appends.
    #[must_use]
    pub const fn size(&self) -> usize {
        HEAD + self.body.len()
    }

    /// Appends the envelope to `out`.
    ///
    /// # Panics
    ///
    /// Where the body is 4 GiB or longer; records are limited far below.
    pub fn put(&self, out: &mut Vec<u8>) {
        let kind = match self.kind {
            Kind::Leg(leg) => leg as u8,
            Kind::Dead => DEAD,
        };
        let length = u32::try_from(self.body.len()).expect("a record is limited to some MiB");
        let mut head = [0; HEAD];
        head[0] = kind;
        head[1..3].copy_from_slice(&self.partition.0.to_le_bytes());
        head[3..11].copy_from_slice(&self.offset.0.to_le_bytes());
        head[11..19].copy_from_slice(&self.record_time.0.to_le_bytes());
        head[19..27].copy_from_slice(&self.event_time.0.to_le_bytes());
        head[27..35].copy_from_slice(&self.content.to_le_bytes());
        head[35..39].copy_from_slice(&length.to_le_bytes());
        out.reserve(self.size());
        out.extend_from_slice(&head);
        out.extend_from_slice(self.body);
    }

    /// The envelope at the front of `reader`, and its own bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the bytes are no envelope.
    pub fn take(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let [kind] = reader.array()?;
        let kind = match Leg::from_index(kind) {
            Some(leg) => Kind::Leg(leg),
            None if kind == DEAD => Kind::Dead,
            None => return Err(Malformed),
        };
        let partition = PartitionIndex(u16::from_le_bytes(reader.array()?));
        let offset = Offset(u64::from_le_bytes(reader.array()?));
        let record_time = RecordTime(u64::from_le_bytes(reader.array()?));
        let event_time = EventTime(i64::from_le_bytes(reader.array()?));
        let content = u64::from_le_bytes(reader.array()?);
        let length = u32::from_le_bytes(reader.array()?);
        let body = reader.take(usize::try_from(length).map_err(|_| Malformed)?)?;
        Ok(Self { kind, partition, offset, record_time, event_time, content, body })
    }
}

/// Appends a record: the key that routes it, then the envelope.
pub fn put_record(out: &mut Vec<u8>, key: TransactionKey, envelope: &Envelope<'_>) {
    out.extend_from_slice(&key.0.to_le_bytes());
    envelope.put(out);
}

/// The record at the front of `reader`.
///
/// # Errors
///
/// [`Malformed`] where the bytes are no record.
pub fn take_record<'a>(
    reader: &mut Reader<'a>,
) -> Result<(TransactionKey, Envelope<'a>), Malformed> {
    let key = TransactionKey(u128::from_le_bytes(reader.array()?));
    Ok((key, Envelope::take(reader)?))
}

/// The envelopes that stand one behind the other in `bytes`; ends early where they are malformed.
pub fn envelopes(bytes: &[u8]) -> impl Iterator<Item = Envelope<'_>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(
        move || {
            if reader.is_empty() { None } else { Envelope::take(&mut reader).ok() }
        },
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn leg(leg: Leg, offset: u64, at: u64, body: &[u8]) -> Envelope<'_> {
        Envelope {
            kind: Kind::Leg(leg),
            partition: PartitionIndex(leg as u16),
            offset: Offset(offset),
            record_time: RecordTime(at),
            event_time: EventTime(i64::try_from(at).unwrap()),
            content: 1 + offset,
            body,
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut out = Vec::new();
        let dead = Envelope { kind: Kind::Dead, ..leg(Leg::Trace, 9, 5, b"raw") };
        for envelope in [leg(Leg::Response, 7, 12, b"body"), dead] {
            put_record(&mut out, TransactionKey(77), &envelope);
        }
        let mut reader = Reader::new(&out);
        let expected = (TransactionKey(77), leg(Leg::Response, 7, 12, b"body"));
        assert_eq!(take_record(&mut reader), Ok(expected));
        assert_eq!(take_record(&mut reader), Ok((TransactionKey(77), dead)));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_cut_record_is_refused() {
        let mut out = Vec::new();
        put_record(&mut out, TransactionKey(1), &leg(Leg::Trace, 1, 1, b"body"));
        for length in 0..out.len() {
            assert_eq!(take_record(&mut Reader::new(&out[..length])), Err(Malformed));
        }
    }
}
