//! Ending a journal: the coordinator takes the next slot of a node that is held dead.

use proto::log::{Log, LogError};
use proto::types::Slot;

use crate::claim::{Claim, Unclear, claim, highest};
use crate::machine::fence::{Fence, fence_object, is_fence};

/// How many slots a node may win against us in a row. It commits at most every 20 ms, so this many
/// say that something else is wrong.
pub const MAX_RACES: u32 = 1_000;

/// Why a journal could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum FencingError {
    /// The store failed.
    #[error("list the journal's slots")]
    Store(#[from] LogError),
    /// The store's answer stayed unclear.
    #[error("write the fence")]
    Unclear(#[from] Unclear),
    /// The node was always quicker.
    #[error("write the fence: the node took {MAX_RACES} slots before us; stop its process")]
    Outrun,
}

/// Ends `journal`, and says in which slot its fence stands: the first one, where several processes
/// did this. From then on its owner can commit nothing.
///
/// Needs a journal whose newest slot is never trimmed (I10), and an owner that writes slot n + 1 only
/// after it has won slot n.
///
/// # Errors
///
/// [`FencingError`]; the journal may have been fenced then, and may not.
pub async fn fence(journal: &dyn Log, by: &Fence) -> Result<Slot, FencingError> {
    let object = fence_object(by);
    // The newest slot first: it may be a fence already.
    let mut slot = highest(journal).await?.unwrap_or(Slot(1));
    for _ in 0..MAX_RACES {
        let stands = match claim(journal, slot, &object).await? {
            Claim::Ours => true,
            Claim::Taken(standing) => is_fence(&standing),
        };
        if !stands {
            slot = slot.next();
            continue;
        }
        // Slots above show that a list was too old and the fence filled a trimmed slot: no fence.
        match highest(journal).await?.filter(|&newest| newest > slot) {
            None => return Ok(slot),
            Some(newest) => slot = newest,
        }
    }
    Err(FencingError::Outrun)
}

#[cfg(test)]
mod tests;
