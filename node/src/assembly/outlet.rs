//! The configured sink, and the way of figures to it: cells are coalesced, the newest of each goes out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actors::aggregator::{UpsertRow, Upserts};
use actors::engine::Life;
use actors::sink::file::{FileSink, FileUpserts};
use actors::sink::kafka::{KafkaSink, KafkaSinkOptions, KafkaUpserts};
use actors::sink::{Sink, SinkError};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::config::{Config, KafkaSink as Kafka, Sink as Configured};

/// Partitions of an output topic that does not exist yet.
const PARTITIONS: i32 = 8;
/// How long an outlet that fails is left alone.
const RETRY: Duration = Duration::from_millis(500);

/// The sink of the rows of one life of this node.
pub(super) fn sink(config: &Config, life: Life) -> Box<dyn Sink> {
    match &config.sink {
        Configured::Kafka(kafka) => {
            let exactly_once = kafka.exactly_once.then_some(life);
            Box::new(KafkaSink::new(KafkaSinkOptions { exactly_once, ..options(kafka) }))
        }
        Configured::Files(dir) => Box::new(FileSink::new(dir)),
    }
}

fn options(kafka: &Kafka) -> KafkaSinkOptions {
    KafkaSinkOptions {
        brokers: kafka.brokers.join(","),
        properties: kafka.properties.0.clone(),
        prefix: kafka.prefix.clone(),
        partitions: PARTITIONS,
        exactly_once: None,
    }
}

/// Takes cells, writes them in the background.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// I13: one entry a cell at most, so the cells of the open windows bound it.
    waiting: Mutex<BTreeMap<Bytes, (u64, Bytes)>>,
    called: Notify,
}

impl Cells {
    /// Writes to the configured sink until `stop`, and then what is left.
    pub(super) fn start(config: &Config, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let cells = Self::default();
        let writer: Box<dyn Writer> = match &config.sink {
            Configured::Kafka(kafka) => Box::new(KafkaUpserts::new(options(kafka))),
            Configured::Files(dir) => Box::new(FileUpserts::new(dir)),
        };
        tasks.spawn(write(Arc::clone(&cells.shared), writer, stop));
        cells
    }
}

impl Shared {
    fn put_back(&self, rows: BTreeMap<Bytes, (u64, Bytes)>) {
        let mut waiting = self.waiting.lock();
        rows.into_iter().for_each(|(key, row)| keep(&mut waiting, key, row));
        self.called.notify_one();
    }
}

impl Upserts for Cells {
    fn upsert(&mut self, rows: Vec<UpsertRow>) {
        let mut waiting = self.shared.waiting.lock();
        for row in rows {
            keep(&mut waiting, row.key, (row.version, row.payload));
        }
        self.shared.called.notify_one();
    }
}

/// The highest version of a key stays.
fn keep(waiting: &mut BTreeMap<Bytes, (u64, Bytes)>, key: Bytes, new: (u64, Bytes)) {
    let known = waiting.entry(key).or_insert_with(|| new.clone());
    if known.0 < new.0 {
        *known = new;
    }
}

async fn write(shared: Arc<Shared>, mut writer: Box<dyn Writer>, stop: CancellationToken) {
    loop {
        let is_last = tokio::select! {
            () = shared.called.notified() => false,
            () = stop.cancelled() => true,
        };
        let rows = std::mem::take(&mut *shared.waiting.lock());
        let pairs: Vec<_> =
            rows.iter().map(|(key, (_, payload))| (key.clone(), payload.clone())).collect();
        if !pairs.is_empty()
            && let Err(error) = writer.upsert(pairs).await
        {
            warn!(%error, cells = rows.len(), "figures were not written, trying again");
            shared.put_back(rows);
            tokio::time::sleep(RETRY).await;
        }
        if is_last {
            return;
        }
    }
}

/// Writes cells; the highest version of a key counts.
trait Writer: Send {
    fn upsert(&mut self, rows: Vec<(Bytes, Bytes)>) -> BoxFuture<'_, Result<(), SinkError>>;
}

impl Writer for KafkaUpserts {
    fn upsert(&mut self, rows: Vec<(Bytes, Bytes)>) -> BoxFuture<'_, Result<(), SinkError>> {
        async move {
            Self::upsert(self, rows).await?;
            self.flush().await
        }
        .boxed()
    }
}

impl Writer for FileUpserts {
    fn upsert(&mut self, rows: Vec<(Bytes, Bytes)>) -> BoxFuture<'_, Result<(), SinkError>> {
        Self::upsert(self, rows).boxed()
    }
}
