//! What a reader of files sees: order, offsets, growth, and lines that are none.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::mpsc::{Receiver, channel};

use tempfile::TempDir;

use super::*;
use crate::source::{Limit, Progress};

const LIMIT: Limit = Limit { records: 1000, bytes: 1 << 20 };

fn line(n: usize) -> String {
    format!("{{\"timestamp\":{n},\"key\":null,\"value\":\"{{\\\"n\\\":{n}}}\"}}\n")
}

fn append(folder: &TempDir, name: &str, text: &[u8]) {
    let path = folder.path().join(name);
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text).unwrap();
}

fn one_file(lines: usize) -> (TempDir, FileSource) {
    let folder = TempDir::new().unwrap();
    append(&folder, "bank.trace.0.jsonl", (0..lines).map(line).collect::<String>().as_bytes());
    let source = FileSource::open(folder.path(), &[(Leg::Trace, "bank.trace".to_owned())]).unwrap();
    (folder, source)
}

fn open(source: &FileSource, from: u64) -> (Box<dyn Partition>, Receiver<()>) {
    let (wake, woken) = channel();
    let waker = Arc::new(move || wake.send(()).unwrap_or_default());
    (source.open(PartitionIndex(0), Offset(from), waker).unwrap(), woken)
}

/// Offset, time and text of each record until there is nothing more.
fn read_all(partition: &mut dyn Partition) -> (Vec<(u64, u64, Option<String>)>, Progress) {
    let mut records = Vec::new();
    loop {
        let progress = partition.read(LIMIT, &mut |record| {
            let text = record.payload.map(|it| String::from_utf8_lossy(it).into_owned());
            records.push((record.offset.0, record.time_ms, text));
        });
        let progress = progress.unwrap();
        if !progress.more {
            return (records, progress);
        }
    }
}

#[test]
fn files_are_partitions_in_the_order_of_their_numbers_and_legs() {
    let folder = TempDir::new().unwrap();
    for name in [
        "r.10.jsonl",
        "r.2.jsonl",
        "t.0.jsonl",
        "t.00.jsonl",
        "t.x.jsonl",
        "t.1.json",
        "tt.1.jsonl",
    ] {
        append(&folder, name, b"");
    }
    let legs = [(Leg::Request, "r".to_owned()), (Leg::Trace, "t".to_owned())];
    let source = FileSource::open(folder.path(), &legs).unwrap();
    let names: Vec<_> = source.partitions().iter().map(|it| format!("{} {it}", it.leg)).collect();
    assert_eq!(names, ["trace t/0", "request r/2", "request r/10"]);

    let missing = FileSource::open(folder.path(), &[(Leg::Trace, "other".to_owned())]);
    assert!(
        matches!(missing, Err(SourceError::Missing(what)) if what.ends_with("other.<n>.jsonl"))
    );
}

#[test]
fn lines_are_read_from_anywhere_again() {
    let (_folder, source) = one_file(10_000);
    let (mut partition, _woken) = open(&source, 9_000);
    for from in [9_000, 0, 4_095, 4_096, 4_097, 8_192, 10_000, 3, 9_999] {
        partition.seek(Offset(from)).unwrap();
        let (records, progress) = read_all(&mut *partition);
        assert_eq!(records.len() as u64, 10_000 - from, "{from}");
        assert_eq!((progress.next, progress.end), (Offset(10_000), Some(Offset(10_000))));
        for (at, record) in records.iter().enumerate() {
            let n = from + at as u64;
            assert_eq!(record, &(n, n, Some(format!("{{\"n\":{n}}}"))));
        }
    }
    partition.seek(Offset(10_001)).unwrap();
    let gone = partition.read(LIMIT, &mut |_| {});
    assert!(matches!(
        gone,
        Err(SourceError::Shrunk { wanted: Offset(10_001), end: Offset(10_000), .. })
    ));
}

#[test]
fn one_read_ends_at_its_limit_and_gives_one_record_at_least() {
    let (_folder, source) = one_file(10);
    let (mut partition, _woken) = open(&source, 0);
    for (limit, expected) in [((3, 1000), 3), ((0, 0), 1), ((1000, 8), 2), ((1000, 1000), 4)] {
        let (records, bytes) = limit;
        let mut count = 0;
        let progress = partition.read(Limit { records, bytes }, &mut |_| count += 1).unwrap();
        assert_eq!(count, expected);
        assert!(progress.more);
    }
}

#[test]
fn a_file_that_grows_wakes_its_reader_once_a_line_is_whole() {
    let (folder, source) = one_file(1);
    let (mut partition, woken) = open(&source, 0);
    assert_eq!(read_all(&mut *partition).0.len(), 1);
    let second = line(1);
    append(&folder, "bank.trace.0.jsonl", &second.as_bytes()[..9]);
    woken.recv_timeout(Duration::from_secs(10)).expect("woken by half a line");
    let (records, progress) = read_all(&mut *partition);
    assert_eq!((records.len(), progress.next), (0, Offset(1)));
    assert!(woken.recv_timeout(LOOK * 4).is_err(), "half a line wakes once");
    append(&folder, "bank.trace.0.jsonl", &second.as_bytes()[9..]);
    woken.recv_timeout(Duration::from_secs(10)).expect("woken by the rest");
    let (records, progress) = read_all(&mut *partition);
    assert_eq!(records, [(1, 1, Some("{\"n\":1}".to_owned()))]);
    assert_eq!(progress.end, Some(Offset(2)));
}

#[test]
fn a_line_that_is_no_record_is_handed_over_as_it_is() {
    let folder = TempDir::new().unwrap();
    append(&folder, "t.0.jsonl", b"broken\n\n{\"timestamp\":5,\"value\":null}\n");
    append(&folder, "t.0.jsonl", &[b'x'; (16 << 20) + 1]);
    append(&folder, "t.0.jsonl", b"\n");
    append(&folder, "t.0.jsonl", line(7).as_bytes());
    let source = FileSource::open(folder.path(), &[(Leg::Trace, "t".to_owned())]).unwrap();
    let (mut partition, _woken) = open(&source, 0);
    let (records, _) = read_all(&mut *partition);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(records[..3], [(0, 0, some("broken")), (1, 0, some("")), (2, 5, None)]);
    assert_eq!(records[3], (3, 0, Some("x".repeat(64 << 10))));
    assert_eq!(records[4], (4, 7, some("{\"n\":7}")));
}

#[test]
fn a_file_that_is_cut_is_no_longer_the_one_it_was() {
    let (folder, source) = one_file(100);
    let (mut partition, woken) = open(&source, 0);
    read_all(&mut *partition);
    fs::write(folder.path().join("bank.trace.0.jsonl"), line(0)).unwrap();
    woken.recv_timeout(Duration::from_secs(10)).expect("woken by the change");
    let cut = partition.read(LIMIT, &mut |_| {});
    assert!(matches!(cut, Err(SourceError::Shrunk { wanted: Offset(100), .. })), "{cut:?}");
}
