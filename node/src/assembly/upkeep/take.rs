//! One snapshot: a checkpoint of each range, uploaded, then the manifest that names them all.

use std::collections::BTreeSet;

use actors::engine::Engine;
use actors::range::Checkpoint;
use actors::snapshot::{FORMAT, Manifest, RangeEntry, Snapshots};
use proto::types::RangeId;

use super::super::backend::{missing, saved};
use super::super::durable::journal_prefix;
use super::phases::{Phase, Phases};
use super::requests::Part;
use crate::config::Config;
use crate::problem::{Code, Problem};

/// A snapshot that was taken.
pub(super) struct Taken {
    pub(super) part: Part,
    /// The longest that one range wrote its checkpoint, and did nothing else.
    pub(super) held_ms: u64,
}

/// Takes a snapshot. Each range stands at a commit of its own: its tail of the journal begins there.
pub(super) async fn snapshot(
    engine: &Engine,
    snapshots: &Snapshots,
    config: &Config,
    phases: &Phases,
) -> Result<Taken, Problem> {
    let clock = actors::clock::wall();
    let began_ms = clock();
    let (mut ranges, mut held_ms) = (Vec::new(), 0);
    let targets = engine.ranges();
    if targets.is_empty() {
        return Err(nothing());
    }
    for target in targets {
        let to = config.storage.dir.join("checkpoint").join(target.range.to_string());
        // What an interrupted attempt has left.
        drop(tokio::fs::remove_dir_all(&to).await);
        let asked_ms = clock();
        let checkpoint = async {
            let checkpoint = engine.checkpoint(target.range, to.clone()).await;
            checkpoint.map_err(|error| missing(&error))?.ok_or_else(|| early(target.range))
        };
        let checkpoint = phases.measure(Phase::Checkpoint, checkpoint).await?;
        held_ms = held_ms.max(clock().saturating_sub(asked_ms));
        let life = engine.life();
        let upload = snapshots.upload(&to, &life);
        let files = phases.measure(Phase::Upload, upload).await;
        let files = files.map_err(|error| saved::failed(&error))?;
        drop(tokio::fs::remove_dir_all(&to).await);
        ranges.push(RangeEntry { files, ..entry(engine, &checkpoint) });
    }
    let mut manifest = Manifest {
        format: FORMAT,
        min_reader: FORMAT,
        name: 0,
        cluster: config.names.cluster.clone(),
        created_ms: began_ms,
        ranges,
    };
    let created = phases.measure(Phase::Manifest, snapshots.create_next(&mut manifest)).await;
    created.map_err(|error| saved::failed(&error))?;
    let new_bytes = new_bytes(snapshots, &manifest).await;
    let took_ms = clock().saturating_sub(began_ms);
    let ranges = manifest.ranges.iter().map(|entry| RangeId(entry.range)).collect();
    let snapshot = saved::shown(&manifest, Some(took_ms), new_bytes);
    Ok(Taken { part: Part { snapshot, ranges }, held_ms })
}

/// A snapshot without one of the ranges would not do.
fn early(range: RangeId) -> Problem {
    let why = format!("range {range} has not committed anything yet");
    Problem::new(Code::CatchingUp, "it is too early for a snapshot", why)
        .remedy("wait until the node has read something, then: throughline snapshot create")
}

fn nothing() -> Problem {
    Problem::new(
        Code::CatchingUp,
        "there is nothing to take a snapshot of",
        "this node owns no range",
    )
    .remedy("ask a node that owns ranges: throughline range list")
}

/// Bytes of the files that the node's snapshot before does not name.
async fn new_bytes(snapshots: &Snapshots, manifest: &Manifest) -> u64 {
    let mut known = BTreeSet::new();
    for name in snapshots.list().await.unwrap_or_default().into_iter().rev() {
        let before = snapshots.inspect(name).await.ok();
        let is_before = |it: &Manifest| it.name < manifest.name && it.node() == manifest.node();
        if let Some(before) = before.filter(is_before) {
            known.extend(before.files().map(|it| it.object.clone()));
            break;
        }
    }
    let new = manifest.files().filter(|file| !known.contains(&file.object));
    new.map(|file| file.bytes).sum()
}

fn entry(engine: &Engine, checkpoint: &Checkpoint) -> RangeEntry {
    let (identity, head, place) = (checkpoint.identity, &checkpoint.head, checkpoint.place);
    let journal = |epoch| {
        let life = engine.owner(identity.id, epoch).unwrap_or_else(|| engine.life());
        journal_prefix(&life.1, life.0)
    };
    let ((epoch, slot), (outbox_epoch, outbox_slot)) = (place.at, place.outbox);
    let ledger: Vec<u64> = head.ledger.iter().map(|counts| counts.consumed).collect();
    RangeEntry {
        range: identity.id.0,
        start: identity.keys.start(),
        end: identity.keys.end(),
        epoch: epoch.get(),
        journal: journal(epoch),
        slot: slot.0,
        outbox_epoch: outbox_epoch.get(),
        outbox_journal: journal(outbox_epoch),
        outbox_slot: outbox_slot.0,
        sequence: head.sequence.0,
        positions: head.positions.iter().map(|position| position.offset.0).collect(),
        ledger: ledger.into(),
        files: Vec::new(),
    }
}
