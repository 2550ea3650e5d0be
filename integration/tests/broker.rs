//! The broker that other tests stand on is a real one: it keeps, it crashes, it forgets what it is told to.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::time::Duration;

use integration::broker::Broker;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(20);

async fn write(broker: &Broker, topic: &str, values: &[&str]) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("message.timeout.ms", "20000")
        .create()
        .unwrap();
    for value in values {
        let record = FutureRecord::<(), str>::to(topic).payload(value).partition(0);
        producer.send(record, PATIENCE).await.unwrap();
    }
}

/// All of partition 0 from its first record on, until `count` have come.
async fn read(broker: &Broker, topic: &str, count: usize) -> Vec<(i64, String)> {
    let (bootstrap, topic) = (broker.bootstrap(), topic.to_owned());
    let read = move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "reader")
            .set("auto.offset.reset", "error")
            .create()
            .unwrap();
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&from).unwrap();
        let mut records = Vec::new();
        while records.len() < count {
            let record = consumer.poll(PATIENCE).expect("a record in time").unwrap();
            let value = String::from_utf8(record.payload().unwrap().to_vec()).unwrap();
            records.push((record.offset(), value));
        }
        records
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

fn record(offset: i64, value: &str) -> (i64, String) {
    (offset, value.to_owned())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash_and_after_a_stop() {
    let mut broker = Broker::start().await.unwrap();
    broker.create_topic("letters", 3, &[]).await.unwrap();
    let bootstrap = broker.bootstrap();

    write(&broker, "letters", &["a", "b"]).await;
    broker.kill().unwrap();
    broker.restart().await.unwrap();
    write(&broker, "letters", &["c"]).await;
    broker.stop().await.unwrap();
    broker.restart().await.unwrap();

    assert_eq!(broker.bootstrap(), bootstrap, "clients find it where it was");
    let expected = [record(0, "a"), record(1, "b"), record(2, "c")];
    assert_eq!(read(&broker, "letters", 3).await, expected);
}

#[tokio::test]
async fn retention_passes_records_where_it_is_told_to() {
    let broker = Broker::start().await.unwrap();
    broker.create_topic("letters", 1, &[("retention.ms", "3600000")]).await.unwrap();
    write(&broker, "letters", &["a", "b", "c"]).await;

    broker.delete_records("letters", 0, 2).await.unwrap();

    assert_eq!(read(&broker, "letters", 1).await, [record(2, "c")]);
    let beyond = broker.delete_records("letters", 0, 9).await.unwrap_err();
    assert!(format!("{beyond:#}").contains("delete records of letters/0 below 9"), "{beyond:#}");
}

#[tokio::test]
async fn a_topic_exists_once_and_only_where_it_was_created() {
    let broker = Broker::start().await.unwrap();
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap()).create().unwrap();
    let record = FutureRecord::<(), str>::to("nobody-made-it").payload("a");
    producer.send(record, PATIENCE).await.unwrap_err();

    broker.create_topic("letters", 1, &[]).await.unwrap();
    let twice = broker.create_topic("letters", 1, &[]).await.unwrap_err();
    assert!(format!("{twice:#}").contains("letters"), "{twice:#}");
}

#[tokio::test]
async fn a_broker_ends_with_its_test() {
    let mut broker = Broker::start().await.unwrap();
    let pid = broker.process().pid();
    assert!(std::fs::exists(format!("/proc/{pid}")).unwrap());
    drop(broker);
    assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap());
}
