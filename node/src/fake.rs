//! A backend for tests: one small, unhealthy bank with figures that are easy to check by hand.

mod cluster;
mod measures;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;
use proto::types::{EventTime, Leg, Offset, RangeId, RecordTime, SourcePartition, Version};

use crate::api::backend::{
    Answer, AsOf, Backend, Cell, Change, Cluster, Counts, Fault, Figure, Granted, Held, Indicator,
    IndicatorKind, Ledger, Node, Overview, Progress, Pulse, Query, Range, Reply, ResultState,
    SeenLeg, Snapshot, SnapshotState, Transaction, Upkeep, Verdict,
};
use crate::problem::{Code, Problem};

/// 2023-11-14 22:13:20 UTC.
pub(crate) const NOON_MS: i64 = 1_700_000_000_000;

pub(crate) const RESULT: &str = r#"{"transactionId":"t-done","durationMs":1250,"channel":"atm","resultCode":"00","version":1,"state":"COMPLETE"}"#;

/// What the tests may change; all else is fixed.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) missing: Vec<RangeId>,
    pub(crate) reasons: Vec<String>,
    /// Records lost from the first source partition.
    pub(crate) lost: u64,
    /// Records counted twice from the second.
    pub(crate) doubled: u64,
    pub(crate) ranges: Option<NonZeroU16>,
    pub(crate) queries: Mutex<Vec<Query>>,
    /// Nodes besides `node-1`, which leads where there are any; each owns a range, the last none but gets one.
    pub(crate) others: u16,
    pub(crate) changes: Arc<Mutex<Vec<Change>>>,
    /// How often an overview was asked for. `r0` goes from node to node with each.
    pub(crate) overviews: Arc<AtomicU16>,
    /// Whether `r0` stays.
    pub(crate) is_still: bool,
}

pub(crate) fn source(leg: Leg, partition: i32) -> SourcePartition {
    SourcePartition { topic: format!("bank.{leg}").into(), partition, leg }
}

impl Fake {
    fn as_of(&self) -> AsOf {
        AsOf {
            business_time: Some(EventTime(NOON_MS)),
            lag_ms: 800,
            missing: self.missing.clone(),
            map_version: 42,
        }
    }

    fn reply<T: Send + 'static>(&self, value: T) -> Reply<'static, T> {
        let answer = Answer { value, as_of: self.as_of() };
        Box::pin(async move { Ok(answer) })
    }

    fn refuse<T: Send + 'static>(problem: Problem) -> Reply<'static, T> {
        Box::pin(async move { Err(problem) })
    }
}

pub(crate) fn snapshot(name: &str) -> Snapshot {
    Snapshot {
        name: name.to_owned(),
        created_ms: NOON_MS.unsigned_abs(),
        took_ms: Some(340),
        bytes: 3 << 20,
        new_bytes: 1 << 20,
        ranges: 4,
        node: Some(if name == "s1" { "node-2" } else { "node-1" }.to_owned()),
        state: SnapshotState::Done,
        verified: name == "s2",
    }
}

fn legs(legs: &[Leg]) -> Vec<SeenLeg> {
    let seen = |&leg: &Leg| SeenLeg {
        source: source(leg, 3),
        offset: Offset(1234),
        event_time: Some(EventTime(NOON_MS)),
        record_time: Some(RecordTime(NOON_MS.unsigned_abs() + 5)),
    };
    legs.iter().map(seen).collect()
}

