//! How things stand: cluster, node, ranges, ledger, progress.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::machine::ledger::Fate;
use actors::machine::range::{PANICKED, Status};
use actors::range::Report;
use actors::source::decode::Class;
use proto::types::{Epoch, EventTime, Offset, RangeId, RecordTime, SourcePartition};

use super::EngineBackend;
use super::measures::measures;
use crate::api::backend::{
    AsOf, Cluster, Counts, Health, Held, Ledger, Node, NodeState, Progress, Pulse, Range,
    RangeState,
};
use crate::assembly::memory;

/// The version of this program.
pub(in crate::assembly) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Results that are further behind than this make the cluster degraded.
const LAG_MS: u64 = 30_000;

/// Each range's records when rates were last worked out, and what the rates were.
#[derive(Debug, Default)]
pub(super) struct Rates {
    at_ms: u64,
    consumed: BTreeMap<RangeId, u64>,
    per_second: BTreeMap<RangeId, f64>,
}

impl Rates {
    fn update(&mut self, reports: &[Report], now_ms: u64) {
        let elapsed_ms = now_ms.saturating_sub(self.at_ms);
        if elapsed_ms < 500 {
            return;
        }
        // A range that has gone takes its rate with it.
        let is_here = |range: &RangeId| reports.iter().any(|it| it.identity.id == *range);
        self.consumed.retain(|range, _| is_here(range));
        self.per_second.retain(|range, _| is_here(range));
        for report in reports {
            let (id, now) = (report.identity.id, consumed(report));
            let before = self.consumed.insert(id, now).unwrap_or(now);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = now.saturating_sub(before) as f64 * 1_000.0 / elapsed_ms as f64;
            self.per_second.insert(id, rate);
        }
        self.at_ms = now_ms;
    }
}

fn consumed(report: &Report) -> u64 {
    report.ledger.iter().map(|counts| counts.consumed).sum()
}

fn now_ms() -> u64 {
    actors::clock::wall()()
}

/// How fresh what the ranges report is: the range that is furthest behind counts.
pub(super) fn as_of(reports: &[Report], now_ms: u64) -> AsOf {
    let clock = reports.iter().map(|report| report.status.clock).min();
    let known = clock.filter(|clock| *clock > RecordTime(0));
    AsOf {
        business_time: known.and_then(|it| i64::try_from(it.0).ok()).map(EventTime),
        lag_ms: known.map_or(0, |clock| now_ms.saturating_sub(clock.0)),
        missing: Vec::new(),
        map_version: 1,
    }
}

pub(super) fn cluster(backend: &EngineBackend, reports: &[Report]) -> Cluster {
    let shown = backend.engine.shown();
    let ledger = ledger(backend.engine.partitions(), reports);
    let lag_ms = as_of(reports, now_ms()).lag_ms;
    let mut reasons: Vec<String> = shown.trouble.into_iter().collect();
    reasons.extend(backend.upkeep.shown().trouble);
    if lag_ms > LAG_MS {
        reasons.push(format!("results are {} s behind", lag_ms / 1_000));
    }
    reasons.extend(cramped(reports));
    if !ledger.is_balanced() {
        reasons.push("the ledger does not balance: records are unaccounted for".to_owned());
    }
    Cluster {
        name: backend.config.names.cluster.clone(),
        health: if reasons.is_empty() { Health::Healthy } else { Health::Degraded },
        reasons,
        nodes: 1,
        ranges: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        version: VERSION.to_owned(),
        leader: None,
    }
}

fn held(reports: &[Report]) -> Held {
    let sum = |bytes: fn(&Status) -> usize| reports.iter().map(|it| bytes(&it.status) as u64).sum();
    Held {
        mailboxes_bytes: sum(|it| it.held_bytes),
        index_bytes: sum(|it| it.fixed_bytes),
        limit_bytes: sum(|it| it.limit_bytes),
    }
}

/// What must stay in memory and does not fit; `None` where it does.
fn cramped(reports: &[Report]) -> Option<String> {
    if reports.iter().all(|it| it.status.fixed_bytes <= it.status.limit_bytes) {
        return None;
    }
    let Held { index_bytes, limit_bytes, .. } = held(reports);
    Some(format!(
        "memory is short: the index of what is open, done and due takes {} MiB, and {} MiB are left for \
         it; raise storage.memory",
        index_bytes >> 20,
        limit_bytes >> 20
    ))
}

