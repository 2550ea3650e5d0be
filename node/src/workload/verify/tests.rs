//! Rules of the checker: it passes what an obvious join of the generated records gives, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use clap::Parser;
use proto::types::Leg;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::workload::generate::{GenerateArgs, generate};

#[derive(Parser)]
struct GenerateCli {
    #[command(flatten)]
    args: GenerateArgs,
}

#[derive(Parser)]
struct VerifyCli {
    #[command(flatten)]
    args: VerifyArgs,
}

/// With all that is odd, and a run long enough for corrections.
const WORKLOAD: &str = "--transactions 30000 --rate 40 --lateness 60 --max-delay 60 --partitions 3 \
                        --late 2% --conflicts 1% --malformed 0.5%";

/// An obvious join of what the generator wrote: everything in memory, no engine, no model.
#[derive(Default)]
struct Join {
    /// By id, then by leg: the first copy of it, with its time and source.
    open: BTreeMap<String, BTreeMap<String, (u64, Value, String)>>,
    conflicts: Vec<Value>,
    letters: Vec<Value>,
}

impl Join {
    fn read(dir: &Path) -> Self {
        let mut records = Vec::new();
        for leg in Leg::ALL {
            for partition in 0..3 {
                let path = dir.join(format!("bank.{leg}.{partition}.jsonl"));
                let mut offset = 0;
                files::each_line(&path, |line| {
                    let line: Value = serde_json::from_slice(line).unwrap();
                    let source = format!("bank.{leg}/{partition}@{offset}");
                    records.push((line["timestamp"].as_u64().unwrap(), source, leg, line));
                    offset += 1;
                })
                .unwrap();
            }
        }
        records.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut join = Self::default();
        for (time, source, leg, line) in records {
            join.take(time, &source, leg, &line);
        }
        join
    }

    fn take(&mut self, time: u64, source: &str, leg: Leg, line: &Value) {
        let text = line["value"].as_str();
        let message = text.map(serde_json::from_str::<Value>);
        let class = match &message {
            None if line["valueBase64"].is_null() => "empty",
            None | Some(Err(_)) => "malformed-json",
            Some(Ok(it)) if it["transactionId"].is_null() => "no-id",
            Some(Ok(it)) if !it["transactionId"].is_string() => "bad-id",
            Some(Ok(it)) if it["eventTime"].is_null() => "no-time",
            Some(Ok(it)) if !it["eventTime"].is_u64() => "bad-time",
            Some(Ok(_)) => "",
        };
        if !class.is_empty() {
            let headers = json!({"error": class, "topic": format!("bank.{leg}")});
            let mut row = json!({"key": source, "value": line["value"], "headers": headers});
            if !line["valueBase64"].is_null() {
                row.as_object_mut().unwrap().remove("value");
                row["valueBase64"] = line["valueBase64"].clone();
            }
            return self.letters.push(row);
        }
        let message = message.unwrap().unwrap();
        let id = message["transactionId"].as_str().unwrap().to_owned();
        let legs = self.open.entry(id.clone()).or_default();
        match legs.get(leg.name()) {
            None => {
                legs.insert(leg.name().to_owned(), (time, message, source.to_owned()));
            }
            Some((_, first, _)) if *first == message => {}
            Some((_, _, kept)) => self.conflicts.push(json!({
                "transactionId": id, "leg": leg.name(), "kept": kept, "rejected": source,
                "recordTime": time,
            })),
        }
    }

