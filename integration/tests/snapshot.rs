//! What snapshots are for: local state that is lost comes back from them exactly, although the journals behind them
//! have gone; and where that cannot be, the node says so and serves nothing.

#![allow(clippy::print_stdout, reason = "a test that takes a while says what it saw")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::Broker;
use integration::drain::{Delivery, Drain, odd};
use integration::http::get;
use integration::journal::Journal;
use integration::process::{Node, program};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(120);
const EVERY_MS: u64 = 200;
const RESTORED: &str = "range restored from a snapshot";

/// A sample of the node's metrics; `None` while there is none.
async fn metric(drain: &Drain, name: &str) -> Option<f64> {
    let text = get(drain.metrics(), "/metrics").await.ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Waits until the running node has trimmed, by snapshots of this life, and there are two to choose from.
async fn trims(drain: &Drain, node: &mut Node) {
    let has_trimmed = async |_: &mut _| {
        sleep(Duration::from_millis(50)).await;
        let trimmed = metric(drain, "throughline_journal_slots_trimmed_total").await;
        trimmed.is_some_and(|it| it > 0.0) && snapshots(drain).len() > 1
    };
    node.process().wait_until("journals were trimmed", PATIENCE, has_trimmed).await.unwrap();
}

/// Runs the node until a share of the records is through and journals have been trimmed, then kills it.
async fn part(drain: &Drain, share: u64) -> String {
    let mut node = drain.start_paced(3).unwrap();
    let goal = drain.expected().record_count() / 10 * share;
    drain.consumed(&mut node, goal, PATIENCE).await.unwrap();
    trims(drain, &mut node).await;
    let log = node.process().log();
    node.kill9().unwrap();
    log
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

/// Types `throughline snapshot restore …` for the node's cluster file; how it ended and what it said.
fn restore(drain: &Drain, arguments: &[&str]) -> (i32, String) {
    let config = drain.folder().join("throughline.yaml");
    let output = Command::new(program().unwrap())
        .args(["snapshot", "restore", "--config"])
        .arg(config)
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn snapshots(drain: &Drain) -> Vec<PathBuf> {
    let folder = drain.objects().join("snapshots");
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path().join("manifest"));
    let mut all: Vec<_> = entries.filter(|it| it.exists()).collect();
    all.sort();
    all
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

#[track_caller]
fn says(log: &str, words: &[&str]) {
    for word in words {
        assert!(log.contains(word), "{word:?} is not in:\n{log}");
    }
}

#[tokio::test]
async fn state_that_is_lost_again_and_again_comes_back_although_the_journals_are_trimmed() {
    let broker = Broker::start().await.unwrap();
    let delivery = Delivery::ExactlyOnce;
    let drain = Drain::prepare(&broker.bootstrap(), "snapshots", odd(24_000), delivery).await;
    let drain = drain.unwrap().with_snapshots(EVERY_MS);
    for (turn, share) in [2, 4, 6, 8].into_iter().enumerate() {
        let log = part(&drain, share).await;
        assert_eq!(log.matches(RESTORED).count(), turn * 8, "each of 8 ranges each time\n{log}");
        fs::remove_dir_all(drain.state()).unwrap();
    }
    let log = finishes_right(&drain).await;
    assert_eq!(log.matches(RESTORED).count(), 4 * 8);
    let held = log.matches("no snapshot could be taken").count();
    let journal = Journal::read(&*drain.store().unwrap()).await.unwrap();
    println!("{journal:?}, {held} snapshots failed, {} are kept", snapshots(&drain).len());
    assert!(journal.trimmed() > journal.written / 2, "{journal:?}");
    assert!(snapshots(&drain).len() <= 3, "two, and perhaps one that was taken when it stopped");
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over_and_without_any_the_node_refuses() {
    let broker = Broker::start().await.unwrap();
    let delivery = Delivery::AtLeastOnce;
    let drain = Drain::prepare(&broker.bootstrap(), "damaged", odd(8_000), delivery).await;
    let drain = drain.unwrap().with_snapshots(EVERY_MS);
    part(&drain, 5).await;

    // All of them: the node has nothing to stand on.
    fs::remove_dir_all(drain.state()).unwrap();
    let manifests = snapshots(&drain);
    let intact: Vec<_> = manifests.iter().map(|file| fs::read(file).unwrap()).collect();
    manifests.iter().for_each(|file| cut(file));
    let mut node = drain.start().unwrap();
    let status = timeout(PATIENCE, node.process().wait()).await.unwrap().unwrap();
    let log = node.process().log();
    assert_eq!(status.code(), Some(9), "{log}");
    says(&log, &["cannot be restored", "there is no local state", "corrupted"]);
    says(&log, &["the journals alone: slot s1", "put back the journal or a snapshot"]);
    let (code, said) = restore(&drain, &[]);
    assert_eq!(code, 9, "{said}");
    says(&said, &["no snapshot was restored", "corrupted"]);

    // All but the newest come back.
    for (file, bytes) in manifests.iter().zip(&intact).rev().skip(1) {
        fs::write(file, bytes).unwrap();
    }
    let (code, said) = restore(&drain, &["--dry-run"]);
    assert_eq!(code, 0, "{said}");
    says(&said, &["passed over snapshot", "can be restored", "Nothing was changed"]);
    let log = finishes_right(&drain).await;
    says(&log, &["snapshot cannot be used", RESTORED]);
}

#[tokio::test]
async fn a_snapshot_is_restored_by_hand_while_the_node_does_not_run() {
    let broker = Broker::start().await.unwrap();
    let delivery = Delivery::AtLeastOnce;
    let drain = Drain::prepare(&broker.bootstrap(), "by-hand", odd(8_000), delivery).await;
    let drain = drain.unwrap().with_snapshots(EVERY_MS);
    let mut node = drain.start_paced(3).unwrap();
    trims(&drain, &mut node).await;
    let (code, said) = restore(&drain, &[]);
    assert_eq!(code, 6, "{said}");
    says(&said, &["another process runs in this directory", "stop it"]);
    node.kill9().unwrap();

    let (code, said) = restore(&drain, &["4711"]);
    assert_eq!(code, 3, "{said}");
    let oldest = snapshots(&drain).remove(0);
    let oldest: u64 =
        oldest.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
    let (code, said) = restore(&drain, &[&oldest.to_string()]);
    assert_eq!(code, 0, "{said}");
    says(&said, &["is the local state now: 8 ranges", "throughline run --config"]);
    let log = finishes_right(&drain).await;
    assert!(!log.contains(RESTORED), "it was there already");
}
