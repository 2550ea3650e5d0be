//! A block as bytes: sections one behind the other, each behind its count. The journal adds checksum and
//! compression.

use proto::types::{Epoch, RangeId, Sequence, TransactionKey, Version};

use super::super::codec::{Malformed, Reader, put_bytes, put_varint};
use super::super::partial;
use super::{Block, Cleared, Figures, Head, References, put_list};
use crate::sink::{Outlet, Row, Stamp};

impl Block {
    /// The block as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let payloads: usize =
            self.rows.iter().map(|row| row.payload.len() + row.key.len() + 32).sum();
        let mut out = Vec::with_capacity(1024 + payloads + self.puts.len() * 512);
        put_varint(&mut out, u64::from(self.range.0));
        self.head.put(&mut out);
        put_bytes(&mut out, &self.references.pack());
        put_list(&mut out, &self.puts, |out, (key, row)| {
            out.extend_from_slice(&key.0.to_le_bytes());
            put_bytes(out, row);
        });
        put_list(&mut out, &self.removed, |out, key| out.extend_from_slice(&key.0.to_le_bytes()));
        put_list(&mut out, &self.tombstones, |out, (bucket, packed)| {
            put_varint(out, *bucket);
            put_bytes(out, packed);
        });
        self.figures.put(&mut out);
        self.cleared.put(&mut out);
        put_list(&mut out, &self.rows, put_row);
        out
    }

    /// The block in `bytes`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the bytes are no block, or more than one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let range = RangeId(reader.number()?);
        let head = Head::take(&mut reader)?;
        let mut references = References::default();
        references.load(reader.bytes()?)?;
        let puts =
            take_list(&mut reader, |reader| Ok((take_key(reader)?, reader.bytes()?.to_vec())))?;
        let removed = take_list(&mut reader, take_key)?;
        let tombstones =
            take_list(&mut reader, |reader| Ok((reader.varint()?, reader.bytes()?.to_vec())))?;
        let figures = Figures::take(&mut reader)?;
        let cleared = Cleared::take(&mut reader)?;
        let epoch = head.epoch;
        let rows = take_list(&mut reader, |reader| take_row(reader, range, epoch))?;
        if !reader.is_empty() {
            return Err(Malformed);
        }
        Ok(Self { range, head, references, puts, removed, tombstones, figures, cleared, rows })
    }
}

impl Figures {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Added(added) => {
                out.push(0);
                put_bytes(out, added);
            }
            Self::Cells { behind, since, cells } => {
                out.push(1);
                put_varint(out, *behind);
                put_varint(out, since.0);
                put_list(out, cells, |out, row| {
                    put_bytes(out, &row.key);
                    put_bytes(out, &row.value);
                });
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.array()? {
            [0] => Ok(Self::Added(reader.bytes()?.to_vec())),
            [1] => {
                let (behind, since) = (reader.varint()?, Sequence(reader.varint()?));
                let cells = take_list(reader, |reader| {
                    let (key, value) = (reader.bytes()?.to_vec(), reader.bytes()?.to_vec());
                    Ok(partial::Row { key, value })
                })?;
                Ok(Self::Cells { behind, since, cells })
            }
            [_] => Err(Malformed),
        }
    }
}

impl Cleared {
    /// 0 stands for `None`: there is nothing before 0.
    fn put(&self, out: &mut Vec<u8>) {
        let Self { references, tombstones_before, cells_before } = self;
        let (buckets, cells) = (tombstones_before.unwrap_or(0), cells_before.unwrap_or(0));
        for number in [references.start, references.end, buckets, cells] {
            put_varint(out, number);
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let references = reader.varint()?..reader.varint()?;
        let mut before = || Ok(Some(reader.varint()?).filter(|&it| it > 0));
        Ok(Self { references, tombstones_before: before()?, cells_before: before()? })
    }
}

fn take_list<'a, T>(
    reader: &mut Reader<'a>,
    mut take: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = reader.varint()?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(take(reader)?);
    }
    Ok(items)
}

fn take_key(reader: &mut Reader<'_>) -> Result<TransactionKey, Malformed> {
    Ok(TransactionKey(u128::from_le_bytes(reader.array()?)))
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    out.push(row.outlet as u8);
    put_varint(out, row.stamp.sequence.0);
    put_varint(out, u64::from(row.stamp.version.0));
    put_bytes(out, &row.key);
    put_bytes(out, &row.payload);
    put_list(out, &row.headers, |out, (name, value)| {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    });
}

fn take_row(reader: &mut Reader<'_>, range: RangeId, epoch: Epoch) -> Result<Row, Malformed> {
    let [outlet] = reader.array()?;
    let outlet = match outlet {
        0 => Outlet::Transactions,
        1 => Outlet::Late,
        2 => Outlet::Conflicts,
        3 => Outlet::DeadLetters,
        4.. => return Err(Malformed),
    };
    let (sequence, version) = (Sequence(reader.varint()?), Version(reader.number()?));
    let key = reader.bytes()?.to_vec().into();
    let payload = reader.bytes()?.to_vec().into();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Malformed);
    let headers = take_list(reader, |reader| Ok((text(reader.bytes()?)?, text(reader.bytes()?)?)))?;
    let stamp = Stamp { range, epoch, sequence, version };
    Ok(Row { outlet, stamp, key, payload, headers, arrived: None })
}