    /// The rows that must come out, for each outlet.
    fn rows(self) -> BTreeMap<&'static str, Vec<Value>> {
        let mut transactions = Vec::new();
        let mut complete = Vec::new();
        for (id, legs) in &self.open {
            let first = legs.values().map(|leg| leg.0).min().unwrap();
            let deadline = first + 360_000;
            let in_time: BTreeMap<_, _> =
                legs.iter().filter(|(_, leg)| leg.0 < deadline).map(|(k, v)| (k.clone(), v)).collect();
            let all: BTreeMap<_, _> = legs.iter().map(|(k, v)| (k.clone(), v)).collect();
            transactions.push(result(id, &in_time, 1));
            if in_time.len() < all.len() {
                transactions.push(result(id, &all, 2));
            }
            complete.extend((all.len() == 3).then(|| result(id, &all, 1)));
        }
        let keyed = |value: Value| {
            let version = value["version"].as_u64().unwrap_or(1);
            json!({"key": value["transactionId"], "value": value, "headers": {"version": version}})
        };
        let indicators = indicators(&complete).into_iter().map(|it| json!({"value": it})).collect();
        BTreeMap::from([
            ("transactions", stamped(transactions.into_iter().map(keyed).collect())),
            ("conflicts", stamped(self.conflicts.into_iter().map(keyed).collect())),
            ("dead-letters", stamped(self.letters)),
            ("indicators", indicators),
        ])
    }
}

/// Gives every row a range and a sequence, as text.
fn stamped(mut rows: Vec<Value>) -> Vec<Value> {
    for (place, row) in rows.iter_mut().enumerate() {
        row["headers"]["range"] = (place % 4).to_string().into();
        row["headers"]["sequence"] = (place / 4 + 1).to_string().into();
        row["headers"]["epoch"] = "1".into();
    }
    rows
}

fn result(id: &str, legs: &BTreeMap<String, &(u64, Value, String)>, version: u64) -> Value {
    let leg = |name: &str| legs.get(name).map_or(Value::Null, |leg| leg.1.clone());
    let (trace, request, response) = (leg("trace"), leg("request"), leg("response"));
    let first = |values: [&Value; 3]| values.into_iter().find(|it| !it.is_null()).unwrap().clone();
    let times = [&trace["eventTime"], &request["eventTime"], &response["eventTime"]];
    let (start, end) = (first(times), first([times[2], times[1], times[0]]));
    let keys = [&request["body"]["businessKey"], &response["body"]["businessKey"], &json!("")];
    let missing: Vec<&str> =
        Leg::ALL.iter().map(|it| it.name()).filter(|it| !legs.contains_key(*it)).collect();
    let state = match (version, missing.is_empty()) {
        (1, true) => "COMPLETE",
        (1, false) => "INCOMPLETE",
        _ => "CORRECTED",
    };
    let sources: BTreeMap<&String, &String> = legs.iter().map(|(name, leg)| (name, &leg.2)).collect();
    let mut result = json!({
        "transactionId": id, "start": start, "end": end,
        "durationMs": end.as_u64().unwrap() - start.as_u64().unwrap(),
        "channel": trace["channel"], "institution": trace["institution"],
        "product": trace["product"], "service": request["service"], "businessKey": first(keys),
        "status": response["status"], "resultCode": response["resultCode"],
        "decision": response["body"]["decision"], "complete": missing.is_empty(),
        "missing": missing, "version": version, "state": state, "sources": sources,
    });
    if version == 2 {
        result["supersedes"] = 1.into();
    }
    result
}

fn indicators(complete: &[Value]) -> Vec<Value> {
    let mut cells: BTreeMap<(u64, &str, &str), Vec<&Value>> = BTreeMap::new();
    for result in complete {
        let start = result["start"].as_u64().unwrap() / 60_000 * 60_000;
        for dimension in ["channel", "product", "institution"] {
            let value = result[dimension].as_str().unwrap();
            cells.entry((start, dimension, value)).or_default().push(result);
        }
    }
    let cell = |((start, dimension, value), results): ((u64, &str, &str), Vec<&Value>)| {
        let mut times: Vec<u64> =
            results.iter().map(|it| it["durationMs"].as_u64().unwrap()).collect();
        times.sort_unstable();
        let count = times.len();
        let ratio = |field: &str, good: &str| {
            let numerator = results.iter().filter(|it| it[field] == good).count();
            json!({"numerator": numerator, "denominator": count})
        };
        let quantile = |percent: usize| times[(count - 1) * percent / 100] as f64 * 1.009;
        json!({
            "scenario": "bank", "window": "1m", "start": start, "dimension": dimension,
            "value": value, "version": 3, "indicators": {
                "transaction-success": ratio("resultCode", "0000"),
                "transaction-approval": ratio("decision", "APPROVED"),
                "duration": {
                    "count": count, "sum": times.iter().sum::<u64>(), "min": times[0],
                    "max": times[count - 1], "p50": quantile(50), "p95": quantile(95),
                },
            },
        })
    };
    cells.into_iter().map(cell).collect()
}

