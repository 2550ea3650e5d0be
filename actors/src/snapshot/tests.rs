//! A snapshot is whole or refused, and what is wrong with it is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as Folder;

use object_store::PutPayload;
use object_store::memory::InMemory;
use proto::types::{Incarnation, NodeId, RangeId};
use serde_json::json;

use super::*;
use crate::engine::Life;
use crate::journal::local::open_objects;
use crate::store::rocks::{Limits, RocksShared, RocksStore};
use crate::store::{Change, Store, Table};

fn life(node: &str) -> Life {
    (Incarnation(7), NodeId::new(node).unwrap())
}

/// The life that takes the snapshots.
fn owner() -> Life {
    life("node-1")
}

fn entry(range: u16, files: Vec<FileEntry>) -> RangeEntry {
    RangeEntry {
        range,
        start: 0,
        end: u64::MAX,
        epoch: 3,
        journal: "journal/node-1/7".to_owned(),
        slot: 41,
        outbox_epoch: 6,
        outbox_journal: "journal/node-1/6".to_owned(),
        outbox_slot: 40,
        sequence: 1_000,
        positions: vec![10, 0, u64::MAX],
        ledger: json!({ "consumed": 30, "results": 10 }),
        files,
    }
}

fn manifest(name: u64, ranges: Vec<RangeEntry>) -> Manifest {
    let cluster = "bank".to_owned();
    Manifest { format: FORMAT, min_reader: FORMAT, name, cluster, created_ms: 5, ranges }
}

/// A folder of files as a checkpoint has them.
fn checkpoint(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

const THREE: [(&str, &str); 3] = [("000001.sst", "rows"), ("CURRENT", "MANIFEST-2"), ("empty", "")];

/// A store with snapshot 1 of range 4: three files.
async fn taken() -> (Arc<dyn ObjectStore>, Snapshots, Manifest) {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let snapshots = Snapshots::new(objects.clone());
    let files = snapshots.upload(checkpoint(&THREE).path(), &owner()).await.unwrap();
    let manifest = manifest(1, vec![entry(4, files)]);
    snapshots.create(&manifest).await.unwrap();
    (objects, snapshots, manifest)
}

fn contents(dir: &Folder) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let read = |path: &Folder| std::fs::read_to_string(path).unwrap();
    entries.map(|e| (e.file_name().into_string().unwrap(), read(&e.path()))).collect()
}

#[tokio::test]
async fn what_is_restored_is_what_was_uploaded() {
    let (_, snapshots, made) = taken().await;
    assert_eq!(snapshots.list().await.unwrap(), [1]);
    assert_eq!(snapshots.inspect(1).await.unwrap(), made);
    assert_eq!(made.node(), Some("node-1"));
    assert_eq!(snapshots.verify(1).await.unwrap(), []);

    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("a/range");
    assert_eq!(snapshots.restore(1, RangeId(4), &to).await.unwrap(), made);
    assert_eq!(contents(&to), contents(checkpoint(&THREE).path()));

    let again = snapshots.restore(1, RangeId(4), &to).await;
    assert!(matches!(again, Err(SnapshotError::Files { .. })), "a folder that exists is refused");
    let other = snapshots.restore(1, RangeId(5), &dir.path().join("b")).await;
    assert!(matches!(other, Err(SnapshotError::NoRange { name: 1, range: 5 })));
}

#[tokio::test]
async fn a_file_is_named_by_incarnation_name_and_hash_and_uploaded_once() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let snapshots = Snapshots::new(objects.clone());
    let dir = checkpoint(&[("000001.sst", "rows")]);
    let [file] = &snapshots.upload(dir.path(), &owner()).await.unwrap()[..] else { panic!() };
    let hash = "bc51e9e65d79e1c90ba544ab2eae1044ccdf8c1af7a559ba375cba4276f7d99e";
    assert_eq!(file.sha256, hash);
    assert_eq!(file.object, format!("snapshots/files/node-1/7-000001.sst-{hash}"));

    let first = objects.head(&Path::from(file.object.as_str())).await.unwrap();
    snapshots.upload(dir.path(), &owner()).await.unwrap();
    let second = objects.head(&Path::from(file.object.as_str())).await.unwrap();
    assert_eq!(first.e_tag, second.e_tag);

    // The same name with other content, as two stores restored from one snapshot write it.
    std::fs::write(dir.path().join("000001.sst"), "other").unwrap();
    let [other] = &snapshots.upload(dir.path(), &owner()).await.unwrap()[..] else { panic!() };
    assert_ne!(other.object, file.object);
}

