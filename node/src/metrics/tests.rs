//! The metrics of the fake bank, as text and over HTTP.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU16;
use std::time::Duration;

use actors::histogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::api::{Call, listen};
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
    let (mut family, mut kind) = ("", "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            (family, kind) = rest.split_once(' ').unwrap();
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line}"));
            let suffixes: &[_] =
                if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix), "{line}");
            assert_eq!(labels.contains("le=\""), suffix == "_bucket", "{line}");
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
        "throughline_emit_latency_seconds_bucket{le=\"0.005\"} 1",
        "throughline_emit_latency_seconds_bucket{le=\"2.5\"} 3",
        "throughline_emit_latency_seconds_bucket{le=\"3600\"} 3",
        "throughline_emit_latency_seconds_bucket{le=\"+Inf\"} 4",
        "throughline_emit_latency_seconds_sum 7200.0125",
        "throughline_emit_latency_seconds_count 4",
        "throughline_delivery_delay_seconds_count{leg=\"response\"} 4",
        "throughline_sink_latency_seconds_bucket{sink=\"kafka\",le=\"0.001\"} 1",
        "throughline_sink_retries_total{sink=\"kafka\",reason=\"delivery\"} 5",
        "throughline_sink_retries_total{sink=\"kafka\",reason=\"recovery\"} 0",
        "throughline_snapshot_duration_seconds_count{phase=\"checkpoint\"} 4",
        "throughline_scenario_info{scenario=\"bank\",version=\"0123456789ab\"} 1",
        "throughline_actor_mailbox_depth{kind=\"range\"} 17",
        "throughline_actor_mailbox_depth{kind=\"publisher\"} 4000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

/// The text of a family of one series with these durations, in microseconds.
fn histogram(labels: &[(&str, &str)], us: &[u64]) -> String {
    let histogram = Histogram::new(&[1_000, 2_500, 10_000_000]);
    us.iter().for_each(|us| histogram.observe(Duration::from_micros(*us)));
    let mut out = Exposition::default();
    out.family(&names::SINK_LATENCY);
    out.histogram(labels, &histogram.shown());
    out.finish().lines().skip(1).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_histogram_is_written_as_prometheus_reads_it() {
    let text = histogram(&[("sink", "a\"b")], &[1_000, 1_001, 2_000, 60_000_000]);
    let expected = r#"# TYPE throughline_sink_latency_seconds histogram
throughline_sink_latency_seconds_bucket{sink="a\"b",le="0.001"} 1
throughline_sink_latency_seconds_bucket{sink="a\"b",le="0.0025"} 3
throughline_sink_latency_seconds_bucket{sink="a\"b",le="10"} 3
throughline_sink_latency_seconds_bucket{sink="a\"b",le="+Inf"} 4
throughline_sink_latency_seconds_sum{sink="a\"b"} 60.004001
throughline_sink_latency_seconds_count{sink="a\"b"} 4
"#;
    assert_eq!(text, expected);
}

#[test]
fn a_histogram_without_durations_and_labels_has_all_its_lines() {
    let expected = r#"# TYPE throughline_sink_latency_seconds histogram
throughline_sink_latency_seconds_bucket{le="0.001"} 0
throughline_sink_latency_seconds_bucket{le="0.0025"} 0
throughline_sink_latency_seconds_bucket{le="10"} 0
throughline_sink_latency_seconds_bucket{le="+Inf"} 0
throughline_sink_latency_seconds_sum 0
throughline_sink_latency_seconds_count 0
"#;
    assert_eq!(histogram(&[], &[]), expected);
}

/// The buckets of each series, in the order of their lines, and its number.
fn buckets(text: &str) -> BTreeMap<String, (Vec<(f64, u64)>, u64)> {
    let mut found: BTreeMap<String, (Vec<(f64, u64)>, u64)> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}');
        if let Some(family) = name.strip_suffix("_bucket") {
            let (others, end) = labels.rsplit_once("le=\"").unwrap();
            let end = end.trim_end_matches('"').parse().unwrap();
            let series = format!("{family} {}", others.trim_end_matches(','));
            found.entry(series).or_default().0.push((end, value.parse().unwrap()));
        } else if let Some(family) = name.strip_suffix("_count") {
            let series = format!("{family} {labels}");
            found.entry(series).or_default().1 = value.parse().unwrap();
        }
    }
    found
}

#[tokio::test]
async fn buckets_hold_what_is_in_those_before_and_the_last_holds_everything() {
    let found = buckets(&rendered(Fake::default()).await);
    // The latency of results, of the sink, of three legs and two phases.
    assert_eq!(found.len(), 7, "{found:?}");
    for (series, (buckets, count)) in found {
        assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{series}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{series}");
        assert_eq!(count, 4, "{series}");
    }
}

#[tokio::test]
async fn a_node_with_many_ranges_has_no_more_series_for_them() {
    let series = async |ranges| {
        let fake = Fake { ranges: NonZeroU16::new(ranges), ..Fake::default() };
        rendered(fake).await.lines().filter(|line| !line.starts_with('#')).count()
    };
    let (few, many) = (series(1).await, series(96).await);
    assert_eq!(few, many);
    assert!(many < 3_000, "{many} series are beyond the budget");
}

#[tokio::test]
async fn calls_are_counted_by_outcome_and_timed_by_method() {
    let calls = Calls::default();
    let call = |code| Call { service: "CaseService", method: "GetTransaction", code };
    calls.count(call(tonic::Code::Ok), Duration::from_millis(2));
    calls.count(call(tonic::Code::NotFound), Duration::from_micros(500));
    let exporter = Exporter::new(Arc::new(Fake::default()), Arc::new(calls));
    let text = exporter.render().await.unwrap();
    let (labels, duration) = (
        r#"service="CaseService",method="GetTransaction""#,
        "throughline_grpc_request_duration_seconds",
    );
    for line in [
        format!("throughline_grpc_requests_total{{{labels},code=\"NotFound\"}} 1"),
        format!("{duration}_bucket{{{labels},le=\"0.001\"}} 1"),
        format!("{duration}_sum{{{labels}}} 0.0025"),
        format!("{duration}_count{{{labels}}} 2"),
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
