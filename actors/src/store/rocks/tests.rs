//! The same rows as in memory, whole batches across `kill -9`, and no wrong row from a damaged file.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::store::memory::MemoryStore;

const TABLES: [Table; 5] =
    [Table::Head, Table::Open, Table::References, Table::Tombstones, Table::Partials];

/// So little memory that a few hundred rows are flushed and compacted.
fn small() -> RocksShared {
    let limits = Limits {
        write_buffers_bytes: 512 << 10,
        stores: 4,
        cache_bytes: 1 << 20,
        ..Limits::default()
    };
    RocksShared::new(limits).unwrap()
}

/// Table, key and value.
type Row = (Table, Vec<u8>, Vec<u8>);
/// Does something to a store's folder.
type Damage = fn(&Path);

fn rows(store: &dyn Store) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for table in TABLES {
        store.scan(table, &mut |key, value| rows.push((table, key.into(), value.into())))?;
    }
    Ok(rows)
}

/// What is done to both stores.
#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Change>),
    Flush,
    Reopen,
    /// Reopens what a checkpoint has.
    Checkpoint,
}

fn change() -> impl Strategy<Value = Change> {
    let table = prop::sample::select(TABLES.to_vec());
    // Few keys, so that they meet again; also the empty one and those at a table's edges.
    let key = || {
        prop_oneof![
            8 => prop::collection::vec(0_u8..4, 0..3),
            1 => Just(vec![0xff; 2]),
        ]
    };
    let value = prop::collection::vec(any::<u8>(), 0..2_000);
    prop_oneof![
        4 => (table.clone(), key(), value).prop_map(|(table, key, value)| Change::Put(table, key, value)),
        2 => (table.clone(), key()).prop_map(|(table, key)| Change::Delete(table, key)),
        1 => (table, key(), key()).prop_map(|(table, from, to)| Change::DeleteRange(table, from, to)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec(change(), 0..30).prop_map(Step::Apply),
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => Just(Step::Checkpoint),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn rows_on_disk_are_the_rows_in_memory(steps in prop::collection::vec(step(), 1..40)) {
        let shared = small();
        let dir = tempfile::tempdir().unwrap();
        let mut open = dir.path().join("0");
        let mut disk = RocksStore::open(&shared, &open).unwrap();
        let mut memory = MemoryStore::new(0);
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Apply(changes) => {
                    disk.apply(&changes).unwrap();
                    memory.apply(&changes).unwrap();
                }
                Step::Flush => disk.flush().unwrap(),
                Step::Reopen => {
                    drop(disk);
                    disk = RocksStore::open(&shared, &open).unwrap();
                }
                Step::Checkpoint => {
                    open = dir.path().join(format!("checkpoints/{index}"));
                    disk.checkpoint(&open).unwrap();
                    disk = RocksStore::open(&shared, &open).unwrap();
                }
            }
            let expected = rows(&memory).unwrap();
            for (table, key, value) in &expected {
                let got = disk.get(*table, key).unwrap();
                prop_assert_eq!(got.as_ref(), Some(value));
            }
            prop_assert_eq!(disk.get(Table::Open, b"never put").unwrap(), None);
            prop_assert_eq!(rows(&disk).unwrap(), expected);
        }
    }
}

// --- kill -9 ---------------------------------------------------------------------------------------

/// Tells the re-executed test binary that it is the child, and where its store is.
const CHILD_STORE: &str = "THROUGHLINE_TEST_CHILD_STORE";

/// Batch `number`: the head says which it is; a row comes, one goes, and now and then a range goes.
fn batch(number: u64) -> Vec<Change> {
    let key = |number: u64| number.to_be_bytes().to_vec();
    let fill = u8::try_from(number % 251).unwrap();
    let mut changes = vec![
        Change::Put(Table::Open, key(number), vec![fill; 3_000]),
        Change::Delete(Table::Open, key(number.saturating_sub(100))),
        Change::Put(Table::Tombstones, key(number), key(number)),
    ];
    if number.is_multiple_of(64) {
        changes.push(Change::DeleteRange(Table::Tombstones, key(0), key(number - 32)));
    }
    // Last, so that a batch that is torn anywhere has rows that its head does not speak of.
    changes.push(Change::Put(Table::Head, Vec::new(), key(number)));
    changes
}

/// The number of the last batch that the store has.
fn head(store: &dyn Store) -> u64 {
    let head = store.get(Table::Head, b"").unwrap();
    head.map_or(0, |head| u64::from_be_bytes(head.try_into().unwrap()))
}

/// The child of the next test: applies batches until it is killed. By itself it does nothing.
#[test]
fn child_that_applies_batches_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_STORE).map(PathBuf::from) else { return };
    let mut store = RocksStore::open(&small(), &dir).unwrap();
    for number in head(&store) + 1.. {
        store.apply(&batch(number)).unwrap();
        if number.is_multiple_of(50) {
            use std::io::Write;
            writeln!(std::io::stdout(), "applied {number}").unwrap();
        }
    }
}

