//! Against a real broker: `with-broker cargo test --release --workspace --lib -- --ignored kafka::`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use futures::executor::block_on;
use proto::types::{Leg, Offset, PartitionIndex};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, TopicPartitionList};

use super::{KafkaOptions, KafkaSource};
use crate::source::{Limit, Partition, Progress, Source, SourceError};

const WAIT: Duration = Duration::from_secs(15);

/// The address of the broker that the tests are run beside.
#[expect(clippy::disallowed_methods, reason = "what runs the tests says so, and no configuration")]
pub(crate) fn brokers() -> String {
    std::env::var("THROUGHLINE_TEST_KAFKA").expect("THROUGHLINE_TEST_KAFKA is a broker's address")
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers());
    config
}

fn admin() -> AdminClient<DefaultClientContext> {
    client().create().unwrap()
}

/// A topic of its own for the test `name`, empty.
fn topic(name: &str, partitions: i32) -> String {
    let topic = format!("source-{name}-{}", std::process::id());
    // Its records are years old.
    let new =
        NewTopic::new(&topic, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
    block_on(admin().create_topics([&new], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    topic
}

fn options(topic: &str) -> KafkaOptions {
    KafkaOptions {
        brokers: brokers(),
        properties: BTreeMap::new(),
        group: format!("{topic}-group"),
        topics: vec![(Leg::Request, topic.to_owned())],
        prefetch_bytes: 16 << 20,
    }
}

/// Sends `count` records to `partition`; as a transaction that is committed or not where told.
fn produce(topic: &str, partition: i32, texts: std::ops::Range<u32>, commit: Option<bool>) {
    let mut config = client();
    config.set("enable.idempotence", "true");
    if commit.is_some() {
        config.set("transactional.id", format!("{topic}-{}", texts.start));
    }
    let producer: BaseProducer = config.create().unwrap();
    if commit.is_some() {
        producer.init_transactions(WAIT).unwrap();
        producer.begin_transaction().unwrap();
    }
    for text in texts {
        let text = text.to_string();
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&text);
        producer.send(record.timestamp(1_700_000_000_000)).unwrap();
    }
    match commit {
        Some(true) => producer.commit_transaction(WAIT).unwrap(),
        Some(false) => {
            producer.flush(WAIT).unwrap();
            producer.abort_transaction(WAIT).unwrap();
        }
        None => producer.flush(WAIT).unwrap(),
    }
}

/// An open partition, and what wakes its reader.
struct Open {
    partition: Box<dyn Partition>,
    woken: Receiver<()>,
}

impl Open {
    fn new(source: &KafkaSource, index: u16, from: u64) -> Self {
        let (wake, woken) = channel();
        let waker = Arc::new(move || wake.send(()).unwrap_or_default());
        let partition = source.open(PartitionIndex(index), Offset(from), waker).unwrap();
        Self { partition, woken }
    }

    /// Reads on until the partition is at its end and `enough`; waits for the waker only.
    fn read_until(
        &mut self,
        records: &mut Vec<(u64, u32)>,
        enough: impl Fn(Progress, usize) -> bool,
    ) -> Result<Progress, SourceError> {
        let limit = Limit { records: 7, bytes: 1 << 20 };
        loop {
            let progress = self.partition.read(limit, &mut |record| {
                assert_eq!(record.time_ms, 1_700_000_000_000);
                let text = std::str::from_utf8(record.payload.unwrap()).unwrap();
                records.push((record.offset.0, text.parse().unwrap()));
            })?;
            if enough(progress, records.len()) {
                return Ok(progress);
            }
            if !progress.more {
                self.woken.recv_timeout(WAIT).expect("the reader is woken when there is more");
            }
        }
    }

    fn read_to_end(&mut self) -> Result<(Vec<(u64, u32)>, Progress), SourceError> {
        let mut records = Vec::new();
        let at_end = |it: Progress, _| it.end.is_some_and(|end| it.next >= end) && !it.more;
        let progress = self.read_until(&mut records, at_end)?;
        Ok((records, progress))
    }
}

fn texts(records: &[(u64, u32)]) -> Vec<u32> {
    records.iter().map(|(_, text)| *text).collect()
}

#[test]
#[ignore = "needs a broker"]
fn each_partition_is_read_in_order_to_its_end_and_again_from_anywhere() {
    let topic = topic("order", 2);
    produce(&topic, 0, 0..100, None);
    produce(&topic, 1, 100..120, None);
    let source = KafkaSource::connect(&options(&topic)).unwrap();
    let names: Vec<_> = source.partitions().iter().map(ToString::to_string).collect();
    assert_eq!(names, [format!("{topic}/0"), format!("{topic}/1")]);

    let (mut zero, mut one) = (Open::new(&source, 0, 0), Open::new(&source, 1, 5));
    let (records, progress) = zero.read_to_end().unwrap();
    assert_eq!(texts(&records), Vec::from_iter(0..100));
    assert_eq!((progress.next, progress.end), (Offset(100), Some(Offset(100))));
    let (records, _) = one.read_to_end().unwrap();
    assert_eq!(texts(&records), Vec::from_iter(105..120));

    for from in [99, 0, 50, 51] {
        zero.partition.seek(Offset(from)).unwrap();
        let (records, progress) = zero.read_to_end().unwrap();
        assert_eq!(texts(&records), Vec::from_iter(u32::try_from(from).unwrap()..100));
        assert_eq!(progress.next, Offset(100));
    }
    drop(zero);
    let mut zero = Open::new(&source, 0, 98);
    assert_eq!(texts(&zero.read_to_end().unwrap().0), [98, 99]);
}

#[test]
#[ignore = "needs a broker"]
fn a_reader_at_the_end_is_woken_by_what_comes() {
    let topic = topic("wake", 1);
    let source = KafkaSource::connect(&options(&topic)).unwrap();
    let mut open = Open::new(&source, 0, 0);
    let (records, progress) = open.read_to_end().unwrap();
    assert_eq!((records.len(), progress.next, progress.end), (0, Offset(0), Some(Offset(0))));
    for round in 0..5 {
        produce(&topic, 0, round..round + 1, None);
        let mut records = Vec::new();
        open.read_until(&mut records, |_, count| count == 1).unwrap();
        assert_eq!(records, [(u64::from(round), round)]);
    }
}

#[test]
#[ignore = "needs a broker"]
fn aborted_records_and_markers_are_passed_over() {
    let topic = topic("markers", 1);
    produce(&topic, 0, 0..3, Some(true));
    produce(&topic, 0, 3..6, Some(false));
    let source = KafkaSource::connect(&options(&topic)).unwrap();
    let mut open = Open::new(&source, 0, 0);
    let (records, progress) = open.read_to_end().unwrap();
    assert_eq!(texts(&records), [0, 1, 2]);
    // Six records and two markers.
    assert_eq!((progress.next, progress.end), (Offset(8), Some(Offset(8))));
    produce(&topic, 0, 8..9, None);
    let mut records = Vec::new();
    open.read_until(&mut records, |_, count| count == 1).unwrap();
    assert_eq!(records, [(8, 8)]);
}

#[test]
#[ignore = "needs a broker"]
fn an_offset_out_of_range_is_told_and_never_jumped_over() {
    let topic = topic("range", 1);
    produce(&topic, 0, 0..50, None);
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, rdkafka::Offset::Offset(20)).unwrap();
    block_on(admin().delete_records(&before, &AdminOptions::new())).unwrap();
    let source = KafkaSource::connect(&options(&topic)).unwrap();

    let mut open = Open::new(&source, 0, 3);
    for _ in 0..2 {
        match open.read_to_end() {
            Err(SourceError::Trimmed { wanted: Offset(3), first: Offset(20), .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    open.partition.seek(Offset(20)).unwrap();
    assert_eq!(texts(&open.read_to_end().unwrap().0), Vec::from_iter(20..50));
    open.partition.seek(Offset(1000)).unwrap();
    match open.read_to_end() {
        Err(SourceError::Shrunk { wanted: Offset(1000), end: Offset(50), .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs a broker"]
fn positions_reach_the_consumer_group() {
    let topic = topic("group", 1);
    produce(&topic, 0, 0..10, None);
    let options = options(&topic);
    let source = KafkaSource::connect(&options).unwrap();
    source.committed(&[(PartitionIndex(0), Offset(7))]);
    drop(source);
    let mut config = client();
    config.set("group.id", &options.group);
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(&topic, 0);
    let committed = consumer.committed_offsets(list, WAIT).unwrap();
    assert_eq!(committed.elements()[0].offset(), rdkafka::Offset::Offset(7));
}

#[test]
#[ignore = "needs a broker"]
fn a_missing_topic_is_named() {
    match KafkaSource::connect(&options("no-such-topic")) {
        Err(SourceError::Missing(what)) => assert!(what.contains("no-such-topic"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "takes ten seconds"]
fn brokers_out_of_reach_are_named() {
    let options = KafkaOptions { brokers: "127.0.0.1:1".to_owned(), ..options("any") };
    match KafkaSource::connect(&options) {
        Err(fault @ SourceError::Unreachable { .. }) => {
            assert!(fault.to_string().contains("127.0.0.1:1"), "{fault}");
        }
        other => panic!("{other:?}"),
    }
}
