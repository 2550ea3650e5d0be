//! The logs' contract on every store, a real S3-compatible one among them: a slot is won once, whatever is lost on the way.

#![allow(clippy::panic, reason = "a helper of tests fails its test")]
#![allow(clippy::print_stdout, reason = "a test with random faults says how many there were")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actors::clock;
use actors::journal::Objects;
use actors::journal::local::open_objects;
use actors::journal::log::{ObjectLog, ObjectLogs};
use actors::journal::remote::open_bucket;
use actors::snapshot::{FORMAT, Manifest, RangeEntry, SnapshotError, Snapshots};
use bytes::Bytes;
use coordinator::control_log::{Append, ControlLog};
use coordinator::machine::entry::Change;
use coordinator::testing::conformance::conformance;
use integration::faults::{Fault, Faults};
use integration::minio::{Minio, bucket_at};
use object_store::memory::InMemory;
use proto::log::{Created, Log};
use proto::types::{Incarnation, NodeId, RangeId, Slot};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_log_keeps_its_contract_in_memory_in_a_folder_and_in_a_bucket() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Minio::start().await.unwrap());
    let stores: [Objects; 3] = [
        Arc::new(InMemory::new()),
        open_objects(folder.path()).unwrap(),
        open_bucket(&server.bucket("conformance")).unwrap(),
    ];
    for objects in stores {
        let logs = ObjectLogs::new(objects);
        conformance(|name| logs.log(name)).await;
    }
}