/// Damages the object of `000001.sst`, and checks that it is found and named by all who read.
async fn check_fault(damage: impl AsyncFn(&dyn ObjectStore, &Path), wrong: Wrong) {
    let (objects, snapshots, made) = taken().await;
    let file = &made.ranges[0].files[0];
    damage(&*objects, &Path::from(file.object.as_str())).await;

    let fault = Fault { file: "000001.sst".to_owned(), object: file.object.clone(), wrong };
    assert_eq!(snapshots.verify(1).await.unwrap(), std::slice::from_ref(&fault));
    let dir = tempfile::tempdir().unwrap();
    let restored = snapshots.restore(1, RangeId(4), &dir.path().join("range")).await;
    assert!(matches!(restored, Err(SnapshotError::Damaged { name: 1, fault: f }) if f == fault));
    assert_eq!(contents(dir.path()), BTreeMap::new(), "nothing of it is left");
}

#[tokio::test]
async fn a_missing_file_is_found_and_named() {
    check_fault(async |objects, file| objects.delete(file).await.unwrap(), Wrong::Missing).await;
}

#[tokio::test]
async fn a_truncated_file_is_found_and_named() {
    let cut = async |objects: &dyn ObjectStore, file: &Path| {
        objects.put(file, PutPayload::from_static(b"ro")).await.unwrap();
    };
    check_fault(cut, Wrong::Length { expected: 4, found: 2 }).await;
}

#[tokio::test]
async fn a_corrupted_file_is_found_and_named() {
    let flip = async |objects: &dyn ObjectStore, file: &Path| {
        objects.put(file, PutPayload::from_static(b"rowz")).await.unwrap();
    };
    check_fault(flip, Wrong::Content).await;
}

#[tokio::test]
async fn every_faulty_file_is_reported() {
    let (objects, snapshots, made) = taken().await;
    for file in &made.ranges[0].files[..2] {
        objects.delete(&Path::from(file.object.as_str())).await.unwrap();
    }
    assert_eq!(snapshots.verify(1).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_object_of_another_length_where_a_file_would_go_is_not_taken_for_it() {
    let (objects, snapshots, made) = taken().await;
    let object = Path::from(made.ranges[0].files[0].object.as_str());
    objects.put(&object, PutPayload::from_static(b"torn")).await.unwrap();
    objects.put(&object, PutPayload::from_static(b"to")).await.unwrap();
    let uploaded = snapshots.upload(checkpoint(&THREE).path(), &owner()).await;
    assert!(matches!(uploaded, Err(SnapshotError::Clash { .. })), "{uploaded:?}");
}

#[tokio::test]
async fn an_interrupted_upload_is_never_listed_and_never_named() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(open_objects(dir.path()).unwrap());
    let mut files = snapshots.upload(checkpoint(&THREE).path(), &owner()).await.unwrap();
    assert_eq!(snapshots.list().await.unwrap(), [0; 0], "files alone are no snapshot");

    // A manifest that was torn while it was written.
    let folder = dir.path().join(format!("snapshots/{:020}", 1));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("manifest#1"), "{").unwrap();
    assert_eq!(snapshots.list().await.unwrap(), [0; 0]);

    files[1].object.push('x');
    let created = snapshots.create(&manifest(1, vec![entry(4, files.clone())])).await;
    assert!(matches!(created, Err(SnapshotError::Incomplete { name: 1, .. })), "{created:?}");
    assert_eq!(snapshots.list().await.unwrap(), [0; 0]);

    files[1].object.pop();
    snapshots.create(&manifest(1, vec![entry(4, files)])).await.unwrap();
    assert_eq!(snapshots.list().await.unwrap(), [1]);
}

#[tokio::test]
async fn a_name_is_given_once() {
    let (_, snapshots, made) = taken().await;
    let mut other = made.clone();
    other.cluster = "another".to_owned();
    assert!(matches!(snapshots.create(&other).await, Err(SnapshotError::Taken { name: 1 })));
    assert_eq!(snapshots.inspect(1).await.unwrap(), made);
    assert!(matches!(snapshots.inspect(2).await, Err(SnapshotError::Unknown { name: 2 })));
}

/// Puts `bytes` where the manifest of snapshot 1 is; how inspecting then ends.
async fn inspect_as(bytes: Vec<u8>) -> SnapshotError {
    let (objects, snapshots, _) = taken().await;
    objects.put(&manifest_object(1), bytes.into()).await.unwrap();
    snapshots.inspect(1).await.unwrap_err()
}

