//! The parts of frames about figures: reports, questions and answers.

use proto::types::{Epoch, RangeId, RecordTime, Sequence};

use super::{FORMAT, FrameError, ToOwner, ToReader};
use crate::machine::aggregate::{
    Answer, AsOf, Heard, Query, Report, Since, Stamp, Standing, View, pieces,
};
use crate::machine::codec::{Malformed, Reader, put_bytes, put_varint};
use crate::machine::partial::Row;

/// So many bytes of cells are in a frame at most (I13); a transport carries larger ones.
const CELLS_BYTES: usize = 1 << 20;

/// The number of each frame, in either direction.
pub(super) const FIGURES: u8 = 16;
pub(super) const ASK: u8 = 17;
pub(super) const WANTING: u8 = 16;
pub(super) const CELLS: u8 = 17;
pub(super) const ANSWERED: u8 = 18;
pub(super) const NOT_ANSWERED: u8 = 19;

impl ToOwner {
    /// A report, in as many frames as it takes.
    pub fn figures(dimension: &str, report: Report) -> impl Iterator<Item = Self> {
        let pieces = report.pieces(CELLS_BYTES).into_iter();
        pieces.map(move |piece| Self::Figures(dimension.to_owned(), piece))
    }
}

impl ToReader {
    /// An answer, in as many frames as it takes.
    #[must_use]
    pub fn answer(number: u64, answer: &Answer) -> Vec<Self> {
        let row = |view: &View| Row { key: view.key.encode(), value: view.partial.encode() };
        let rows: Vec<_> = answer.cells.iter().map(row).collect();
        let cuts = pieces::cuts(&rows, CELLS_BYTES);
        let ends = cuts.iter().copied().chain([rows.len()]);
        let stretches = [0].into_iter().chain(cuts.iter().copied()).zip(ends);
        let cells = |(from, to): (usize, usize)| Self::Cells(number, rows[from..to].to_vec());
        let mut frames: Vec<_> = stretches.map(cells).collect();
        frames.push(Self::Answered(number, answer.as_of.clone(), answer.is_cut));
        frames
    }
}

/// The answer that was given so.
///
/// # Errors
///
/// [`FrameError`], where a cell is none.
pub fn answered(rows: &[Row], as_of: AsOf, is_cut: bool) -> Result<Answer, FrameError> {
    let view = |row: &Row| -> Result<View, FrameError> {
        let (key, partial) = row.decode().map_err(|_| FrameError::Malformed)?;
        Ok(View { key, version: partial.count(), partial })
    };
    Ok(Answer { as_of, cells: rows.iter().map(view).collect::<Result<_, _>>()?, is_cut })
}

pub(super) fn report(dimension: &str, report: &Report) -> Vec<u8> {
    let mut out = vec![FORMAT, FIGURES];
    put_bytes(&mut out, dimension.as_bytes());
    put_varint(&mut out, u64::from(report.range.0));
    put_stamp(&mut out, report.stamp);
    put_varint(&mut out, report.record_time.0);
    match report.since {
        Since::Start => out.push(0),
        Since::Sequence(sequence) => {
            out.push(1);
            put_varint(&mut out, sequence.0);
        }
    }
    out.extend_from_slice(&report.horizon.to_be_bytes());
    put_rows(&mut out, &report.cells);
    out
}

pub(super) fn take_report(reader: &mut Reader<'_>) -> Result<ToOwner, Malformed> {
    let dimension = text(reader)?;
    let range = RangeId(reader.number()?);
    let (stamp, record_time) = (take_stamp(reader)?, RecordTime(reader.varint()?));
    let since = match reader.array()? {
        [0] => Since::Start,
        [1] => Since::Sequence(Sequence(reader.varint()?)),
        [_] => return Err(Malformed),
    };
    let horizon = i64::from_be_bytes(reader.array()?);
    let cells = take_rows(reader)?.into();
    let report = Report { range, stamp, record_time, since, horizon, cells };
    Ok(ToOwner::Figures(dimension, report))
}

pub(super) fn ask(number: u64, dimension: &str, query: &Query) -> Vec<u8> {
    let mut out = numbered(ASK, number);
    put_bytes(&mut out, dimension.as_bytes());
    for it in [u64::from(query.scenario), query.window_ms.into(), query.dimension.into()] {
        put_varint(&mut out, it);
    }
    out.extend_from_slice(&query.from.to_be_bytes());
    out.extend_from_slice(&query.to.to_be_bytes());
    out.push(u8::from(query.values.is_some()));
    for value in query.values.iter().flatten() {
        put_bytes(&mut out, value.as_bytes());
    }
    out
}

