//! The program with all its objects in a bucket: exact through kills, lost disks, a bad network and a store that is away.

#![allow(clippy::panic, reason = "a helper of tests fails its test")]
#![allow(clippy::print_stdout, reason = "a drill says how it went")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::path::Path;
use std::time::Duration;

use actors::journal::remote::Bucket;
use integration::broker::Broker;
use integration::drain::{Delivery, Drain, brisk, odd};
use integration::drill::Drill;
use integration::faults::{Fault, Faults};
use integration::http::get;
use integration::minio::{Minio, bucket_at};
use integration::ports;
use integration::process::Node;
use tempfile::tempdir;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(240);

const RESTORED: &str = "range restored from a snapshot";

/// Kills the node again and again while it works on 24,000 transactions, and takes its disk away each second time.
async fn drill(name: &str, bucket: Bucket, seed: u64) {
    let broker = Broker::start().await.unwrap();
    let (delivery, params) = (Delivery::ExactlyOnce, odd(24_000));
    let drain = Drain::prepare(&broker.bootstrap(), name, params, delivery).await.unwrap();
    let drill = Drill { params, delivery, kills: 5, seed };
    let outcome = drill.run_on(drain.in_bucket(bucket).unwrap()).await.unwrap();
    println!("{name}: {outcome}; consumed at each kill: {:?}", outcome.kills);
    assert!(outcome.is_right(), "{outcome}\n{}", outcome.report);
    assert!(outcome.in_the_middle() >= 2, "the kills came too late to prove anything: {outcome}");
}

#[tokio::test]
async fn kills_of_a_node_whose_objects_are_in_a_bucket_lose_nothing_and_double_nothing() {
    let server = Minio::start().await.unwrap();
    drill("bucket", server.bucket("prod/cards"), 3).await;
}

#[tokio::test]
async fn a_node_that_loses_its_disk_again_and_again_comes_back_exactly_from_its_bucket() {
    let (broker, server) = (Broker::start().await.unwrap(), Minio::start().await.unwrap());
    let delivery = Delivery::ExactlyOnce;
    // It comes at its rate: a life that has nothing left to do takes no snapshot.
    let drain = Drain::live(&broker, "disk", brisk(400, 60), delivery).await.unwrap();
    let drain = drain.in_bucket(server.bucket("disk")).unwrap().with_snapshots(200);
    let mut load = drain.feed().unwrap();
    for (turn, share) in [2, 4, 6].into_iter().enumerate() {
        let mut node = drain.start().unwrap();
        let goal = drain.expected().record_count() / 10 * share;
        drain.consumed(&mut node, goal, PATIENCE).await.unwrap();
        trims(&drain, &mut node).await;
        let restored = node.process().log().matches(RESTORED).count();
        assert_eq!(restored, turn * 8, "each of 8 ranges each time");
        node.kill9().unwrap();
        std::fs::remove_dir_all(drain.local()).unwrap();
    }
    let mut node = drain.start().unwrap();
    assert!(timeout(PATIENCE, load.wait()).await.unwrap().unwrap().success());
    let standing = drain.through(&mut node, PATIENCE).await.unwrap();
    assert_eq!(node.process().log().matches(RESTORED).count(), 3 * 8);
    drain.stop(node).await.unwrap();
    let report = drain.verify().await.unwrap();
    assert!(report.is_right(), "{report}");
    assert_eq!((standing.imbalance, report.counts.resent), (0, 0));
}

/// Waits until the running node has trimmed its journals, behind snapshots of this life.
async fn trims(drain: &Drain, node: &mut Node) {
    let port = drain.metrics();
    let has_trimmed = async |_: &mut _| {
        sleep(Duration::from_millis(50)).await;
        let text = get(port, "/metrics").await.unwrap_or_default();
        let line =
            text.lines().find(|it| it.starts_with("throughline_journal_slots_trimmed_total"));
        line.is_some_and(|line| !line.ends_with(" 0"))
    };
    node.process().wait_until("journals were trimmed", PATIENCE, has_trimmed).await.unwrap();
}

#[tokio::test]
async fn a_bad_network_before_the_bucket_loses_nothing_and_doubles_nothing() {
    let server = Minio::start().await.unwrap();
    let faults = Faults::before(server.port(), 10, 5).await.unwrap();
    drill("faults", bucket_at(faults.port(), "prod"), 4).await;
    let counts: Vec<_> =
        Fault::ALL.iter().map(|it| format!("{it:?} {}", faults.count(*it))).collect();
    println!("{} requests: {}", faults.requests(), counts.join(", "));
    assert!(Fault::ALL.iter().all(|fault| faults.count(*fault) > 0), "{counts:?}");
}

