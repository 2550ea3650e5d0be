//! What has to be done so that the ranges come to be where they should be.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{NodeId, RangeId};

use super::entry::Intent;
use super::member::Member;
pub use super::order::Order;
use super::plan::{Condition, Facts, Placement};
use super::table::{Range, Table, Tenure};

/// How things stand: what the control log says, and who is held dead although it does not say so yet.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The fold of the control log.
    pub table: &'a Table,
    /// Lives that are held dead. A wrong guess costs time, never safety: they are fenced first (I12).
    pub held_dead: &'a BTreeSet<Member>,
}

impl Observed<'_> {
    /// The facts that a plan needs.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let serving = self.serving();
        let condition = |node| match (serving.get(node), self.table.intent(node)) {
            (None, _) => Condition::Dead,
            (Some(member), _) if self.table.drains(member) => Condition::Draining,
            (Some(_), Intent::Cordon) => Condition::Cordoned,
            (Some(_), Intent::Serve | Intent::Drain) => Condition::Serving,
        };
        let members = self.table.members().map(|(member, _)| &member.node);
        Facts {
            nodes: members.map(|node| (node.clone(), condition(node))).collect(),
            homes: self.table.ranges().map(|(id, range)| (id, range.home().cloned())).collect(),
            loads: BTreeMap::new(),
        }
    }

    /// The life in which each node can own ranges: its last, where that lives.
    #[must_use]
    pub fn serving(&self) -> BTreeMap<&NodeId, &Member> {
        // Ascending, so that a node's last life is what stays.
        let alive = self.table.alive().filter(|&member| !self.held_dead.contains(member));
        alive.map(|member| (&member.node, member)).collect()
    }
}

/// The orders that bring `observed` nearer to `desired`. None are left when it is reached.
///
/// A range whose owner has to be fenced, or that has to be released, is assigned by a later call,
/// after the control log says that this has happened. A range that `desired` leaves out stays.
#[must_use]
pub fn reconcile(desired: &Placement, observed: &Observed<'_>) -> Vec<Order> {
    let serving = observed.serving();
    let serves = |member: &Member| serving.get(&member.node) == Some(&member);

    let over = observed.table.alive().filter(|&member| !serves(member));
    let mut orders: Vec<_> = over.map(|member| Order::Fence { member: member.clone() }).collect();
    for (&id, node) in desired {
        let Some((range, &next)) = observed.table.range(id).zip(serving.get(node)) else {
            continue;
        };
        orders.extend(order(id, range, next, serves));
    }
    orders
}

fn order(
    id: RangeId,
    range: &Range,
    next: &Member,
    serves: impl Fn(&Member) -> bool,
) -> Option<Order> {
    match &range.tenure {
        Tenure::Never | Tenure::Past(_) => {
            Some(Order::Assign { range: id, member: next.clone(), epoch: range.epoch.next() })
        }
        Tenure::Now(owner) if owner == next => None,
        Tenure::Now(owner) if serves(owner) => {
            Some(Order::Release { range: id, member: owner.clone(), epoch: range.epoch })
        }
        // It is being fenced.
        Tenure::Now(_) => None,
    }
}

#[cfg(test)]
mod tests;
