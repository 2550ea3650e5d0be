//! What is not needed any more goes: snapshots beyond those that are kept, and the journals behind these.

use std::collections::BTreeMap;

use proto::log::{Log as _, LogError};
use proto::types::{Incarnation, RangeId, Slot};
use tracing::warn;

use super::restore::origin::{Listed, judged, stretches, usable};
use super::{Holding, Past};
use crate::journal::log::ObjectLog;
use crate::machine::trim::{Keep, Stored, Taken, deletable, needed_from, trimmable};
use crate::snapshot::{SnapshotError, Snapshots};

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
    pub incarnation: Incarnation,
    /// What it owns, and where the past of that is.
    pub holdings: &'a [Holding],
    /// The journal of each of the node's lives.
    pub journal: &'a (dyn Fn(Incarnation) -> ObjectLog + Send + Sync),
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
        f.debug_struct("Tidying").field("incarnation", &self.incarnation).finish_non_exhaustive()
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
    async fn stored(&self) -> Result<BTreeMap<Incarnation, Vec<Stored>>, TidyError> {
        let past = self.holdings.iter().flat_map(|holding| &holding.past);
        let mut lives: Vec<_> = past.map(|past| past.incarnation).collect();
        lives.push(self.incarnation);
        lives.sort_unstable();
        lives.dedup();
        let mut stored = BTreeMap::new();
        for life in lives {
            stored.insert(life, (self.journal)(life).stored(life).await?);
        }
        Ok(stored)
    }

    /// Every snapshot, and what the journals must have for it. One that could not be restored counts for
    /// nothing: it neither displaces another nor holds the journals back.
    async fn taken(
        &self,
        stored: &BTreeMap<Incarnation, Vec<Stored>>,
    ) -> Result<Vec<Taken>, TidyError> {
        let ats = |slots: &Vec<Stored>| slots.iter().map(|it| it.at.1).collect();
        let listed: Listed = stored.iter().map(|(&life, slots)| (life, ats(slots))).collect();
        let holdings: Vec<Holding> =
            self.holdings.iter().map(|holding| self.with_this_life(holding, &listed)).collect();
        let mut taken = Vec::new();
        for name in self.snapshots.list().await? {
            let manifest = judged(self.snapshots.check(name).await)?;
            let needs = manifest.and_then(|manifest| {
                let need = |holding: &Holding| {
                    let past = stretches(holding, &listed);
                    Ok((holding.id, usable(&manifest, holding, &past)?.needed_from()))
                };
                holdings.iter().map(need).collect::<Result<BTreeMap<RangeId, _>, String>>()
            });
            let needs =
                needs.inspect_err(|why| warn!(snapshot = name, why, "snapshot is unusable"));
            taken.push(Taken { name, needs: needs.ok() });
        }
        Ok(taken)
    }

    fn with_this_life(&self, holding: &Holding, listed: &Listed) -> Holding {
        let incarnation = self.incarnation;
        let last = listed.get(&incarnation).and_then(|slots| slots.last().copied());
        let journal = std::sync::Arc::new((self.journal)(incarnation));
        let (from, to) = (Slot(1), last.unwrap_or_default().next());
        let mut holding = holding.clone();
        holding.past.push(Past { incarnation, journal, from, to });
        holding
    }

    async fn trim(
        &self,
        stored: &BTreeMap<Incarnation, Vec<Stored>>,
        kept: &[Taken],
        now_ms: u64,
    ) -> Result<usize, TidyError> {
        let ranges: Vec<RangeId> = self.holdings.iter().map(|holding| holding.id).collect();
        let Some(needed_from) = needed_from(kept, &ranges) else { return Ok(0) };
        let all: Vec<Stored> = stored.values().flatten().copied().collect();
        let gone = trimmable(&all, needed_from, self.keep_results, now_ms);
        // Oldest first: what is left has no hole, wherever this ends.
        for &(life, slot) in &gone {
            (self.journal)(life).trim(slot).await?;
        }
        Ok(gone.len())
    }
}
