//! Reads back the last committed sequence of each range, and whose transactions are ended.

use std::collections::{BTreeMap, BTreeSet};
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

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(100);

/// Silent polls before reading is given up.
const SILENT_POLLS: usize = 100;

/// Silent polls before what is hidden behind an open transaction is given up for the first time: who died has to be shut
/// out, and whoever waits here may be the one to do so. Each time twice as many, as those of the living may be slow.
const HIDDEN_POLLS: usize = 10;
const MOST_DOUBLED: u32 = 5;

/// What the keys of ended transactional ids begin with: so none is a range's.
const ENDED: &str = "ended:";

/// Why the topic was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error(
        "a transaction is open and hides what was delivered: it ends when its life is shut out, or by itself"
    )]
    Hidden,
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// What the topic says.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Markers {
    /// The greatest sequence of each range.
    pub(super) delivered: BTreeMap<RangeId, Sequence>,
    /// The transactional ids under which nothing is committed any more.
    pub(super) ended: BTreeSet<String>,
}

impl Markers {
    /// Takes a record in; what is none of ours is passed over.
    fn take(&mut self, key: &str, value: &str) {
        if let Some(id) = key.strip_prefix(ENDED) {
            self.ended.insert(id.to_owned());
        } else if let (Ok(range), Ok(sequence)) = (key.parse(), value.parse()) {
            // Whoever says less says it late: what is delivered stays delivered (I7).
            let known = self.delivered.entry(RangeId(range)).or_default();
            *known = Sequence(sequence).max(*known);
        }
    }
}

/// The key of the record that says that a transactional id is ended.
pub(super) fn end_key(id: &str) -> String {
    format!("{ENDED}{id}")
}

/// How far the topic is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    /// To its end as of now: it is waited for the end of transactions that are open, the longer the more often that was
    /// in vain before.
    End { before: u32 },
    /// To the first transaction that is open.
    Open,
}

/// What `topic` says.
pub(super) async fn read(
    config: ClientConfig,
    topic: String,
    until: Until,
) -> Result<Markers, Unread> {
    let reading = tokio::task::spawn_blocking(move || read_now(&config, &topic, until)).await;
    reading.unwrap_or(Err(Unread::Kafka(KafkaError::Canceled)))
}

fn read_now(config: &ClientConfig, topic: &str, until: Until) -> Result<Markers, Unread> {
    let (begin, end) = bounds(config, topic, until)?;
    let mut config = config.clone();
    // Who takes ranges over waits for this: the broker is not to wait for more behind the end.
    config.set("fetch.wait.max.ms", "10");
    config.set("group.id", "throughline-markers");
    config.set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed");
    config.set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "error");
    let consumer: BaseConsumer<crate::source::kafka::EndOfPartition> =
        config.create_with_context(crate::source::kafka::EndOfPartition)?;
    let mut list = TopicPartitionList::new();
    // By number: to ask for the beginning by its name takes librdkafka half a second.
    list.add_partition_offset(topic, 0, Offset::Offset(begin))?;
    consumer.assign(&list)?;
    let mut markers = Markers::default();
    let before = match until {
        Until::End { before } => before.min(MOST_DOUBLED),
        Until::Open => 0,
    };
    let (mut silent, mut is_hidden) = (0, false);
    let mut next = 0;
    while next < end {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                (silent, is_hidden) = (0, false);
                next = message.offset() + 1;
                if let (Some(Ok(key)), Some(Ok(value))) =
                    (message.key_view::<str>(), message.payload_view::<str>())
                {
                    markers.take(key, value);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                let end = crate::source::kafka::take_end().and_then(|it| i64::try_from(it.0).ok());
                next = end.unwrap_or(next);
                // Where more is to come, this end is the beginning of what is open.
                (silent, is_hidden) = (0, true);
            }
            Some(Err(fault))
                if fault.rdkafka_error_code() != Some(RDKafkaErrorCode::BrokerTransportFailure) =>
            {
                return Err(fault.into());
            }
            None | Some(Err(_)) => silent += 1,
        }
        if is_hidden && silent > HIDDEN_POLLS << before {
            return Err(Unread::Hidden);
        }
        if !is_hidden && silent > SILENT_POLLS {
            return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut).into());
        }
    }
    // Nobody waits for the end of a consumer that has nothing to hand over.
    drop(tokio::task::spawn_blocking(|| drop(consumer)));
    Ok(markers)
}

/// The first offset that there is, and the one behind the last that is to be read.
fn bounds(config: &ClientConfig, topic: &str, until: Until) -> KafkaResult<(i64, i64)> {
    let mut config = config.clone();
    let level = match until {
        Until::End { .. } => "read_uncommitted",
        Until::Open => "read_committed",
    };
    config.set("isolation.level", level);
    let consumer: BaseConsumer = config.create()?;
    let mut tries = 0;
    loop {
        // Who leads the partition is asked for first: an offset query that has to find out rests for long between.
        let known = consumer.fetch_metadata(Some(topic), PATIENCE);
        match known.and_then(|_| consumer.fetch_watermarks(topic, 0, PATIENCE)) {
            Ok(bounds) => return Ok(bounds),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_smaller_marker_takes_nothing_back() {
        let mut markers = Markers::default();
        for (key, value) in [("1", "4"), ("2", "7"), ("1", "3"), ("2", "9"), ("a", "1"), ("3", "x")]
        {
            markers.take(key, value);
        }
        let expected = BTreeMap::from([(RangeId(1), Sequence(4)), (RangeId(2), Sequence(9))]);
        assert_eq!(markers, Markers { delivered: expected, ended: BTreeSet::new() });
    }

    /// A node may have a number for a name, as a range has.
    #[test]
    fn an_ended_id_is_no_range() {
        let mut markers = Markers::default();
        markers.take(&end_key("1"), "5");
        markers.take(&end_key("out-node-1/2"), "ended");
        let ended = ["1", "out-node-1/2"].map(str::to_owned).into();
        assert_eq!(markers, Markers { delivered: BTreeMap::new(), ended });
    }
}
