//! Where a range's state comes from: its local store; else the newest snapshot that can be used; else the
//! journals from their beginning. In doubt from nowhere: a state with a gap is never served (I10).

use std::collections::BTreeSet;
use std::fmt;

use proto::types::RangeId;
use tracing::{info, warn};

use super::super::{Holding, Past, Setup, Stores};
use super::RestoreError;
use super::listing::{Listed, Manifests, judged, manifests, reaching};
use crate::machine::block::Place;
use crate::machine::descent::is_unborn;
use crate::machine::reach::{At, Stretch, first_missing, is_in};
use crate::machine::restore::Standing;
use crate::snapshot::{Manifest, Snapshots};
use crate::store::{Store, StoreError};

/// What a range's state was restored from, before the journals' tail.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// The local store.
    Local,
    /// The snapshot of that name.
    Snapshot(u64),
    /// Nothing: the journals have all.
    Journal,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("the local state"),
            Self::Snapshot(name) => write!(f, "snapshot {name}"),
            Self::Journal => f.write_str("the journal"),
        }
    }
}

/// A range whose store is open.
#[derive(Debug)]
pub(in crate::engine) struct Opened {
    pub(in crate::engine) store: Box<dyn Store>,
    pub(in crate::engine) standing: Standing,
    pub(in crate::engine) origin: Origin,
    /// The last place of its past that has been replayed.
    pub(in crate::engine) read: Option<At>,
}

impl Opened {
    pub(super) fn new(store: Box<dyn Store>, standing: Standing, origin: Origin) -> Self {
        Self { store, standing, origin, read: None }
    }

    /// Whether that slot may hold something that has not been replayed.
    pub(super) fn needs(&self, at: At) -> bool {
        self.standing.needs(at) && self.read.is_none_or(|read| read < at)
    }
}

/// All that ranges can be restored from.
pub(super) struct Shelf<'a> {
    pub(super) stores: &'a dyn Stores,
    pub(super) snapshots: &'a Snapshots,
    pub(super) slots: &'a Listed,
    pub(super) births: &'a tokio::sync::Mutex<()>,
    manifests: Manifests,
    /// What was tried before and turned out not to be what a range writes.
    doubted: &'a BTreeSet<(RangeId, Origin)>,
}

impl<'a> Shelf<'a> {
    pub(super) async fn of(
        setup: &'a Setup,
        slots: &'a Listed,
        doubted: &'a BTreeSet<(RangeId, Origin)>,
    ) -> Result<Self, RestoreError> {
        let manifests = manifests(&setup.snapshots).await?;
        let (stores, snapshots) = (&*setup.stores, &setup.snapshots);
        Ok(Self { stores, snapshots, slots, births: &setup.births, manifests, doubted })
    }

    /// Opens the range's store, in the nearest state from which the journals reach to its last commit.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Nowhere`] where there is none.
    pub(super) async fn open(&self, holding: &Holding) -> Result<Opened, RestoreError> {
        self.open_for(holding.id, holding).await
    }

    /// The same, for the sake of the range `wanted`, of which it is known what is doubted: that may be a child.
    pub(super) async fn open_for(
        &self,
        wanted: RangeId,
        holding: &Holding,
    ) -> Result<Opened, RestoreError> {
        let past = reaching(holding, self.slots, &self.manifests);
        let mut refused = Vec::new();
        match self.local(wanted, holding, &past)? {
            Ok(opened) => return Ok(opened),
            Err(why) => refused.push(why),
        }
        // Those of the nodes that did not own it then say nothing of it.
        let holds = |it: &Manifest| it.range(holding.id.0).is_some();
        let held = |(_, it): &&(u64, Result<Manifest, String>)| it.as_ref().map_or(true, holds);
        for (name, manifest) in self.manifests.iter().filter(held) {
            match self.snapshot(wanted, holding, &past, (*name, manifest)).await? {
                Ok(opened) => {
                    let why = refused.join("; ");
                    info!(range = %holding.id, snapshot = name, why, "range restored from a snapshot");
                    return Ok(opened);
                }
                Err(why) => {
                    warn!(range = %holding.id, snapshot = name, why, "snapshot cannot be used");
                    refused.push(format!("snapshot {name}: {why}"));
                }
            }
        }
        match holding.parent() {
            Some(parent) if !past.is_empty() => {
                self.child(wanted, holding, parent, &refused.join("; ")).await
            }
            Some(_) | None => self.journal(holding, &past, refused),
        }
    }

    fn is_doubted(&self, range: RangeId, origin: Origin) -> bool {
        self.doubted.contains(&(range, origin))
    }

