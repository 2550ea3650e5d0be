//! Reads back the last committed sequence of each range.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::types::{RangeId, Sequence};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often and after which pause the end is asked for again while the topic has no leader.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// Silent polls of a tenth of a second before reading is given up: longer than a transaction can be
/// left open (30 s), as an open one of another node hides what lies behind it.
const SILENT_POLLS: usize = 450;

/// The last sequence of each range in `topic`, as of now: also behind transactions that are still open.
pub(super) async fn read(
    config: ClientConfig,
    topic: String,
) -> KafkaResult<Vec<(RangeId, Sequence)>> {
    let reading = tokio::task::spawn_blocking(move || read_now(&config, &topic)).await;
    reading.unwrap_or(Err(KafkaError::Canceled))
}

fn read_now(config: &ClientConfig, topic: &str) -> KafkaResult<Vec<(RangeId, Sequence)>> {
    let end = end(config, topic)?;
    let mut config = config.clone();
    config.set("group.id", "throughline-markers");
    config.set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed");
    config.set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "error");
    let consumer: BaseConsumer<crate::source::kafka::EndOfPartition> =
        config.create_with_context(crate::source::kafka::EndOfPartition)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let mut last = BTreeMap::new();
    let mut silent = 0;
    let mut next = 0;
    while next < end {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                silent = 0;
                next = message.offset() + 1;
                if let Some((range, sequence)) = marker(&message) {
                    last.insert(range, sequence);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                let end = crate::source::kafka::take_end().and_then(|it| i64::try_from(it.0).ok());
                next = end.unwrap_or(next);
            }
            Some(Err(fault))
                if fault.rdkafka_error_code() != Some(RDKafkaErrorCode::BrokerTransportFailure) =>
            {
                return Err(fault);
            }
            None | Some(Err(_)) => silent += 1,
        }
        if silent > SILENT_POLLS {
            return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
        }
    }
    Ok(last.into_iter().collect())
}

/// The end of the topic, with what is in open transactions.
fn end(config: &ClientConfig, topic: &str) -> KafkaResult<i64> {
    let mut config = config.clone();
    config.set("isolation.level", "read_uncommitted");
    let consumer: BaseConsumer = config.create()?;
    let mut tries = 0;
    loop {
        match consumer.fetch_watermarks(topic, 0, PATIENCE) {
            Ok((_, end)) => return Ok(end),
            Err(fault) if tries < TRIES && is_passing(&fault) => tries += 1,
            Err(fault) => return Err(fault),
        }
        drop(consumer.poll(PAUSE));
    }
}

/// Whether the partition has just no leader: so it is for a moment after a topic was created.
fn is_passing(fault: &KafkaError) -> bool {
    matches!(
        fault.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}

/// What a record of the topic says; `None` where it is none of ours.
fn marker(message: &impl Message) -> Option<(RangeId, Sequence)> {
    let range = std::str::from_utf8(message.key()?).ok()?.parse().ok()?;
    let sequence = std::str::from_utf8(message.payload()?).ok()?.parse().ok()?;
    Some((RangeId(range), Sequence(sequence)))
}
