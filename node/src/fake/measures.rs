//! What the fake bank measures: every histogram has one duration in its first bucket, two in its third and
//! one beyond all of them.

use actors::histogram::{Bounds, Distribution, JOURNEY, WORK};
use proto::types::Leg;

use crate::api::backend::Measures;

fn distribution(bounds: Bounds) -> Distribution {
    let mut counts = vec![0; bounds.len() + 1];
    counts[0] = 1;
    counts[2] = 2;
    counts[bounds.len()] = 1;
    Distribution { bounds, counts, sum_us: 7_200_012_500 }
}

pub(super) fn measures() -> Measures {
    Measures {
        emit: distribution(JOURNEY),
        delivery_delay: Leg::ALL.map(|leg| (leg, distribution(JOURNEY))).into(),
        sink_latency: vec![("kafka", distribution(WORK))],
        sink_retries: vec![("kafka", "delivery", 5), ("kafka", "recovery", 0)],
        snapshot_phases: ["checkpoint", "upload"].map(|it| (it, distribution(WORK))).into(),
        waiting: vec![("range", 17), ("publisher", 4_000)],
        scenarios: vec![("bank".to_owned(), "0123456789ab".to_owned())],
    }
}
