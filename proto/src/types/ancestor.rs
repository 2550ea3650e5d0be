//! A range that became others.

use super::{Epoch, KeyRange, RangeId};

/// A range that is no more: it was split.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ancestor {
    /// The range.
    pub range: RangeId,
    /// The keys that it had.
    pub keys: KeyRange,
    /// Whether the next in line has its figures and its account: of the children of a split the first one has. Sums don't
    /// care which.
    pub passes_figures: bool,
    /// The first epoch of what it became, which it never had.
    pub child_epoch: Epoch,
}
