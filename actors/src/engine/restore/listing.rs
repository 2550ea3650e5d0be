//! What there is to restore from: the slots of journals, and the snapshots of all nodes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proto::types::Slot;

use super::super::{Holding, Life, Past};
use super::RestoreError;
use crate::machine::reach::{Stretch, begun, newest};
use crate::snapshot::{Manifest, SnapshotError, Snapshots};

/// Which slots each journal has, ascending.
pub(super) type Listed = BTreeMap<Life, Vec<Slot>>;

/// All snapshots, whoever took them, newest first; of those that cannot be read, why not.
pub(super) type Manifests = Vec<(u64, Result<Manifest, String>)>;

/// What the journals of all `holdings` have.
pub(super) async fn list(holdings: &[Holding]) -> Result<Listed, RestoreError> {
    let mut slots = Listed::new();
    for past in holdings.iter().flat_map(|holding| &holding.past) {
        if let Entry::Vacant(vacant) = slots.entry(past.life.clone()) {
            vacant.insert(past.journal.slots().await?);
        }
    }
    Ok(slots)
}

/// Reads all snapshots. The journals have been listed before: what had gone from them by then is in a snapshot.
pub(super) async fn manifests(snapshots: &Snapshots) -> Result<Manifests, SnapshotError> {
    let mut manifests = Vec::new();
    for name in snapshots.list().await?.into_iter().rev() {
        match snapshots.inspect(name).await {
            // It was deleted meanwhile.
            Err(SnapshotError::Unknown { .. }) => {}
            manifest => manifests.push((name, judged(manifest)?)),
        }
    }
    Ok(manifests)
}

/// A range's past, and what is there of it.
pub(super) fn reaching<'a>(
    holding: &Holding,
    slots: &'a Listed,
    manifests: &Manifests,
) -> Vec<Stretch<'a>> {
    let epochs = manifests.iter().map(|(_, manifest)| {
        let manifest = manifest.as_ref().ok()?;
        Some(manifest.range(holding.id.0).map(|entry| entry.place().needed_from().0))
    });
    let mut past = stretches(holding, slots);
    begun(&mut past, newest(epochs));
    past
}

pub(super) fn stretches<'a>(holding: &Holding, slots: &'a Listed) -> Vec<Stretch<'a>> {
    holding.past.iter().map(|past| stretch(past, slots)).collect()
}

/// What is there of a part of a range's past.
pub(super) fn stretch<'a>(past: &Past, slots: &'a Listed) -> Stretch<'a> {
    let there = slots.get(&past.life).map_or(&[][..], Vec::as_slice);
    Stretch { epoch: past.epoch, from: past.from, to: past.to, there }
}

/// What is wrong with a snapshot speaks against that snapshot; a disk or a store that fails, against none.
pub(in crate::engine) fn judged<T>(
    answer: Result<T, SnapshotError>,
) -> Result<Result<T, String>, SnapshotError> {
    match answer {
        Ok(it) => Ok(Ok(it)),
        Err(error @ (SnapshotError::Files { .. } | SnapshotError::Store { .. })) => Err(error),
        Err(
            error @ (SnapshotError::Unknown { .. }
            | SnapshotError::Taken { .. }
            | SnapshotError::Newest { .. }
            | SnapshotError::NoRange { .. }
            | SnapshotError::Newer { .. }
            | SnapshotError::Corrupted { .. }
            | SnapshotError::Damaged { .. }
            | SnapshotError::Incomplete { .. }
            | SnapshotError::Clash { .. }),
        ) => Ok(Err(error.to_string())),
    }
}
