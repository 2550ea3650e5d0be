//! The families of what a node measures.

use super::exposition::Exposition;
use super::names;
use crate::api::backend::Measures;

pub(super) fn measures(out: &mut Exposition, measures: &Measures) {
    out.family(&names::EMIT_LATENCY);
    out.histogram(&[], &measures.emit);
    out.family(&names::DELIVERY_DELAY);
    for (leg, delay) in &measures.delivery_delay {
        out.histogram(&[("leg", leg.name())], delay);
    }
    out.family(&names::SINK_LATENCY);
    for (sink, latency) in &measures.sink_latency {
        out.histogram(&[("sink", sink)], latency);
    }
    out.family(&names::SINK_RETRIES);
    for (sink, reason, count) in &measures.sink_retries {
        out.sample(&[("sink", sink), ("reason", reason)], *count);
    }
    out.family(&names::SNAPSHOT_DURATION);
    for (phase, took) in &measures.snapshot_phases {
        out.histogram(&[("phase", phase)], took);
    }
    out.family(&names::MAILBOX_DEPTH);
    for (kind, depth) in &measures.waiting {
        out.sample(&[("kind", kind)], *depth);
    }
    out.family(&names::SCENARIO_INFO);
    for (scenario, version) in &measures.scenarios {
        out.sample(&[("scenario", scenario), ("version", version)], 1);
    }
}
