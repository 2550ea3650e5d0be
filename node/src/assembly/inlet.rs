//! The configured source, and a decoder for each leg.

use std::path::Path;
use std::sync::Arc;

use actors::clock::Clock;
use actors::source::Source;
use actors::source::decode::{Decoder, Limits};
use actors::source::file::FileSource;
use actors::source::kafka::{KafkaOptions, KafkaSource};
use anyhow::Context as _;
use proto::types::Leg;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Generated, KafkaSource as Kafka, SourceKind};
use crate::workload::live::{Live, Shape};
use crate::workload::params::Share;

/// The file that says when generated traffic began.
const BEGAN: &str = "traffic-began";

/// Opens the configured source; the Kafka client fetches `prefetch_bytes` ahead of the readers at most, over
/// all partitions.
pub(super) async fn open(
    config: &Config,
    prefetch_bytes: usize,
    clock: &Clock,
    tasks: &TaskTracker,
) -> anyhow::Result<Arc<dyn Source>> {
    let topics: Vec<(Leg, String)> = Leg::ALL
        .into_iter()
        .zip(&config.sources.legs)
        .map(|(leg, it)| (leg, it.topic.clone()))
        .collect();
    Ok(match &config.sources.kind {
        SourceKind::Kafka(kafka) => {
            let options = options(kafka, topics, prefetch_bytes);
            let connect = move || KafkaSource::connect(&options);
            Arc::new(tokio::task::spawn_blocking(connect).await??)
        }
        SourceKind::Files(dir) => Arc::new(FileSource::open(dir, &topics)?),
        SourceKind::Generated(generated) => {
            Arc::new(live(generated, &config.storage.dir, clock, tasks)?)
        }
    })
}

fn options(kafka: &Kafka, topics: Vec<(Leg, String)>, prefetch_bytes: usize) -> KafkaOptions {
    KafkaOptions {
        brokers: kafka.brokers.join(","),
        properties: kafka.properties.0.clone(),
        group: kafka.group.clone(),
        topics,
        prefetch_bytes,
    }
}

/// Generated traffic begins when the directory is used for the first time, or as [`begin_traffic`] says, and goes on
/// from there.
fn live(
    generated: &Generated,
    dir: &Path,
    clock: &Clock,
    tasks: &TaskTracker,
) -> anyhow::Result<Live> {
    let file = dir.join(BEGAN);
    let start_ms = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().with_context(|| format!("read {}", file.display()))?,
        Err(_) => {
            let now_ms = clock();
            begin_traffic(dir, now_ms)?;
            now_ms
        }
    };
    Ok(Live::new(&shape(generated, start_ms)?, Arc::clone(clock), tasks))
}

/// The traffic that is generated from `start_ms` on.
pub(super) fn shape(generated: &Generated, start_ms: u64) -> anyhow::Result<Shape> {
    Ok(Shape {
        topic_prefix: "bank".to_owned(),
        partitions: u32::from(generated.partitions),
        seed: generated.seed,
        rate: generated.rate,
        start_ms,
        missing: "1%".parse::<Share>().map_err(|why| anyhow::anyhow!("{why}"))?,
    })
}

/// Has generated traffic begin at `start_ms` for the node of this directory: nodes of one cluster must agree on it, as
/// what is at an offset depends on it.
pub(super) fn begin_traffic(dir: &Path, start_ms: u64) -> anyhow::Result<()> {
    let file = dir.join(BEGAN);
    std::fs::write(&file, start_ms.to_string()).with_context(|| format!("write {}", file.display()))
}

/// Makes the decoders of readers; a wrong pointer is found here, before anything starts.
pub(super) fn decoders(
    config: &Config,
) -> anyhow::Result<Box<dyn Fn(Leg) -> Decoder + Send + Sync>> {
    let record_bytes = usize::try_from(config.join.max_record).unwrap_or(usize::MAX);
    let limits = Limits { record_bytes, ..Limits::default() };
    let (legs, keying) = (config.sources.legs.clone(), config.sources.keying);
    let fields = config.rules.fields.clone();
    let make = move |leg: Leg| {
        let from = &legs[leg.index()];
        let decoder = Decoder::new(leg, &from.id, &from.time, fields.pointers(leg), limits);
        decoder.map(|it| it.keyed(keying))
    };
    for leg in Leg::ALL {
        make(leg)?;
    }
    Ok(Box::new(move |leg| make(leg).expect("the same pointers have made one before")))
}