#[tokio::test]
async fn a_manifest_that_does_not_verify_is_refused_whatever_the_damage() {
    let (_, _, made) = taken().await;
    let whole = String::from_utf8(made.encode().unwrap()).unwrap();
    let mut renamed = made.clone();
    renamed.name = 2;
    for damaged in [
        whole[..whole.len() / 2].to_owned(),
        String::new(),
        whole.replace("\"slot\": 41", "\"slot\": 40"),
        whole.replace("\"sha256\"", "\"sha257\""),
        whole.replace("\"min_reader\"", "\"reader\""),
        String::from_utf8(renamed.encode().unwrap()).unwrap(),
    ] {
        assert_ne!(damaged, whole);
        let error = inspect_as(damaged.clone().into_bytes()).await;
        assert!(matches!(error, SnapshotError::Corrupted { name: 1, .. }), "{damaged}: {error:?}");
    }
}

#[tokio::test]
async fn a_format_that_is_too_new_is_refused_and_one_that_is_readable_is_read() {
    let (_, _, made) = taken().await;
    let later = |min_reader: u64| {
        let mut value = serde_json::to_value(&made).unwrap();
        value["format"] = json!(2);
        value["min_reader"] = json!(min_reader);
        value["something new"] = json!([1, 2]);
        value["sha256"] = json!(manifest::sha256(&serde_json::to_vec(&value).unwrap()));
        serde_json::to_vec(&value).unwrap()
    };
    let error = inspect_as(later(2)).await;
    assert_eq!(
        error.to_string(),
        "snapshot 1 is in format 2 and needs a reader of format 2 or later, this version reads up \
         to 1: restore it with the version that wrote it"
    );
    assert_eq!(Manifest::decode(1, &later(1)).unwrap().ranges, made.ranges);
}

#[tokio::test]
async fn a_manifest_cannot_write_outside_of_the_folder() {
    let (_, snapshots, made) = taken().await;
    for (name, evil) in [(2, "../evil"), (3, "/tmp/evil"), (4, ".."), (5, "a/b"), (6, "")] {
        let mut files = made.ranges[0].files.clone();
        files[0].name = evil.to_owned();
        snapshots.create(&manifest(name, vec![entry(4, files)])).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let restored = snapshots.restore(name, RangeId(4), &dir.path().join("x/range")).await;
        let Err(SnapshotError::Damaged { fault, .. }) = restored else { panic!("{evil}") };
        assert_eq!(fault.wrong, Wrong::Name);
    }
}

#[tokio::test]
async fn a_sweep_takes_what_is_old_and_unnamed_and_nothing_else() {
    const LATER: u64 = u64::MAX;
    let own = BTreeSet::from([owner()]);
    let (_, snapshots, first) = taken().await;
    let changed = checkpoint(&[THREE[0], ("CURRENT", "MANIFEST-9")]);
    let files = snapshots.upload(changed.path(), &owner()).await.unwrap();
    let second = manifest(2, vec![entry(4, files)]);
    assert_eq!(snapshots.sweep(&own, 0).await.unwrap(), Vec::<String>::new(), "young files stay");
    snapshots.create(&second).await.unwrap();
    assert_eq!(snapshots.sweep(&own, LATER).await.unwrap(), Vec::<String>::new(), "all are named");

    snapshots.delete(1).await.unwrap();
    assert_eq!(snapshots.list().await.unwrap(), [2]);
    let swept = snapshots.sweep(&own, LATER).await.unwrap();
    let of_first_only = |file: &&FileEntry| file.name != "000001.sst";
    let expected: Vec<_> = first.files().filter(of_first_only).map(|f| f.object.clone()).collect();
    assert_eq!(swept, expected);
    assert_eq!(snapshots.verify(2).await.unwrap(), []);
}

#[tokio::test]
async fn i10_what_another_life_is_about_to_name_is_not_swept() {
    let (_, snapshots, _) = taken().await;
    // The same content under the same name, as nodes have it that were restored from one snapshot.
    let mut own = BTreeSet::new();
    for other in [(Incarnation(71), owner().1), life("node-12")] {
        snapshots.upload(checkpoint(&THREE).path(), &other).await.unwrap();
        own.insert(other);
    }
    let none = Vec::<String>::new();
    assert_eq!(snapshots.sweep(&[owner()].into(), u64::MAX).await.unwrap(), none);
    assert_eq!(snapshots.sweep(&own, u64::MAX).await.unwrap().len(), 6);
}