    /// The local store, or why not.
    fn local(
        &self,
        wanted: RangeId,
        holding: &Holding,
        past: &[Stretch<'_>],
    ) -> Result<Result<Opened, String>, RestoreError> {
        let range = holding.id;
        if self.is_doubted(wanted, Origin::Local) {
            return Ok(Err("the local state holds what no range has written".to_owned()));
        }
        let opened = self.stores.open(range);
        let (store, found) = match opened.and_then(|it| Ok((Standing::of(range, &*it)?, it))) {
            Ok((found, store)) => (store, found),
            Err(error @ StoreError::Corrupted { .. }) => {
                warn!(%range, %error, "the local state is thrown away");
                return Ok(Err(error.to_string()));
            }
            Err(error @ (StoreError::Full { .. } | StoreError::Failed { .. })) => {
                return Err(error.into());
            }
        };
        let origin = Origin::Local;
        // A crash may have taken what made it the child's.
        if let Some(parent) = holding.ancestors.last()
            && is_unborn(&*store, parent.child_epoch)?
        {
            return Ok(Err("the local state is that of the range it came from".to_owned()));
        }
        let Some(standing) = found else {
            if past.is_empty() {
                return Ok(Ok(Opened::new(store, Standing::nowhere(range), origin)));
            }
            return Ok(Err("there is no local state".to_owned()));
        };
        if let Err(why) = stands(standing.place(), holding, past) {
            warn!(%range, why, "the local state is thrown away");
            return Ok(Err(format!("the local state {why}")));
        }
        Ok(Ok(Opened::new(store, standing, origin)))
    }

    /// The range out of that snapshot, or why not.
    async fn snapshot(
        &self,
        wanted: RangeId,
        holding: &Holding,
        past: &[Stretch<'_>],
        (name, manifest): (u64, &Result<Manifest, String>),
    ) -> Result<Result<Opened, String>, RestoreError> {
        let (range, origin) = (holding.id, Origin::Snapshot(name));
        if self.is_doubted(wanted, origin) {
            return Ok(Err("it holds what no range has written".to_owned()));
        }
        let manifest = manifest.as_ref().map_err(Clone::clone);
        let place = match manifest.and_then(|manifest| usable(manifest, holding, past)) {
            Ok(place) => place,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = fetch(self.snapshots, self.stores, name, range).await? {
            return Ok(Err(why));
        }
        adopt(self.stores, range, place)
            .map(|it| it.map(|(store, standing)| Opened::new(store, standing, origin)))
    }

    /// An empty store, where the journals have all that the range has ever committed.
    fn journal(
        &self,
        holding: &Holding,
        past: &[Stretch<'_>],
        mut refused: Vec<String>,
    ) -> Result<Opened, RestoreError> {
        let (range, origin) = (holding.id, Origin::Journal);
        let standing = Standing::nowhere(range);
        if let Some(lost) = first_missing(past, standing.needed_from()) {
            refused.push(format!("the journals alone: {} is gone", told(lost, holding)));
            let refused = refused.join("; ");
            return Err(RestoreError::Nowhere { range, refused });
        }
        self.stores.destroy(range)?;
        let why = refused.join("; ");
        warn!(%range, why, "range restored from the journal's beginning");
        Ok(Opened::new(self.stores.open(range)?, standing, origin))
    }
}

/// Whether a state at `place` is of this past, and the journals have all that it lacks; if not, why not.
pub(super) fn stands(place: Place, holding: &Holding, past: &[Stretch<'_>]) -> Result<(), String> {
    if !is_in(past, place.at) {
        return Err(format!("is of another past ({})", told(place.at, holding)));
    }
    match first_missing(past, place.needed_from()) {
        None => Ok(()),
        Some(lost) => Err(format!("needs {}, which is gone", told(lost, holding))),
    }
}

/// A place in a range's past, as people find it: slot and journal.
pub(super) fn told((epoch, slot): At, holding: &Holding) -> String {
    match holding.past.iter().find(|past| past.epoch == epoch) {
        Some(Past { life: (incarnation, node), .. }) => {
            format!("slot {slot} of journal {node}/{}", incarnation.0)
        }
        None => format!("slot {slot} under epoch {epoch}"),
    }
}

/// Where a restore out of the snapshot would put the range, if that can be exact; if not, why not.
pub(super) fn usable(
    manifest: &Manifest,
    holding: &Holding,
    past: &[Stretch<'_>],
) -> Result<Place, String> {
    let entry = manifest.range(holding.id.0).ok_or("it does not hold the range")?;
    if (entry.start, entry.end) != (holding.keys.start(), holding.keys.end()) {
        return Err("it holds other keys under the range's number".to_owned());
    }
    let place = entry.place();
    stands(place, holding, past).map_err(|why| format!("it {why}"))?;
    Ok(place)
}

/// Copies the range's files out of the snapshot, verified; says why not where they do not verify.
pub(super) async fn fetch(
    snapshots: &Snapshots,
    stores: &dyn Stores,
    name: u64,
    range: RangeId,
) -> Result<Result<(), String>, RestoreError> {
    let folder = stores.folder(range);
    // What an interrupted attempt has left.
    snapshots.discard(&folder).await?;
    Ok(judged(snapshots.restore(name, range, &folder).await)?.map(drop))
}

/// Makes what was fetched the range's store.
#[expect(clippy::type_complexity, reason = "an outcome, and why not, and what failed")]
pub(super) fn adopt(
    stores: &dyn Stores,
    range: RangeId,
    place: Place,
) -> Result<Result<(Box<dyn Store>, Standing), String>, RestoreError> {
    let adopted = stores.adopt(range);
    match adopted.and_then(|store| Ok((Standing::of(range, &*store)?, store))) {
        Ok((Some(standing), store)) if standing.place() == place => Ok(Ok((store, standing))),
        Ok(_) => Ok(Err("its files stand elsewhere in the journals than it says".to_owned())),
        Err(error @ StoreError::Corrupted { .. }) => Ok(Err(error.to_string())),
        Err(error @ (StoreError::Full { .. } | StoreError::Failed { .. })) => Err(error.into()),
    }
}
