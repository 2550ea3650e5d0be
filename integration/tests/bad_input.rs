//! What is wrong from outside is told plainly (what, why, what to do) or shows as a count; nothing is lost silently.

#![allow(clippy::panic, reason = "a helper of tests fails its test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::Broker;
use integration::drain::{Delivery, Drain, odd};
use integration::http::get;
use integration::ports;
use integration::process::Node;
use integration::standing::Standing;
use node::workload::kafka::KafkaArgs;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Headers as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tempfile::{TempDir, tempdir};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster file with generated traffic, which needs no broker.
fn generated(data: &Path) -> String {
    let (public, metrics) = (ports::free().unwrap(), ports::free().unwrap());
    let data = data.display();
    format!(
        "apiVersion: throughline.dev/v1
kind: Cluster
metadata: {{ name: test }}
listen:
  public: {{ addr: \"127.0.0.1:{public}\" }}
  metrics: {{ addr: \"127.0.0.1:{metrics}\" }}
storage: {{ dir: \"{data}\", ranges: 2 }}
sources:
  generated: {{ rate: 10 }}
"
    )
}

/// The same that reads topics `<name>.trace` and so on of the broker at `bootstrap`.
fn kafka(folder: &Path, bootstrap: &str, name: &str) -> (String, u16) {
    let metrics = ports::free().unwrap();
    let yaml = generated(&folder.join("data"));
    let (head, _) = yaml.split_once("sources:").unwrap();
    let head = head.lines().filter(|line| !line.contains("metrics:"));
    let head: String = head.flat_map(|line| [line, "\n"]).collect();
    let listen = format!("listen:\n  metrics: {{ addr: \"127.0.0.1:{metrics}\" }}\n");
    let legs: String = ["trace", "request", "response"]
        .map(|leg| format!("    {leg}: {{ topic: {name}.{leg} }}\n"))
        .concat();
    let sources = format!("sources:\n  kafka: {{ brokers: [\"{bootstrap}\"] }}\n  legs:\n{legs}");
    (head.replace("listen:\n", &listen) + &sources, metrics)
}

/// Runs the program until it ends by itself, and answers with how and with all that it said.
async fn ends(folder: &Path, yaml: &str) -> (i32, String) {
    let mut node = Node::start(folder, yaml).unwrap();
    let ended = timeout(PATIENCE, node.process().wait()).await;
    let log = node.process().log();
    let status = ended.unwrap_or_else(|_| panic!("it did not end:\n{log}")).unwrap();
    (status.code().unwrap_or_else(|| panic!("{status}:\n{log}")), log)
}

#[track_caller]
fn says(log: &str, words: &[&str]) {
    for word in words {
        assert!(log.contains(word), "{word:?} is not in:\n{log}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_place_and_the_likely_meaning() {
    let folder = tempdir().unwrap();
    let yaml = generated(&folder.path().join("data")).replace("ranges", "rangs");
    let (code, log) = ends(folder.path(), &yaml).await;
    assert_eq!(code, 8, "{log}");
    let line = yaml.lines().position(|line| line.contains("rangs")).unwrap() + 1;
    let column = yaml.lines().nth(line - 1).unwrap().find("rangs").unwrap() + 1;
    says(&log, &["rangs", "ranges", &format!("{line}:{column}"), "config validate"]);
}

#[tokio::test]
async fn brokers_out_of_reach_are_named() {
    let folder = tempdir().unwrap();
    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let (yaml, _) = kafka(folder.path(), &address, "bank");
    let (code, log) = ends(folder.path(), &yaml).await;
    assert_eq!(code, 4, "{log}");
    says(&log, &[&address, "no broker answered", "sources.kafka.brokers"]);
}

#[tokio::test]
async fn a_second_process_on_one_directory_is_refused_and_the_first_goes_on() {
    let folder = tempdir().unwrap();
    let other = tempdir().unwrap();
    let data = folder.path().join("data");
    let mut first = Node::start(folder.path(), &generated(&data)).unwrap();
    first.process().wait_line("serving", PATIENCE).await.unwrap();
    let (code, log) = ends(other.path(), &generated(&data)).await;
    assert_eq!(code, 6, "{log}");
    let pid = first.process().pid();
    says(&log, &["is in use by", &format!("process {pid}"), "storage.dir"]);
    assert!(first.terminate().await.unwrap().success());
}

async fn send(broker: &Broker, topic: &str, records: &[Vec<u8>]) {
    let args = KafkaArgs { brokers: Some(broker.bootstrap()), properties: vec![] };
    let producer: FutureProducer =
        args.config(&[("message.max.bytes", "30000000")]).create().unwrap();
    for record in records {
        let record: FutureRecord<'_, str, [u8]> = FutureRecord::to(topic).payload(&record[..]);
        producer.send(record, PATIENCE).await.unwrap();
    }
}

/// The classes of all dead letters, sorted, and the longest one's length.
fn dead_letters(broker: &Broker) -> (Vec<String>, usize) {
    let args = KafkaArgs { brokers: Some(broker.bootstrap()), properties: vec![] };
    let consumer = args.consumer().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    for partition in 0..8 {
        list.add_partition_offset(
            "throughline.dead-letters",
            partition,
            rdkafka::Offset::Beginning,
        )
        .unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut classes, mut longest, mut ends) = (Vec::new(), 0, 0);
    while ends < 8 {
        let Some(polled) = consumer.poll(Duration::from_secs(5)) else { break };
        let Ok(message) = polled else {
            ends += 1;
            continue;
        };
        let headers = message.headers().unwrap();
        let class = headers.iter().find(|header| header.key == "error").unwrap().value.unwrap();
        classes.push(String::from_utf8(class.to_vec()).unwrap());
        longest = longest.max(message.payload().map_or(0, <[u8]>::len));
    }
    classes.sort();
    (classes, longest)
}

#[tokio::test]
async fn records_that_no_one_can_understand_are_dead_letters_with_a_class() {
    let broker = Broker::start().await.unwrap();
    let folder = tempdir().unwrap();
    let (yaml, metrics) = kafka(folder.path(), &broker.bootstrap(), "bad");

    let (code, log) = ends(folder.path(), &yaml).await;
    assert_eq!(code, 8, "{log}");
    says(&log, &["topic bad.trace", "does not exist", "sources.legs"]);

    for leg in ["trace", "request", "response"] {
        let large = [("max.message.bytes", "25000000"), ("segment.bytes", "67108864")];
        broker.create_topic(&format!("bad.{leg}"), 1, &large).await.unwrap();
    }
    let large = [br#"{"transactionId":"t","note":""#.to_vec(), vec![b'x'; 20_000_000]].concat();
    let other = br#"{"id":"nobody has the pointer of the configuration","eventTime":1}"#.to_vec();
    let broken = br#"{"transactionId":"t","#.to_vec();
    send(&broker, "bad.trace", &[broken, large]).await;
    send(&broker, "bad.request", &[other.clone(), other.clone(), other]).await;

    let mut node = Node::start(folder.path(), &yaml).unwrap();
    let all = async |_: &mut integration::process::Process| {
        let standing = Standing::read(metrics).await.unwrap_or_default();
        standing.consumed == 5 && standing.dead == 5 && standing.imbalance == 0
    };
    node.process().wait_until("all five were dead letters", PATIENCE, all).await.unwrap();
    assert!(node.terminate().await.unwrap().success());
    let (classes, longest) = dead_letters(&broker);
    assert_eq!(classes, ["malformed-json", "no-id", "no-id", "no-id", "too-large"]);
    assert_eq!(longest, 64 << 10, "of a record that is too large, the beginning is kept");
}

/// A workload of which the node has consumed a part when it is killed.
async fn half_done(broker: &Broker, name: &str) -> Drain {
    let delivery = Delivery::AtLeastOnce;
    let drain = Drain::prepare(&broker.bootstrap(), name, odd(8_000), delivery).await.unwrap();
    // None is taken: what is damaged here is to be needed.
    let drain = drain.with_snapshots(86_400_000);
    let mut node = drain.start_paced(3).unwrap();
    let half = drain.expected().record_count() / 2;
    drain.consumed(&mut node, half, PATIENCE).await.unwrap();
    node.kill9().unwrap();
    drain
}

async fn finishes_right(drain: &Drain) -> String {
    let mut node = drain.start().unwrap();
    let standing = drain.through(&mut node, PATIENCE).await.unwrap();
    let log = node.process().log();
    drain.stop(node).await.unwrap();
    let report = drain.verify().await.unwrap();
    assert!(report.is_right(), "{report}");
    assert_eq!(standing.imbalance, 0);
    log
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn damaged_local_state_is_rebuilt_and_a_damaged_journal_is_refused() {
    let broker = Broker::start().await.unwrap();
    let drain = half_done(&broker, "damaged").await;
    let of_rocks = |it: &&PathBuf| {
        let name = it.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("MANIFEST") || name.ends_with(".sst")
    };
    let state = files(&drain.state());
    let damaged: Vec<_> = state.iter().filter(of_rocks).collect();
    assert!(damaged.len() >= 8, "every range has at least a manifest: {state:?}");
    damaged.iter().for_each(|file| flip(file));
    let log = finishes_right(&drain).await;
    says(&log, &["the local state is thrown away", "range restored from the journal's beginning"]);

    let journal = files(&drain.folder().join("data/objects/journal"));
    let largest = journal.iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let intact = fs::read(largest).unwrap();
    flip(largest);
    fs::remove_dir_all(drain.state()).unwrap();
    let (code, log) = ends(drain.folder(), &drain.cluster_file(60)).await;
    let slot: u64 = largest.file_name().unwrap().to_string_lossy().parse().unwrap();
    assert_eq!(code, 9, "{log}");
    says(&log, &[&format!("slot s{slot}"), "nothing was changed", "put back what is damaged"]);

    fs::write(largest, intact).unwrap();
    finishes_right(&drain).await;
}

#[tokio::test]
async fn records_that_retention_took_away_stop_the_node_loudly() {
    let broker = Broker::start().await.unwrap();
    let drain = half_done(&broker, "trimmed").await;
    // Records go round robin over eight partitions.
    let end = i64::try_from(drain.expected().records["trace"] / 8 - 1).unwrap();
    broker.delete_records("trimmed.trace", 3, end).await.unwrap();
    let (code, log) = ends(drain.folder(), &drain.cluster_file(60)).await;
    assert!(code == 9 || code == 5, "ended with {code}:\n{log}");
    let first = format!("its first is {end}");
    says(&log, &["trimmed.trace/3", "no longer has offset", &first, "retention has passed"]);
}

/// A small file system in memory, gone with this value.
struct Small(TempDir);

impl Small {
    fn mount(folder: TempDir, size: &str) -> Option<Self> {
        let path = folder.path().to_str().unwrap();
        let size = format!("size={size}");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs", path];
        let is_mounted = Command::new("mount").args(mount).status().is_ok_and(|it| it.success());
        is_mounted.then_some(Self(folder))
    }

    fn fill(&self) -> PathBuf {
        let ballast = self.0.path().join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[7; 4_096]).is_ok() {}
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a process that is just being killed may still hold it.
        Command::new("umount").arg("-l").arg(self.0.path()).status().ok();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_lost_by_it() {
    let Some(small) = Small::mount(tempdir().unwrap(), "64m") else {
        println!("skipped: mounting a small file system is not permitted here");
        return;
    };
    let broker = Broker::start().await.unwrap();
    let delivery = Delivery::AtLeastOnce;
    let drain = Drain::prepare(&broker.bootstrap(), "full", odd(8_000), delivery).await.unwrap();
    let data = drain.folder().join("data");
    std::os::unix::fs::symlink(small.0.path(), &data).unwrap();

    let mut node = drain.start_paced(3).unwrap();
    let third = drain.expected().record_count() / 3;
    drain.consumed(&mut node, third, PATIENCE).await.unwrap();
    let ballast = small.fill();
    let told = async {
        loop {
            sleep(Duration::from_millis(100)).await;
            let health = get(drain.metrics(), "/healthz").await.unwrap_or_default();
            let log = node.process().log();
            let is_ended = node.process().ended().unwrap().is_some();
            let is_named = log.contains("No space left") || log.contains("full");
            if is_named && (is_ended || health.contains("degraded")) {
                return is_ended;
            }
        }
    };
    let is_ended = timeout(PATIENCE, told).await.expect("a full disk is told");
    fs::remove_file(ballast).unwrap();
    if is_ended {
        println!("with a full disk the node ended");
        finishes_right(&drain).await;
        return;
    }
    println!("with a full disk the node waited");
    let standing = drain.through(&mut node, PATIENCE).await.unwrap();
    drain.stop(node).await.unwrap();
    let report = drain.verify().await.unwrap();
    assert!(report.is_right() && standing.imbalance == 0, "{standing:?}\n{report}");
}
