//! Records into Kafka: topics that keep old timestamps, and a producer that counts what it delivered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use parking_lot::Mutex;
use proto::types::Leg;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, NoCustomPartitioner, Producer, ProducerContext,
};

use super::{GenerateArgs, Record, Target};
use crate::workload::kafka::{PATIENCE, partitions};
use crate::workload::params::Params;
use crate::workload::refused;

/// The three topics of a workload.
pub(super) struct Topics {
    names: [String; 3],
    partitions: [u32; 3],
    producer: BaseProducer<Deliveries, NoCustomPartitioner>,
    failure: Arc<Mutex<Option<KafkaError>>>,
    put_since_poll: u32,
}

/// Remembers the first record that was not delivered.
struct Deliveries {
    failure: Arc<Mutex<Option<KafkaError>>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failure.lock().get_or_insert_with(|| error.clone());
        }
    }
}

impl Topics {
    /// Creates the topics where they don't exist.
    pub(super) fn open(args: &GenerateArgs, params: &Params, now_ms: u64) -> anyhow::Result<Self> {
        let names = Leg::ALL.map(|leg| format!("{}.{leg}", args.layout.topic_prefix));
        let consumer = args.kafka.consumer()?;
        let admin: AdminClient<DefaultClientContext> =
            args.kafka.config(&[]).create().context("create a Kafka admin client")?;
        let mut counts = [args.layout.partitions; 3];
        for (name, count) in names.iter().zip(&mut counts) {
            match partitions(&consumer, name)? {
                None => create(&admin, name, *count)?,
                Some(found) => {
                    if !args.append {
                        refuse_records(&consumer, name, &found)?;
                    }
                    refuse_loss(&admin, name, params, now_ms)?;
                    *count = u32::try_from(found.len()).context("count partitions")?;
                }
            }
        }
        params.check(counts.iter().copied().max().unwrap_or(1))?;
        let failure = Arc::default();
        let context = Deliveries { failure: Arc::clone(&failure) };
        let linger_ms = if args.pace.live { "2" } else { "30" };
        // Idempotent: a retry neither doubles a record nor changes the order, so the outcome is exact.
        let config = args.kafka.config(&[
            ("enable.idempotence", "true"),
            ("batch.size", "524288"),
            ("batch.num.messages", "20000"),
            ("linger.ms", linger_ms),
            ("queue.buffering.max.messages", "500000"),
            ("queue.buffering.max.kbytes", "262144"),
            ("compression.type", &args.compression),
        ]);
        let producer = BaseProducer::from_config_and_context(&config, context)
            .context("create a Kafka producer")?;
        Ok(Self { names, partitions: counts, producer, failure, put_since_poll: 0 })
    }

    fn poll(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.put_since_poll = 0;
        self.producer.poll(wait);
        match self.failure.lock().take() {
            Some(error) => Err(error).context("deliver a record: the topics now hold only a part"),
            None => Ok(()),
        }
    }
}

impl Target for Topics {
    fn partitions(&self, leg: Leg) -> u32 {
        self.partitions[leg.index()]
    }

    fn put(&mut self, it: &Record<'_>) -> anyhow::Result<()> {
        let partition = i32::try_from(it.partition).context("place a record")?;
        let timestamp = i64::try_from(it.arrival_ms).context("date a record")?;
        let name = self.names[it.leg.index()].clone();
        let mut record: BaseRecord<'_, str, [u8]> =
            BaseRecord::to(&name).partition(partition).timestamp(timestamp);
        record.key = it.key;
        record.payload = it.value;
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.poll(Duration::from_millis(10))?;
                }
                Err((error, _)) => return Err(error).context("hand a record to the producer"),
            }
        }
        self.put_since_poll += 1;
        if self.put_since_poll < 1_024 { Ok(()) } else { self.poll(Duration::ZERO) }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.poll(Duration::ZERO)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.producer.flush(PATIENCE * 4).context("wait until all records are delivered")?;
        self.poll(Duration::ZERO)
    }
}

fn create(
    admin: &AdminClient<DefaultClientContext>,
    name: &str,
    partitions: u32,
) -> anyhow::Result<()> {
    let count = i32::try_from(partitions).context("`--partitions` is out of all proportion")?;
    // Simulated records are old: with the usual retention the broker would delete them at once.
    let topic = NewTopic::new(name, count, TopicReplication::Fixed(-1))
        .set("message.timestamp.type", "CreateTime")
        .set("retention.ms", "-1");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let doing = || format!("create topic {name}");
    let created = futures::executor::block_on(admin.create_topics([&topic], &options));
    for result in created.with_context(doing)? {
        result.map_err(|(_, code)| code).with_context(doing)?;
    }
    Ok(())
}

fn refuse_records(consumer: &BaseConsumer, name: &str, partitions: &[i32]) -> anyhow::Result<()> {
    for &partition in partitions {
        let (low, high) = consumer
            .fetch_watermarks(name, partition, PATIENCE)
            .with_context(|| format!("ask for the end of {name}/{partition}"))?;
        ensure!(
            low == high,
            refused(format!(
                "topic {name} already holds records, and the expected outcome would not be theirs: \
                 use another `--topic-prefix`, delete the topic, or say `--append`"
            ))
        );
    }
    Ok(())
}

/// Refuses a topic that would change or delete what the outcome hangs on: the records' times.
fn refuse_loss(
    admin: &AdminClient<DefaultClientContext>,
    name: &str,
    params: &Params,
    now_ms: u64,
) -> anyhow::Result<()> {
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let topic = [ResourceSpecifier::Topic(name)];
    let doing = || format!("read the configuration of topic {name}");
    let described = futures::executor::block_on(admin.describe_configs(&topic, &options));
    let first = described.with_context(doing)?.pop().ok_or_else(|| anyhow!(doing()))?;
    let config = first.with_context(doing)?;
    let value = |key| config.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
    if value("message.timestamp.type") == "LogAppendTime" {
        bail!(refused(format!(
            "topic {name} dates records itself, and the workload needs its own times: set \
             message.timestamp.type=CreateTime, or use another `--topic-prefix`"
        )));
    }
    let age_ms = now_ms.saturating_sub(params.t0_ms);
    let is_short =
        value("retention.ms").parse().is_ok_and(|retention_ms: u64| retention_ms < age_ms);
    ensure!(
        !is_short,
        refused(format!(
            "topic {name} deletes records that are as old as this workload's (retention.ms): raise \
             it, give a later `--t0`, or use another `--topic-prefix`"
        ))
    );
    Ok(())
}
