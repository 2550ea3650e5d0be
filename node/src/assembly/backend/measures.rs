//! What the engine and the node's upkeep measure, as the metrics name it.

use actors::range::Report;

use super::EngineBackend;
use crate::api::backend::Measures;
use crate::config::{Config, Sink};

pub(super) fn measures(backend: &EngineBackend, reports: &[Report]) -> Measures {
    let shown = backend.engine.meters().shown();
    let sink = sink(&backend.config);
    let batches: usize = reports.iter().map(|report| report.waiting_batches).sum();
    let retries = shown.retries.map(|(reason, count)| (sink, reason.name(), count));
    Measures {
        emit: shown.emit,
        delivery_delay: shown.delivery_delay.into(),
        sink_latency: vec![(sink, shown.sink)],
        sink_retries: retries.into(),
        snapshot_phases: backend.upkeep.phases(),
        waiting: vec![("range", batches as u64), ("publisher", shown.rows as u64)],
        scenarios: scenarios(&backend.config),
    }
}

/// The kind of the sink that results go to.
const fn sink(config: &Config) -> &'static str {
    match &config.sink {
        Sink::Kafka(_) => "kafka",
        Sink::Files(_) => "file",
    }
}

fn scenarios(config: &Config) -> Vec<(String, String)> {
    let names = config.rules.scenarios.iter().map(|it| it.name.clone());
    names.zip(config.rules.versions.iter().cloned()).collect()
}
