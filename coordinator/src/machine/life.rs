//! One life of a node: what it does with which range, from the control log and from orders.
//!
//! A node serves what the control log says is its own; nobody has to order it. What it closes and what it
//! warms it is ordered. Whatever comes twice or late changes nothing.

use std::collections::BTreeMap;

use proto::types::{Epoch, RangeId, Slot};

use super::member::Member;
use super::order::Order;
use super::plan::Load;
use super::report::{Copy, Holding, Report, Stage};
use super::table::{Range, Table};

/// One thing that the data plane is to do. Its outcome comes back as a fact.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Deed {
    /// Restore the range and serve it; then [`Life::served`].
    Serve {
        /// The range.
        range: RangeId,
        /// Under which number.
        epoch: Epoch,
    },
    /// Close the range at a commit; then [`Life::released`].
    Release {
        /// The range.
        range: RangeId,
        /// Under which number it was served.
        epoch: Epoch,
    },
    /// Make a copy and follow the owner; [`Life::cold`] where that fails.
    Warm {
        /// The range.
        range: RangeId,
        /// The owner's number.
        epoch: Epoch,
    },
    /// Drop a copy.
    Cool {
        /// The range.
        range: RangeId,
    },
}

/// What one life knows of itself.
#[derive(Debug)]
pub struct Life {
    member: Member,
    holdings: BTreeMap<RangeId, (Epoch, Held)>,
    /// The epochs of the owners whose ranges it was ordered to copy.
    copies: BTreeMap<RangeId, Epoch>,
    reports: u64,
    course: Course,
}

/// Where a life is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Course {
    /// It goes on.
    On,
    /// So it does, until others have its ranges.
    Leaving,
    /// It was declared dead, or told to end.
    Over,
}

/// How far a life has come with a range that is or was its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Held {
    /// It brings it up.
    Restoring,
    /// So it does, and is to close it as soon as it has.
    Leaving,
    /// It could not bring it up, and tries again.
    Failed,
    /// It commits for it.
    Serving,
    /// It closes it.
    Releasing,
    /// It never commits for it again under this epoch.
    Closed(Slot),
}

impl Life {
    /// A life that has just begun.
    #[must_use]
    pub fn new(member: Member) -> Self {
        let (holdings, copies) = (BTreeMap::new(), BTreeMap::new());
        Self { member, holdings, copies, reports: 0, course: Course::On }
    }

    /// It was asked to stop. It says so in its reports, and serves on until others have its ranges:
    /// then it is declared dead, with nothing left.
    pub fn leave(&mut self) {
        if self.course == Course::On {
            self.course = Course::Leaving;
        }
    }

