//! What ranges would be restored from where there is no local state: found out without a byte of it being read.

use proto::types::{Epoch, Slot};

use super::super::Holding;
use super::RestoreError;
use super::listing::{Listed, Manifests, judged, list, manifests, reaching};
use super::origin::{told, usable};
use crate::machine::reach::first_missing;
use crate::machine::restore::Standing;
use crate::snapshot::Snapshots;

/// What a range would be restored from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Basis {
    /// The snapshot, of the range or of the one that it came from; `None` where the journals have all.
    pub snapshot: Option<u64>,
    /// What it lacks, or its sink: the first slot of the journals, and the epoch of that part of the range's past.
    pub needed_from: (Epoch, Slot),
}

/// What each of `holdings` would be restored from, whose past ends with the last slot that exists.
///
/// # Errors
///
/// [`RestoreError::Nowhere`] for a range that cannot be restored from what is there.
pub async fn bases(
    snapshots: &Snapshots,
    holdings: &[Holding],
) -> Result<Vec<Basis>, RestoreError> {
    let slots = list(holdings).await?;
    let manifests = manifests(snapshots).await?;
    let mut bases = Vec::new();
    for holding in holdings {
        bases.push(basis(snapshots, holding, &slots, &manifests).await?);
    }
    Ok(bases)
}

async fn basis(
    snapshots: &Snapshots,
    holding: &Holding,
    slots: &Listed,
    manifests: &Manifests,
) -> Result<Basis, RestoreError> {
    let range = holding.id;
    let past = reaching(holding, slots, manifests);
    let mut refused = Vec::new();
    for (name, manifest) in manifests {
        let manifest = manifest.as_ref().map_err(Clone::clone);
        if manifest.as_ref().is_ok_and(|it| it.range(range.0).is_none()) {
            continue;
        }
        let found = manifest.and_then(|it| Ok((it, usable(it, holding, &past)?)));
        let found = match found {
            Ok((manifest, place)) => judged(snapshots.check(manifest).await)?.map(|()| place),
            Err(why) => Err(why),
        };
        match found {
            Ok(place) => {
                return Ok(Basis { snapshot: Some(*name), needed_from: place.needed_from() });
            }
            Err(why) => refused.push(format!("snapshot {name}: {why}")),
        }
    }
    if let Some((parent, _)) = holding.parent().filter(|_| !past.is_empty()) {
        return Box::pin(basis(snapshots, &parent, slots, manifests)).await;
    }
    let needed_from = Standing::nowhere(range).needed_from();
    match first_missing(&past, needed_from) {
        None => Ok(Basis { snapshot: None, needed_from }),
        Some(lost) => {
            refused.push(format!("the journals alone: {} is gone", told(lost, holding)));
            Err(RestoreError::Nowhere { range, refused: refused.join("; ") })
        }
    }
}
