//! Snapshots of the node: listed, verified.

use actors::snapshot::{Manifest, SnapshotError, Snapshots};

use crate::api::backend::{Fault, Snapshot, SnapshotState, Verdict};
use crate::problem::{Code, Problem};

pub(super) async fn list(snapshots: &Snapshots) -> Result<Vec<Snapshot>, Problem> {
    let mut found = Vec::new();
    for name in snapshots.list().await.map_err(|error| failed(&error))?.into_iter().rev() {
        match snapshots.inspect(name).await {
            Ok(manifest) => found.push(shown(&manifest, None, 0)),
            // It was deleted meanwhile.
            Err(SnapshotError::Unknown { .. }) => {}
            Err(SnapshotError::Corrupted { .. } | SnapshotError::Newer { .. }) => {
                found.push(unreadable(name));
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(found)
}

pub(super) async fn verify(snapshots: &Snapshots, name: &str) -> Result<Verdict, Problem> {
    let number: u64 = name.parse().map_err(|_| unknown(name))?;
    let manifest = match snapshots.inspect(number).await {
        Ok(manifest) => manifest,
        Err(SnapshotError::Unknown { .. }) => return Err(unknown(name)),
        Err(error) => return Err(failed(&error)),
    };
    let faults = snapshots.verify(number).await.map_err(|error| failed(&error))?;
    let told = |fault: &actors::snapshot::Fault| Fault {
        object: fault.object.clone(),
        problem: fault.to_string(),
    };
    let faults: Vec<Fault> = faults.iter().map(told).collect();
    let snapshot = Snapshot { verified: faults.is_empty(), ..shown(&manifest, None, 0) };
    Ok(Verdict { snapshot, faults })
}

/// A snapshot whose manifest cannot be read: that it is there is all that is known.
fn unreadable(name: u64) -> Snapshot {
    Snapshot {
        name: name.to_string(),
        created_ms: 0,
        took_ms: None,
        bytes: 0,
        new_bytes: 0,
        ranges: 0,
        node: None,
        state: SnapshotState::Failed,
        verified: false,
    }
}

pub(in crate::assembly) fn shown(
    manifest: &Manifest,
    took_ms: Option<u64>,
    new_bytes: u64,
) -> Snapshot {
    Snapshot {
        name: manifest.name.to_string(),
        created_ms: manifest.created_ms,
        took_ms,
        bytes: manifest.files().map(|file| file.bytes).sum(),
        new_bytes,
        ranges: u32::try_from(manifest.ranges.len()).unwrap_or(u32::MAX),
        node: manifest.node().map(str::to_owned),
        state: SnapshotState::Done,
        verified: false,
    }
}

fn unknown(name: &str) -> Problem {
    let what = format!("there is no snapshot {name}");
    Problem::new(Code::SnapshotNotFound, what, "no manifest has that name")
        .remedy("throughline snapshot list")
}

pub(in crate::assembly) fn failed(error: &SnapshotError) -> Problem {
    let why = actors::causes::one_line(error);
    Problem::new(Code::Unhealthy, "the snapshots could not be used", why)
        .remedy("see that the object store is reachable and has space")
}
