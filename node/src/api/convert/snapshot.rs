//! Snapshots as messages.

use proto::api::v1;
use proto::types::RecordTime;

use super::{as_of, count, duration_ms, record_time, small};
use crate::api::backend::{Answer, Snapshot, SnapshotState, Verdict};

pub(in crate::api) fn snapshot(snapshot: &Snapshot) -> v1::Snapshot {
    let state = match snapshot.state {
        SnapshotState::Running => "running",
        SnapshotState::Done => "done",
        SnapshotState::Failed => "failed",
    };
    v1::Snapshot {
        name: format!("snapshots/{}", snapshot.name),
        // A manifest that cannot be read does not say.
        create_time: (snapshot.created_ms > 0)
            .then(|| record_time(RecordTime(snapshot.created_ms))),
        bytes: count(snapshot.bytes),
        new_bytes: count(snapshot.new_bytes),
        state: state.to_owned(),
        verified: snapshot.verified,
        took: snapshot.took_ms.map(duration_ms),
        ranges: small(snapshot.ranges),
        node: snapshot.node.clone().unwrap_or_default(),
    }
}

pub(in crate::api) fn verdict(answer: Answer<Verdict>) -> v1::VerifySnapshotResponse {
    let faults = answer.value.faults.into_iter().map(|fault| {
        let (object, problem) = (fault.object, fault.problem);
        v1::verify_snapshot_response::Fault { object, problem }
    });
    v1::VerifySnapshotResponse {
        faults: faults.collect(),
        snapshot: Some(snapshot(&answer.value.snapshot)),
        operation: String::new(),
        as_of: Some(as_of(&answer.as_of)),
    }
}
