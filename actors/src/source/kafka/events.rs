//! What the client tells besides records: faults, statistics, and the thread that listens to it.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use proto::types::{Offset, PartitionIndex, SourcePartition};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};
use serde::Deserialize;

use super::super::Waker;

/// Statistics come each second. Positions are committed after 5 of them, topics looked at after 60; no
/// broker up for 30 is told to the readers.
const COMMIT_TICKS: u64 = 5;
const TOPICS_TICKS: u64 = 60;
const DOWN_TICKS: u64 = 30;

/// An end offset that is not yet known.
const UNKNOWN: u64 = u64::MAX;

/// How long one look at the main queue waits, and so how long closing may take.
const LISTEN: Duration = Duration::from_millis(100);

thread_local! {
    /// Where the partition ended whose end this thread was just told of. The client hands the offset
    /// to the error callback (in words) but not to the poll that follows it on the same thread.
    static END: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The offset of the end of partition that the poll before told of; `None` where it could not be read.
pub(crate) fn take_end() -> Option<Offset> {
    END.take().map(Offset)
}

/// What readers and the listening thread share.
pub(super) struct Shared {
    pub(super) partitions: Vec<SourcePartition>,
    pub(super) brokers: String,
    ends: Vec<AtomicU64>,
    wakers: Vec<Mutex<Option<Waker>>>,
    positions: Mutex<HashMap<PartitionIndex, Offset>>,
    faults: AtomicU64,
    ticks: AtomicU64,
    down_ticks: AtomicU64,
    is_stopping: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("brokers", &self.brokers)
            .field("partitions", &self.partitions.len())
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(partitions: Vec<SourcePartition>, brokers: String) -> Self {
        let ends = partitions.iter().map(|_| AtomicU64::new(UNKNOWN)).collect();
        let wakers = partitions.iter().map(|_| Mutex::new(None)).collect();
        Self {
            partitions,
            brokers,
            ends,
            wakers,
            positions: Mutex::default(),
            faults: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            down_ticks: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
        }
    }

    pub(super) fn fault_count(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// The end of a partition, at most a second or so old; `None` before the first word of it.
    pub(super) fn end(&self, index: PartitionIndex) -> Option<Offset> {
        let end = self.ends[index.index()].load(Ordering::Relaxed);
        (end != UNKNOWN).then_some(Offset(end))
    }

    pub(super) fn set_waker(&self, index: PartitionIndex, waker: Option<Waker>) {
        *self.wakers[index.index()].lock() = waker;
    }

    pub(super) fn note_positions(&self, positions: &[(PartitionIndex, Offset)]) {
        self.positions.lock().extend(positions.iter().copied());
    }

    /// Whether no broker has been connected for long.
    pub(super) fn is_down(&self) -> bool {
        self.down_ticks.load(Ordering::Relaxed) >= DOWN_TICKS
    }

    fn take_statistics(&self, statistics: &Statistics<'_>) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        for (index, it) in self.partitions.iter().enumerate() {
            let topic = statistics.topics.get(&*it.topic);
            let end =
                topic.and_then(|topic| topic.partitions.get(it.partition.to_string().as_str()));
            if let Some(end) = end.and_then(|it| u64::try_from(it.ls_offset).ok()) {
                self.ends[index].store(end, Ordering::Relaxed);
            }
        }
        if statistics.brokers.values().any(|it| it.state == "UP") {
            self.down_ticks.store(0, Ordering::Relaxed);
        } else if self.down_ticks.fetch_add(1, Ordering::Relaxed) + 1 == DOWN_TICKS {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        for waker in &self.wakers {
            let waker = waker.lock().clone();
            waker.iter().for_each(|wake| wake());
        }
    }
}

#[derive(Deserialize)]
struct Statistics<'a> {
    #[serde(borrow)]
    brokers: HashMap<&'a str, BrokerStatistics<'a>>,
    #[serde(borrow)]
    topics: HashMap<&'a str, TopicStatistics<'a>>,
}

#[derive(Deserialize)]
struct BrokerStatistics<'a> {
    state: &'a str,
}

