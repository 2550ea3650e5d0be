//! What a node says of itself, in the form in which it travels: names and numbers, checked when they arrive.

mod part;

use proto::types::{
    Epoch, EventTime, KeyRange, Leg, NodeId, Offset, RangeId, RecordTime, Sequence,
    SourcePartition, Version,
};
use serde::{Deserialize, Serialize};

use crate::api::backend::{
    AsOf, Counts, Ledger, Node, NodeState, Range, RangeState, ResultState, SeenLeg, Transaction,
};
use crate::assembly::backend::Word;

pub(super) use self::part::{RawPart, RawProblem};

#[derive(Deserialize, Serialize)]
pub(super) struct RawWord {
    node: String,
    version: String,
    memory_bytes: u64,
    memory_limit_bytes: Option<u64>,
    records_per_second: f64,
    copies: Vec<u16>,
    reasons: Vec<String>,
    ranges: Vec<RawRange>,
    /// A row a source partition, the counts in the order of [`counted`].
    ledger: Vec<(RawSource, [u64; 8])>,
    as_of: RawAsOf,
}

#[derive(Deserialize, Serialize)]
struct RawRange {
    id: u16,
    /// The first key, and one past the last.
    keys: (u64, u64),
    epoch: u64,
    state: String,
    open: u64,
    state_bytes: u64,
    lag_ms: u64,
    sequence: u64,
    records_per_second: f64,
}

/// Topic, partition, leg.
#[derive(Deserialize, Serialize)]
struct RawSource(String, i32, u8);

#[derive(Deserialize, Serialize)]
pub(super) struct RawAsOf {
    business_time: Option<i64>,
    lag_ms: u64,
}

#[derive(Deserialize, Serialize)]
pub(super) enum RawTransaction {
    Open { legs: Vec<RawLeg>, missing: Vec<u8>, deadline: u64 },
    Result { state: u8, version: u32, legs: Vec<RawLeg>, missing: Vec<u8>, json: String },
    Done,
    Unknown,
}

/// Where it was read, its offset, and the times inside and of the record.
#[derive(Deserialize, Serialize)]
pub(super) struct RawLeg(RawSource, u64, Option<i64>, Option<u64>);

/// In the order of their numbers on the way.
const STATES: [ResultState; 3] =
    [ResultState::Complete, ResultState::Incomplete, ResultState::Corrected];

impl RawWord {
    pub(super) fn of(word: &Word) -> Self {
        let row =
            |(source, counts): &(SourcePartition, Counts)| (RawSource::of(source), counted(counts));
        let node = &word.node;
        Self {
            node: node.id.to_string(),
            version: node.version.clone(),
            memory_bytes: node.memory_bytes,
            memory_limit_bytes: node.memory_limit_bytes,
            records_per_second: node.records_per_second,
            copies: node.copies.iter().map(|range| range.0).collect(),
            reasons: word.reasons.clone(),
            ranges: word.ranges.iter().map(RawRange::of).collect(),
            ledger: word.ledger.rows.iter().map(row).collect(),
            as_of: RawAsOf::of(&word.as_of),
        }
    }

    /// `None` where something in it cannot be.
    pub(super) fn checked(self) -> Option<Word> {
        let id = NodeId::new(&self.node).ok()?;
        let ranges: Option<Vec<_>> = self.ranges.into_iter().map(|it| it.checked(&id)).collect();
        let ranges = ranges?;
        let row =
            |(source, counts): (RawSource, [u64; 8])| Some((source.checked()?, named(counts)));
        let rows: Option<Vec<_>> = self.ledger.into_iter().map(row).collect();
        let node = Node {
            id,
            // What it is up to is for the control log to say.
            state: NodeState::Alive,
            version: self.version,
            ranges: u32::try_from(ranges.len()).ok()?,
            memory_bytes: self.memory_bytes,
            memory_limit_bytes: self.memory_limit_bytes,
            records_per_second: self.records_per_second,
            copies: self.copies.into_iter().map(RangeId).collect(),
        };
        let ledger = Ledger { rows: rows? };
        Some(Word { node, reasons: self.reasons, ranges, ledger, as_of: self.as_of.checked() })
    }
}

