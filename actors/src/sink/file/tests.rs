//! What is in the files after crashes at the worst moments.

use std::fs;

use bytes::Bytes;
use proto::types::{Epoch, RangeId, Sequence, Version};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::sink::{Outlet, Stamp};

fn row(outlet: Outlet, range: u16, sequence: u64) -> Row {
    Row {
        outlet,
        stamp: Stamp {
            range: RangeId(range),
            epoch: Epoch::new(3),
            sequence: Sequence(sequence),
            version: Version(1),
        },
        key: Bytes::from(format!("t-{sequence}")),
        payload: Bytes::from(format!("{{\"n\":{sequence}}}")),
        headers: vec![("error".to_owned(), "bad-id".to_owned())],
        arrived: None,
    }
}

/// The `n` of each line of a file.
fn numbers(folder: &TempDir, name: &str) -> Vec<u64> {
    let text = fs::read_to_string(folder.path().join(name)).unwrap();
    let number =
        |line| serde_json::from_str::<Value>(line).unwrap()["value"]["n"].as_u64().unwrap();
    text.lines().map(number).collect()
}

#[tokio::test]
async fn rows_go_to_their_files_with_their_stamps() {
    let folder = TempDir::new().unwrap();
    let mut sink = FileSink::new(folder.path());
    assert!(sink.deliver(&[row(Outlet::Late, 1, 1)]).await.is_err(), "not recovered");
    assert_eq!(sink.recover().await.unwrap(), []);
    let rows = [row(Outlet::Transactions, 1, 1), row(Outlet::DeadLetters, 1, 2)];
    sink.deliver(&rows).await.unwrap();
    sink.deliver(&[row(Outlet::Transactions, 2, 1)]).await.unwrap();

    assert_eq!(numbers(&folder, "throughline.transactions.jsonl"), [1, 1]);
    let line = fs::read_to_string(folder.path().join("throughline.dead-letters.jsonl")).unwrap();
    let headers = json!({"range":"1","epoch":"3","sequence":"2","version":"1","error":"bad-id"});
    let expected = json!({"key": "t-2", "value": {"n": 2}, "headers": headers});
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    assert_eq!(
        FileSink::new(folder.path()).recover().await.unwrap(),
        [(RangeId(1), Sequence(2)), (RangeId(2), Sequence(1))]
    );
}

#[tokio::test]
async fn a_delivery_that_reached_only_some_files_is_cut_and_made_again() {
    let folder = TempDir::new().unwrap();
    let mut sink = FileSink::new(folder.path());
    sink.recover().await.unwrap();
    sink.deliver(&[row(Outlet::Transactions, 1, 1), row(Outlet::Late, 1, 2)]).await.unwrap();
    let before = fs::read(folder.path().join("delivered.json")).unwrap();
    let next = [row(Outlet::Late, 1, 3), row(Outlet::Transactions, 1, 4)];
    sink.deliver(&next).await.unwrap();

    // As after a crash: one file has the delivery, one a part of it, and it was not yet named.
    fs::write(folder.path().join("delivered.json"), before).unwrap();
    let late = folder.path().join("throughline.late.jsonl");
    let size = fs::metadata(&late).unwrap().len();
    OpenOptions::new().write(true).open(&late).unwrap().set_len(size - 5).unwrap();

    let mut sink = FileSink::new(folder.path());
    assert_eq!(sink.recover().await.unwrap(), [(RangeId(1), Sequence(2))]);
    sink.deliver(&next).await.unwrap();
    assert_eq!(numbers(&folder, "throughline.transactions.jsonl"), [1, 4]);
    assert_eq!(numbers(&folder, "throughline.late.jsonl"), [2, 3]);
}

#[tokio::test]
async fn rows_that_were_delivered_are_not_written_again() {
    let folder = TempDir::new().unwrap();
    let mut sink = FileSink::new(folder.path());
    sink.recover().await.unwrap();
    let rows = [row(Outlet::Transactions, 1, 1), row(Outlet::Transactions, 1, 2)];
    sink.deliver(&rows).await.unwrap();
    sink.deliver(&rows).await.unwrap();
    sink.deliver(&[row(Outlet::Transactions, 1, 2), row(Outlet::Transactions, 1, 3)])
        .await
        .unwrap();
    assert_eq!(numbers(&folder, "throughline.transactions.jsonl"), [1, 2, 3]);
}

#[tokio::test]
async fn a_file_that_was_taken_away_begins_anew() {
    let folder = TempDir::new().unwrap();
    let mut sink = FileSink::new(folder.path());
    sink.recover().await.unwrap();
    sink.deliver(&[row(Outlet::Transactions, 1, 1)]).await.unwrap();
    fs::remove_file(folder.path().join("throughline.transactions.jsonl")).unwrap();
    assert_eq!(sink.recover().await.unwrap(), [(RangeId(1), Sequence(1))]);
    sink.deliver(&[row(Outlet::Transactions, 1, 2)]).await.unwrap();
    assert_eq!(numbers(&folder, "throughline.transactions.jsonl"), [2]);
    assert_eq!(sink.recover().await.unwrap(), [(RangeId(1), Sequence(2))]);
    assert_eq!(numbers(&folder, "throughline.transactions.jsonl"), [2]);
}

#[tokio::test]
async fn a_torn_cell_is_cut_before_others_follow() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("throughline.indicators.jsonl");
    let cell = |n: u64| (Bytes::from("k"), Bytes::from(format!("{{\"n\":{n}}}")));
    FileUpserts::new(folder.path()).upsert(vec![cell(1), cell(2)]).await.unwrap();
    let size = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(size - 3).unwrap();
    let mut cells = FileUpserts::new(folder.path());
    cells.upsert(vec![cell(3)]).await.unwrap();
    cells.upsert(vec![cell(4)]).await.unwrap();
    assert_eq!(numbers(&folder, "throughline.indicators.jsonl"), [1, 3, 4]);
}
