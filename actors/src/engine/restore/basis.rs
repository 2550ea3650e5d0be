//! What ranges would be restored from where there is no local state: found out without a byte of it being read.

use std::collections::BTreeMap;

use proto::types::{Epoch, Slot};

use super::super::Holding;
use super::RestoreError;
use super::listing::{Listed, Manifests, judged, list, manifests, reaching};
use super::origin::{told, usable};
use crate::machine::reach::{Stretch, first_missing};
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

/// What each of `holdings` would be restored from, whose past ends with the last slot that exists. Snapshots that are
/// `known` to be bad are passed over; of each is said why.
///
/// # Errors
///
/// [`RestoreError::Nowhere`] for a range that cannot be restored from what is there.
pub async fn bases(
    snapshots: &Snapshots,
    holdings: &[Holding],
    known: &BTreeMap<u64, String>,
) -> Result<Vec<Basis>, RestoreError> {
    let slots = list(holdings).await?;
    let mut manifests = manifests(snapshots).await?;
    for (name, manifest) in &mut manifests {
        if let Some(why) = known.get(name) {
            *manifest = Err(why.clone());
        }
    }
    let found = Found { snapshots, slots, manifests };
    let mut bases = Vec::new();
    for holding in holdings {
        bases.push(found.basis(holding).await?);
    }
    Ok(bases)
}

/// What is there to restore from.
struct Found<'a> {
    snapshots: &'a Snapshots,
    slots: Listed,
    manifests: Manifests,
}

impl Found<'_> {
    async fn basis(&self, holding: &Holding) -> Result<Basis, RestoreError> {
        let past = reaching(holding, &self.slots, &self.manifests);
        let mut refused = Vec::new();
        for (name, manifest) in &self.manifests {
            let manifest = manifest.as_ref().map_err(Clone::clone);
            if manifest.as_ref().is_ok_and(|it| it.range(holding.id.0).is_none()) {
                continue;
            }
            let found = manifest.and_then(|it| Ok((it, usable(it, holding, &past)?)));
            let found = match found {
                Ok((manifest, place)) => {
                    judged(self.snapshots.check(manifest).await)?.map(|()| place)
                }
                Err(why) => Err(why),
            };
            match found {
                Ok(place) => {
                    let needed_from = place.needed_from();
                    return Ok(Basis { snapshot: Some(*name), needed_from });
                }
                Err(why) => refused.push(format!("snapshot {name}: {why}")),
            }
        }
        let basis = match holding.parent().filter(|_| !past.is_empty()) {
            Some((parent, _)) => Box::pin(self.basis(&parent)).await?,
            None => {
                let needed_from = Standing::nowhere(holding.id).needed_from();
                Basis { snapshot: None, needed_from }
            }
        };
        reached(holding, &past, basis, refused)
    }
}

/// `basis`, if the journals reach from there to the range's end.
fn reached(
    holding: &Holding,
    past: &[Stretch<'_>],
    basis: Basis,
    mut refused: Vec<String>,
) -> Result<Basis, RestoreError> {
    let Some(lost) = first_missing(past, basis.needed_from) else { return Ok(basis) };
    refused.push(format!("the journals: {} is gone", told(lost, holding)));
    Err(RestoreError::Nowhere { range: holding.id, refused: refused.join("; ") })
}
