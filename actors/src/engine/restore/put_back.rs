//! A snapshot is put back by hand: the local state of a node that does not run becomes what the snapshot has.

use std::collections::BTreeSet;

use super::super::{Holding, Stores};
use super::RestoreError;
use super::listing::{Listed, list, manifests, reaching, stretches};
use super::origin::{adopt, fetch, usable};
use crate::machine::block::Place;
use crate::snapshot::{Manifest, Snapshots};

/// What was put back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PutBack {
    /// The snapshot.
    pub name: u64,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// How many ranges.
    pub ranges: usize,
    /// The size of their files.
    pub bytes: u64,
    /// How many slots of journals the node will replay on top.
    pub tail_slots: usize,
    /// Newer snapshots that could not be used, and why.
    pub refused: Vec<String>,
}

/// Which snapshot is put back, and whether only to see if it could be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Its name; `None`: the newest that can be used.
    pub name: Option<u64>,
    /// Whether everything is checked and nothing changed.
    pub is_rehearsal: bool,
}

/// Makes a snapshot the local state of every range of `holdings`, whose past ends with the last slot that
/// exists. All files are there and verified before the first store is touched.
///
/// # Errors
///
/// [`RestoreError::NoSnapshot`] where none can be used.
pub async fn put_back(
    snapshots: &Snapshots,
    stores: &dyn Stores,
    holdings: &[Holding],
    wanted: Wanted,
) -> Result<PutBack, RestoreError> {
    let slots = list(holdings).await?;
    let mut refused = Vec::new();
    let manifests = manifests(snapshots).await?;
    let is_wanted = |name: u64| wanted.name.is_none_or(|it| it == name);
    for (name, manifest) in manifests.iter().filter(|(name, _)| is_wanted(*name)) {
        let places = manifest.as_ref().map_err(Clone::clone).and_then(|manifest| {
            let place = |holding: &Holding| {
                let past = reaching(holding, &slots, &manifests);
                let place = usable(manifest, holding, &past);
                place.map_err(|why| format!("range {}: {why}", holding.id))
            };
            let places: Result<Vec<Place>, String> = holdings.iter().map(place).collect();
            Ok((places?, manifest))
        });
        let put = match places {
            Ok((places, manifest)) => {
                let put = fetch_all(snapshots, stores, holdings, *name).await?;
                put.map(|()| (places, manifest))
            }
            Err(why) => Err(why),
        };
        let (places, manifest) = match put {
            Ok(it) => it,
            Err(why) => {
                refused.push(format!("snapshot {name}: {why}"));
                continue;
            }
        };
        if wanted.is_rehearsal {
            discard_all(snapshots, stores, holdings).await?;
        } else {
            adopt_all(stores, holdings, &places)?;
        }
        let tail_slots = tail(&places, holdings, &slots);
        return Ok(told(manifest, holdings.len(), tail_slots, refused));
    }
    discard_all(snapshots, stores, holdings).await?;
    Err(RestoreError::NoSnapshot(refused.join("; ")))
}

/// How many slots the ranges' restores read, each counted once.
fn tail(places: &[Place], holdings: &[Holding], slots: &Listed) -> usize {
    let mut tail = BTreeSet::new();
    for (holding, place) in holdings.iter().zip(places) {
        for (stretch, past) in stretches(holding, slots).iter().zip(&holding.past) {
            let Some(first) = stretch.needed_from(place.needed_from()) else { continue };
            let read = stretch.there.iter().filter(|slot| (first..stretch.to).contains(slot));
            tail.extend(read.map(|slot| (&past.life, slot)));
        }
    }
    tail.len()
}

fn told(manifest: &Manifest, ranges: usize, tail_slots: usize, refused: Vec<String>) -> PutBack {
    let bytes = manifest.files().map(|file| file.bytes).sum();
    let (name, created_ms) = (manifest.name, manifest.created_ms);
    PutBack { name, created_ms, ranges, bytes, tail_slots, refused }
}

async fn fetch_all(
    snapshots: &Snapshots,
    stores: &dyn Stores,
    holdings: &[Holding],
    name: u64,
) -> Result<Result<(), String>, RestoreError> {
    for holding in holdings {
        if let Err(why) = fetch(snapshots, stores, name, holding.id).await? {
            return Ok(Err(why));
        }
    }
    Ok(Ok(()))
}

async fn discard_all(
    snapshots: &Snapshots,
    stores: &dyn Stores,
    holdings: &[Holding],
) -> Result<(), RestoreError> {
    for holding in holdings {
        snapshots.discard(&stores.folder(holding.id)).await?;
    }
    Ok(())
}

fn adopt_all(
    stores: &dyn Stores,
    holdings: &[Holding],
    places: &[Place],
) -> Result<(), RestoreError> {
    for (holding, place) in holdings.iter().zip(places) {
        let adopted = adopt(stores, holding.id, *place)?;
        // Verified file by file, and yet no store: it was none when the snapshot was taken.
        adopted.map_err(|why| RestoreError::NoSnapshot(format!("range {}: {why}", holding.id)))?;
    }
    Ok(())
}
