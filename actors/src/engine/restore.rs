//! A node's ranges come back: from their local stores, the journals behind them, and the sources for what is young.

pub(super) mod basis;
mod child;
mod copy;
mod error;
pub(super) mod listing;
pub(super) mod origin;
pub(super) mod put_back;
mod refill;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use proto::types::{RangeId, Slot};
use tracing::{info, warn};

use super::{Holding, Life, Past, Setup};
use crate::causes::one_line;
use crate::journal::object::{ObjectError, Sealed};
use crate::machine::block::{Place, References};
use crate::machine::outbox::Outbox;
use crate::machine::positions::Position;
use crate::machine::range::{Identity, LoadError, Range, Restored};
use crate::machine::reach::turns;
use crate::machine::restore::Replayed;
use crate::sink::Row;
use crate::source::Source;
use crate::store::{Store, StoreError};
pub(super) use copy::{go_on, take_up};
pub use error::RestoreError;
use listing::{Listed, list, stretch};
pub(super) use origin::Opened;
use origin::{Origin, Shelf, told};
use refill::refill;

/// How often a restore begins anew because its past was trimmed meanwhile: that takes a snapshot of another node.
const AGAIN: u32 = 3;

/// A range that can serve.
#[derive(Debug)]
pub(super) struct Ready {
    /// The range.
    pub(super) range: Range,
    /// Its store.
    pub(super) store: Box<dyn Store>,
    /// Where it stands.
    pub(super) place: Place,
    /// Rows that were not known to be acknowledged.
    pub(super) rows: Vec<Row>,
    /// The slots that hold them.
    pub(super) outbox: Outbox,
}

/// Restores ranges; legs that are kept by reference are read from `source`.
///
/// # Errors
///
/// [`RestoreError`]; nothing has been changed that a next attempt would miss.
pub(super) async fn restore(
    setup: &Setup,
    holdings: &[Holding],
    source: &dyn Source,
) -> Result<Vec<Ready>, RestoreError> {
    let mut doubted = BTreeSet::new();
    let mut again = AGAIN;
    loop {
        match attempt(setup, holdings, source, &doubted).await {
            Err(RestoreError::Rotten { range, origin, source })
                if doubted.insert((range, origin)) =>
            {
                let error = one_line(&source);
                warn!(%range, %origin, error, "the state does not verify, looking for another");
            }
            Err(error @ RestoreError::Trimmed { .. }) if again > 0 => {
                again -= 1;
                warn!(%error, "a newer snapshot must be there, looking for it");
            }
            done => return done,
        }
    }
}

/// The least position of each source partition over all ranges: where its reader begins.
pub(super) fn least(ready: &[Ready], partitions: usize) -> Vec<Position> {
    let of = |partition: usize| {
        let positions = ready.iter().filter_map(|one| one.range.positions().get(partition));
        positions.min_by_key(|position| position.offset).copied().unwrap_or_default()
    };
    (0..partitions).map(of).collect()
}

/// Restores without what is `doubted`.
async fn attempt(
    setup: &Setup,
    holdings: &[Holding],
    source: &dyn Source,
    doubted: &BTreeSet<(RangeId, Origin)>,
) -> Result<Vec<Ready>, RestoreError> {
    let opened = bring_back(setup, holdings, doubted).await?;
    load(setup, source, holdings.iter().zip(opened).collect()).await
}

/// Makes what was brought back ready to serve.
async fn load(
    setup: &Setup,
    source: &dyn Source,
    opened: Vec<(&Holding, Opened)>,
) -> Result<Vec<Ready>, RestoreError> {
    let mut young = Vec::new();
    let mut references = References::default();
    for (holding, one) in opened {
        let shared = (Arc::clone(&setup.rules), Arc::clone(&setup.layout));
        let loaded = Range::load(identity(holding), setup.settings.clone(), shared, &*one.store);
        let loaded = loaded.map_err(|error| rotten(holding.id, one.origin, error))?;
        references.merge(loaded.references);
        young.push((loaded.restored, one));
    }
    refill(setup, source, references, &mut young).await?;
    let wall_ms = (setup.clock)();
    let ready = |(restored, one): (Restored, Opened)| {
        let missing = restored.missing();
        let range = restored.range().identity().id;
        if missing > 0 {
            return Err(RestoreError::Lost { range, missing });
        }
        let range = restored.serve(wall_ms);
        let Replayed { place, rows, outbox } = one.standing.replayed();
        Ok(Ready { range, store: one.store, place, rows, outbox })
    };
    young.into_iter().map(ready).collect()
}

fn identity(holding: &Holding) -> Identity {
    Identity { id: holding.id, keys: holding.keys, epoch: holding.epoch }
}