/// Starts the child on `dir`, and kills it (SIGKILL) after it has said `lines` times that it goes on.
fn kill_after(lines: usize, dir: &Path) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("store::rocks::tests::child_that_applies_batches_until_it_is_killed")
        .env(CHILD_STORE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let applied =
        said.map(Result::unwrap).filter(|line| line.contains("applied")).take(lines).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(applied, lines, "the child ended by itself");
}

#[test]
fn after_a_kill_the_rows_are_those_of_the_batch_that_the_head_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut memory = MemoryStore::new(0);
    let mut folded = 0;
    for round in 1..=10 {
        kill_after(5 + 4 * round, dir.path());
        let store = RocksStore::open(&small(), dir.path()).unwrap();
        let head = head(&store);
        assert!(head > folded, "round {round}: nothing new was kept after batch {folded}");
        for number in folded + 1..=head {
            memory.apply(&batch(number)).unwrap();
        }
        folded = head;
        assert!(rows(&store).unwrap() == rows(&memory).unwrap(), "round {round}, head {head}");
    }
}

// --- damage ----------------------------------------------------------------------------------------

/// A closed store of one flushed file in level 0, its rows, and that file.
fn closed(dir: &Path) -> (Vec<Row>, PathBuf) {
    let mut store = RocksStore::open(&small(), dir).unwrap();
    let noise = |number: u64| {
        (0..40)
            .flat_map(|i| (number * 41 + i).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect()
    };
    let puts: Vec<_> = (0..300_u64)
        .map(|number| Change::Put(Table::Open, number.to_be_bytes().to_vec(), noise(number)))
        .collect();
    store.apply(&puts).unwrap();
    store.flush().unwrap();
    let rows = rows(&store).unwrap();
    assert_eq!(rows.len(), 300);
    drop(store);
    (rows, file(dir, "sst"))
}

fn file(dir: &Path, part_of_name: &str) -> PathBuf {
    let mut paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_str().unwrap().contains(part_of_name)).unwrap()
}

/// Opens the store and reads all of it, by scan and one by one.
fn read_all(dir: &Path, known: &[(Table, Vec<u8>, Vec<u8>)]) -> Result<(), StoreError> {
    let store = RocksStore::open(&small(), dir)?;
    assert!(rows(&store)? == known, "the scan gave wrong rows");
    for (table, key, value) in known {
        assert!(store.get(*table, key)?.as_ref() == Some(value), "a get gave a wrong row");
    }
    Ok(())
}

#[test]
fn a_flipped_byte_in_a_file_of_rows_is_found_and_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let (known, sst) = closed(dir.path());
    read_all(dir.path(), &known).unwrap();
    let whole = std::fs::read(&sst).unwrap();
    let mut found = 0;
    let mut tried = 0;
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&sst, bytes).unwrap();
        tried += 1;
        match read_all(dir.path(), &known) {
            // The filter and what else is no row may be damaged without harm to a row.
            Ok(()) => {}
            Err(StoreError::Corrupted { .. }) => found += 1,
            Err(other) => panic!("byte {at}: {other:?}"),
        }
    }
    assert!(found * 10 >= tried * 9, "{found} of {tried} found");
}

#[test]
fn a_file_that_is_short_lost_or_overwritten_is_corruption() {
    let damage: [(&str, &str, Damage); 6] = [
        ("short rows", "sst", |path| cut(path, 2)),
        ("empty rows", "sst", |path| std::fs::write(path, "").unwrap()),
        ("lost rows", "sst", |path| std::fs::remove_file(path).unwrap()),
        ("lost manifest", "MANIFEST", |path| std::fs::remove_file(path).unwrap()),
        ("lost current", "CURRENT", |path| std::fs::remove_file(path).unwrap()),
        ("overwritten manifest", "MANIFEST", |path| {
            let length = std::fs::metadata(path).unwrap().len();
            std::fs::write(path, vec![0x5a; usize::try_from(length).unwrap()]).unwrap();
        }),
    ];
    for (name, file_name, damage) in damage {
        let dir = tempfile::tempdir().unwrap();
        let (known, _) = closed(dir.path());
        damage(&file(dir.path(), file_name));
        let read = read_all(dir.path(), &known);
        assert!(matches!(read, Err(StoreError::Corrupted { .. })), "{name}: {read:?}");

        RocksStore::destroy(dir.path()).unwrap();
        let again = RocksStore::open(&small(), dir.path()).unwrap();
        assert_eq!(rows(&again).unwrap(), [], "{name}: the range can start again");
    }
}