impl RawRange {
    fn of(range: &Range) -> Self {
        Self {
            id: range.id.0,
            keys: (range.keys.start(), range.keys.end()),
            epoch: range.epoch.get(),
            state: range.state.name().to_owned(),
            open: range.open,
            state_bytes: range.state_bytes,
            lag_ms: range.lag_ms,
            sequence: range.sequence.0,
            records_per_second: range.records_per_second,
        }
    }

    fn checked(self, owner: &NodeId) -> Option<Range> {
        Some(Range {
            id: RangeId(self.id),
            keys: KeyRange::new(self.keys.0, self.keys.1)?,
            owner: Some(owner.clone()),
            epoch: Epoch::new(self.epoch),
            state: RangeState::ALL.into_iter().find(|state| state.name() == self.state)?,
            open: self.open,
            state_bytes: self.state_bytes,
            lag_ms: self.lag_ms,
            sequence: Sequence(self.sequence),
            records_per_second: self.records_per_second,
        })
    }
}

impl RawSource {
    fn of(source: &SourcePartition) -> Self {
        Self(source.topic.to_string(), source.partition, source.leg as u8)
    }

    fn checked(self) -> Option<SourcePartition> {
        let leg = Leg::from_index(self.2)?;
        Some(SourcePartition { topic: self.0.into(), partition: self.1, leg })
    }
}

impl RawAsOf {
    pub(super) fn of(as_of: &AsOf) -> Self {
        Self { business_time: as_of.business_time.map(|time| time.0), lag_ms: as_of.lag_ms }
    }

    pub(super) fn checked(self) -> AsOf {
        let business_time = self.business_time.map(EventTime);
        AsOf { business_time, lag_ms: self.lag_ms, ..AsOf::default() }
    }
}

const fn counted(it: &Counts) -> [u64; 8] {
    [
        it.consumed,
        it.in_results,
        it.open,
        it.duplicates,
        it.conflicts,
        it.late,
        it.dead,
        it.filtered,
    ]
}

const fn named(counts: [u64; 8]) -> Counts {
    let [consumed, in_results, open, duplicates, conflicts, late, dead, filtered] = counts;
    Counts { consumed, in_results, open, duplicates, conflicts, late, dead, filtered }
}

impl RawTransaction {
    pub(super) fn of(transaction: &Transaction) -> Self {
        let seen = |legs: &[SeenLeg]| legs.iter().map(RawLeg::of).collect();
        let lacks = |legs: &[Leg]| legs.iter().map(|leg| *leg as u8).collect();
        match transaction {
            Transaction::Open { legs, missing, deadline } => {
                Self::Open { legs: seen(legs), missing: lacks(missing), deadline: deadline.0 }
            }
            Transaction::Result { state, version, legs, missing, json } => Self::Result {
                state: (0..)
                    .zip(STATES)
                    .find(|(_, it)| it == state)
                    .map_or(0, |(number, _)| number),
                version: version.0,
                legs: seen(legs),
                missing: lacks(missing),
                json: json.clone(),
            },
            Transaction::Done => Self::Done,
            Transaction::Unknown => Self::Unknown,
        }
    }

    /// `None` where something in it cannot be.
    pub(super) fn checked(self) -> Option<Transaction> {
        let seen = |legs: Vec<RawLeg>| legs.into_iter().map(RawLeg::checked).collect::<Option<_>>();
        let lacks = |legs: Vec<u8>| legs.into_iter().map(Leg::from_index).collect::<Option<_>>();
        Some(match self {
            Self::Open { legs, missing, deadline } => Transaction::Open {
                legs: seen(legs)?,
                missing: lacks(missing)?,
                deadline: RecordTime(deadline),
            },
            Self::Result { state, version, legs, missing, json } => Transaction::Result {
                state: *STATES.get(usize::from(state))?,
                version: Version(version),
                legs: seen(legs)?,
                missing: lacks(missing)?,
                json,
            },
            Self::Done => Transaction::Done,
            Self::Unknown => Transaction::Unknown,
        })
    }
}

impl RawLeg {
    fn of(leg: &SeenLeg) -> Self {
        let (event, record) = (leg.event_time.map(|it| it.0), leg.record_time.map(|it| it.0));
        Self(RawSource::of(&leg.source), leg.offset.0, event, record)
    }

    fn checked(self) -> Option<SeenLeg> {
        Some(SeenLeg {
            source: self.0.checked()?,
            offset: Offset(self.1),
            event_time: self.2.map(EventTime),
            record_time: self.3.map(RecordTime),
        })
    }
}
