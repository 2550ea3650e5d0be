//! The metrics of the fake bank, as text and over HTTP.

use std::collections::HashSet;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::api::listen;
use crate::fake::Fake;

async fn rendered(fake: Fake) -> String {
    Exporter::new(Arc::new(fake), Arc::new(Calls::default())).render().await.unwrap()
}

#[test]
fn names_are_unique_and_say_their_kind() {
    let names: HashSet<_> = names::ALL.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), names::ALL.len());
    for family in names::ALL {
        assert!(family.name.starts_with("throughline_"), "{}", family.name);
        let total = family.name.ends_with("_total");
        assert_eq!(total, family.kind == names::Kind::Counter, "{}", family.name);
    }
}

#[tokio::test]
async fn every_family_is_there_once() {
    let text = rendered(Fake::default()).await;
    for family in names::ALL {
        let line = format!("# TYPE {} ", family.name);
        assert_eq!(text.matches(&line).count(), 1, "{}", family.name);
    }
}

#[tokio::test]
async fn each_line_is_a_comment_or_a_sample_of_the_family_above() {
    let text = rendered(Fake::default()).await;
    let mut family = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(series.split('{').next().unwrap(), family, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[tokio::test]
async fn the_figures_are_those_of_the_backend() {
    let text = rendered(Fake::default()).await;
    for line in [
        "throughline_build_info{version=\"0.1.0\"} 1",
        "throughline_records_consumed_total{leg=\"trace\",topic=\"bank.trace\"} 1000",
        "throughline_transactions_emitted_total{state=\"incomplete\"} 12",
        "throughline_duplicates_total{leg=\"request\",kind=\"conflict\"} 10",
        "throughline_dead_letters_total{topic=\"bank.trace\",reason=\"bad-id\"} 9",
        "throughline_memory_limit_bytes 1073741824",
        "throughline_disk_used_bytes{kind=\"state\"} 16777216",
        "throughline_kafka_lag_records{topic=\"bank.trace\",partition=\"0\"} 10",
        "throughline_partition_clock_seconds{topic=\"bank.trace\",partition=\"0\"} 1700000000.000",
        "throughline_open_transactions 608",
        "throughline_results_waiting_bytes 4096",
        "throughline_held_bytes{kind=\"mailboxes\"} 2048",
        "throughline_held_bytes{kind=\"index\"} 512",
        "throughline_held_limit_bytes 8192",
        "throughline_result_freshness_seconds 0.800",
        "throughline_ledger_imbalance_records{topic=\"bank.trace\"} 0",
        "throughline_ranges{state=\"unowned\"} 1",
        "throughline_ranges{state=\"restoring\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_lost_record_shows_in_its_topic_only() {
    let text = rendered(Fake { lost: 2, ..Fake::default() }).await;
    assert!(text.contains("throughline_ledger_imbalance_records{topic=\"bank.trace\"} 2\n"));
    assert!(text.contains("throughline_ledger_imbalance_records{topic=\"bank.request\"} 0\n"));
}

#[test]
fn a_label_with_quotes_cannot_break_the_text() {
    let mut out = Exposition::default();
    out.family(&names::RANGES);
    out.sample(&[("state", "a\"b\\c\nd")], 1);
    assert!(out.finish().ends_with("throughline_ranges{state=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

async fn get(request: &str) -> String {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let exporter = Exporter::new(Arc::new(Fake::default()), Arc::new(Calls::default()));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(serve(listener, exporter, tasks.clone(), stop.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    answer
}

#[tokio::test]
async fn metrics_and_health_are_served_over_http() {
    let metrics = get("GET /metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("text/plain; version=0.0.4"));
    assert!(metrics.contains("throughline_open_transactions 608"));
    assert!(get("GET /healthz").await.ends_with("\r\n\r\nhealthy\n"));
    assert!(get("GET /").await.starts_with("HTTP/1.1 404"));
    assert!(get("POST /metrics").await.starts_with("HTTP/1.1 405"));
}