pub(super) fn take_ask(reader: &mut Reader<'_>) -> Result<ToOwner, Malformed> {
    let (number, name) = (reader.varint()?, text(reader)?);
    let (scenario, window_ms, dimension) = (reader.number()?, reader.number()?, reader.number()?);
    let (from, to) = (i64::from_be_bytes(reader.array()?), i64::from_be_bytes(reader.array()?));
    let mut values = match reader.array()? {
        [0] => None,
        [1] => Some(std::collections::BTreeSet::new()),
        [_] => return Err(Malformed),
    };
    while let Some(values) = values.as_mut().filter(|_| !reader.is_empty()) {
        values.insert(text(reader)?.into());
    }
    let query = Query { scenario, window_ms, dimension, values, from, to };
    Ok(ToOwner::Ask(number, name, query))
}

pub(super) fn wanting<'a>(
    dimension: &str,
    ranges: impl IntoIterator<Item = &'a RangeId>,
) -> Vec<u8> {
    let mut out = vec![FORMAT, WANTING];
    put_bytes(&mut out, dimension.as_bytes());
    ranges.into_iter().for_each(|range| put_varint(&mut out, u64::from(range.0)));
    out
}

pub(super) fn take_wanting(reader: &mut Reader<'_>) -> Result<ToReader, Malformed> {
    let (dimension, mut ranges) = (text(reader)?, std::collections::BTreeSet::new());
    while !reader.is_empty() {
        ranges.insert(RangeId(reader.number()?));
    }
    Ok(ToReader::Wanting(dimension, ranges))
}

pub(super) fn cells(number: u64, rows: &[Row]) -> Vec<u8> {
    let mut out = numbered(CELLS, number);
    put_rows(&mut out, rows);
    out
}

pub(super) fn take_cells(reader: &mut Reader<'_>) -> Result<ToReader, Malformed> {
    Ok(ToReader::Cells(reader.varint()?, take_rows(reader)?))
}

pub(super) fn answered_as_of(number: u64, as_of: &AsOf, is_cut: bool) -> Vec<u8> {
    let mut out = numbered(ANSWERED, number);
    out.push(u8::from(is_cut));
    for (range, standing) in &as_of.ranges {
        put_varint(&mut out, u64::from(range.0));
        let (kind, heard) = match standing {
            Standing::Missing => (0, None),
            Standing::Current(heard) => (1, Some(heard)),
            Standing::Behind(heard) => (2, Some(heard)),
        };
        out.push(kind);
        if let Some(heard) = heard {
            put_stamp(&mut out, heard.stamp);
            put_varint(&mut out, heard.record_time.0);
        }
    }
    out
}

pub(super) fn take_answered(reader: &mut Reader<'_>) -> Result<ToReader, Malformed> {
    let number = reader.varint()?;
    let is_cut = match reader.array()? {
        [0] => false,
        [1] => true,
        [_] => return Err(Malformed),
    };
    let mut ranges = Vec::new();
    while !reader.is_empty() {
        let range = RangeId(reader.number()?);
        let standing = match reader.array()? {
            [0] => Standing::Missing,
            [1] => Standing::Current(take_heard(reader)?),
            [2] => Standing::Behind(take_heard(reader)?),
            [_] => return Err(Malformed),
        };
        ranges.push((range, standing));
    }
    Ok(ToReader::Answered(number, AsOf { ranges }, is_cut))
}

pub(super) fn numbered(kind: u8, number: u64) -> Vec<u8> {
    let mut out = vec![FORMAT, kind];
    put_varint(&mut out, number);
    out
}

fn take_heard(reader: &mut Reader<'_>) -> Result<Heard, Malformed> {
    Ok(Heard { stamp: take_stamp(reader)?, record_time: RecordTime(reader.varint()?) })
}

fn put_stamp(out: &mut Vec<u8>, stamp: Stamp) {
    put_varint(out, stamp.epoch.get());
    put_varint(out, stamp.sequence.0);
}

fn take_stamp(reader: &mut Reader<'_>) -> Result<Stamp, Malformed> {
    Ok(Stamp { epoch: Epoch::new(reader.varint()?), sequence: Sequence(reader.varint()?) })
}

fn put_rows(out: &mut Vec<u8>, rows: &[Row]) {
    for row in rows {
        put_bytes(out, &row.key);
        put_bytes(out, &row.value);
    }
}

fn take_rows(reader: &mut Reader<'_>) -> Result<Vec<Row>, Malformed> {
    let mut rows = Vec::new();
    while !reader.is_empty() {
        rows.push(Row { key: reader.bytes()?.to_vec(), value: reader.bytes()?.to_vec() });
    }
    Ok(rows)
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let text = str::from_utf8(reader.bytes()?).map_err(|_| Malformed)?;
    Ok(text.to_owned())
}
