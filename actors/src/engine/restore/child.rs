//! A range that was split off from another comes back for the first time: out of that one's state at its end.

use proto::types::{Ancestor, RangeId};
use tracing::info;

use super::super::Holding;
use super::origin::{Opened, Shelf};
use super::{RestoreError, replay, rotten};
use crate::machine::descent::Child;
use crate::machine::restore::Standing;

impl Shelf<'_> {
    /// What the range began with, out of the range that it came from, which comes back as it was at its end.
    pub(super) async fn child(
        &self,
        wanted: RangeId,
        holding: &Holding,
        (parent, ancestor): (Holding, Ancestor),
        why: &str,
    ) -> Result<Opened, RestoreError> {
        let range = holding.id;
        // Its sibling would open the same store. Who brings it back for a child of its own has the turn already.
        let _turn = match wanted == range {
            true => Some(self.births.lock().await),
            false => None,
        };
        let mut opened = [Box::pin(self.open_for(wanted, &parent)).await?];
        replay(std::slice::from_ref(&parent), self.slots, &mut opened).await?;
        let [Opened { store, origin, .. }] = opened;
        let folder = self.stores.folder(range);
        self.snapshots.discard(&folder).await?;
        store.checkpoint(&folder)?;
        drop(store);
        let mut store = self.stores.adopt(range)?;
        let Ancestor { child_epoch: epoch, passes_figures: has_figures, .. } = ancestor;
        let child = Child { keys: holding.keys, epoch, has_figures };
        let born = child.born(&*store).map_err(|error| rotten(wanted, origin, error))?;
        store.apply(&born)?;
        let nowhere = || Standing::nowhere(range);
        let standing = Standing::of(range, &*store)?.unwrap_or_else(nowhere);
        let parent = parent.id;
        info!(%range, %parent, %origin, why, "range made out of the one that it came from");
        Ok(Opened::new(store, standing, origin))
    }
}
