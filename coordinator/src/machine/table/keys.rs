//! What divisions, splits and merges of ranges must obey: each key in one range, no number twice.

use proto::types::{KeyRange, RangeId};

use super::check::{check_ascending, check_epoch};
use super::{Refused, Table};
use crate::machine::entry::{Change, Division};

impl Table {
    /// Whether new ranges cover `keys`, each key once and in order.
    pub(super) fn check_cover(&self, keys: KeyRange, parts: &[Division]) -> Result<(), Refused> {
        check_ascending(parts.iter().map(|part| part.range))?;
        let mut start = Some(keys.start());
        for part in parts {
            self.check_new(part.range)?;
            if start != Some(part.keys.start()) {
                return Err(Refused::Uncovered(part.range));
            }
            start = Some(part.keys.end()).filter(|&end| end != keys.end());
        }
        let last = parts.last().map_or(RangeId(0), |last| last.range);
        start.map_or(Ok(()), |_| Err(Refused::Uncovered(last)))
    }

    /// `change` is a split; any other is taken.
    pub(super) fn check_split(&self, change: &Change) -> Result<(), Refused> {
        let Change::Split { member, range: id, to, epoch, children } = change else {
            return Ok(());
        };
        let range = self.check_closed(*id, member, *to)?;
        check_epoch(*id, *epoch, range.epoch.next())?;
        if children.len() < 2 {
            return Err(Refused::Whole(*id));
        }
        self.check_cover(range.keys, children)
    }

    /// `change` is a merge; any other is taken.
    pub(super) fn check_merged(&self, change: &Change) -> Result<(), Refused> {
        let Change::Merged { member, left, right, to, epoch, child } = change else {
            return Ok(());
        };
        let (left, right) = (*left, *right);
        let below = self.check_closed(left, member, *to)?;
        let above = self.check_closed(right, member, *to)?;
        check_epoch(child.range, *epoch, below.epoch.max(above.epoch).next())?;
        if below.keys.join(above.keys) != Some(child.keys) {
            return Err(Refused::Apart { left, right });
        }
        self.check_new(child.range)
    }

    fn check_new(&self, range: RangeId) -> Result<(), Refused> {
        if Some(range) > self.last_range { Ok(()) } else { Err(Refused::Reused(range)) }
    }
}

#[cfg(test)]
mod tests;