fn cut(path: &Path, by: usize) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / by]).unwrap();
}

/// Needs root: `cargo test --release -p actors -- --ignored full_disk`.
#[test]
#[ignore = "mounts a small tmpfs, which needs root"]
fn a_full_disk_is_told_and_a_reopened_store_has_a_whole_state_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "x"]).arg(dir.path()).status();
    assert!(mounted.unwrap().success());
    let (ballast, folder) = (dir.path().join("ballast"), dir.path().join("store"));
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let noise = |number: u64| {
        (0..400)
            .flat_map(|i| (number * 401 + i).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect()
    };
    let change = |number: u64| {
        [
            Change::Put(Table::Open, number.to_be_bytes().to_vec(), noise(number)),
            Change::Put(Table::Head, Vec::new(), number.to_be_bytes().to_vec()),
        ]
    };
    let check = || {
        let mut store = RocksStore::open(&small(), &folder).unwrap();
        let refused = (1..5_000_u64).find_map(|number| store.apply(&change(number)).err());
        let again = (1..10_u64).find_map(|number| store.apply(&change(number)).err());
        let flushed = store.flush();
        drop(store);
        std::fs::remove_file(&ballast).unwrap();
        let mut store = RocksStore::open(&small(), &folder).unwrap();
        let head = head(&store);
        let open = rows(&store).unwrap().len() as u64 - 1;
        let goes_on = store.apply(&change(head + 1)).and_then(|()| store.flush());
        (refused, again, flushed, head, open, goes_on)
    };
    let (refused, again, flushed, head, open, goes_on) = check();
    assert!(Command::new("umount").arg("-l").arg(dir.path()).status().unwrap().success());

    assert!(matches!(refused, Some(StoreError::Full { .. })), "{refused:?}");
    assert!(matches!(again, Some(StoreError::Full { .. })), "{again:?}");
    assert!(matches!(flushed, Err(StoreError::Full { .. })), "{flushed:?}");
    assert!(head > 0);
    assert_eq!(open, head, "each batch put one row");
    goes_on.unwrap();
}

// --- the rest --------------------------------------------------------------------------------------

#[test]
fn many_busy_stores_keep_within_their_shared_memory() {
    let shared =
        RocksShared::new(Limits { write_buffers_bytes: 4 << 20, ..Limits::default() }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut stores: Vec<_> = (0..16)
        .map(|range| RocksStore::open(&shared, &dir.path().join(range.to_string())).unwrap())
        .collect();
    let mut most = 0;
    for number in 0..400_u64 {
        for store in &mut stores {
            let row = Change::Put(Table::Open, number.to_be_bytes().to_vec(), vec![1; 4_000]);
            store.apply(&[row]).unwrap();
            most = most.max(shared.write_buffer_bytes());
        }
    }
    // 25 MB went through. A buffer is closed when it is full, hence a little more than the limit.
    assert!(most <= 5 << 20, "{most} bytes at most");
    assert!(most >= 2 << 20, "{most} bytes: the limit was never near, this test shows nothing");
}

#[test]
fn a_store_is_open_once_and_an_open_one_is_not_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = RocksStore::open(&small(), dir.path()).unwrap();
    store.apply(&batch(1)).unwrap();
    assert!(matches!(RocksStore::open(&small(), dir.path()), Err(StoreError::Failed { .. })));
    assert!(matches!(RocksStore::destroy(dir.path()), Err(StoreError::Failed { .. })));
    assert_eq!(head(&store), 1);
}

#[test]
fn a_destroyed_store_is_gone_and_may_be_destroyed_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("store");
    RocksStore::open(&small(), &folder).unwrap().apply(&batch(1)).unwrap();
    for _ in 0..2 {
        RocksStore::destroy(&folder).unwrap();
        assert!(!folder.exists());
    }
}

#[test]
fn a_checkpoint_is_a_copy_that_later_changes_do_not_reach() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = RocksStore::open(&small(), &dir.path().join("store")).unwrap();
    store.apply(&batch(1)).unwrap();
    let copy = dir.path().join("checkpoints/1");
    store.checkpoint(&copy).unwrap();
    assert!(store.bytes() > 0);
    (2..500).for_each(|number| store.apply(&batch(number)).unwrap());
    assert_eq!(head(&RocksStore::open(&small(), &copy).unwrap()), 1);
    let taken = store.checkpoint(&copy);
    assert!(matches!(taken, Err(StoreError::Failed { .. })), "a folder that exists is refused");
}

#[test]
fn a_store_leaves_no_logs_of_its_own_in_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        RocksStore::open(&small(), dir.path()).unwrap().apply(&batch(number)).unwrap();
    }
    let entries = std::fs::read_dir(dir.path()).unwrap();
    let names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.starts_with("LOG")), "{names:?}");
}
