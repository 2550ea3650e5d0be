//! What a node measures: how long things take, and what waits.

use actors::histogram::Distribution;
use proto::types::Leg;

/// What a node measures, since the process started. A sink, leg or phase that is not in it has no series.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Measures {
    /// From a result's newest leg to the sink's acknowledgement.
    pub emit: Distribution,
    /// From the time inside a leg to when it is handed on, by leg.
    pub delivery_delay: Vec<(Leg, Distribution)>,
    /// From handing rows to a sink to its acknowledgement, by the sink's kind.
    pub sink_latency: Vec<(&'static str, Distribution)>,
    /// How often a sink failed and was asked again, by its kind and the reason.
    pub sink_retries: Vec<(&'static str, &'static str, u64)>,
    /// The parts of snapshots, by name.
    pub snapshot_phases: Vec<(&'static str, Distribution)>,
    /// What waits, by where: batches for a range, rows for the sink.
    pub waiting: Vec<(&'static str, u64)>,
    /// The scenarios that run, each with its version.
    pub scenarios: Vec<(String, String)>,
}