#[tokio::test]
async fn snapshots_that_nodes_take_at_once_each_have_a_name_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(open_objects(dir.path()).unwrap());
    let take = async |node: u16| {
        let files = snapshots.upload(checkpoint(&THREE).path(), &life("node-1")).await.unwrap();
        let mut manifest = manifest(0, vec![entry(node, files)]);
        let name = snapshots.create_next(&mut manifest).await.unwrap();
        assert_eq!(snapshots.inspect(name).await.unwrap(), manifest);
        name
    };
    let mut names: Vec<u64> = futures::future::join_all((0..8).map(take)).await;
    names.sort_unstable();
    assert_eq!(names, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_is_swept_while_a_manifest_cannot_be_read() {
    let (objects, snapshots, _) = taken().await;
    snapshots.upload(checkpoint(&[("unnamed", "x")]).path(), &owner()).await.unwrap();
    objects.put(&manifest_object(1), PutPayload::from_static(b"{")).await.unwrap();
    let swept = snapshots.sweep(&[owner()].into(), u64::MAX).await;
    assert!(matches!(swept, Err(SnapshotError::Corrupted { .. })));
    let files =
        objects.list_with_delimiter(Some(&Path::from("snapshots/files/node-1"))).await.unwrap();
    assert_eq!(files.objects.len(), 4);
}

#[tokio::test]
async fn the_newest_snapshot_is_not_deleted() {
    let (_, snapshots, made) = taken().await;
    assert!(matches!(snapshots.delete(1).await, Err(SnapshotError::Newest { name: 1 })));
    assert!(matches!(snapshots.delete(9).await, Err(SnapshotError::Unknown { name: 9 })));
    snapshots.create(&manifest(2, made.ranges)).await.unwrap();
    snapshots.delete(1).await.unwrap();
    assert_eq!(snapshots.list().await.unwrap(), [2]);
}

#[test]
fn a_diff_says_what_changed_in_which_range() {
    let before = manifest(1, vec![entry(1, vec![]), entry(2, vec![])]);
    let mut moved = entry(1, vec![]);
    moved.epoch = 4;
    moved.positions = vec![11, 0];
    let after = manifest(2, vec![moved, entry(3, vec![])]);

    let told: Vec<_> = before.diff(&after).iter().map(ToString::to_string).collect();
    assert_eq!(
        told[..2],
        ["range 1 epoch: 3 -> 4", "range 1 positions: [10, 0, 18446744073709551615] -> [11, 0]"]
    );
    assert!(told.contains(&"range 2 slot: 41 -> nothing".to_owned()), "{told:?}");
    assert!(told.contains(&"range 3 slot: nothing -> 41".to_owned()), "{told:?}");
    assert_eq!(before.diff(&before), []);
}

#[tokio::test]
async fn a_store_comes_back_from_its_checkpoint_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let shared = RocksShared::new(Limits::default()).unwrap();
    let snapshots = Snapshots::new(open_objects(&dir.path().join("objects")).unwrap());
    let mut store = RocksStore::open(&shared, &dir.path().join("store")).unwrap();
    let mut entries = Vec::new();
    for commit in 1..=3_u8 {
        let row = Change::Put(Table::Open, vec![commit], vec![commit; 5_000]);
        store.apply(&[row, Change::Put(Table::Head, vec![], vec![commit])]).unwrap();
        let copy = dir.path().join(format!("checkpoints/{commit}"));
        store.checkpoint(&copy).unwrap();
        let files = snapshots.upload(&copy, &owner()).await.unwrap();
        snapshots.create(&manifest(commit.into(), vec![entry(4, files.clone())])).await.unwrap();
        entries.push(files);
    }
    let shared_files = entries[1].iter().filter(|file| entries[0].contains(file)).count();
    assert!(shared_files > 0, "rows that did not change are not uploaded again");

    for commit in 1..=3_u8 {
        let to = dir.path().join(format!("restored/{commit}"));
        snapshots.restore(commit.into(), RangeId(4), &to).await.unwrap();
        let restored = RocksStore::open(&shared, &to).unwrap();
        assert_eq!(restored.get(Table::Head, &[]).unwrap(), Some(vec![commit]));
        let mut rows = 0;
        restored.scan(Table::Open, &mut |_, _| rows += 1).unwrap();
        assert_eq!(rows, commit);
    }
}
