//! A producer that is told of faults only, and has delivered all when it holds nothing more.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::super::Row;

/// Records sent before other tasks get their turn.
const TURN: u64 = 512;

/// How long to wait for room in the producer's queue before looking again.
const ROOM: Duration = Duration::from_millis(2);

/// How often it is looked whether all is delivered.
const LOOK: Duration = Duration::from_millis(1);

/// The first fault of a record that the producer's thread has told of.
type Told = Arc<Mutex<Option<KafkaError>>>;

/// The context of the producer.
#[derive(Clone, Default)]
pub(super) struct Context(Told);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::source::kafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka reports a fault");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((fault, _)) = result {
            self.0.lock().get_or_insert_with(|| fault.clone());
        }
    }
}

/// A producer.
pub(super) struct Outbound {
    producer: Arc<ThreadedProducer<Context>>,
    told: Told,
    sent: u64,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("sent", &self.sent)
            .field("unanswered", &self.unanswered())
            .finish_non_exhaustive()
    }
}

impl Outbound {
    pub(super) fn connect(config: &ClientConfig) -> KafkaResult<Self> {
        let context = Context::default();
        let told = Arc::clone(&context.0);
        let producer = config.create_with_context(context)?;
        Ok(Self { producer: Arc::new(producer), told, sent: 0 })
    }

    /// Hands a record to the producer; waits while its queue is full.
    pub(super) async fn send<K, P>(&mut self, record: BaseRecord<'_, K, P>) -> KafkaResult<()>
    where
        K: rdkafka::message::ToBytes + ?Sized,
        P: rdkafka::message::ToBytes + ?Sized,
    {
        let mut record = record;
        while let Err((fault, back)) = self.producer.send(record) {
            if fault.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(fault);
            }
            record = back;
            tokio::time::sleep(ROOM).await;
        }
        self.sent += 1;
        if self.sent.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Waits until every record is answered for.
    pub(super) async fn settled(&mut self) -> KafkaResult<()> {
        while self.unanswered() > 0 {
            tokio::time::sleep(LOOK).await;
        }
        self.take_fault().map_or(Ok(()), Err)
    }

    /// Records that are neither acknowledged nor failed yet. A record that failed counts until its fault has been told.
    pub(super) fn unanswered(&self) -> u64 {
        u64::try_from(self.producer.in_flight_count()).unwrap_or_default()
    }

    /// The first fault of a record since it was last asked for.
    pub(super) fn take_fault(&self) -> Option<KafkaError> {
        self.told.lock().take()
    }

    /// What made the producer unusable; it is the cause behind later faults.
    pub(super) fn fatal(&self) -> Option<KafkaError> {
        self.producer.client().fatal_error().map(|(code, _)| KafkaError::Global(code))
    }

    /// Runs a call of the producer that waits for brokers.
    pub(super) async fn blocking<F>(&self, call: F) -> KafkaResult<()>
    where
        F: FnOnce(&ThreadedProducer<Context>) -> KafkaResult<()> + Send + 'static,
    {
        let producer = Arc::clone(&self.producer);
        let called = tokio::task::spawn_blocking(move || call(&producer)).await;
        called.unwrap_or(Err(KafkaError::Canceled))
    }

    /// Drops the producer with what it still holds, where that may block.
    pub(super) async fn close(self) {
        if tokio::task::spawn_blocking(move || drop(self)).await.is_err() {
            tracing::warn!("kafka producer not closed");
        }
    }
}

/// The row's stamp as headers, in decimal, and the row's own headers behind.
pub(super) fn stamp_headers(row: &Row) -> OwnedHeaders {
    let mut buffer = itoa::Buffer::new();
    let stamp = [
        ("range", u64::from(row.stamp.range.0)),
        ("epoch", row.stamp.epoch.get()),
        ("sequence", row.stamp.sequence.0),
        ("version", u64::from(row.stamp.version.0)),
    ];
    let mut headers = OwnedHeaders::new_with_capacity(stamp.len() + row.headers.len());
    for (key, number) in stamp {
        headers = headers.insert(Header { key, value: Some(buffer.format(number)) });
    }
    for (key, value) in &row.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    headers
}