/// Writes to each slot at the same moment as all others; what was won, with its content.
async fn race(
    log: ObjectLog,
    writer: usize,
    last: u64,
    start: Arc<Barrier>,
) -> BTreeMap<Slot, Bytes> {
    let mut won = BTreeMap::new();
    for slot in (1..=last).map(Slot) {
        // Sizes differ, so that a mix of two writers' bytes would show.
        let object = Bytes::from(format!("{writer} {slot} ").repeat(2_000 * (writer + 1)));
        start.wait().await;
        match log.create(slot, object.clone()).await.unwrap() {
            Created::Won => assert!(won.insert(slot, object).is_none()),
            Created::Exists => {}
        }
    }
    won
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i1_of_many_who_race_for_a_slot_of_a_bucket_one_wins() {
    const WRITERS: usize = 8;
    const LAST: u64 = 80;
    let server = Minio::start().await.unwrap();
    // Each has connections of its own, as another process has.
    let log = || ObjectLog::new(open_bucket(&server.bucket("race")).unwrap(), "journal/node-1/7");
    let (start, mut writers) = (Arc::new(Barrier::new(WRITERS)), JoinSet::new());
    for writer in 0..WRITERS {
        writers.spawn(race(log(), writer, LAST, Arc::clone(&start)));
    }
    let (mut winners, mut each) = (BTreeMap::new(), Vec::new());
    for won in writers.join_all().await {
        each.push(won.len());
        for (slot, object) in won {
            assert!(winners.insert(slot, object).is_none(), "{slot} was won twice");
        }
    }
    println!("slots won by each writer: {each:?}");
    assert_eq!(winners.len() as u64, LAST);
    assert!(each.iter().filter(|won| **won > 0).count() > 1, "nobody raced: {each:?}");
    let log = log();
    for (slot, object) in winners {
        assert!(
            log.read(slot).await.unwrap() == Some(object),
            "{slot} is not what its winner wrote"
        );
    }
}

/// Who leads appends until it has won `count` slots; an answer that stays unclear means to open the log again.
async fn lead(log: Arc<dyn Log>, name: String, count: usize) -> BTreeSet<Slot> {
    let candidate = NodeId::new(&name).unwrap();
    let mut won = BTreeSet::new();
    let Ok(mut control) = ControlLog::open(Arc::clone(&log)).await else { return won };
    while won.len() < count {
        let change = Change::Leader { candidate: candidate.clone() };
        match control.append(change, clock::nonce()).await {
            Ok(Append::Won(slot)) => assert!(won.insert(slot), "{slot} was won twice"),
            Ok(Append::Lost(_)) => {}
            Err(_) => match ControlLog::open(Arc::clone(&log)).await {
                Ok(again) => control = again,
                Err(error) => println!("{candidate}: {error}"),
            },
        }
    }
    won
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i1_lost_answers_and_busy_servers_give_no_slot_to_two_and_none_to_nobody() {
    let server = Minio::start().await.unwrap();
    let faults = Faults::before(server.port(), 25, 7).await.unwrap();
    let mut leaders = JoinSet::new();
    for leader in 0..4 {
        let objects = open_bucket(&bucket_at(faults.port(), "control")).unwrap();
        let log = ObjectLogs::new(objects).log("control");
        leaders.spawn(lead(log, format!("node-{leader}"), 15));
    }
    let mut winners = BTreeSet::new();
    for won in leaders.join_all().await {
        assert_eq!(won.len(), 15);
        for slot in won {
            assert!(winners.insert(slot), "{slot} was won by two");
        }
    }
    let clean = ObjectLogs::new(open_bucket(&server.bucket("control")).unwrap()).log("control");
    let slots = clean.slots().await.unwrap();
    assert!(slots.iter().copied().eq((1..=slots.len() as u64).map(Slot)), "no gap: {slots:?}");
    assert!(winners.iter().all(|slot| slots.contains(slot)));
    // What an unclear answer left behind is in the log too, and everybody folds it.
    let all = ControlLog::open(clean).await.unwrap();
    assert_eq!(all.table().term().0, slots.len() as u64);
    report(&faults, &Fault::ALL);
}

/// Says what was done to requests; each of `wanted` must have been.
fn report(faults: &Faults, wanted: &[Fault]) {
    let counts: Vec<_> =
        Fault::ALL.iter().map(|it| format!("{it:?} {}", faults.count(*it))).collect();
    println!("{} requests: {}", faults.requests(), counts.join(", "));
    for fault in wanted {
        assert!(faults.count(*fault) > 0, "{fault:?} did not happen");
    }
}

/// Asks again where the store gave no clear answer.
async fn until_clear<T>(mut ask: impl AsyncFnMut() -> Result<T, SnapshotError>) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error @ SnapshotError::Store { .. }) => println!("again: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn i11_a_snapshot_goes_through_a_bad_network_whole_or_not_at_all() {
    const LAST: u64 = 6;
    let server = Minio::start().await.unwrap();
    let faults = Faults::before(server.port(), 25, 11).await.unwrap();
    let snapshots = |port| Snapshots::new(open_bucket(&bucket_at(port, "prod")).unwrap());
    let (bad, clean) = (snapshots(faults.port()), snapshots(server.port()));
    let checkpoint = tempfile::tempdir().unwrap();
    // More than two parts, and the last one is not whole.
    let large: Vec<u8> = (0..=250).cycle().take((20 << 20) + 7).collect();
    for (name, content) in [("000001.sst", &*large), ("CURRENT", b"MANIFEST-1"), ("empty", b"")] {
        std::fs::write(checkpoint.path().join(name), content).unwrap();
    }
    for name in 1..=LAST {
        let life = (Incarnation(name), NodeId::new("node-1").unwrap());
        let files = until_clear(|| bad.upload(checkpoint.path(), &life)).await;
        let range = RangeEntry {
            range: 3,
            start: 0,
            end: u64::MAX,
            epoch: 1,
            journal: "journal/node-1/1".to_owned(),
            slot: 1,
            outbox_epoch: 1,
            outbox_journal: "journal/node-1/1".to_owned(),
            outbox_slot: 1,
            sequence: 1,
            positions: vec![],
            ledger: serde_json::Value::Null,
            files,
        };
        let (format, cluster) = (FORMAT, "bank".to_owned());
        let manifest = Manifest {
            format,
            min_reader: format,
            name,
            cluster,
            created_ms: name,
            ranges: vec![range],
        };
        until_clear(|| bad.create(&manifest)).await;
        assert_eq!(clean.verify(name).await.unwrap(), []);
        let to = checkpoint.path().join(format!("restored-{name}"));
        until_clear(async || bad.restore(name, RangeId(3), &to).await).await;
        assert!(std::fs::read(to.join("000001.sst")).unwrap() == large);
    }
    assert!(clean.list().await.unwrap().into_iter().eq(1..=LAST));
    // I13: no more of a file is in memory than one part.
    assert_eq!(faults.largest_bytes(), 8 << 20);
    // Few of a snapshot's requests are creates, so a conflict may not have come.
    report(&faults, &[Fault::Cut, Fault::LostAnswer, Fault::BusyAfter, Fault::HalfAnswer]);
}

#[tokio::test]
async fn a_store_that_is_frozen_is_given_up_in_bounded_time_and_found_again() {
    let mut server = Minio::start().await.unwrap();
    let log = ObjectLog::new(open_bucket(&server.bucket("frozen")).unwrap(), "control");
    log.create(Slot(1), "one".into()).await.unwrap();
    server.process().freeze().unwrap();
    let given_up =
        tokio::time::timeout(Duration::from_secs(100), log.create(Slot(2), "two".into()));
    given_up.await.expect("a request ends").expect_err("an unclear answer is no win");
    server.process().thaw().unwrap();
    // The write may have waited in the frozen server's socket, and be done now.
    match log.create(Slot(2), "two".into()).await.unwrap() {
        Created::Won | Created::Exists => {}
    }
    assert_eq!(log.read(Slot(2)).await.unwrap(), Some("two".into()));
    server.restart().await.unwrap();
    assert_eq!(log.read(Slot(1)).await.unwrap(), Some("one".into()), "it was on the disk");
}