pub(super) fn node(backend: &EngineBackend, reports: &[Report]) -> Node {
    let mut rates = backend.rates.lock();
    rates.update(reports, now_ms());
    Node {
        id: backend.engine.node().clone(),
        state: NodeState::Alive,
        version: VERSION.to_owned(),
        ranges: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        memory_bytes: resident_bytes().unwrap_or(0),
        memory_limit_bytes: Some(memory::bytes(&backend.config)),
        // Not `sum`: of nothing it is −0.
        records_per_second: rates.per_second.values().fold(0.0, |sum, rate| sum + rate),
        copies: backend.engine.copies().into_iter().map(|(range, ..)| range).collect(),
    }
}

pub(super) fn ranges(backend: &EngineBackend, reports: &[Report]) -> Vec<Range> {
    let mut rates = backend.rates.lock();
    let now_ms = now_ms();
    rates.update(reports, now_ms);
    let owner = Some(backend.engine.node().clone());
    let one = |report: &Report| Range {
        id: report.identity.id,
        keys: report.identity.keys,
        owner: owner.clone(),
        epoch: report.identity.epoch,
        state: RangeState::Serving,
        open: report.status.open as u64,
        state_bytes: report.store_bytes,
        lag_ms: as_of(std::slice::from_ref(report), now_ms).lag_ms,
        sequence: report.status.sequence,
        records_per_second: rates.per_second.get(&report.identity.id).copied().unwrap_or(0.0),
    };
    reports.iter().map(one).collect()
}

pub(super) fn ledger(partitions: &[SourcePartition], reports: &[Report]) -> Ledger {
    let row = |(index, partition): (usize, &SourcePartition)| {
        let counts = reports.iter().filter_map(|report| report.ledger.get(index));
        (partition.clone(), counts.map(counted).fold(Counts::default(), Counts::plus))
    };
    Ledger { rows: partitions.iter().enumerate().map(row).collect() }
}

fn counted(counts: &actors::machine::ledger::Counts) -> Counts {
    Counts {
        consumed: counts.consumed,
        in_results: counts.of(Fate::Joined),
        open: counts.of(Fate::Open),
        duplicates: counts.of(Fate::Duplicate),
        conflicts: counts.of(Fate::Conflict),
        late: counts.of(Fate::Late),
        dead: counts.of(Fate::Dead),
        filtered: 0,
    }
}

pub(super) fn pulse(backend: &EngineBackend, reports: &[Report]) -> Pulse {
    let shown = backend.engine.shown();
    let emitted = |state: usize| reports.iter().map(|report| report.emitted[state]).sum();
    let least = |index: usize| {
        let positions = reports.iter().filter_map(|report| report.positions.get(index));
        positions.min_by_key(|position| position.offset).copied().unwrap_or_default()
    };
    let source = |(index, source): (usize, &SourcePartition)| {
        let position = least(index);
        let end: Option<Offset> = shown.reads.get(index).and_then(|(_, end)| *end);
        let clock = (position.clock > RecordTime(0)).then_some(position.clock);
        Progress { source: source.clone(), position: position.offset, end, clock }
    };
    let uncommitted: usize = reports.iter().map(|report| report.uncommitted_bytes).sum();
    Pulse {
        complete: emitted(0),
        incomplete: emitted(1),
        corrected: emitted(2),
        emitted: reports.iter().map(by_owner).collect(),
        dead_letters: dead_letters(backend.engine.partitions(), reports),
        open: reports.iter().map(|report| report.status.open as u64).sum(),
        bytes: shown.read_bytes,
        waiting_bytes: (shown.outbox_bytes + uncommitted) as u64,
        sources: backend.engine.partitions().iter().enumerate().map(source).collect(),
        memory_bytes: resident_bytes(),
        memory_limit_bytes: memory::bytes(&backend.config),
        held: held(reports),
        upkeep: backend.upkeep.shown(),
        measures: measures(backend, reports),
    }
}

fn by_owner(report: &Report) -> ((RangeId, Epoch), [u64; 3]) {
    ((report.identity.id, report.identity.epoch), report.emitted)
}

/// Every topic with every class: also what has not happened yet has a series.
fn dead_letters(
    partitions: &[SourcePartition],
    reports: &[Report],
) -> BTreeMap<(Arc<str>, String), u64> {
    let classes = || Class::ALL.into_iter().map(Class::name).chain([PANICKED]);
    let each = partitions.iter().flat_map(|it| classes().map(move |class| (it, class)));
    let mut counts: BTreeMap<_, u64> =
        each.map(|(it, class)| ((Arc::clone(&it.topic), class.to_owned()), 0)).collect();
    for ((partition, class), count) in reports.iter().flat_map(|report| &report.dead) {
        let Some(source) = partitions.get(partition.index()) else { continue };
        *counts.entry((Arc::clone(&source.topic), class.clone())).or_default() += count;
    }
    counts
}

/// The process's resident memory; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kib.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}
