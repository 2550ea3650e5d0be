//! Rules of live traffic: a function of the seed, in order, and there when its time has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use serde_json::Value;

use super::*;

const START_MS: u64 = 1_800_000_000_000;

fn shape() -> Shape {
    Shape {
        topic_prefix: "bank".to_owned(),
        partitions: 3,
        seed: 7,
        rate: 700,
        start_ms: START_MS,
        missing: "1%".parse().unwrap(),
    }
}

/// A source whose clock is turned by hand.
fn source() -> (Live, Arc<AtomicU64>, TaskTracker) {
    let now = Arc::new(AtomicU64::new(START_MS));
    let hand = Arc::clone(&now);
    let tasks = TaskTracker::new();
    let live = Live::new(&shape(), Arc::new(move || hand.load(Ordering::Relaxed)), &tasks);
    (live, now, tasks)
}

const ALL: Limit = Limit { records: usize::MAX, bytes: usize::MAX };

fn read(partition: &mut dyn Partition, limit: Limit) -> (Vec<(u64, u64, String)>, Progress) {
    let mut records = Vec::new();
    let take = &mut |it: Record<'_>| {
        let text = String::from_utf8(it.payload.unwrap().to_vec()).unwrap();
        records.push((it.offset.0, it.time_ms, text));
    };
    let progress = partition.read(limit, take).unwrap();
    (records, progress)
}

fn nobody() -> Waker {
    Arc::new(|| {})
}

#[test]
fn the_end_is_where_arrivals_end() {
    let traffic = Traffic::new(&shape());
    for leg in Leg::ALL {
        for partition in 0..3 {
            for now_ms in (START_MS..START_MS + 9_000).step_by(7) {
                let end = traffic.end(leg, partition, now_ms);
                let arrival = |offset: u64| {
                    traffic.transaction(offset * 3 + partition).arrival_ms[leg.index()]
                };
                assert!(end == 0 || arrival(end - 1) <= now_ms, "{leg} {partition} {now_ms}");
                assert!(arrival(end) > now_ms, "{leg} {partition} {now_ms}");
            }
        }
    }
    assert_eq!(traffic.end(Leg::Trace, 0, 0), 0);
}

#[tokio::test]
async fn every_leg_of_every_transaction_stands_in_one_partition_in_order_of_time() {
    let (live, now, _tasks) = source();
    now.store(START_MS + 62_000, Ordering::Relaxed);
    let mut legs: BTreeMap<String, Vec<Leg>> = BTreeMap::new();
    for index in 0..9 {
        let found = live.partitions()[index].clone();
        let index = PartitionIndex(u16::try_from(index).unwrap());
        let mut partition = live.open(index, Offset(0), nobody()).unwrap();
        let (records, progress) = read(partition.as_mut(), ALL);
        assert!(records.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{found}");
        assert_eq!((Some(progress.next), progress.more), (progress.end, false));
        for (_, time_ms, text) in records {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(value["eventTime"].as_u64().unwrap() <= time_ms);
            let id = value["transactionId"].as_str().unwrap().to_owned();
            legs.entry(id).or_default().push(found.leg);
        }
    }
    // Those whose last leg has had time to arrive.
    let (mut complete, mut incomplete) = (0, 0);
    for index in 0..40_000 {
        let id = live.traffic().model().id(index);
        match live.traffic().transaction(index).fate {
            Fate::Missing(leg) => {
                incomplete += 1;
                assert!(legs[&id].len() == 2 && !legs[&id].contains(&leg));
            }
            Fate::Plain | Fate::Late(_) | Fate::Conflict(..) => {
                complete += 1;
                assert_eq!(legs[&id], Leg::ALL);
            }
        }
    }
    assert!(complete > 39_000 && incomplete > 300, "{complete} {incomplete}");
}

#[tokio::test]
async fn a_partition_can_be_read_again_from_anywhere_in_pieces_of_any_size() {
    let (live, now, _tasks) = source();
    now.store(START_MS + 10_000, Ordering::Relaxed);
    let open = |from| live.open(PartitionIndex(4), Offset(from), nobody()).unwrap();
    let (whole, _) = read(open(0).as_mut(), ALL);
    let mut partition = open(0);
    let mut pieces = Vec::new();
    loop {
        let (piece, progress) = read(partition.as_mut(), Limit { records: 7, bytes: usize::MAX });
        assert!(piece.len() <= 7);
        pieces.extend(piece);
        if !progress.more {
            break;
        }
    }
    assert!(whole == pieces && whole.len() > 1_000);
    partition.seek(Offset(500)).unwrap();
    let (tail, _) = read(partition.as_mut(), ALL);
    let from = whole.iter().position(|it| it.0 >= 500).unwrap();
    assert!(tail == whole[from..]);
    let (one, progress) = read(open(500).as_mut(), Limit { records: 9, bytes: 1 });
    assert!(one[..] == whole[from..=from] && progress.more);
    let record = live.traffic().record(Leg::Request, 1, one[0].0).unwrap();
    assert_eq!(record, (one[0].1, one[0].2.clone().into_bytes()));
}

#[tokio::test]
async fn an_offset_that_cannot_exist_yet_is_an_error() {
    let (live, _now, _tasks) = source();
    let mut partition = live.open(PartitionIndex(0), Offset(9), nobody()).unwrap();
    let error = partition.read(ALL, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("ends at 0, before offset 9"), "{error}");
    assert!(live.open(PartitionIndex(9), Offset(0), nobody()).is_err());
}

#[tokio::test]
async fn who_waits_is_woken_once_and_who_has_more_to_read_is_not() {
    let (live, now, _tasks) = source();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    let waker: Waker = Arc::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let mut partition = live.open(PartitionIndex(0), Offset(0), waker).unwrap();
    // The test holds the only thread of the runtime: the task cannot tick in between.
    let tick = || {
        live.inner.wake();
        wakes.load(Ordering::Relaxed)
    };
    assert_eq!(tick(), 0, "who has not read yet does not wait");
    assert!(read(partition.as_mut(), ALL).0.is_empty());
    assert_eq!((tick(), tick()), (1, 1));
    now.store(START_MS + 1_000, Ordering::Relaxed);
    let (records, progress) = read(partition.as_mut(), Limit { records: 1, bytes: 1 });
    assert!(records.len() == 1 && progress.more);
    assert_eq!(tick(), 1, "who has more to read does not wait");
    drop(partition);
    tick();
    assert!(live.inner.sleepers.lock().is_empty(), "who has closed is forgotten");
}

#[tokio::test]
async fn the_task_wakes_who_waits_and_ends_with_the_source() {
    let (live, _now, tasks) = source();
    let woken = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&woken);
    let waker: Waker = Arc::new(move || notify.notify_one());
    let mut partition = live.open(PartitionIndex(0), Offset(0), waker).unwrap();
    read(partition.as_mut(), ALL);
    woken.notified().await;
    drop((partition, live));
    tasks.close();
    tasks.wait().await;
}
