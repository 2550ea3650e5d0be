//! What is not needed any more goes: snapshots beyond those that are kept, and the journals behind these.

use std::collections::{BTreeMap, BTreeSet};

use proto::log::{Log as _, LogError};
use proto::types::Slot;
use tracing::warn;

use super::restore::origin::{Listed, judged, stretches, usable};
use super::{Holding, Life, Past};
use crate::journal::log::ObjectLog;
use crate::machine::trim::{Keep, Needs, Stored, Taken, deletable, needed, trimmable};
use crate::snapshot::{Manifest, SnapshotError, Snapshots};

/// A file that no snapshot names goes only when it is older: it may be of one that is being taken.
const UPLOADING_MS: u64 = 60_000;

/// Where there is something to tidy up, and how much is kept. Only the owner may do it, after a fresh look at
/// the control log: see [`crate::machine::trim`].
pub struct Tidying<'a> {
    /// The snapshots.
    pub snapshots: &'a Snapshots,
    /// How many of them are kept.
    pub keep: usize,
    /// How much is kept to look results up.
    pub keep_results: Keep,
    /// This life of the node.
    pub life: Life,
    /// What it owns, and where the past of that is.
    pub holdings: &'a [Holding],
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
    /// The journals could not be listed or trimmed.
    #[error("trim the journals")]
    Log(#[from] LogError),
    /// The snapshots could not be read or deleted.
    #[error("delete old snapshots")]
    Snapshot(#[from] SnapshotError),
}

impl std::fmt::Debug for Tidying<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tidying").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Tidying<'_> {
    /// Deletes what nobody needs. `now_ms` decides only about what is kept longer than it is needed (I12).
    ///
    /// # Errors
    ///
    /// [`TidyError`].
    pub async fn tidy(&self, now_ms: u64) -> Result<Tidied, TidyError> {
        let stored = self.stored().await?;
        let mut taken = self.taken(&stored).await?;
        let old = deletable(&taken, self.keep);
        for &name in &old {
            self.snapshots.delete(name).await?;
        }
        taken.retain(|it| !old.contains(&it.name));
        let slots = self.trim(&stored, &taken, now_ms).await?;
        let files = self.snapshots.sweep(now_ms.saturating_sub(UPLOADING_MS)).await?.len();
        Ok(Tidied { snapshots: old.len(), slots, files })
    }

    /// What all journals have that the ranges' past is in, this life's among them.
    async fn stored(&self) -> Result<BTreeMap<Life, Vec<Stored<Life>>>, TidyError> {
        let past = self.holdings.iter().flat_map(|holding| &holding.past);
        let mut lives: BTreeSet<Life> = past.map(|past| past.life.clone()).collect();
        lives.insert(self.life.clone());
        let mut stored = BTreeMap::new();
        for life in lives {
            let slots = (self.journal)(&life).stored(&life).await?;
            stored.insert(life, slots);
        }
        Ok(stored)
    }

    /// Every snapshot, and what the journals must have for it. One that could not be restored counts for
    /// nothing: it neither displaces another nor holds the journals back.
    async fn taken(
        &self,
        stored: &BTreeMap<Life, Vec<Stored<Life>>>,
    ) -> Result<Vec<Taken<Life>>, TidyError> {
        let ats = |slots: &Vec<Stored<Life>>| slots.iter().map(|it| it.at.1).collect();
        let listed: Listed =
            stored.iter().map(|(life, slots)| (life.clone(), ats(slots))).collect();
        let holdings: Vec<Holding> =
            self.holdings.iter().map(|holding| self.with_this_life(holding, &listed)).collect();
        let mut taken = Vec::new();
        for name in self.snapshots.list().await? {
            let manifest = judged(self.snapshots.check(name).await)?;
            let needs = manifest.and_then(|manifest| needs(&manifest, &holdings, &listed));
            let needs =
                needs.inspect_err(|why| warn!(snapshot = name, why, "snapshot is unusable"));
            taken.push(Taken { name, needs: needs.ok() });
        }
        Ok(taken)
    }

    fn with_this_life(&self, holding: &Holding, listed: &Listed) -> Holding {
        let mut holding = holding.clone();
        let before = holding.past.iter().rev().find(|past| past.life == self.life);
        let from = before.map_or(Slot(1), |past| past.to);
        let last = listed.get(&self.life).and_then(|slots| slots.last().copied());
        let to = last.unwrap_or_default().next();
        let journal = std::sync::Arc::new((self.journal)(&self.life));
        let (life, epoch) = (self.life.clone(), holding.epoch);
        holding.past.push(Past { life, epoch, journal, from, to });
        holding
    }

    async fn trim(
        &self,
        stored: &BTreeMap<Life, Vec<Stored<Life>>>,
        kept: &[Taken<Life>],
        now_ms: u64,
    ) -> Result<usize, TidyError> {
        let Some(needed) = needed(kept) else { return Ok(0) };
        let all: Vec<_> = stored.values().flatten().cloned().collect();
        let gone = trimmable(&all, &needed, self.keep_results, now_ms);
        // Oldest first: what is left has no hole, wherever this ends.
        for (life, slot) in &gone {
            (self.journal)(life).trim(*slot).await?;
        }
        Ok(gone.len())
    }
}

/// What a restore of every range from the snapshot reads of each journal; why not, where one cannot be restored.
fn needs(
    manifest: &Manifest,
    holdings: &[Holding],
    listed: &Listed,
) -> Result<Needs<Life>, String> {
    let mut needs = Needs::new();
    for holding in holdings {
        let past = stretches(holding, listed);
        let from = usable(manifest, holding, &past)?.needed_from();
        for (stretch, past) in past.iter().zip(&holding.past) {
            let Some(slot) = stretch.needed_from(from) else { continue };
            let first = needs.entry(past.life.clone()).or_insert(slot);
            *first = slot.min(*first);
        }
    }
    Ok(needs)
}