struct Fixture {
    dir: TempDir,
    rows: BTreeMap<&'static str, Vec<Value>>,
}

/// Generated and joined once; each test alters a copy.
static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    let words = ["generate", "--dir", &folder].into_iter().chain(WORKLOAD.split_whitespace());
    generate(&GenerateCli::parse_from(words).args, &|| 0).unwrap();
    let rows = Join::read(dir.path()).rows();
    Fixture { dir, rows }
});

type Rows = BTreeMap<&'static str, Vec<Value>>;

/// Verifies the rows of the fixture after `change`.
fn verified(options: &[&str], change: impl FnOnce(&mut Rows)) -> Report {
    let mut rows = FIXTURE.rows.clone();
    change(&mut rows);
    let dir = tempfile::tempdir().unwrap();
    for (outlet, rows) in &rows {
        let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
        let path = dir.path().join(format!("throughline.{outlet}.jsonl"));
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    let expected = FIXTURE.dir.path().join("bank.expected.json");
    let (expected, results) = (expected.to_str().unwrap(), dir.path().to_str().unwrap());
    let words = ["verify", "--expected", expected, "--results-dir", results];
    verify(&VerifyCli::parse_from(words.iter().chain(options)).args).unwrap()
}

/// Exactly these differences are found after `change`, each once.
#[track_caller]
fn check(change: impl FnOnce(&mut Rows), differences: &[Difference]) {
    let report = verified(&[], change);
    let found: Vec<(Difference, u64)> =
        report.differences.iter().map(|(kind, found)| (*kind, found.count)).collect();
    let expected: Vec<(Difference, u64)> = differences.iter().map(|it| (*it, 1)).collect();
    assert_eq!(found, expected, "{report}");
    assert_eq!(report.exit_code(), if differences.is_empty() { 0 } else { 9 });
}

fn place_of(rows: &Rows, outlet: &str, is: impl Fn(&Value) -> bool) -> usize {
    rows[outlet].iter().position(|row| is(&row["value"])).unwrap()
}

fn of<'a>(rows: &'a mut Rows, outlet: &'static str) -> &'a mut Vec<Value> {
    rows.get_mut(outlet).unwrap()
}

/// The row again, under a sequence that no row has yet.
fn double(rows: &mut Rows, outlet: &'static str, place: usize) {
    let mut row = rows[outlet][place].clone();
    row["headers"]["sequence"] = "1000000".into();
    of(rows, outlet).push(row);
}

#[test]
fn what_an_obvious_join_gives_is_right() {
    let report = verified(&["--exactly-once"], |_| {});
    assert!(report.is_right(), "{report}");
    let counts = &report.counts;
    assert_eq!(counts.results, counts.expected_results);
    assert!(counts.results.corrected > 50 && counts.results.incomplete > 200, "{report}");
    assert_eq!((counts.conflicts, counts.dead_letters), (counts.expected_conflicts, 150));
    assert!(counts.conflicts > 200 && counts.cells > 1_000, "{report}");
}

#[test]
fn a_lost_result_is_found() {
    check(|rows| drop(of(rows, "transactions").remove(17)), &[Difference::Lost]);
}

#[test]
fn a_lost_correction_is_found() {
    let lose = |rows: &mut Rows| {
        let place = place_of(rows, "transactions", |it| it["version"] == 2);
        of(rows, "transactions").remove(place);
    };
    check(lose, &[Difference::Lost]);
}

#[test]
fn a_doubled_result_is_found() {
    check(|rows| double(rows, "transactions", 17), &[Difference::Doubled]);
}

#[test]
fn a_row_that_was_delivered_again_is_no_double_but_with_exactly_once() {
    let resend = |rows: &mut Rows| {
        for outlet in ["transactions", "conflicts", "dead-letters"] {
            let again: Vec<Value> = rows[outlet][10..30].to_vec();
            of(rows, outlet).extend(again);
        }
    };
    let report = verified(&[], resend);
    assert!(report.is_right(), "{report}");
    assert_eq!(report.counts.resent, 60);
    let report = verified(&["--exactly-once"], resend);
    assert_eq!(report.differences[&Difference::Resent].count, 60, "{report}");
}

#[test]
fn a_row_that_hides_under_an_old_sequence_is_no_replacement_for_a_lost_one() {
    let hide = |rows: &mut Rows| {
        let again = rows["transactions"][20].clone();
        of(rows, "transactions")[24] = again;
    };
    check(hide, &[Difference::Lost]);
}

#[test]
fn each_changed_field_is_found() {
    let complete = |it: &Value| it["state"] == "COMPLETE";
    for (field, value) in [
        ("start", json!(1)),
        ("end", json!(1)),
        ("durationMs", json!(null)),
        ("channel", json!("atm?")),
        ("institution", json!("1")),
        ("product", json!(null)),
        ("service", json!("x")),
        ("businessKey", json!("APP")),
        ("status", json!(201)),
        ("resultCode", json!("E1")),
        ("decision", json!("MAYBE")),
        ("complete", json!(false)),
        ("missing", json!(["trace"])),
        ("state", json!("CORRECTED")),
        ("supersedes", json!(1)),
        ("sources", json!({})),
    ] {
        let change = |rows: &mut Rows| {
            let place = place_of(rows, "transactions", complete);
            of(rows, "transactions")[place]["value"][field] = value;
        };
        check(change, &[Difference::Wrong]);
    }
}

#[test]
fn an_incomplete_that_names_another_leg_is_found() {
    let change = |rows: &mut Rows| {
        let place = place_of(rows, "transactions", |it| it["missing"] == json!(["request"]));
        of(rows, "transactions")[place]["value"]["missing"] = json!(["response"]);
    };
    check(change, &[Difference::Wrong]);
}

#[test]
fn a_correction_of_what_was_complete_is_found() {
    let correct = |rows: &mut Rows| {
        let place = place_of(rows, "transactions", |it| it["state"] == "COMPLETE");
        double(rows, "transactions", place);
        let row = of(rows, "transactions").last_mut().unwrap();
        row["value"]["version"] = 2.into();
        row["headers"]["version"] = "2".into();
    };
    check(correct, &[Difference::Wrong]);
}

#[test]
fn foreign_and_unreadable_rows_are_found() {
    let foreign = |rows: &mut Rows| {
        double(rows, "transactions", 0);
        of(rows, "transactions").last_mut().unwrap()["value"]["transactionId"] = "x".into();
        of(rows, "transactions").push(json!({"value": {}, "headers": {}}));
    };
    check(foreign, &[Difference::Foreign, Difference::Unreadable]);
}

#[test]
fn conflicts_are_compared() {
    check(|rows| drop(of(rows, "conflicts").remove(3)), &[Difference::ConflictLost]);
    check(|rows| double(rows, "conflicts", 3), &[Difference::ConflictDoubled]);
    let other_leg = |rows: &mut Rows| {
        let place = place_of(rows, "conflicts", |it| it["leg"] == "trace");
        of(rows, "conflicts")[place]["value"]["leg"] = "request".into();
    };
    check(other_leg, &[Difference::ConflictForeign]);
}

#[test]
fn dead_letters_are_compared_by_their_bytes_and_class() {
    check(|rows| drop(of(rows, "dead-letters").remove(3)), &[Difference::DeadLetterLost]);
    check(|rows| double(rows, "dead-letters", 3), &[Difference::DeadLetterDoubled]);
    let other_class = |rows: &mut Rows| {
        of(rows, "dead-letters")[3]["headers"]["error"] = "panicked".into();
    };
    check(other_class, &[Difference::DeadLetterWrong]);
    let foreign = |rows: &mut Rows| {
        double(rows, "dead-letters", 3);
        let row = of(rows, "dead-letters").last_mut().unwrap();
        row.as_object_mut().unwrap().remove("valueBase64");
        row["value"] = "a good record".into();
    };
    check(foreign, &[Difference::DeadLetterForeign]);
}

#[test]
fn a_leg_that_is_called_late_is_found() {
    let late = |rows: &mut Rows| {
        let headers = json!({"range": "1", "sequence": "9"});
        rows.insert("late", vec![json!({"value": {"transactionId": "x"}, "headers": headers})]);
    };
    check(late, &[Difference::Late]);
}

#[test]
fn each_changed_indicator_is_found() {
    for (indicator, figure, value) in [
        ("transaction-success", "numerator", 100_000),
        ("transaction-success", "denominator", 100_000),
        ("transaction-approval", "numerator", 100_000),
        ("duration", "count", 0),
        ("duration", "sum", 1),
        ("duration", "min", 100_000),
        ("duration", "max", 1),
        ("duration", "p50", 0),
        ("duration", "p95", 100_000),
    ] {
        let change = |rows: &mut Rows| {
            let cell = &mut of(rows, "indicators")[40]["value"];
            cell["indicators"][indicator][figure] = value.into();
        };
        check(change, &[Difference::CellWrong]);
    }
}

#[test]
fn of_a_cell_the_highest_version_counts_wherever_it_stands() {
    let with = |version: u64| {
        move |rows: &mut Rows| {
            let mut old = rows["indicators"][40].clone();
            old["value"]["version"] = version.into();
            old["value"]["indicators"]["duration"]["count"] = 0.into();
            of(rows, "indicators").push(old);
        }
    };
    check(with(2), &[]);
    check(with(4), &[Difference::CellWrong]);
    check(with(3), &[Difference::CellWrong]);
}

#[test]
fn lost_and_foreign_cells_are_found() {
    check(|rows| drop(of(rows, "indicators").remove(40)), &[Difference::CellLost]);
    let foreign = |rows: &mut Rows| {
        let mut cell = rows["indicators"][40].clone();
        cell["value"]["value"] = "nobody".into();
        of(rows, "indicators").push(cell);
    };
    check(foreign, &[Difference::CellForeign]);
    let other_scenario = |rows: &mut Rows| {
        let mut cell = rows["indicators"][40].clone();
        cell["value"]["scenario"] = "credit-card".into();
        of(rows, "indicators").push(cell);
    };
    check(other_scenario, &[]);
}

#[test]
fn samples_are_few_and_the_report_says_the_verdict() {
    let report = verified(&[], |rows| of(rows, "transactions").truncate(29_000));
    let lost = &report.differences[&Difference::Lost];
    assert!(lost.count > 1_000 && lost.samples.len() == 5, "{report}");
    assert!(report.to_string().contains("WRONG"), "{report}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["differences"]["lost"]["count"], lost.count);
}

#[test]
fn a_folder_without_results_is_an_error_that_says_what_to_check() {
    let dir = tempfile::tempdir().unwrap();
    let expected = FIXTURE.dir.path().join("bank.expected.json");
    let words = ["verify", "--expected", expected.to_str().unwrap(), "--results-dir"];
    let folder = dir.path().to_str().unwrap();
    let args = VerifyCli::parse_from(words.iter().chain(&[folder])).args;
    let error = verify(&args).unwrap_err().to_string();
    assert!(error.contains("--results-prefix"), "{error}");
}
