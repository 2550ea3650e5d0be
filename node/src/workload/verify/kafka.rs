//! Reads result topics up to their ends, as a consumer that sees only what is committed.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::checker::Checker;
use super::no_results;
use super::row::{Outlet, Row};
use crate::workload::kafka::{KafkaArgs, PATIENCE, partitions};

/// Hands every row of the five topics to `checker`. A topic that doesn't exist has no rows.
pub(super) fn read_topics(
    kafka: &KafkaArgs,
    prefix: &str,
    checker: &mut Checker,
) -> anyhow::Result<()> {
    for outlet in Outlet::ALL {
        let topic = format!("{prefix}.{}", outlet.name());
        let consumer = kafka.consumer()?;
        let found = partitions(&consumer, &topic)?;
        ensure!(
            found.is_some() || outlet != Outlet::Transactions,
            no_results(format!("topic {topic} does not exist: is `--results-prefix` right?"))
        );
        read_topic(&consumer, &topic, &found.unwrap_or_default(), |message| {
            take(message, outlet, checker);
        })
        .with_context(|| format!("read topic {topic}"))?;
    }
    Ok(())
}

fn read_topic(
    consumer: &BaseConsumer,
    topic: &str,
    partitions: &[i32],
    mut take: impl FnMut(&BorrowedMessage<'_>),
) -> anyhow::Result<()> {
    let mut assignment = TopicPartitionList::new();
    for &partition in partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut open: HashSet<i32> = partitions.iter().copied().collect();
    let mut silent = Duration::ZERO;
    while !open.is_empty() {
        const WAIT: Duration = Duration::from_millis(200);
        match consumer.poll(WAIT) {
            Some(Ok(message)) => {
                silent = Duration::ZERO;
                take(&message);
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => return Err(error.into()),
            None => silent += WAIT,
        }
        if silent > PATIENCE {
            bail!("the brokers are silent for {} s, before the end", PATIENCE.as_secs());
        }
    }
    Ok(())
}

fn take(message: &BorrowedMessage<'_>, outlet: Outlet, checker: &mut Checker) {
    let mut row = Row::new(outlet, message.partition(), message.payload());
    for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
        row.set(header.key, header.value.unwrap_or_default());
    }
    checker.take(&row);
}
