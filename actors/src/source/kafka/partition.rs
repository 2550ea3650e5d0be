//! One Kafka partition, read from its own queue.

use std::sync::Arc;
use std::time::Duration;

use proto::types::{Offset, PartitionIndex, SourcePartition};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Timestamp, TopicPartitionList};

use super::super::{Limit, Partition, Progress, Record, SourceError, Waker};
use super::events::{Events, Shared, take_end};

/// How long the client may take to answer a request that it serves by itself.
const LOCAL: Duration = Duration::from_secs(5);

/// How long a broker may take to tell a partition's first and last offset after one was out of range.
const WATERMARKS: Duration = Duration::from_secs(2);

/// A partition that is open for reading.
pub(super) struct Reading {
    consumer: Arc<BaseConsumer<Events>>,
    shared: Arc<Shared>,
    index: PartitionIndex,
    queue: PartitionQueue<Events>,
    next: Offset,
    end: Option<Offset>,
    /// A fault that came behind records: told by the next read.
    fault: Option<SourceError>,
    /// Whether the client has given the partition up, so that it must be assigned again.
    is_halted: bool,
}

impl Reading {
    pub(super) fn open(
        consumer: &Arc<BaseConsumer<Events>>,
        shared: &Arc<Shared>,
        index: PartitionIndex,
        from: Offset,
        waker: Waker,
    ) -> Result<Self, SourceError> {
        let Some(partition) = shared.partitions.get(index.index()) else {
            return Err(SourceError::Missing(format!("source partition {}", index.0)));
        };
        // The queue is split off before the partition is assigned, so that no record goes astray.
        let mut queue = consumer
            .split_partition_queue(&partition.topic, partition.partition)
            .ok_or_else(|| SourceError::Missing(partition.to_string()))?;
        shared.set_waker(index, Some(Arc::clone(&waker)));
        queue.set_nonempty_callback(move || waker());
        let reading = Self {
            consumer: Arc::clone(consumer),
            shared: Arc::clone(shared),
            index,
            queue,
            next: from,
            end: None,
            fault: None,
            is_halted: false,
        };
        let list = reading.list(from)?;
        reading.consumer.incremental_assign(&list).map_err(|fault| reading.unreachable(fault))?;
        Ok(reading)
    }

    fn partition(&self) -> &SourcePartition {
        &self.shared.partitions[self.index.index()]
    }

    fn unreachable(&self, fault: KafkaError) -> SourceError {
        let what = format!("{} of kafka at {}", self.partition(), self.shared.brokers);
        SourceError::Unreachable { what, source: fault.into() }
    }

    fn list(&self, offset: Offset) -> Result<TopicPartitionList, SourceError> {
        let SourcePartition { topic, partition, .. } = self.partition();
        let mut list = TopicPartitionList::with_capacity(1);
        let offset = rdkafka::Offset::Offset(i64::try_from(offset.0).unwrap_or(i64::MAX));
        list.add_partition_offset(topic, *partition, offset)
            .map_err(|fault| self.unreachable(fault))?;
        Ok(list)
    }

    /// Assigns the partition afresh, to be read from `offset`.
    fn assign_again(&mut self, offset: Offset) -> Result<(), SourceError> {
        let list = self.list(offset)?;
        let assigned = self
            .consumer
            .incremental_unassign(&list)
            .and_then(|()| self.consumer.incremental_assign(&list));
        assigned.map_err(|fault| self.unreachable(fault))?;
        self.is_halted = false;
        Ok(())
    }

    fn progress(&self, more: bool) -> Progress {
        let end = self.shared.end(self.index).max(self.end);
        Progress { next: self.next, end: end.map(|end| end.max(self.next)), more }
    }