#[tokio::test]
async fn a_node_waits_for_a_store_that_is_away_and_says_so_and_goes_on() {
    let (broker, mut server) = (Broker::start().await.unwrap(), Minio::start().await.unwrap());
    let delivery = Delivery::ExactlyOnce;
    let drain = Drain::prepare(&broker.bootstrap(), "away", odd(24_000), delivery).await.unwrap();
    let drain = drain.in_bucket(server.bucket("away")).unwrap();
    let mut node = drain.start_paced(3).unwrap();
    drain.consumed(&mut node, 5_000, PATIENCE).await.unwrap();
    server.kill().unwrap();
    node.process().wait_line("write to the journal is unclear", PATIENCE).await.unwrap();
    server.restart().await.unwrap();
    let standing = drain.through(&mut node, PATIENCE).await.unwrap();
    drain.stop(node).await.unwrap();
    let report = drain.verify().await.unwrap();
    assert!(report.is_right(), "{report}");
    assert_eq!((standing.imbalance, report.counts.resent), (0, 0));
}

/// What the program says of a bucket, and how it ends, with traffic of its own.
async fn ends(folder: &Path, bucket: &Bucket) -> (i32, String) {
    let (public, metrics) = (ports::free().unwrap(), ports::free().unwrap());
    for (name, key) in [("access", &bucket.keys.access), ("secret", &bucket.keys.secret)] {
        std::fs::write(folder.join(name), key).unwrap();
    }
    let (name, endpoint) = (&bucket.name, bucket.endpoint.as_ref().unwrap());
    let here = folder.display();
    let yaml = format!(
        "apiVersion: throughline.dev/v1
kind: Cluster
metadata: {{ name: test }}
listen:
  public: {{ addr: \"127.0.0.1:{public}\" }}
  metrics: {{ addr: \"127.0.0.1:{metrics}\" }}
storage:
  dir: \"{here}/data\"
  ranges: 2
  objects: \"s3://{name}/prod\"
  s3: {{ endpoint: \"{endpoint}\", accessKeyFile: \"{here}/access\", secretKeyFile: \"{here}/secret\" }}
sources:
  generated: {{ rate: 10 }}
"
    );
    let mut node = Node::start(folder, &yaml).unwrap();
    let ended = timeout(PATIENCE, node.process().wait()).await;
    let log = node.process().log();
    let status = ended.unwrap_or_else(|_| panic!("it did not end:\n{log}")).unwrap();
    (status.code().unwrap_or_else(|| panic!("{status}:\n{log}")), log)
}

async fn refuses(bucket: &Bucket, code: i32, words: &[&str]) {
    let folder = tempdir().unwrap();
    let (ended, log) = ends(folder.path(), bucket).await;
    println!("{log}");
    assert_eq!(ended, code, "{log}");
    for word in words {
        assert!(log.contains(word), "{word:?} is not in:\n{log}");
    }
    assert!(!log.contains(&bucket.keys.secret), "a secret is told:\n{log}");
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_told_at_the_start_with_the_way_out() {
    let server = Minio::start().await.unwrap();
    let right = server.bucket("");
    let other = Bucket { name: "elsewhere".to_owned(), ..right.clone() };
    refuses(&other, 3, &["TL-0305", "s3://elsewhere/prod", "NoSuchBucket", "storage.objects"])
        .await;
    let mut stranger = right;
    "nobody-knows-this".clone_into(&mut stranger.keys.secret);
    refuses(&stranger, 7, &["TL-0702", "SignatureDoesNotMatch", "secretKeyFile"]).await;
    "nobody".clone_into(&mut stranger.keys.access);
    refuses(&stranger, 7, &["TL-0702", "InvalidAccessKeyId", "accessKeyFile"]).await;
    let nowhere = bucket_at(ports::free().unwrap(), "");
    refuses(&nowhere, 4, &["TL-0406", "storage.s3.endpoint", "refused"]).await;
    let faults = Faults::before(server.port(), 0, 1).await.unwrap();
    faults.lie();
    let lying = bucket_at(faults.port(), "");
    refuses(&lying, 8, &["TL-0806", "If-None-Match"]).await;
}
