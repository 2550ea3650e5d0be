//! A range's whole share of the figures, as it is committed: out of the store, for the range itself is ahead of it.

use super::super::aggregate::{Report, Since, Stamp};
use super::super::restore::Standing;
use super::figures::Figures;
use super::{LoadError, Range};
use crate::store::{Store, Table};

impl Range {
    /// Every cell, as of the last commit that is in the store (I5).
    ///
    /// # Errors
    ///
    /// Where the store fails, or holds what no range has written.
    pub fn share(&self, store: &dyn Store) -> Result<Report, LoadError> {
        let head = Standing::head(store)?.map(|(_, head)| head).unwrap_or_default();
        let mut figures = Figures::new(self.figures.layout());
        figures.begin(head.folded, head.horizon_ms);
        self.each(store, Table::Partials, |key, row| figures.load(key, row))?;
        // As after a restart: what was added behind the cells is committed too.
        let scenarios = &self.rules.scenarios;
        self.each(store, Table::Contributions, |_, row| figures.replay(row, scenarios))?;
        Ok(Report {
            range: self.identity.id,
            stamp: Stamp { epoch: self.identity.epoch, sequence: head.sequence },
            record_time: head.clock,
            since: Since::Start,
            horizon: figures.horizon(),
            cells: figures.cells().into(),
        })
    }

    /// Windows that ended before this are forgotten.
    #[must_use]
    pub const fn horizon(&self) -> i64 {
        self.figures.horizon()
    }

    fn each(
        &self,
        store: &dyn Store,
        table: Table,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<(), super::super::codec::Malformed>,
    ) -> Result<(), LoadError> {
        let mut fault = None;
        store.scan(table, &mut |key, row| {
            if fault.is_none() {
                fault = take(key, row).err();
            }
        })?;
        let range = self.identity.id;
        fault.map_or(Ok(()), |source| Err(LoadError::Row { table, range, source }))
    }
}
