//! What is not needed any more goes: snapshots beyond those that are kept, and the journals behind these.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use proto::log::{Log as _, LogError};
use proto::types::{NodeId, RangeId};
use tracing::warn;

use super::Life;
use super::restore::listing::judged;
use crate::journal::log::ObjectLog;
use crate::machine::block::Place;
use crate::machine::trim::{Existing, Facts, Keep, Needs, Stored, Taken, trimmable};
use crate::snapshot::{Manifest, SnapshotError, Snapshots};

/// A file that no snapshot names goes only when it is older: it may be of one that is being taken.
const UPLOADING_MS: u64 = 60_000;

/// What a fresh look at the control log says.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// All ranges that exist, whoever owns them.
    pub ranges: Vec<Existing<Life>>,
    /// The lives whose journals and files this node tidies up. That two do it harms nobody.
    pub lives: BTreeSet<Life>,
}

/// A look at the control log: an error where this life of the node is over.
pub type Look<'a> =
    &'a (dyn Fn() -> BoxFuture<'a, Result<View, Box<dyn std::error::Error + Send + Sync>>> + Sync);

/// Where there is something to tidy up, and how much is kept: see [`crate::machine::trim`].
pub struct Tidying<'a> {
    /// The snapshots, whoever took them.
    pub snapshots: &'a Snapshots,
    /// How many of them are kept of each range.
    pub keep: usize,
    /// How much is kept to look results up.
    pub keep_results: Keep,
    /// Looks at the control log.
    pub look: Look<'a>,
    /// The journal of each life of each node.
    pub journal: &'a (dyn Fn(&Life) -> ObjectLog + Send + Sync),
}

/// What went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tidied {
    /// Snapshots.
    pub snapshots: usize,
    /// Slots of journals.
    pub slots: usize,
    /// Files that no snapshot names any more.
    pub files: usize,
}

/// Why not everything could be tidied up. Nothing that is needed has gone.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    /// The control log could not be read, or this life is over.
    #[error("look at the control log")]
    Look(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The journals could not be listed or trimmed.
    #[error("trim the journals")]
    Log(#[from] LogError),
    /// The snapshots could not be read or deleted.
    #[error("delete old snapshots")]
    Snapshot(#[from] SnapshotError),
}

/// What each journal has, as its store lists it.
type Journals = BTreeMap<Life, Vec<Stored<Life>>>;

impl std::fmt::Debug for Tidying<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tidying").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl Tidying<'_> {
    /// Deletes what nobody needs. `now_ms` decides only about what is kept longer than it is needed (I12).
    ///
    /// # Errors
    ///
    /// [`TidyError`].
    pub async fn tidy(&self, now_ms: u64) -> Result<Tidied, TidyError> {
        let before = (self.look)().await.map_err(TidyError::Look)?;
        let stored = self.stored(&before).await?;
        // I10: the look that counts comes after the lists. A range may have come to a journal since the first one;
        // what was listed of it is then known to be its.
        let view = (self.look)().await.map_err(TidyError::Look)?;
        let ats = |slots: &Vec<Stored<Life>>| slots.iter().map(|it| it.at.1).collect();
        let there = stored.iter().map(|(life, slots)| (life.clone(), ats(slots))).collect();
        let taken = self.taken(&view.ranges).await?;
        let facts = Facts { there, ranges: view.ranges, taken };
        let decision = facts.decide(self.keep);
        for (snapshot, range) in &decision.unusable {
            warn!(snapshot, %range, "snapshot is unusable");
        }
        for &name in &decision.deletable {
            match self.snapshots.delete(name).await {
                // Another node was quicker.
                Ok(()) | Err(SnapshotError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let slots = match &decision.needed {
            Some(needed) => self.trim(&stored, &view.lives, needed, now_ms).await?,
            None => 0,
        };
        let before_ms = now_ms.saturating_sub(UPLOADING_MS);
        let files = self.snapshots.sweep(&view.lives, before_ms).await?.len();
        Ok(Tidied { snapshots: decision.deletable.len(), slots, files })
    }

    /// What all journals have that a range's past is in, and those that this node tidies up.
    async fn stored(&self, view: &View) -> Result<Journals, TidyError> {
        let past = view.ranges.iter().flat_map(|range| &range.past);
        let mut lives: BTreeSet<Life> = past.map(|span| span.journal.clone()).collect();
        lives.extend(view.lives.iter().cloned());
        let mut stored = BTreeMap::new();
        for life in lives {
            let slots = (self.journal)(&life).stored(&life).await?;
            stored.insert(life, slots);
        }
        Ok(stored)
    }

    /// Every snapshot, as far as it can be read.
    async fn taken(&self, ranges: &[Existing<Life>]) -> Result<Vec<Taken>, TidyError> {
        let mut taken = Vec::new();
        for name in self.snapshots.list().await? {
            let manifest = match self.snapshots.inspect(name).await {
                // Another node has deleted it meanwhile.
                Err(SnapshotError::Unknown { .. }) => continue,
                manifest => judged(manifest)?,
            };
            let is_whole = match &manifest {
                Ok(manifest) => judged(self.snapshots.check(manifest).await)?,
                Err(why) => Err(why.clone()),
            };
            if let Err(why) = &is_whole {
                warn!(snapshot = name, why, "snapshot does not verify");
            }
            let places = manifest.ok().map(|manifest| places(&manifest, ranges));
            taken.push(Taken { name, places, is_whole: is_whole.is_ok() });
        }
        Ok(taken)
    }

    async fn trim(
        &self,
        stored: &Journals,
        lives: &BTreeSet<Life>,
        needed: &Needs<Life>,
        now_ms: u64,
    ) -> Result<usize, TidyError> {
        // What is kept to look results up is so much a node: only its own lives have an order of age.
        let mut nodes: BTreeMap<&NodeId, Vec<Stored<Life>>> = BTreeMap::new();
        for (life, slots) in stored.iter().filter(|(life, _)| lives.contains(life)) {
            nodes.entry(&life.1).or_default().extend(slots.iter().cloned());
        }
        let mut count = 0;
        for all in nodes.values() {
            // Oldest first: what is left has no hole, wherever this ends.
            for (life, slot) in trimmable(all, needed, self.keep_results, now_ms) {
                (self.journal)(&life).trim(slot).await?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Where the ranges stand that the snapshot holds. One that has other keys under a range's number is of another
/// cluster.
fn places(manifest: &Manifest, ranges: &[Existing<Life>]) -> BTreeMap<RangeId, Place> {
    let is_other = |range: RangeId, keys: (u64, u64)| {
        let known = ranges.iter().find(|it| it.range == range);
        known.is_some_and(|it| (it.keys.start(), it.keys.end()) != keys)
    };
    let held = manifest.ranges.iter().map(|entry| (RangeId(entry.range), entry));
    let held = held.filter(|(range, entry)| !is_other(*range, (entry.start, entry.end)));
    held.map(|(range, entry)| (range, entry.place())).collect()
}