#[derive(Deserialize)]
struct TopicStatistics<'a> {
    #[serde(borrow)]
    partitions: HashMap<&'a str, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    /// The first offset behind what a reader of committed records may see; negative while unknown.
    ls_offset: i64,
}

/// Takes the client's callbacks.
pub(super) struct Events(pub(super) Arc<Shared>);

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(statistics) => self.0.take_statistics(&statistics),
            Err(fault) => tracing::warn!(%fault, "kafka statistics not understood"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            END.set(end_in(reason));
            return;
        }
        self.0.faults.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, reason, "kafka reports a fault");
    }
}

impl ConsumerContext for Events {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(fault) = result {
            tracing::warn!(%fault, "positions not committed to the consumer group");
        }
    }
}

/// The context of a consumer that needs just to know where its partition ends.
pub(crate) struct EndOfPartition;

impl ClientContext for EndOfPartition {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            END.set(end_in(reason));
        } else {
            tracing::warn!(%error, reason, "kafka reports a fault");
        }
    }
}

impl ConsumerContext for EndOfPartition {}

/// Passes the client's log on.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka client"),
    }
}

/// The offset in `Fetch from broker 1 reached end of partition at offset 42 (HighwaterMark 42)`.
fn end_in(reason: &str) -> Option<u64> {
    let (_, rest) = reason.split_once("reached end of partition at offset ")?;
    rest.split(' ').next()?.parse().ok()
}

/// Starts the thread that listens to the main queue until the source is dropped.
pub(super) fn pump(
    consumer: Arc<BaseConsumer<Events>>,
    shared: Arc<Shared>,
) -> std::io::Result<JoinHandle<()>> {
    let listen = move || {
        let mut seen = 0;
        while !shared.is_stopping.load(Ordering::Relaxed) {
            // Records come through the partitions' own queues; faults have gone to the callback.
            drop(consumer.poll(LISTEN));
            let ticks = shared.ticks.load(Ordering::Relaxed);
            if ticks / COMMIT_TICKS != seen / COMMIT_TICKS {
                commit(&consumer, &shared);
            }
            if ticks / TOPICS_TICKS != seen / TOPICS_TICKS {
                look_for_new_partitions(&consumer, &shared);
            }
            seen = ticks;
        }
        commit(&consumer, &shared);
    };
    std::thread::Builder::new().name("kafka-events".to_owned()).spawn(listen)
}

fn commit(consumer: &BaseConsumer<Events>, shared: &Shared) {
    let positions = std::mem::take(&mut *shared.positions.lock());
    if positions.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (index, offset) in positions {
        let partition = &shared.partitions[index.index()];
        let offset = rdkafka::Offset::Offset(i64::try_from(offset.0).unwrap_or(i64::MAX));
        if list.add_partition_offset(&partition.topic, partition.partition, offset).is_err() {
            tracing::warn!(%partition, ?offset, "position is no kafka offset");
        }
    }
    if let Err(fault) = consumer.commit(&list, CommitMode::Async) {
        tracing::warn!(%fault, "positions not committed to the consumer group");
    }
}

/// A cluster's list of source partitions is fixed at its start, so new ones are only told of.
fn look_for_new_partitions(consumer: &BaseConsumer<Events>, shared: &Shared) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for partition in &shared.partitions {
        *counts.entry(&partition.topic).or_default() += 1;
    }
    for (topic, known) in counts {
        let Ok(metadata) = consumer.fetch_metadata(Some(topic), Duration::from_secs(5)) else {
            return;
        };
        let found = metadata.topics().first().map_or(0, |it| it.partitions().len());
        if found > known {
            tracing::warn!(
                topic,
                known,
                found,
                "topic has new partitions: a restart takes them in"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_partition_is_found_in_the_clients_words() {
        let words = "Fetch from broker 1 reached end of partition at offset 42 (HighwaterMark 43)";
        assert_eq!(end_in(words), Some(42));
        assert_eq!(end_in("something else"), None);
    }
}