    /// What a fault in the queue means; `None` where reading goes on.
    fn understand(&mut self, fault: KafkaError) -> Option<SourceError> {
        match fault.rdkafka_error_code() {
            _ if matches!(fault, KafkaError::PartitionEOF(_)) => {
                // Behind the last record there may be markers of transactions, or gaps.
                self.next = take_end().map_or(self.next, |end| end.max(self.next));
                self.end = Some(self.next);
                None
            }
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                self.is_halted = true;
                Some(self.out_of_range(fault))
            }
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => {
                self.is_halted = true;
                let brokers = &self.shared.brokers;
                Some(SourceError::Missing(format!("{} of kafka at {brokers}", self.partition())))
            }
            _ => {
                self.is_halted = true;
                Some(self.unreachable(fault))
            }
        }
    }

    /// I10: says which side of the partition the offset is off.
    fn out_of_range(&self, fault: KafkaError) -> SourceError {
        let SourcePartition { topic, partition, .. } = self.partition();
        let (first, end) = match self.consumer.fetch_watermarks(topic, *partition, WATERMARKS) {
            Ok((first, end)) => (offset(first), offset(end)),
            Err(fault) => return self.unreachable(fault),
        };
        let (partition, wanted) = (self.partition().to_string(), self.next);
        if wanted < first {
            SourceError::Trimmed { partition, wanted, first }
        } else if wanted > end {
            SourceError::Shrunk { partition, wanted, end }
        } else {
            self.unreachable(fault)
        }
    }
}

impl Partition for Reading {
    fn read(
        &mut self,
        limit: Limit,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Result<Progress, SourceError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if self.is_halted {
            self.assign_again(self.next)?;
        }
        let (mut records, mut bytes) = (0, 0);
        while records < limit.records.max(1) && (records == 0 || bytes < limit.bytes) {
            let fault = match self.queue.poll(Duration::ZERO) {
                None if records == 0 && self.shared.is_down() => {
                    let code = RDKafkaErrorCode::AllBrokersDown;
                    return Err(self.unreachable(KafkaError::Global(code)));
                }
                None => return Ok(self.progress(false)),
                Some(Ok(message)) => {
                    let at = offset(message.offset());
                    // What lies below was handed over before.
                    if at >= self.next {
                        let payload = message.payload();
                        take(Record { offset: at, time_ms: time_ms(message.timestamp()), payload });
                        self.next = Offset(at.0 + 1);
                        records += 1;
                        bytes += payload.map_or(0, <[u8]>::len);
                    }
                    continue;
                }
                Some(Err(fault)) => fault,
            };
            match self.understand(fault) {
                None => {}
                Some(fault) if records == 0 => return Err(fault),
                fault @ Some(_) => {
                    self.fault = fault;
                    return Ok(self.progress(true));
                }
            }
        }
        Ok(self.progress(true))
    }

    fn seek(&mut self, offset: Offset) -> Result<(), SourceError> {
        self.fault = None;
        self.end = None;
        self.next = offset;
        let SourcePartition { topic, partition, .. } = self.partition();
        let to = rdkafka::Offset::Offset(i64::try_from(offset.0).unwrap_or(i64::MAX));
        // Where the client isn't fetching the partition just now it cannot seek it either.
        match self.consumer.seek(topic, *partition, to, LOCAL) {
            Ok(()) if !self.is_halted => Ok(()),
            Ok(()) | Err(_) => self.assign_again(offset),
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.shared.set_waker(self.index, None);
        let unassigned = self.list(self.next).and_then(|list| {
            self.consumer.incremental_unassign(&list).map_err(|it| self.unreachable(it))
        });
        if let Err(fault) = unassigned {
            tracing::debug!(%fault, "kafka partition not unassigned");
        }
    }
}

fn offset(raw: i64) -> Offset {
    Offset(u64::try_from(raw).unwrap_or(0))
}

/// Kafka's -1 (no timestamp) is 0 here: it doesn't move the record clock.
fn time_ms(timestamp: Timestamp) -> u64 {
    timestamp.to_millis().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
}
