//! Rules of the generator, on files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser;
use serde_json::Value;

use super::*;
use crate::workload::files::each_line;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: GenerateArgs,
}

fn run(dir: &Path, options: &str) -> Summary {
    let dir = dir.display().to_string();
    let words = ["generate", "--dir", &dir].into_iter().chain(options.split_whitespace());
    generate(&Cli::parse_from(words).args, &|| 5).unwrap()
}

fn records(dir: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if let Some(partition) = name.strip_suffix(".jsonl") {
            let of_file = records.entry(partition.to_owned()).or_default();
            each_line(&entry.path(), |line| of_file.push(serde_json::from_slice(line).unwrap()))
                .unwrap();
        }
    }
    records
}

#[test]
fn every_partition_is_in_order_of_arrival_and_all_records_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let summary = run(dir.path(), "--transactions 5000 --rate 1000 --partitions 3 --malformed 1%");
    let records = records(dir.path());
    assert_eq!(records.len(), 9);
    let count: usize = records.values().map(Vec::len).sum();
    let expected = Expected::read(&dir.path().join("bank.expected.json")).unwrap();
    assert_eq!((count as u64, expected.record_count()), (summary.records, summary.records));
    for (name, partition) in &records {
        assert!(partition.is_sorted_by_key(|it| it["timestamp"].as_u64().unwrap()), "{name}");
        assert!(partition.iter().all(|it| it["key"].is_null()), "{name}");
    }
    let sizes: BTreeSet<usize> =
        (0..3).map(|partition| records[&format!("bank.trace.{partition}")].len()).collect();
    assert!(sizes.last().unwrap() - sizes.first().unwrap() <= 1, "round robin: {sizes:?}");
    let values = records.values().flatten();
    let odd = values.filter(|it| it["value"].is_null()).count();
    assert!(odd > 0, "some records have no value, or bytes that are no text");
}

#[test]
fn keyed_records_of_a_transaction_share_their_partition_number() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "--transactions 2000 --partitions 4 --keyed --topic-prefix k");
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, partition) in records(dir.path()) {
        for record in partition {
            let value: Value = serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
            assert_eq!(record["key"], value["transactionId"]);
            let number = name.rsplit('.').next().unwrap().to_owned();
            places.entry(record["key"].as_str().unwrap().to_owned()).or_default().insert(number);
        }
    }
    assert_eq!(places.len(), 2_000);
    assert!(places.values().all(|numbers| numbers.len() == 1));
    assert!(places.values().flatten().collect::<BTreeSet<_>>().len() == 4);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let digest = |options: &str| {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), options);
        std::fs::read(dir.path().join("bank.response.1.jsonl")).unwrap()
    };
    assert!(digest("--transactions 500") == digest("--transactions 500 --seed 7"));
    assert!(digest("--transactions 500") != digest("--transactions 500 --seed 8"));
}

#[test]
fn a_live_workload_begins_now_and_waits_for_each_record() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["generate", "--dir", dir.path().to_str().unwrap(), "--live"];
    let more = ["--transactions", "50", "--rate", "1000", "--max-delay", "0"];
    let args = Cli::parse_from(words.into_iter().chain(more)).args;
    // A clock that goes on by 40 ms each time that it is looked at.
    let clock = std::cell::Cell::new(1_000_000);
    let looks = std::cell::Cell::new(0);
    let now_ms = || {
        looks.set(looks.get() + 1);
        clock.replace(clock.get() + 40)
    };
    generate(&args, &now_ms).unwrap();
    let expected = Expected::read(&dir.path().join("bank.expected.json")).unwrap();
    assert_eq!(expected.parameters.t0_ms, 1_000_000);
    let last = records(dir.path()).values().flatten().map(|it| it["timestamp"].as_u64().unwrap()).max();
    assert!(clock.get() >= last.unwrap(), "the last record was waited for");
    assert!(looks.get() > 150, "the clock was looked at for each record");
}

#[test]
fn without_a_place_to_write_to_it_says_what_to_give() {
    let args = Cli::parse_from(["generate"]).args;
    let error = generate(&args, &|| 5).unwrap_err().to_string();
    assert!(error.contains("--brokers"), "{error}");
}
