//! The orders about each range, given where the ranges should be and what the nodes have said.

use std::collections::BTreeMap;

use proto::types::{NodeId, RangeId};

use super::Lead;
use crate::machine::member::Member;
use crate::machine::moves::Step;
use crate::machine::order::Order;
use crate::machine::plan::Placement;
use crate::machine::report::Stage;
use crate::machine::table::{Range, Table};

/// What the orders to nodes follow from.
pub(super) struct Hub<'a> {
    pub(super) lead: &'a Lead,
    pub(super) desired: &'a Placement,
    pub(super) serving: &'a BTreeMap<&'a NodeId, &'a Member>,
}

impl Hub<'_> {
    /// What is to be done about a range that has a living owner.
    pub(super) fn order(&self, id: RangeId, range: &Range, table: &Table) -> Option<Order> {
        let owner = range.owner()?;
        self.serving.get(&owner.node).filter(|&&member| member == owner)?;
        let (member, epoch) = (owner.clone(), range.epoch);
        let held = self.lead.holding(id, owner).filter(|held| held.epoch == epoch);
        let releasing = self.lead.moves.get(id).is_some_and(|it| it.step == Step::Releasing);
        let releasing = releasing || self.lead.wishes.is_split(id);
        match held.map(|held| held.stage) {
            Some(Stage::Closed { to }) => {
                if let Some(children) = self.lead.wishes.children(id, table) {
                    let epoch = epoch.next();
                    return Some(Order::Split { range: id, member, to, epoch, children });
                }
                let next = self.desired.get(&id).and_then(|node| self.serving.get(node).copied());
                let next = next.unwrap_or(owner).clone();
                Some(Order::Move { range: id, member, to, next, epoch: epoch.next() })
            }
            Some(Stage::Restoring | Stage::Serving) if releasing => {
                Some(Order::Release { range: id, member, epoch })
            }
            Some(Stage::Restoring | Stage::Serving) => None,
            None => Some(Order::Serve { range: id, member, epoch }),
        }
    }

    pub(super) fn warmings(&self) -> impl Iterator<Item = Order> {
        let missing = self.lead.moves.iter().filter(|(id, transfer)| {
            let report = self.lead.reports.get(&transfer.next);
            let mut copies = report.into_iter().flat_map(|report| &report.copies);
            transfer.step != Step::Releasing
                && !copies.any(|copy| (copy.range, copy.epoch) == (*id, transfer.epoch))
        });
        missing.map(|(range, transfer)| {
            let (member, epoch) = (transfer.next.clone(), transfer.epoch);
            Order::Warm { range, member, epoch }
        })
    }

    /// Copies that nobody will take over.
    pub(super) fn coolings(&self, table: &Table) -> impl Iterator<Item = Order> {
        let reports = self.lead.reports.values();
        let copies = reports.flat_map(|it| it.copies.iter().map(|copy| (&it.member, copy.range)));
        let unwanted = copies.filter(|&(member, range)| {
            let expected = self.lead.moves.get(range).is_some_and(|it| it.next == *member);
            let owner = table.range(range).and_then(Range::owner);
            !expected && owner != Some(member)
        });
        unwanted.map(|(member, range)| Order::Cool { range, member: member.clone() })
    }
}
