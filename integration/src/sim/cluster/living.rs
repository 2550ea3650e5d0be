//! One life of a node: the coordinator's rules, and the body that does what they say. Imitates
//! `node::cluster::agent::living`.

use std::collections::BTreeMap;

use coordinator::machine::life::{Deed, Life};
use coordinator::machine::report::{Copy, Report};
use coordinator::machine::table::Table;
use node::cluster::holding;

use super::body::Body;
use super::change::Done;
use super::logs::Logs;
use crate::sim::outside::Outside;

/// A life that goes on.
#[derive(Debug)]
pub(super) struct Living {
    pub(super) life: Life,
    pub(super) body: Body,
    pub(super) last: Option<Report>,
    pub(super) retried_ms: u64,
}

impl Living {
    pub(super) fn act(
        &mut self,
        deeds: impl IntoIterator<Item = Deed>,
        table: &Table,
        logs: &Logs,
        out: &Outside,
    ) {
        for deed in deeds {
            match deed {
                Deed::Serve { range, epoch } => match holding::owned(table, logs, (range, epoch)) {
                    Ok(holding) => self.body.adopt(holding),
                    Err(_) => self.body.done.push(Done::Served(range, epoch, false)),
                },
                Deed::Release { range, epoch } => self.body.release(range, epoch, out),
                Deed::Warm { range, epoch } => match holding::copied(table, logs, (range, epoch)) {
                    Ok(holding) => self.body.warm(holding),
                    Err(_) => self.life.cold(range, epoch),
                },
                Deed::Cool { range } => drop(self.body.copies.remove(&range)),
            }
        }
    }

    pub(super) fn note_done(&mut self, table: &Table, logs: &Logs, out: &Outside) {
        for done in std::mem::take(&mut self.body.done) {
            match done {
                Done::Served(range, epoch, is_served) => {
                    let deed = self.life.served(range, epoch, is_served);
                    self.act(deed, table, logs, out);
                }
                Done::Released(range, epoch, to) => self.life.released(range, epoch, to),
            }
        }
    }

    /// The next report; `None` where it would say what the last one said, unless it `is_due`.
    pub(super) fn report(&mut self, is_due: bool) -> Option<Report> {
        let copies = self.body.copies.values().map(super::copies::Copy::shown);
        let copies = copies.map(|(range, epoch, is_ready)| Copy { range, epoch, is_ready });
        let report = self.life.report(copies.collect(), &BTreeMap::new());
        let is_news = self.last.as_ref().is_none_or(|last| !last.says_same(&report));
        if !is_due && !is_news {
            return None;
        }
        self.last = Some(report.clone());
        Some(report)
    }
}
