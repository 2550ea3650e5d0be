//! Traffic without an end, as a source of the engine: for the demo, and wherever there is no Kafka.
//!
//! Partition *p* of a leg's topic holds that leg of the transactions whose index leaves *p* when divided by
//! the number of partitions, in order of index: the record at offset *n* is a function of the seed, and can
//! be read again from anywhere, for ever. A leg that is never sent leaves its offset empty.
//! A record arrives a fixed time after its transaction began, another time in each partition, so that legs
//! come out of order and times rise in each. There are no duplicates, stragglers or broken records.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use actors::source::{Limit, Partition, Progress, Record, Source, SourceError, Waker};
use parking_lot::Mutex;
use proto::types::{Leg, Offset, PartitionIndex, SourcePartition};
use tokio_util::task::TaskTracker;

use super::model::{LONGEST_LIVE_MS, Model};
use super::params::{Oddities, Params, Share};
use super::record::Writer;
use super::transaction::{Fate, Transaction};

/// How often readers that wait are told that there may be more.
const TICK: Duration = Duration::from_millis(20);

/// From a transaction's beginning to the arrival of each leg, in partition 0.
const LAG_MS: [u64; 3] = [120, 200, LONGEST_LIVE_MS + 100];

/// By how much each partition is later than the one before, up to [`LAG_STEPS`] times.
const LAG_STEP_MS: u64 = 35;
const LAG_STEPS: u64 = 8;

/// The wall clock, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What live traffic is a function of.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What the topics are called before the dot.
    pub topic_prefix: String,
    /// Partitions of each of the three topics, at least 1.
    pub partitions: u32,
    /// What all that looks random is drawn from.
    pub seed: u64,
    /// Transactions that begin in a second, at least 1.
    pub rate: u64,
    /// When the first transaction begins.
    pub start_ms: u64,
    /// Share of transactions of which exactly one record is never sent.
    pub missing: Share,
}

/// Live traffic: which record stands where.
#[derive(Debug)]
pub struct Traffic {
    model: Model,
    writer: Writer,
    partitions: u64,
}

impl Traffic {
    /// The traffic of that shape.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let params = Params {
            seed: shape.seed,
            rate: shape.rate.max(1),
            t0_ms: shape.start_ms,
            oddities: Oddities { missing: shape.missing, ..Oddities::NONE },
            // Without an end, as far as anybody can see: 34 years at a million a second.
            ..Params::of(1 << 50)
        };
        let partitions = u64::from(shape.partitions.max(1));
        Self { model: Model::new(params), writer: Writer::default(), partitions }
    }

    /// The model behind it: which id is which transaction, and what it says.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Transaction `index` as it is sent here: answers take at most [`LONGEST_LIVE_MS`], and nothing
    /// is delayed but by its partition.
    #[must_use]
    pub fn transaction(&self, index: u64) -> Transaction {
        let mut transaction = self.model.transaction(index);
        let [trace, request, response] = transaction.event_ms;
        transaction.event_ms = [trace, request, response.min(trace + LONGEST_LIVE_MS)];
        transaction.arrival_ms =
            Leg::ALL.map(|leg| trace + self.lag_ms(leg, index % self.partitions));
        transaction
    }

    /// The record at an offset: when it arrives, and its bytes. `None` where it is never sent.
    #[must_use]
    pub fn record(&self, leg: Leg, partition: u64, offset: u64) -> Option<(u64, Vec<u8>)> {
        let mut text = String::new();
        let arrival_ms = self.write(leg, partition, offset, &mut text)?;
        Some((arrival_ms, text.into_bytes()))
    }

    fn write(&self, leg: Leg, partition: u64, offset: u64, out: &mut String) -> Option<u64> {
        let transaction = self.transaction(offset * self.partitions + partition);
        if transaction.fate == Fate::Missing(leg) {
            return None;
        }
        self.writer.write(&self.model, &transaction, leg, out);
        Some(transaction.arrival_ms[leg.index()])
    }

    /// The first offset that has not arrived at `now_ms`.
    #[must_use]
    pub fn end(&self, leg: Leg, partition: u64, now_ms: u64) -> u64 {
        let params = self.model.params();
        let Some(begun_ms) = now_ms.checked_sub(params.t0_ms + self.lag_ms(leg, partition)) else {
            return 0;
        };
        // Transaction i begins `i * 1000 / rate` ms after the first, rounded down: these have begun.
        let begun = ((begun_ms + 1) * params.rate).div_ceil(1_000);
        (begun + self.partitions - 1 - partition) / self.partitions
    }

    fn lag_ms(&self, leg: Leg, partition: u64) -> u64 {
        LAG_MS[leg.index()] + partition % LAG_STEPS * LAG_STEP_MS
    }
}

