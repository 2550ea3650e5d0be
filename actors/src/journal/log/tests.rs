//! What every store of a log must do, and what the local directory adds.

use std::collections::BTreeMap;
use std::path::Path as Folder;
use std::process::Command;

use object_store::memory::InMemory;
use object_store::{GetOptions, PutPayload};
use tokio_util::task::TaskTracker;

use super::*;
use crate::journal::local::open_objects;

/// The same rules on memory and on a local directory.
async fn on_each_store(check: impl AsyncFn(Arc<dyn ObjectStore>)) {
    check(Arc::new(InMemory::new())).await;
    let dir = tempfile::tempdir().unwrap();
    check(open_objects(dir.path()).unwrap()).await;
}

fn slots(numbers: &[u64]) -> Vec<Slot> {
    numbers.iter().copied().map(Slot).collect()
}

/// Takes slots until `last` is taken, by whomever; what was won, with its content.
async fn race(log: ObjectLog, writer: usize, last: u64) -> BTreeMap<Slot, Bytes> {
    let mut won = BTreeMap::new();
    for slot in (1..=last).map(Slot) {
        // Sizes differ, so that a mix of two writers' bytes would show.
        let object = Bytes::from(format!("{writer} {slot} ").repeat(100 * (writer + 1)));
        match log.create(slot, object.clone()).await.unwrap() {
            Created::Won => assert!(won.insert(slot, object).is_none()),
            Created::Exists => assert!(log.read(slot).await.unwrap().is_some(), "{slot}"),
        }
    }
    won
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_slot_is_won_once_and_keeps_what_the_winner_wrote() {
    const LAST: u64 = 60;
    on_each_store(async |objects| {
        let log = ObjectLog::new(objects, "journal/node-1/7");
        let tasks = TaskTracker::new();
        let writers: Vec<_> =
            (0..8).map(|writer| tasks.spawn(race(log.clone(), writer, LAST))).collect();
        let mut winners = BTreeMap::new();
        for writer in writers {
            for (slot, object) in writer.await.unwrap() {
                assert!(winners.insert(slot, object).is_none(), "{slot} was won twice");
            }
        }
        assert_eq!(winners.len() as u64, LAST);
        assert_eq!(log.slots().await.unwrap(), winners.keys().copied().collect::<Vec<_>>());
        for (slot, object) in winners {
            assert_eq!(log.read(slot).await.unwrap(), Some(object));
        }
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_exists_is_never_changed() {
    on_each_store(async |objects| {
        let log = ObjectLog::new(objects, "control");
        assert_eq!(log.create(Slot(1), "first".into()).await.unwrap(), Created::Won);
        assert_eq!(log.create(Slot(1), "second".into()).await.unwrap(), Created::Exists);
        assert_eq!(log.read(Slot(1)).await.unwrap(), Some("first".into()));
        assert_eq!(log.read(Slot(2)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn slots_are_listed_as_numbers_ascend_also_the_greatest() {
    let numbers = [0, 9, 10, 99_999_999_999, 100_000_000_000, u64::MAX - 1, u64::MAX];
    on_each_store(async |objects| {
        let log = ObjectLog::new(objects, "control");
        for number in numbers.into_iter().rev() {
            log.create(Slot(number), number.to_string().into()).await.unwrap();
        }
        assert_eq!(log.slots().await.unwrap(), slots(&numbers));
        assert_eq!(log.read(Slot(u64::MAX)).await.unwrap(), Some(u64::MAX.to_string().into()));
    })
    .await;
}

#[tokio::test]
async fn a_trimmed_slot_is_gone_and_may_be_trimmed_again() {
    on_each_store(async |objects| {
        let log = ObjectLog::new(objects, "control");
        for number in 1..=3 {
            log.create(Slot(number), Bytes::new()).await.unwrap();
        }
        for _ in 0..2 {
            log.trim(Slot(2)).await.unwrap();
            assert_eq!(log.slots().await.unwrap(), slots(&[1, 3]));
            assert_eq!(log.read(Slot(2)).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_log_sees_its_own_slots_only() {
    on_each_store(async |objects| {
        let log = ObjectLog::new(objects.clone(), "journal/a");
        assert_eq!(log.slots().await.unwrap(), [], "a log that nobody wrote is empty");
        log.create(Slot(1), "a".into()).await.unwrap();
        for other in ["journal/ab/00000000000000000002", "journal/a/boundary", "journal/a/3"] {
            objects.put(&Path::from(other), PutPayload::from_static(b"x")).await.unwrap();
        }
        let below = Path::from("journal/a/00000000000000000004/00000000000000000005");
        objects.put(&below, PutPayload::from_static(b"x")).await.unwrap();
        let too_great = Path::from("journal/a/99999999999999999999");
        objects.put(&too_great, PutPayload::from_static(b"x")).await.unwrap();
        assert_eq!(log.slots().await.unwrap(), slots(&[1]));
    })
    .await;
}

/// Every file in `dir`, as names.
fn names(dir: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_torn_temporary_file_is_no_slot_and_hinders_none() {
    let dir = tempfile::tempdir().unwrap();
    let log = ObjectLog::new(open_objects(dir.path()).unwrap(), "control");
    log.create(Slot(1), "one".into()).await.unwrap();
    // What a crash in the middle of a create leaves behind.
    let torn = dir.path().join("control/00000000000000000002#1");
    std::fs::write(&torn, "tw").unwrap();

    assert_eq!(log.slots().await.unwrap(), slots(&[1]));
    assert_eq!(log.read(Slot(2)).await.unwrap(), None);
    assert_eq!(log.create(Slot(2), "two".into()).await.unwrap(), Created::Won);
    assert_eq!(log.read(Slot(2)).await.unwrap(), Some("two".into()));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_unclear_answer_and_not_a_lost_slot() {
    let dir = tempfile::tempdir().unwrap();
    let log = ObjectLog::new(open_objects(dir.path()).unwrap(), "control");
    // A file where the log's folder should be: holds for root as well.
    std::fs::write(dir.path().join("control"), "").unwrap();

    let error = log.create(Slot(1), "one".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "create control/00000000000000000001");
    assert!(!is_full(&error));
}

#[test]
fn a_full_disk_is_told_from_other_faults_whatever_wraps_it() {
    let fault = |kind: ErrorKind| object_store::Error::Generic {
        store: "LocalFileSystem",
        source: Box::new(std::io::Error::other(std::io::Error::from(kind))),
    };
    for (kind, full) in [
        (ErrorKind::StorageFull, true),
        (ErrorKind::QuotaExceeded, true),
        (ErrorKind::PermissionDenied, false),
    ] {
        let error = failed("create", &Path::from("a"), fault(kind));
        assert_eq!(is_full(&error), full, "{kind:?}");
        let said = error.source.to_string();
        assert_eq!(said.starts_with("no space left"), full, "{said}");
    }
}

/// Needs root: `cargo test --release -p actors -- --ignored full_disk`.
#[tokio::test]
#[ignore = "mounts a small tmpfs, which needs root"]
async fn a_full_disk_leaves_no_slot_and_no_litter_and_the_log_goes_on_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "x"]).arg(dir.path()).status();
    assert!(mounted.unwrap().success());
    let log = ObjectLog::new(open_objects(dir.path()).unwrap(), "control");
    log.create(Slot(1), vec![1; 500_000].into()).await.unwrap();

    let error = log.create(Slot(2), vec![2; 900_000].into()).await.unwrap_err();
    let left = names(&dir.path().join("control"));
    let read = log.read(Slot(2)).await.unwrap();
    log.trim(Slot(1)).await.unwrap();
    let created = log.create(Slot(2), vec![2; 900_000].into()).await;
    assert!(Command::new("umount").arg("-l").arg(dir.path()).status().unwrap().success());

    assert!(is_full(&error), "{error:?}");
    assert_eq!(left, ["00000000000000000001"]);
    assert_eq!(read, None);
    assert_eq!(created.unwrap(), Created::Won);
}

#[tokio::test]
async fn a_new_folder_of_objects_is_created_with_what_lies_above_it() {
    let dir = tempfile::tempdir().unwrap();
    let objects = open_objects(&dir.path().join("a/b/c")).unwrap();
    objects.put(&Path::from("x/y"), PutPayload::from_static(b"1")).await.unwrap();
    let again = open_objects(&dir.path().join("a/b/c")).unwrap();
    let got = again.get_opts(&Path::from("x/y"), GetOptions::default()).await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), "1");
}