impl Backend for Fake {
    fn cluster(&self) -> Reply<'_, Cluster> {
        self.reply(self.cluster_now())
    }

    fn nodes(&self) -> Reply<'_, Vec<Node>> {
        self.reply(self.nodes_now())
    }

    fn ranges(&self) -> Reply<'_, Vec<Range>> {
        self.reply(self.ranges_now(0))
    }

    fn overview(&self) -> Reply<'_, Overview> {
        let turn = self.overviews.fetch_add(1, Ordering::Relaxed);
        self.reply(Overview {
            cluster: self.cluster_now(),
            nodes: self.nodes_now(),
            ranges: self.ranges_now(if self.is_still { 0 } else { turn }),
        })
    }

    /// Grants all but what would be of `node-9`, which nobody knows, and of `r9`, which may not be touched.
    fn change(&self, change: Change) -> Reply<'_, Granted> {
        self.changes.lock().push(change.clone());
        self.granted(change)
    }

    fn ledger(&self) -> Reply<'_, Ledger> {
        let counts = |lost| Counts {
            consumed: 1000 + lost,
            in_results: 900,
            open: 50,
            duplicates: 20,
            conflicts: 10,
            late: 9,
            dead: 8,
            filtered: 3,
        };
        let mut rows: Vec<_> = Leg::ALL.iter().map(|&leg| (source(leg, 0), counts(0))).collect();
        rows[0].1 = counts(self.lost);
        rows[1].1.in_results += self.doubled;
        self.reply(Ledger { rows })
    }

    fn transaction(&self, id: String) -> Reply<'_, Transaction> {
        self.reply(match id.as_str() {
            "t-open" => Transaction::Open {
                legs: legs(&[Leg::Trace, Leg::Request]),
                missing: vec![Leg::Response],
                deadline: RecordTime(NOON_MS.unsigned_abs() + 3_900_000),
            },
            "t-done" => Transaction::Result {
                state: ResultState::Complete,
                version: Version(1),
                legs: legs(&Leg::ALL),
                missing: vec![],
                json: RESULT.to_owned(),
            },
            "t-old" => Transaction::Done,
            _ => Transaction::Unknown,
        })
    }

    fn indicators(&self) -> Reply<'_, Vec<Indicator>> {
        let indicator = |name: &str, kind| Indicator {
            scenario: "bank".to_owned(),
            name: name.to_owned(),
            kind,
            dimensions: vec!["channel".to_owned(), "product".to_owned()],
            windows: vec!["1m".to_owned()],
        };
        self.reply(vec![
            indicator("transaction-success", IndicatorKind::Ratio),
            indicator("transaction-approval", IndicatorKind::Ratio),
            indicator("duration", IndicatorKind::Durations),
        ])
    }

    fn query(&self, query: Query) -> Reply<'_, Vec<Cell>> {
        self.queries.lock().push(query.clone());
        let figure = |scale: u64| match query.indicator.as_str() {
            "transaction-success" => {
                Some(Figure::Ratio { numerator: 99 * scale, denominator: 100 * scale })
            }
            "transaction-approval" => {
                Some(Figure::Ratio { numerator: 72 * scale, denominator: 99 * scale })
            }
            "duration" => Some(Figure::Durations {
                count: 100 * scale,
                sum_ms: 25_000 * scale,
                min_ms: 12,
                max_ms: 4000,
                p50_ms: 200 + scale,
                p95_ms: 900 + scale,
            }),
            _ => None,
        };
        if figure(1).is_none() {
            let what = format!("there is no indicator {}", query.indicator);
            let why = "scenario bank declares transaction-success, transaction-approval, duration";
            return Self::refuse(
                Problem::new(Code::IndicatorNotFound, what, why)
                    .remedy("throughline indicator list"),
            );
        }
        let cell = |(scale, value): (u64, &str)| Cell {
            start: EventTime(NOON_MS),
            end: EventTime(NOON_MS + 60_000),
            key: query.dimension.clone().map(|dimension| (dimension, value.to_owned())),
            figure: figure(scale).unwrap(),
            version: scale,
        };
        let cells = [(40, "mobile-app"), (25, "atm"), (10, "counter"), (1, "e-bank")];
        let wanted = |value: &str| query.value.as_deref().is_none_or(|wanted| wanted == value);
        self.reply(cells.into_iter().filter(|(_, value)| wanted(value)).map(cell).collect())
    }

    fn snapshots(&self) -> Reply<'_, Vec<Snapshot>> {
        self.reply(vec![snapshot("s3"), snapshot("s2"), snapshot("s1")])
    }

    fn create_snapshot(&self, request_id: String) -> Reply<'_, Vec<Snapshot>> {
        self.reply(vec![snapshot(&format!("of-{request_id}"))])
    }

    fn verify_snapshot(&self, name: String) -> Reply<'_, Verdict> {
        let fault = |object: &str| Fault {
            object: object.to_owned(),
            problem: "has another SHA-256 than its name".to_owned(),
        };
        match name.as_str() {
            "s1" => {
                self.reply(Verdict { snapshot: snapshot("s1"), faults: vec![fault("r2/17.sst")] })
            }
            "s2" | "s3" => self.reply(Verdict { snapshot: snapshot(&name), faults: vec![] }),
            _ => Self::refuse(
                Problem::new(
                    Code::SnapshotNotFound,
                    format!("there is no snapshot {name}"),
                    "none of the 3 has that name",
                )
                .remedy("throughline snapshot list"),
            ),
        }
    }

    fn pulse(&self) -> Reply<'_, Pulse> {
        let progress = |&leg: &Leg| Progress {
            source: source(leg, 0),
            position: Offset(1000),
            end: Some(Offset(1010)),
            clock: Some(RecordTime(NOON_MS.unsigned_abs())),
        };
        self.reply(Pulse {
            complete: 23_402,
            incomplete: 12,
            corrected: 3,
            emitted: BTreeMap::new(),
            dead_letters: BTreeMap::from([(("bank.trace".into(), "bad-id".to_owned()), 9)]),
            open: 608,
            bytes: 25_200_000,
            waiting_bytes: 4_096,
            sources: Leg::ALL.iter().map(progress).collect(),
            memory_bytes: Some(96 << 20),
            memory_limit_bytes: 1 << 30,
            held: Held { mailboxes_bytes: 2_048, index_bytes: 512, limit_bytes: 8_192 },
            upkeep: Upkeep {
                newest: Some(("s3".to_owned(), 1 << 20)),
                took_ms: Some(340),
                held_ms: Some(12),
                failures: 2,
                trimmed_slots: 1_500,
                trouble: None,
            },
            measures: measures::measures(),
        })
    }
}
