//! A copy of a range that goes on with its owner's journal, and in the end is taken up.

use bytes::Bytes;
use proto::types::Slot;

use super::listing::{self, stretches};
use super::origin::{Opened, stands};
use super::{Ready, RestoreError, load, replay, sealed, take_in};
use crate::engine::{Holding, Past, Setup};
use crate::source::Source;

/// Applies the next object of the owner's journal to a copy.
pub(in crate::engine) fn go_on(
    holding: &Holding,
    (owner, slot): (&Past, Slot),
    object: Bytes,
    copy: &mut Opened,
) -> Result<(), RestoreError> {
    match sealed(&owner.life, slot, object)? {
        Some(sealed) => take_in(holding, (owner, slot), &sealed, copy).map(drop),
        None => Ok(()),
    }
}

/// Makes a copy ready to serve: applies what it lacks of the range's past, which has an end now.
pub(in crate::engine) async fn take_up(
    setup: &Setup,
    holding: &Holding,
    source: &dyn Source,
    copy: Opened,
) -> Result<Ready, RestoreError> {
    let range = holding.id;
    let nowhere = |refused| RestoreError::Nowhere { range, refused };
    let holdings = std::slice::from_ref(holding);
    let listed = listing::list(holdings).await?;
    // I4: what was copied must be of this past. A copy of nothing has nothing that could be of another.
    if copy.read.is_some() {
        stands(copy.standing.place(), holding, &stretches(holding, &listed)).map_err(nowhere)?;
    }
    let mut opened = [copy];
    replay(holdings, &listed, &mut opened).await?;
    let opened = holdings.iter().zip(opened).collect();
    let ready = load(setup, source, opened).await?.into_iter().next();
    ready.ok_or_else(|| nowhere("nothing was loaded".to_owned()))
}
