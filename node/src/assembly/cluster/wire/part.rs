//! A node's part of a snapshot, or why it has none.

use proto::types::RangeId;
use serde::{Deserialize, Serialize};

use crate::api::backend::{Snapshot, SnapshotState};
use crate::assembly::upkeep::requests::Part;
use crate::problem::{Code, Problem};

#[derive(Deserialize, Serialize)]
pub(in crate::assembly::cluster) struct RawPart {
    name: String,
    created_ms: u64,
    took_ms: Option<u64>,
    bytes: u64,
    new_bytes: u64,
    node: Option<String>,
    ranges: Vec<u16>,
}

#[derive(Deserialize, Serialize)]
pub(in crate::assembly::cluster) struct RawProblem {
    reason: String,
    what: String,
    why: String,
    remedy: Vec<String>,
}

impl RawPart {
    pub(in crate::assembly::cluster) fn of(part: &Part) -> Self {
        let Part { snapshot, ranges } = part;
        Self {
            name: snapshot.name.clone(),
            created_ms: snapshot.created_ms,
            took_ms: snapshot.took_ms,
            bytes: snapshot.bytes,
            new_bytes: snapshot.new_bytes,
            node: snapshot.node.clone(),
            ranges: ranges.iter().map(|range| range.0).collect(),
        }
    }

    pub(in crate::assembly::cluster) fn checked(self) -> Part {
        let ranges: Vec<_> = self.ranges.into_iter().map(RangeId).collect();
        let snapshot = Snapshot {
            name: self.name,
            created_ms: self.created_ms,
            took_ms: self.took_ms,
            bytes: self.bytes,
            new_bytes: self.new_bytes,
            ranges: u32::try_from(ranges.len()).unwrap_or(u32::MAX),
            node: self.node,
            state: SnapshotState::Done,
            verified: false,
        };
        Part { snapshot, ranges }
    }
}

impl RawProblem {
    pub(in crate::assembly::cluster) fn of(problem: &Problem) -> Self {
        let Problem { code, what, why, remedy } = problem.clone();
        Self { reason: code.reason().to_owned(), what, why, remedy }
    }

    /// A newer node may have problems of its own: what it says of them is said.
    pub(in crate::assembly::cluster) fn checked(self) -> Problem {
        let Self { reason, what, why, remedy } = self;
        let code = Code::of_reason(&reason).unwrap_or(Code::Unhealthy);
        Problem { code, what, why, remedy }
    }
}
