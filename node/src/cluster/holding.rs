//! A range of the control log, as the data plane takes it on: its keys, its epoch, and where its past is.

use actors::engine::{Holding, Past};
use coordinator::coordinator::Journals;
use coordinator::machine::member::Member;
use coordinator::machine::table::{Range, Span, Table};
use proto::types::{Epoch, RangeId};

use super::body::OPEN;

/// Why a range cannot be taken on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HoldingError {
    /// The control log has passed the order by.
    #[error("{range} is not at {epoch} any more")]
    Passed {
        /// The range.
        range: RangeId,
        /// The order's epoch.
        epoch: Epoch,
    },
    /// A part of its past is another range's, and the data plane would look for its own.
    #[error("a part of the past of {range} is that of {other}, which this version cannot restore")]
    Inherited {
        /// The range.
        range: RangeId,
        /// The one that it came from.
        other: RangeId,
    },
}

/// The range, to be served by its owner.
///
/// # Errors
///
/// [`HoldingError`].
pub fn owned(
    table: &Table,
    journals: &dyn Journals,
    (range, epoch): (RangeId, Epoch),
) -> Result<Holding, HoldingError> {
    let (found, past) = past(table, journals, (range, epoch))?;
    Ok(Holding { id: range, keys: found.keys, epoch, past })
}

/// The range, to be copied from its owner, which goes on.
///
/// # Errors
///
/// [`HoldingError`].
pub fn copied(
    table: &Table,
    journals: &dyn Journals,
    (range, epoch): (RangeId, Epoch),
) -> Result<Holding, HoldingError> {
    let (found, mut past) = past(table, journals, (range, epoch))?;
    let owner = found.owner().ok_or(HoldingError::Passed { range, epoch })?;
    past.push(open(found, owner, journals));
    Ok(Holding { id: range, keys: found.keys, epoch, past })
}

fn past<'a>(
    table: &'a Table,
    journals: &dyn Journals,
    (id, epoch): (RangeId, Epoch),
) -> Result<(&'a Range, Vec<Past>), HoldingError> {
    let passed = HoldingError::Passed { range: id, epoch };
    let range = table.range(id).filter(|range| range.epoch == epoch).ok_or(passed)?;
    let inherited = range.lineage.iter().find(|span| span.range != id);
    if let Some(Span { range: other, .. }) = inherited {
        return Err(HoldingError::Inherited { range: id, other: *other });
    }
    let span = |span: &Span| Past {
        life: (span.member.incarnation, span.member.node.clone()),
        epoch: span.epoch,
        journal: journals.journal(&span.member.node, span.member.incarnation),
        from: span.from,
        to: span.to,
    };
    Ok((range, range.lineage.iter().map(span).collect()))
}

/// What the owner commits under its present epoch.
fn open(range: &Range, owner: &Member, journals: &dyn Journals) -> Past {
    Past {
        life: (owner.incarnation, owner.node.clone()),
        epoch: range.epoch,
        journal: journals.journal(&owner.node, owner.incarnation),
        from: range.since(owner),
        to: OPEN,
    }
}
