//! Kafka as a source: partitions assigned by hand, one queue each, positions kept by us.
//!
//! Nothing is rebalanced and no offset of the group is ever read: where reading starts is the
//! engine's business (DESIGN.md section 3). The group's offsets are written for lag tools only.
//! A partition that isn't read fills its queue to a bound, and then librdkafka stops fetching it.

mod events;
mod partition;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use proto::types::{Leg, Offset, PartitionIndex, SourcePartition};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

pub(crate) use self::events::{EndOfPartition, log, take_end};
use self::events::{Events, Shared};
use self::partition::Reading;
use super::{Partition, Source, SourceError, Waker};

/// How long the first contact may take.
const CONTACT: Duration = Duration::from_secs(10);

/// What must be so, whatever the properties say. I10: an offset that is gone is an error, never a jump.
const FIXED: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    ("allow.auto.create.topics", "false"),
    ("statistics.interval.ms", "1000"),
];

/// What is so unless the properties say otherwise: large fetches without waiting for them to fill. A full
/// queue is looked at again after 10 ms (librdkafka's own default of 1 s would starve a fast reader).
const USUAL: [(&str, &str); 8] = [
    ("client.id", "throughline"),
    ("reconnect.backoff.max.ms", "1000"),
    ("fetch.wait.max.ms", "20"),
    ("fetch.min.bytes", "1"),
    ("fetch.max.bytes", "16777216"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.error.backoff.ms", "100"),
    ("queued.min.messages", "20000"),
];

/// Which Kafka, and what of it.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Further librdkafka properties, for example for TLS. Those that safety rests on cannot be changed.
    pub properties: BTreeMap<String, String>,
    /// The group under whose name lag tools find our positions.
    pub group: String,
    /// The topics, and what each one's records are.
    pub topics: Vec<(Leg, String)>,
    /// I13: bytes of payload fetched ahead of the readers, over all partitions; librdkafka itself takes
    /// about as much again for each record's bookkeeping.
    pub prefetch_bytes: usize,
}

/// Shows the properties' names but not their values: some are passwords.
impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("brokers", &self.brokers)
            .field("properties", &self.properties.keys())
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("prefetch_bytes", &self.prefetch_bytes)
            .finish()
    }
}

/// The partitions of the three topics.
pub struct KafkaSource {
    consumer: Arc<BaseConsumer<Events>>,
    shared: Arc<Shared>,
    events: Option<JoinHandle<()>>,
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// Connects, and learns the topics' partitions. Blocks for up to 10 s a topic.
    ///
    /// # Errors
    ///
    /// Where the brokers cannot be reached, refuse us, or lack a topic.
    pub fn connect(options: &KafkaOptions) -> Result<Self, SourceError> {
        let brokers = options.brokers.clone();
        let client = config(options, None);
        let probe: BaseConsumer =
            client.create().map_err(|fault| unreachable(&brokers, "configuration", fault))?;
        let mut partitions = Vec::new();
        let mut topics = options.topics.clone();
        topics.sort_by_key(|(leg, _)| *leg);
        for (leg, topic) in &topics {
            let name: Arc<str> = topic.as_str().into();
            let count = partition_count(&probe, topic, &brokers)?;
            partitions.extend((0..count).map(|partition| SourcePartition {
                topic: Arc::clone(&name),
                partition,
                leg: *leg,
            }));
        }
        drop(probe);
        let shared = Arc::new(Shared::new(partitions, brokers));
        let consumer: BaseConsumer<Events> = config(options, Some(shared.partitions.len()))
            .create_with_context(Events(Arc::clone(&shared)))
            .map_err(|fault| unreachable(&shared.brokers, "configuration", fault))?;
        let consumer = Arc::new(consumer);
        let events = events::pump(Arc::clone(&consumer), Arc::clone(&shared)).map_err(|fault| {
            SourceError::Unreachable { what: "kafka's events".to_owned(), source: fault.into() }
        })?;
        Ok(Self { consumer, shared, events: Some(events) })
    }

    /// How often the brokers reported a fault since the start.
    #[must_use]
    pub fn fault_count(&self) -> u64 {
        self.shared.fault_count()
    }
}

impl Source for KafkaSource {
    fn partitions(&self) -> &[SourcePartition] {
        &self.shared.partitions
    }

    fn open(
        &self,
        index: PartitionIndex,
        from: Offset,
        waker: Waker,
    ) -> Result<Box<dyn Partition>, SourceError> {
        let reading = Reading::open(&self.consumer, &self.shared, index, from, waker)?;
        Ok(Box::new(reading))
    }

    fn committed(&self, positions: &[(PartitionIndex, Offset)]) {
        self.shared.note_positions(positions);
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(Err(_)) = self.events.take().map(JoinHandle::join) {
            tracing::error!("kafka event thread panicked");
        }
    }
}

/// The configuration of the consumer of `partitions`; without a group and queues where `None`.
fn config(options: &KafkaOptions, partitions: Option<usize>) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in USUAL {
        config.set(name, value);
    }
    if let Some(partitions) = partitions {
        // Counted for each partition, as each has its own queue, and before a fetch, not behind it: one
        // fetch may overshoot it by its size unpacked. So fetches are small beside it.
        let kib = (options.prefetch_bytes / partitions.max(1) / 1024).clamp(64, 2_097_151);
        config.set("queued.max.messages.kbytes", kib.to_string());
        config.set("fetch.message.max.bytes", (kib * 1024 / 8).clamp(65_536, 1 << 20).to_string());
    }
    for (name, value) in &options.properties {
        config.set(name, value);
    }
    for (name, value) in FIXED {
        config.set(name, value);
    }
    if partitions.is_some() {
        config.set("group.id", &options.group);
    } else {
        config.remove("statistics.interval.ms");
    }
    config.set("bootstrap.servers", &options.brokers);
    config
}

/// How many partitions `topic` has.
fn partition_count<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    brokers: &str,
) -> Result<i32, SourceError> {
    let metadata = consumer
        .fetch_metadata(Some(topic), CONTACT)
        .map_err(|fault| unreachable(brokers, &format!("topic {topic}"), fault))?;
    let found = metadata.topics().iter().find(|it| it.name() == topic);
    let fault = found.and_then(|it| it.error()).map(RDKafkaErrorCode::from);
    let count = found.map_or(0, |it| it.partitions().len());
    match fault {
        None if count > 0 => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
        None | Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            Err(SourceError::Missing(format!("topic {topic} of kafka at {brokers}")))
        }
        Some(code) => {
            Err(unreachable(brokers, &format!("topic {topic}"), KafkaError::MetadataFetch(code)))
        }
    }
}

fn unreachable(brokers: &str, what: &str, fault: KafkaError) -> SourceError {
    let waited = CONTACT.as_secs();
    let what = match fault.rdkafka_error_code() {
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => {
            format!("{what} of kafka at {brokers}: no broker answered within {waited} s")
        }
        Some(_) | None => format!("{what} of kafka at {brokers}"),
    };
    SourceError::Unreachable { what, source: fault.into() }
}

#[cfg(test)]
pub(crate) mod tests;
