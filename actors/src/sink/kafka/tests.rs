//! Against a real broker: `with-broker cargo test --release --workspace --lib -- --ignored kafka::`.

mod takeover;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proto::types::{Epoch, Incarnation, NodeId, RangeId, Sequence, Version};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::{KafkaSink, KafkaSinkOptions, KafkaUpserts, Outbound};
use crate::engine::Life;
use crate::sink::{Outlet, Row, Sink, SinkError, Stamp};
use crate::source::kafka::tests::brokers;

fn life(node: &str, incarnation: u64) -> Life {
    (Incarnation(incarnation), NodeId::new(node).unwrap())
}

fn options(name: &str, exactly_once: Option<Life>) -> KafkaSinkOptions {
    KafkaSinkOptions {
        brokers: brokers(),
        properties: BTreeMap::new(),
        prefix: format!("sink-{name}-{}", std::process::id()),
        partitions: 3,
        exactly_once,
    }
}

fn row(range: u16, sequence: u64) -> Row {
    Row {
        outlet: Outlet::Transactions,
        stamp: Stamp {
            range: RangeId(range),
            epoch: Epoch::new(4),
            sequence: Sequence(sequence),
            version: Version(1),
        },
        key: Bytes::from(format!("t-{}", sequence % 5)),
        payload: Bytes::from(format!("{range}/{sequence}")),
        headers: vec![("more".to_owned(), "yes".to_owned())],
        arrived: None,
    }
}

fn rows(range: u16, sequences: std::ops::RangeInclusive<u64>) -> Vec<Row> {
    sequences.map(|sequence| row(range, sequence)).collect()
}

/// What is in a topic, as key, value and headers, partition by partition.
fn content(options: &KafkaSinkOptions, topic: &str) -> Vec<(i32, String, String, String)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers).set("group.id", "content");
    config.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let topic = options.topic(topic);
    let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(10)).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(&topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut found, mut ended) = (Vec::new(), 0);
    while ended < list.count() {
        match consumer.poll(Duration::from_secs(10)).expect("the topic is read to its end") {
            Ok(message) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let header = |it: rdkafka::message::Header<'_, &[u8]>| {
                    format!("{}={}", it.key, text(it.value.unwrap()))
                };
                let headers = message.headers().map(|it| it.iter().map(header).collect::<Vec<_>>());
                let (key, value) = (text(message.key().unwrap()), text(message.payload().unwrap()));
                found.push((
                    message.partition(),
                    key,
                    value,
                    headers.unwrap_or_default().join(" "),
                ));
            }
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(fault) => panic!("{fault}"),
        }
    }
    found
}

fn values(options: &KafkaSinkOptions, topic: &str) -> Vec<String> {
    let mut values: Vec<_> = content(options, topic).into_iter().map(|it| it.2).collect();
    values.sort();
    values
}

#[tokio::test]
#[ignore = "needs a broker"]
async fn rows_arrive_with_their_stamps_each_key_in_order() {
    let options = options("plain", None);
    let mut sink = KafkaSink::new(options.clone());
    assert!(matches!(sink.deliver(&[row(1, 1)]).await, Err(SinkError::Unavailable { .. })));
    assert!(sink.recover().await.unwrap().is_empty());
    let mut sent = rows(1, 1..=40);
    sent.extend(rows(1, 41..=80));
    sink.deliver(&sent).await.unwrap();
    let late = Row { outlet: Outlet::Late, ..row(2, 1) };
    sink.deliver(&[late]).await.unwrap();

    let content_of = content(&options, "transactions");
    assert_eq!(content_of.len(), 80);
    let stamp = "range=1 epoch=4 sequence=7 version=1 more=yes";
    assert!(content_of.iter().any(|it| it.2 == "1/7" && it.3 == stamp));
    for key in ["t-0", "t-1", "t-2", "t-3", "t-4"] {
        let of_key: Vec<_> = content_of.iter().filter(|it| it.1 == key).collect();
        assert_eq!(of_key.len(), 16);
        assert!(of_key.iter().all(|it| it.0 == of_key[0].0), "one partition");
        let sequence = |it: &str| it.split_once('/').unwrap().1.parse::<u64>().unwrap();
        assert!(of_key.windows(2).all(|pair| sequence(&pair[0].2) < sequence(&pair[1].2)));
    }
    assert_eq!(values(&options, "late"), ["2/1"]);
    assert!(values(&options, "conflicts").is_empty());
}

#[tokio::test]
#[ignore = "needs a broker"]
async fn an_exactly_once_sink_knows_after_a_restart_what_it_delivered() {
    let options = options("once", Some(life("a", 1)));
    let mut sink = KafkaSink::new(options.clone());
    assert!(sink.recover().await.unwrap().is_empty());
    sink.deliver(&[rows(1, 1..=3), rows(7, 1..=2)].concat()).await.unwrap();
    sink.deliver(&rows(1, 4..=6)).await.unwrap();
    let expected = vec![(RangeId(1), Sequence(6)), (RangeId(7), Sequence(2))];
    assert_eq!(sink.recover().await.unwrap(), expected);
    drop(sink);
    let mut sink = KafkaSink::new(options.clone());
    assert_eq!(sink.recover().await.unwrap(), expected);
    assert_eq!(values(&options, "transactions").len(), 8);
}

#[tokio::test]
#[ignore = "needs a broker"]
async fn a_zombie_is_fenced_and_none_of_its_rows_are_seen() {
    let options = options("zombie", Some(life("a", 1)));
    let mut zombie = KafkaSink::new(options.clone());
    zombie.recover().await.unwrap();
    zombie.deliver(&rows(1, 1..=2)).await.unwrap();
    let mut successor = KafkaSink::new(options.clone());
    assert_eq!(successor.recover().await.unwrap(), [(RangeId(1), Sequence(2))]);
    let fenced = zombie.deliver(&rows(1, 3..=5)).await;
    assert!(matches!(fenced, Err(SinkError::Fenced(_))), "{fenced:?}");
    successor.deliver(&rows(1, 3..=3)).await.unwrap();
    assert_eq!(values(&options, "transactions"), ["1/1", "1/2", "1/3"]);
}

#[tokio::test]
#[ignore = "needs a broker"]
async fn cells_arrive_and_are_acknowledged() {
    let options = options("cells", None);
    let mut cells = KafkaUpserts::new(options.clone());
    cells.flush().await.unwrap();
    let cell = |i: u32| (Bytes::from(format!("k{i}")), Bytes::from(format!("v{i}")));
    cells.upsert((0..50).map(cell).collect()).await.unwrap();
    cells.upsert((50..60).map(cell).collect()).await.unwrap();
    cells.flush().await.unwrap();
    assert_eq!(cells.unacknowledged(), 0);
    assert_eq!(values(&options, "indicators").len(), 60);
}