/// Live traffic as a source. A record exists from its arrival on.
pub struct Live {
    inner: Arc<Inner>,
    partitions: Vec<SourcePartition>,
}

struct Inner {
    traffic: Traffic,
    now_ms: Clock,
    sleepers: Mutex<Vec<Weak<Sleeper>>>,
}

/// A partition's reader, and whether it waits for more.
struct Sleeper {
    waits: AtomicBool,
    waker: Waker,
}

impl Live {
    /// The source of that shape. Its clock ticks in a task of `tasks`, which ends with the source; must be
    /// called within a tokio runtime.
    #[must_use]
    pub fn new(shape: &Shape, now_ms: Clock, tasks: &TaskTracker) -> Self {
        let traffic = Traffic::new(shape);
        let count = i32::try_from(shape.partitions.max(1)).unwrap_or(i32::MAX);
        let of_leg = |leg: Leg| {
            let topic: Arc<str> = format!("{}.{leg}", shape.topic_prefix).into();
            (0..count).map(move |partition| SourcePartition {
                topic: topic.clone(),
                partition,
                leg,
            })
        };
        let partitions = Leg::ALL.into_iter().flat_map(of_leg).collect();
        let inner = Arc::new(Inner { traffic, now_ms, sleepers: Mutex::default() });
        tasks.spawn(tick(Arc::downgrade(&inner)));
        Self { inner, partitions }
    }

    /// What is sent.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.inner.traffic
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = self.inner.traffic.model.params();
        f.debug_struct("Live").field("params", params).finish_non_exhaustive()
    }
}

async fn tick(inner: Weak<Inner>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        inner.wake();
    }
}

impl Inner {
    fn wake(&self) {
        let mut awake = Vec::new();
        self.sleepers.lock().retain(|sleeper| {
            let sleeper = sleeper.upgrade();
            let is_open = sleeper.is_some();
            awake.extend(sleeper.filter(|it| it.waits.swap(false, Ordering::AcqRel)));
            is_open
        });
        // Outside of the lock: whoever is woken may open another partition at once.
        for sleeper in awake {
            (sleeper.waker)();
        }
    }
}

impl Source for Live {
    fn partitions(&self) -> &[SourcePartition] {
        &self.partitions
    }

    fn open(
        &self,
        index: PartitionIndex,
        from: Offset,
        waker: Waker,
    ) -> Result<Box<dyn Partition>, SourceError> {
        let found = self.partitions.get(index.index());
        let missing = || SourceError::Missing(format!("source partition {}", index.0));
        let found = found.ok_or_else(missing)?.clone();
        let sleeper = Arc::new(Sleeper { waits: AtomicBool::new(false), waker });
        self.inner.sleepers.lock().push(Arc::downgrade(&sleeper));
        let number = u64::from(found.partition.unsigned_abs());
        let (inner, text) = (Arc::clone(&self.inner), String::new());
        Ok(Box::new(LivePartition { inner, found, number, next: from.0, sleeper, text }))
    }

    /// There is nobody to tell: every record can be had again from its offset.
    fn committed(&self, _positions: &[(PartitionIndex, Offset)]) {}
}

struct LivePartition {
    inner: Arc<Inner>,
    found: SourcePartition,
    number: u64,
    next: u64,
    sleeper: Arc<Sleeper>,
    text: String,
}

impl Partition for LivePartition {
    fn read(
        &mut self,
        limit: Limit,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Result<Progress, SourceError> {
        let Inner { traffic, now_ms, .. } = &*self.inner;
        let end = traffic.end(self.found.leg, self.number, now_ms());
        if self.next > end {
            let (partition, wanted) = (self.found.to_string(), Offset(self.next));
            return Err(SourceError::Shrunk { partition, wanted, end: Offset(end) });
        }
        let (mut records, mut bytes) = (0, 0);
        while self.next < end && (records == 0 || records < limit.records && bytes < limit.bytes) {
            let offset = self.next;
            self.next += 1;
            let written = traffic.write(self.found.leg, self.number, offset, &mut self.text);
            if let Some(time_ms) = written {
                let payload = Some(self.text.as_bytes());
                take(Record { offset: Offset(offset), time_ms, payload });
                records += 1;
                bytes += self.text.len();
            }
        }
        let more = self.next < end;
        self.sleeper.waits.store(!more, Ordering::Release);
        Ok(Progress { next: Offset(self.next), end: Some(Offset(end)), more })
    }

    fn seek(&mut self, offset: Offset) -> Result<(), SourceError> {
        self.next = offset.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
