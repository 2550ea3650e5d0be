//! Snapshots of the node: taken range by range, listed, verified.

use actors::engine::Engine;
use actors::range::Checkpoint;
use actors::snapshot::{FORMAT, Manifest, RangeEntry, SnapshotError, Snapshots};

use crate::api::backend::{Fault, Snapshot, SnapshotState, Verdict};
use crate::config::Config;
use crate::problem::{Code, Problem};

pub(super) async fn list(snapshots: &Snapshots) -> Result<Vec<Snapshot>, Problem> {
    let mut found = Vec::new();
    for name in snapshots.list().await.map_err(|error| failed(&error))?.into_iter().rev() {
        let manifest = snapshots.inspect(name).await.map_err(|error| failed(&error))?;
        found.push(shown(&manifest, 0, 0));
    }
    Ok(found)
}

/// Takes a snapshot: a checkpoint of each range, uploaded, then the manifest that names them all.
pub(super) async fn create(
    engine: &Engine,
    snapshots: &Snapshots,
    config: &Config,
) -> Result<Snapshot, Problem> {
    let clock = actors::clock::wall();
    let began_ms = clock();
    let last = snapshots.list().await.map_err(|error| failed(&error))?.last().copied().unwrap_or(0);
    let mut ranges = Vec::new();
    for target in engine.ranges() {
        let to = config.storage.dir.join("checkpoint").join(target.range.to_string());
        // What an interrupted attempt has left.
        drop(tokio::fs::remove_dir_all(&to).await);
        let checkpoint = engine.checkpoint(target.range, to.clone()).await;
        let checkpoint = checkpoint.map_err(|error| super::missing(&error))?;
        let Some(checkpoint) = checkpoint else { continue };
        let files = snapshots.upload(&to, engine.incarnation()).await;
        let files = files.map_err(|error| failed(&error))?;
        drop(tokio::fs::remove_dir_all(&to).await);
        ranges.push(RangeEntry { files, ..entry(engine, &checkpoint) });
    }
    let manifest = Manifest {
        format: FORMAT,
        min_reader: FORMAT,
        name: last + 1,
        cluster: config.names.cluster.clone(),
        created_ms: began_ms,
        ranges,
    };
    snapshots.create(&manifest).await.map_err(|error| failed(&error))?;
    let took_ms = clock().saturating_sub(began_ms);
    Ok(shown(&manifest, took_ms, 0))
}

fn entry(engine: &Engine, checkpoint: &Checkpoint) -> RangeEntry {
    let keys = checkpoint.identity.keys;
    let counts = checkpoint.ledger.iter();
    let ledger: Vec<u64> = counts.map(|counts| counts.consumed).collect();
    RangeEntry {
        range: checkpoint.identity.id.0,
        start: keys.start(),
        end: keys.end(),
        epoch: checkpoint.identity.epoch.get(),
        journal: format!("journal/{}/{}", engine.node(), checkpoint.place.incarnation.0),
        slot: checkpoint.place.slot.0,
        sequence: checkpoint.sequence.0,
        positions: checkpoint.positions.iter().map(|position| position.offset.0).collect(),
        ledger: ledger.into(),
        files: Vec::new(),
    }
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
    let snapshot = Snapshot { verified: faults.is_empty(), ..shown(&manifest, 0, 0) };
    Ok(Verdict { snapshot, faults })
}

fn shown(manifest: &Manifest, took_ms: u64, new_bytes: u64) -> Snapshot {
    Snapshot {
        name: manifest.name.to_string(),
        created_ms: manifest.created_ms,
        took_ms,
        bytes: manifest.files().map(|file| file.bytes).sum(),
        new_bytes,
        ranges: u32::try_from(manifest.ranges.len()).unwrap_or(u32::MAX),
        state: SnapshotState::Done,
        verified: false,
    }
}

fn unknown(name: &str) -> Problem {
    let what = format!("there is no snapshot {name}");
    Problem::new(Code::SnapshotNotFound, what, "no manifest has that name")
        .remedy("throughline snapshot list")
}

fn failed(error: &SnapshotError) -> Problem {
    let why = actors::causes::one_line(error);
    Problem::new(Code::Unhealthy, "the snapshots could not be used", why)
        .remedy("see that the object store is reachable and has space")
}