/// A state that is not what ranges write can be replaced by another; a disk that fails is none of its faults.
fn rotten(range: RangeId, origin: Origin, source: LoadError) -> RestoreError {
    match source {
        LoadError::Row { .. }
        | LoadError::Parent { .. }
        | LoadError::Unsettled { .. }
        | LoadError::Store(StoreError::Corrupted { .. }) => {
            RestoreError::Rotten { range, origin, source }
        }
        LoadError::Store(StoreError::Full { .. } | StoreError::Failed { .. }) => {
            RestoreError::Load(source)
        }
    }
}

/// Opens every range's store, and applies what the journals have beyond it.
pub(super) async fn bring_back(
    setup: &Setup,
    holdings: &[Holding],
    doubted: &BTreeSet<(RangeId, Origin)>,
) -> Result<Vec<Opened>, RestoreError> {
    let listed = list(holdings).await?;
    let shelf = Shelf::of(setup, &listed, doubted).await?;
    let mut opened = Vec::new();
    for holding in holdings {
        opened.push(shelf.open(holding).await?);
    }
    replay(holdings, &listed, &mut opened).await?;
    Ok(opened)
}

/// Applies what the journals have beyond each store, and collects the rows that were not acknowledged.
///
/// Where all ranges have had the same owners, each object is read once.
async fn replay(
    holdings: &[Holding],
    listed: &Listed,
    opened: &mut [Opened],
) -> Result<(), RestoreError> {
    let lives = |holding: &Holding| holding.past.iter().map(|past| past.life.clone()).collect();
    let (mut objects, mut blocks) = (0u64, 0u64);
    let mut found = BTreeSet::new();
    for turn in turns(&holdings.iter().map(lives).collect::<Vec<_>>()) {
        let past = |(range, stretch): (usize, usize)| (range, &holdings[range].past[stretch]);
        let turn: Vec<(usize, &Past)> = turn.into_iter().map(past).collect();
        let Some(&(_, Past { life, journal, .. })) = turn.first() else { continue };
        for &slot in listed.get(life).into_iter().flatten() {
            let mut here = turn.clone();
            here.retain(|(range, past)| {
                let is_in = past.from <= slot && slot < past.to;
                // What was its parent's is in what it began with.
                is_in
                    && past.range == holdings[*range].id
                    && opened[*range].needs((past.epoch, slot))
            });
            if here.is_empty() {
                continue;
            }
            let trimmed = || RestoreError::Trimmed { life: life.clone(), slot };
            // I10: what it had may be in no slot that follows, so that no gap would show.
            let object = journal.read(slot).await?.ok_or_else(trimmed)?;
            let Some(sealed) = sealed(life, slot, object)? else { continue };
            objects += 1;
            for (range, past) in here {
                let (holding, at) = (&holdings[range], (past, slot));
                let has_more = take_in(holding, at, &sealed, &mut opened[range])?;
                blocks += u64::from(has_more);
                if has_more && found.insert((range, past.epoch)) {
                    whole_behind(holding, at, listed)?;
                }
            }
        }
    }
    info!(objects, blocks, "journals replayed");
    Ok(())
}

/// I10: what follows the first that an owner has written of a range must be there: what is not may have had more of it.
fn whole_behind(
    holding: &Holding,
    (past, slot): (&Past, Slot),
    listed: &Listed,
) -> Result<(), RestoreError> {
    let Some(lost) = stretch(past, listed).hole_behind(slot) else { return Ok(()) };
    let refused = format!("{} is gone", told((past.epoch, lost), holding));
    Err(RestoreError::Nowhere { range: holding.id, refused })
}

/// The commit in a slot; `None` where it holds the fence that ended the journal, or the claim of a slot.
fn sealed(life: &Life, slot: Slot, object: Bytes) -> Result<Option<Sealed>, RestoreError> {
    match Sealed::open(object) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(ObjectError::NoCommit) => Ok(None),
        Err(source) => Err(RestoreError::Object { life: life.clone(), slot, source }),
    }
}

/// Applies what a commit has of a range; whether it has anything.
fn take_in(
    holding: &Holding,
    (past, slot): (&Past, Slot),
    sealed: &Sealed,
    one: &mut Opened,
) -> Result<bool, RestoreError> {
    let at = (past.epoch, slot);
    one.read = Some(at);
    let refused = |source| RestoreError::Object { life: past.life.clone(), slot, source };
    let block = sealed.block(holding.id).map_err(refused)?;
    // I1: what was committed under another epoch is of another stretch.
    let Some(block) = block.filter(|it| it.head.epoch == past.epoch) else { return Ok(false) };
    let changes = one.standing.follow(at, block)?;
    let applied = one.store.apply(&changes);
    applied.map_err(|it| rotten(holding.id, one.origin, LoadError::Store(it)))?;
    Ok(true)
}
