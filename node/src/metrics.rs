//! Metrics for Prometheus, on a port of their own: the backend's counters under fixed names.

mod exposition;
mod measures;
pub mod names;
mod peer;
mod serving;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::exposition::Exposition;
use self::measures::measures;
pub use self::serving::serve;
use crate::api::Calls;
use crate::api::backend::{
    Backend, Counts, Ledger, Progress, Pulse, RangeState, Snapshot, SnapshotState, Upkeep,
};
use crate::peer::Peers;
use crate::problem::Problem;

/// Reads the counters and writes them down.
#[derive(Clone)]
pub struct Exporter {
    backend: Arc<dyn Backend>,
    calls: Arc<Calls>,
    peers: Option<Peers>,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

impl Exporter {
    /// An exporter of what `backend` and `calls` count.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, calls: Arc<Calls>) -> Self {
        Self { backend, calls, peers: None }
    }

    /// The same, with what is counted of the traffic with other nodes.
    #[must_use]
    pub fn with_peers(self, peers: Peers) -> Self {
        Self { peers: Some(peers), ..self }
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// [`Problem`] where the backend cannot say: no half answers, a gap in a series is honest.
    pub async fn render(&self) -> Result<String, Problem> {
        let cluster = self.backend.cluster().await?;
        let ledger = self.backend.ledger().await?.value;
        let ranges = self.backend.ranges().await?.value;
        let pulse = self.backend.pulse().await?.value;
        let snapshots = self.backend.snapshots().await?.value;

        let mut out = Exposition::default();
        out.family(&names::BUILD_INFO);
        out.sample(&[("version", &cluster.value.version)], 1);
        out.family(&names::RESULT_FRESHNESS);
        out.seconds(&[], cluster.as_of.lag_ms);
        records(&mut out, &ledger);
        transactions(&mut out, &pulse);
        sources(&mut out, &pulse.sources);
        out.family(&names::DISK_USED);
        out.sample(&[("kind", "state")], ranges.iter().map(|range| range.state_bytes).sum());
        out.family(&names::RANGES);
        for state in RangeState::ALL {
            let count = ranges.iter().filter(|range| range.state == state).count();
            out.sample(&[("state", state.name())], count as u64);
        }
        let whole = |snapshot: &&Snapshot| snapshot.state == SnapshotState::Done;
        if let Some(newest) = snapshots.iter().find(whole) {
            out.family(&names::SNAPSHOT_LAST_SUCCESS);
            out.seconds(&[], newest.created_ms);
            out.family(&names::SNAPSHOT_BYTES);
            out.sample(&[("kind", "total")], newest.bytes);
            out.sample(&[("kind", "new")], newest.new_bytes);
        }
        upkeep(&mut out, &pulse.upkeep);
        measures(&mut out, &pulse.measures);
        peer::peers(&mut out, &self.peers.as_ref().map(Peers::counts).unwrap_or_default());
        self.calls(&mut out);
        Ok(out.finish())
    }

    fn calls(&self, out: &mut Exposition) {
        out.family(&names::GRPC_REQUESTS);
        for (call, count) in self.calls.counts() {
            let code = format!("{:?}", call.code);
            let labels = [("service", call.service), ("method", call.method), ("code", &code)];
            out.sample(&labels, count);
        }
        out.family(&names::GRPC_DURATION);
        for ((service, method), took) in self.calls.took() {
            out.histogram(&[("service", service), ("method", method)], &took);
        }
    }
}

fn upkeep(out: &mut Exposition, upkeep: &Upkeep) {
    out.family(&names::UPKEEP_FAILURES);
    out.sample(&[], upkeep.failures);
    out.family(&names::JOURNAL_TRIMMED);
    out.sample(&[], upkeep.trimmed_slots);
}

fn records(out: &mut Exposition, ledger: &Ledger) {
    let mut family = |name, count: fn(&Counts) -> u64| {
        out.family(name);
        for ((leg, topic), counts) in by_topic(ledger) {
            out.sample(&[("leg", leg), ("topic", &topic)], count(&counts));
        }
    };
    family(&names::RECORDS_CONSUMED, |counts| counts.consumed);
    family(&names::RECORDS_LATE, |counts| counts.late);
    out.family(&names::DUPLICATES);
    for ((leg, _), counts) in by_topic(ledger) {
        out.sample(&[("leg", leg), ("kind", "identical")], counts.duplicates);
        out.sample(&[("leg", leg), ("kind", "conflict")], counts.conflicts);
    }
    out.family(&names::LEDGER_IMBALANCE);
    for ((_, topic), _) in by_topic(ledger) {
        // The greatest of a topic's partitions: a sum could hide a loss behind a gain (I9).
        let of_topic = ledger.rows.iter().filter(|(source, _)| *source.topic == *topic);
        let worst = of_topic.map(|(_, counts)| counts.imbalance()).max_by_key(|i| i.unsigned_abs());
        out.signed(&[("topic", &topic)], worst.unwrap_or(0));
    }
}

/// The ledger with a topic's partitions added up: partitions would be too many series.
fn by_topic(ledger: &Ledger) -> Vec<((&'static str, String), Counts)> {
    let mut topics: Vec<((&'static str, String), Counts)> = Vec::new();
    for (source, counts) in &ledger.rows {
        let topic = (source.leg.name(), source.topic.to_string());
        match topics.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, sum)) => *sum = sum.plus(*counts),
            None => topics.push((topic, *counts)),
        }
    }
    topics
}

fn transactions(out: &mut Exposition, pulse: &Pulse) {
    out.family(&names::TRANSACTIONS_EMITTED);
    let states = [
        ("complete", pulse.complete),
        ("incomplete", pulse.incomplete),
        ("corrected", pulse.corrected),
    ];
    for (state, count) in states {
        out.sample(&[("state", state)], count);
    }
    out.family(&names::DEAD_LETTERS);
    for ((topic, reason), count) in &pulse.dead_letters {
        out.sample(&[("topic", topic), ("reason", reason)], *count);
    }
    out.family(&names::OPEN_TRANSACTIONS);
    out.sample(&[], pulse.open);
    out.family(&names::RESULTS_WAITING);
    out.sample(&[], pulse.waiting_bytes);
    out.family(&names::BYTES_CONSUMED);
    out.sample(&[], pulse.bytes);
    out.family(&names::MEMORY_LIMIT);
    out.sample(&[], pulse.memory_limit_bytes);
    if let Some(bytes) = pulse.memory_bytes {
        out.family(&names::MEMORY_USED);
        out.sample(&[], bytes);
    }
    out.family(&names::HELD);
    out.sample(&[("kind", "mailboxes")], pulse.held.mailboxes_bytes);
    out.sample(&[("kind", "index")], pulse.held.index_bytes);
    out.family(&names::HELD_LIMIT);
    out.sample(&[], pulse.held.limit_bytes);
}

fn sources(out: &mut Exposition, sources: &[Progress]) {
    out.family(&names::KAFKA_LAG);
    for source in sources {
        // A source that has not named its end has no lag that we know; 0 would be a lie.
        let Some(end) = source.end else { continue };
        let partition = source.source.partition.to_string();
        let labels = [("topic", &*source.source.topic), ("partition", &*partition)];
        out.sample(&labels, end.0.saturating_sub(source.position.0));
    }
    out.family(&names::PARTITION_CLOCK);
    for source in sources {
        let Some(clock) = source.clock else { continue };
        let partition = source.source.partition.to_string();
        out.seconds(&[("topic", &source.source.topic), ("partition", &partition)], clock.0);
    }
}