    /// Which life it is.
    #[must_use]
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// Whether it was declared dead, or told to end. It must drop everything.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.course, Course::Over)
    }

    /// The control log says this by now.
    pub fn follow(&mut self, table: &Table) -> Vec<Deed> {
        let standing = table.standing(&self.member);
        if standing.is_some_and(|standing| !standing.is_alive()) {
            self.course = Course::Over;
        }
        if self.is_over() {
            return Vec::new();
        }
        // It is said to be closed until the control log has passed that by.
        self.holdings.retain(|&id, (epoch, held)| {
            !matches!(held, Held::Closed(_))
                || table.range(id).is_some_and(|range| range.epoch <= *epoch)
        });
        let is_mine = |range: &Range| range.owner() == Some(&self.member);
        let mine = table.ranges().filter(|(_, range)| is_mine(range));
        let mut deeds = Vec::new();
        for (id, range) in mine {
            let epoch = range.epoch;
            if self.holdings.get(&id).is_some_and(|&(held, _)| held >= epoch) {
                continue;
            }
            self.holdings.insert(id, (epoch, Held::Restoring));
            self.copies.remove(&id);
            deeds.push(Deed::Serve { range: id, epoch });
        }
        deeds
    }

    /// Who leads orders this. An order that is not about this life, or about an epoch that `table`
    /// doesn't have yet or no longer, does nothing: it comes again where it is still meant.
    pub fn obey(&mut self, order: &Order, table: &Table) -> Option<Deed> {
        if order.addressee() != Some(&self.member) || self.is_over() {
            return None;
        }
        match *order {
            Order::Release { range, epoch, .. } => self.release(range, epoch),
            Order::Warm { range, epoch, .. } => self.warm(range, epoch, table),
            Order::Cool { range, .. } => {
                self.copies.remove(&range);
                Some(Deed::Cool { range })
            }
            Order::Rejoin { .. } => {
                self.course = Course::Over;
                None
            }
            // The control log says so too.
            Order::Serve { .. } => None,
            Order::Fence { .. }
            | Order::Assign { .. }
            | Order::Move { .. }
            | Order::Split { .. }
            | Order::Leave { .. } => None,
        }
    }

    fn release(&mut self, range: RangeId, epoch: Epoch) -> Option<Deed> {
        let (held_at, held) = self.holdings.get_mut(&range)?;
        if *held_at != epoch {
            return None;
        }
        match held {
            Held::Restoring => *held = Held::Leaving,
            Held::Serving => {
                *held = Held::Releasing;
                return Some(Deed::Release { range, epoch });
            }
            // What could not be brought up is tried again, and closed when it is ordered again.
            Held::Failed | Held::Leaving | Held::Releasing | Held::Closed(_) => {}
        }
        None
    }

    fn warm(&mut self, id: RangeId, epoch: Epoch, table: &Table) -> Option<Deed> {
        let range = table.range(id)?;
        let is_another = range.owner().is_some_and(|owner| *owner != self.member);
        let is_known = self.copies.get(&id).is_some_and(|&follows| follows >= epoch);
        if range.epoch != epoch || !is_another || is_known {
            return None;
        }
        self.copies.insert(id, epoch);
        Some(Deed::Warm { range: id, epoch })
    }

    /// The data plane serves the range by now, or could not bring it up.
    pub fn served(&mut self, range: RangeId, epoch: Epoch, is_served: bool) -> Option<Deed> {
        let (_, held) = self.holdings.get_mut(&range).filter(|(at, _)| *at == epoch)?;
        match (*held, is_served) {
            (Held::Restoring, true) => *held = Held::Serving,
            (Held::Restoring | Held::Leaving, false) => *held = Held::Failed,
            (Held::Leaving, true) => {
                *held = Held::Releasing;
                return Some(Deed::Release { range, epoch });
            }
            (Held::Failed | Held::Serving | Held::Releasing | Held::Closed(_), _) => {}
        }
        None
    }

    /// The data plane has closed the range, and has nothing of it from slot `to` of its journal on;
    /// `None` where it could not close it, and goes on serving.
    pub fn released(&mut self, range: RangeId, epoch: Epoch, to: Option<Slot>) {
        let held = self.holdings.get_mut(&range).filter(|(at, _)| *at == epoch);
        if let Some((_, held @ Held::Releasing)) = held {
            *held = to.map_or(Held::Serving, Held::Closed);
        }
    }

    /// A copy could not be made.
    pub fn cold(&mut self, range: RangeId, epoch: Epoch) {
        self.copies.retain(|&id, at| (id, *at) != (range, epoch));
    }

    /// What failed is tried again. Comes once a second, say.
    pub fn retry(&mut self) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for (&range, (epoch, held)) in &mut self.holdings {
            if *held == Held::Failed {
                *held = Held::Restoring;
                deeds.push(Deed::Serve { range, epoch: *epoch });
            }
        }
        deeds
    }

    /// The ranges that it commits for, as far as it knows.
    pub fn serving(&self) -> impl Iterator<Item = (RangeId, Epoch)> {
        let serving = self.holdings.iter().filter(|(_, (_, held))| *held == Held::Serving);
        serving.map(|(&range, &(epoch, _))| (range, epoch))
    }

    /// The next heartbeat: `copies` as the data plane has them, `loads` as far as it knows them.
    pub fn report(&mut self, copies: Vec<Copy>, loads: &BTreeMap<RangeId, Load>) -> Report {
        self.reports += 1;
        let holding = |(&range, &(epoch, held)): (&RangeId, &(Epoch, Held))| {
            let load = loads.get(&range).copied().filter(|_| held == Held::Serving);
            Holding { range, epoch, stage: held.stage(), load }
        };
        let holdings = self.holdings.iter().map(holding).collect();
        let (member, number) = (self.member.clone(), self.reports);
        let is_leaving = self.course == Course::Leaving;
        Report { member, number, holdings, copies, is_leaving }
    }
}

impl Held {
    const fn stage(self) -> Stage {
        match self {
            Self::Restoring | Self::Leaving | Self::Failed => Stage::Restoring,
            Self::Serving | Self::Releasing => Stage::Serving,
            Self::Closed(to) => Stage::Closed { to },
        }
    }
}

#[cfg(test)]
mod tests;
