//! What a crash may take, and what it may not.

use super::*;

fn put(table: Table, key: &str, value: &str) -> Change {
    Change::Put(table, key.into(), value.into())
}

fn rows(store: &MemoryStore) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [Table::Head, Table::Open, Table::Tombstones] {
        let mut take = |key: &[u8], value: &[u8]| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            rows.push(format!("{table:?} {}={}", text(key), text(value)));
        };
        store.scan(table, &mut take).unwrap();
    }
    rows
}

/// Three batches: puts; an overwrite and a delete; a delete of a range.
fn filled(keep: usize) -> MemoryStore {
    let mut store = MemoryStore::new(keep);
    let tombstones = ["a", "b", "c"].map(|key| put(Table::Tombstones, key, "t"));
    store
        .apply(
            &[&[put(Table::Head, "", "1"), put(Table::Open, "x", "1")], &tombstones[..]].concat(),
        )
        .unwrap();
    let overwrite = [
        put(Table::Head, "", "2"),
        put(Table::Open, "x", "2"),
        put(Table::Open, "x", "3"),
        Change::Delete(Table::Open, "x".into()),
    ];
    store.apply(&overwrite).unwrap();
    let range = Change::DeleteRange(Table::Tombstones, "a".into(), "c".into());
    store.apply(&[put(Table::Head, "", "3"), range]).unwrap();
    store
}

const AFTER: [&[&str]; 4] = [
    &[],
    &["Head =1", "Open x=1", "Tombstones a=t", "Tombstones b=t", "Tombstones c=t"],
    &["Head =2", "Tombstones a=t", "Tombstones b=t", "Tombstones c=t"],
    &["Head =3", "Tombstones c=t"],
];

#[test]
fn a_crash_takes_whole_batches_from_the_end() {
    for lost in 0..=3 {
        let store = filled(9);
        assert_eq!(store.lose_tail(lost), lost);
        assert_eq!(rows(&store), AFTER[3 - lost], "{lost} lost");
    }
}

#[test]
fn a_crash_takes_no_more_than_is_at_risk() {
    let store = filled(1);
    assert_eq!(store.lose_tail(3), 1);
    assert_eq!(rows(&store), AFTER[2]);
}

#[test]
fn what_a_crash_left_is_there_after_the_next_crash() {
    let store = filled(9);
    store.lose_tail(1);
    assert_eq!(store.lose_tail(9), 0);
    assert_eq!(rows(&store), AFTER[2]);
}

#[test]
fn a_clone_is_the_same_disk() {
    let mut process = filled(9);
    let disk = process.clone();
    process.apply(&[put(Table::Open, "y", "1")]).unwrap();
    drop(process);
    assert_eq!(disk.get(Table::Open, b"y").unwrap(), Some(b"1".to_vec()));
}

#[test]
fn a_checkpoint_opens_with_the_same_rows_and_a_torn_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("a/b");
    filled(9).checkpoint(&to).unwrap();
    assert_eq!(rows(&MemoryStore::open(&to, 9).unwrap()), AFTER[3]);

    let bytes = std::fs::read(to.join(ROWS)).unwrap();
    std::fs::write(to.join(ROWS), &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(MemoryStore::open(&to, 9), Err(StoreError::Corrupted { .. })));
}
