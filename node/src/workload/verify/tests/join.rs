//! An obvious join of the generated records, to hold generator and checker against each other.

use std::collections::BTreeMap;
use std::path::Path;

use proto::types::Leg;
use serde_json::{Value, json};

use crate::workload::files;

/// An obvious join of what the generator wrote: everything in memory, no engine, no model.
#[derive(Default)]
pub(super) struct Join {
    /// By id, then by leg: the first copy of it, with its time and source.
    open: BTreeMap<String, BTreeMap<String, (u64, Value, String)>>,
    conflicts: Vec<Value>,
    letters: Vec<Value>,
}

impl Join {
    pub(super) fn read(dir: &Path) -> Self {
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
    pub(super) fn rows(self) -> BTreeMap<&'static str, Vec<Value>> {
        let mut transactions = Vec::new();
        let mut complete = Vec::new();
        for (id, legs) in &self.open {
            let first = legs.values().map(|leg| leg.0).min().unwrap();
            let deadline = first + 360_000;
            let in_time: BTreeMap<_, _> = legs
                .iter()
                .filter(|(_, leg)| leg.0 < deadline)
                .map(|(k, v)| (k.clone(), v))
                .collect();
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
    let sources: BTreeMap<&String, &String> =
        legs.iter().map(|(name, leg)| (name, &leg.2)).collect();
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
