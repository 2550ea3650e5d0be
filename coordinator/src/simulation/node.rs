//! A node that joins, obeys and commits, as far as it is let.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::executor::block_on;
use proto::types::{Epoch, NodeId, RangeId, Slot};

use super::world::{ToLeader, ToNode, World};
use crate::claim::{Claim, claim};
use crate::machine::member::Member;
use crate::machine::order::Order;
use crate::machine::plan::Load;
use crate::machine::report::{Copy, Holding, Report, Stage};

/// How many rounds are between two heartbeats.
const HEARTBEAT: u64 = 2;
/// How many rounds a node waits for an answer before it asks to join again.
const PATIENCE: u64 = 8;
/// How many rounds a copy takes to become ready.
const WARMING: u64 = 6;

pub(super) struct Node {
    id: NodeId,
    life: Option<Life>,
    /// What the process that asks to join knows itself by: an answer to another would bring back a
    /// life that has ended, without what it knew.
    ticket: u64,
    asked: u64,
    asleep_until: u64,
    cut_off_until: u64,
    cold_starts: u32,
}

/// What a process keeps in memory.
struct Life {
    member: Member,
    holdings: BTreeMap<RangeId, Holding>,
    /// The epoch that a copy follows, and for how many rounds more it is not ready.
    copies: BTreeMap<RangeId, (Epoch, u64)>,
    next_slot: Slot,
    reports: u64,
}

impl Node {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            life: None,
            ticket: 0,
            asked: 0,
            asleep_until: 0,
            cut_off_until: 0,
            cold_starts: 0,
        }
    }

    pub(super) fn id(&self) -> NodeId {
        self.id.clone()
    }

    pub(super) fn member(&self) -> Option<&Member> {
        self.life.as_ref().map(|life| &life.member)
    }

    /// The ranges that it commits for.
    pub(super) fn served(&self) -> impl Iterator<Item = RangeId> {
        self.held().filter(|held| held.stage == Stage::Serving).map(|held| held.range)
    }

    pub(super) fn held(&self) -> impl Iterator<Item = &Holding> {
        self.life.iter().flat_map(|life| life.holdings.values())
    }

    /// Whether it never began to serve a range that others had served without a ready copy.
    pub(super) const fn was_always_warm(&self) -> bool {
        self.cold_starts == 0
    }

    pub(super) fn crash(&mut self, until: u64) {
        self.end();
        self.asleep_until = until;
    }

    fn end(&mut self) {
        self.life = None;
        self.ticket += 1;
    }

    pub(super) fn freeze(&mut self, until: u64) {
        self.asleep_until = until;
    }

    /// Nothing comes to it or goes from it, but the store is there.
    pub(super) fn cut_off(&mut self, until: u64) {
        self.cut_off_until = until;
    }

    pub(super) fn wake(&mut self, round: u64) {
        self.asleep_until = self.asleep_until.min(round);
        self.cut_off_until = self.cut_off_until.min(round);
    }

    pub(super) fn tick(&mut self, world: &World, round: u64) {
        if self.asleep_until > round {
            return;
        }
        let is_cut_off = self.cut_off_until > round;
        for message in world.take_for_node(&self.id) {
            if !is_cut_off {
                self.hear(message);
            }
        }
        let is_over = self.life.as_mut().is_some_and(|life| !life.commit(world));
        if is_over {
            self.end();
        }
        if is_cut_off {
            return;
        }
        match &mut self.life {
            Some(life) if round.is_multiple_of(HEARTBEAT) => {
                world.tell_leaders(&ToLeader::Report(life.report(world.has_loads())));
            }
            None if round >= self.asked + PATIENCE => {
                self.asked = round;
                world.tell_leaders(&ToLeader::Join(self.id.clone(), self.ticket));
            }
            Some(_) | None => {}
        }
    }

    fn hear(&mut self, message: ToNode) {
        match (message, &mut self.life) {
            (ToNode::Joined(member, ticket), life) if ticket == self.ticket => {
                if life.as_ref().is_none_or(|life| life.member < member) {
                    *life = Some(Life::new(member));
                }
            }
            (ToNode::Obey(order), Some(life)) if order.addressee() == Some(&life.member) => {
                self.cold_starts += life.obey(&order);
                if matches!(order, Order::Rejoin { .. }) {
                    self.end();
                }
            }
            (ToNode::Joined(..) | ToNode::Obey(_), _) => {}
        }
    }
}

impl Life {
    fn new(member: Member) -> Self {
        let (holdings, copies) = (BTreeMap::new(), BTreeMap::new());
        Self { member, holdings, copies, next_slot: Slot(1), reports: 0 }
    }

    /// Obeys, and says how many ranges it has to serve from nothing.
    fn obey(&mut self, order: &Order) -> u32 {
        let holding = |range, epoch, stage| Holding { range, epoch, stage, load: None };
        match *order {
            Order::Serve { range, epoch, .. } => {
                if self.holdings.get(&range).is_some_and(|held| held.epoch >= epoch) {
                    return 0;
                }
                self.holdings.insert(range, holding(range, epoch, Stage::Restoring));
                let copy = self.copies.remove(&range);
                let is_warm = copy.is_some_and(|(_, left)| left == 0);
                return u32::from(epoch > Epoch::NONE.next() && !is_warm);
            }
            Order::Release { range, epoch, .. } => {
                let held = self.holdings.get(&range);
                let is_open = |held: &Holding| {
                    held.epoch < epoch
                        || held.epoch == epoch && !matches!(held.stage, Stage::Closed { .. })
                };
                if held.is_none_or(is_open) {
                    let closed = Stage::Closed { to: self.next_slot };
                    self.holdings.insert(range, holding(range, epoch, closed));
                }
            }
            Order::Warm { range, epoch, .. } => {
                let known = self.copies.get(&range).is_some_and(|&(follows, _)| follows >= epoch);
                if !known {
                    self.copies.insert(range, (epoch, WARMING));
                }
            }
            Order::Cool { range, .. } => drop(self.copies.remove(&range)),
            Order::Fence { .. }
            | Order::Assign { .. }
            | Order::Move { .. }
            | Order::Rejoin { .. } => {}
        }
        0
    }

    /// Commits for what it serves. `false` where this life is over, as far as it can know.
    fn commit(&mut self, world: &World) -> bool {
        let serving = self.holdings.values().filter(|held| held.stage == Stage::Serving);
        let blocks: Vec<_> =
            serving.map(|it| format!("{} {}", it.range.0, it.epoch.get())).collect();
        if !blocks.is_empty() {
            let commit = Bytes::from(format!("TLJC\n{}", blocks.join("\n")));
            let journal = world.open(&self.member);
            if !matches!(block_on(claim(&*journal, self.next_slot, &commit)), Ok(Claim::Ours)) {
                return false;
            }
            self.next_slot = self.next_slot.next();
        }
        for held in self.holdings.values_mut() {
            if held.stage == Stage::Restoring {
                held.stage = Stage::Serving;
            }
        }
        self.copies.values_mut().for_each(|(_, left)| *left = left.saturating_sub(1));
        true
    }

    /// `has_loads` says whether it knows what its ranges cost: each something else, and a little more
    /// or less each time.
    fn report(&mut self, has_loads: bool) -> Report {
        self.reports += 1;
        let load = |id: RangeId| {
            let percent = 98 + (self.reports + u64::from(id.0)) % 5;
            let records_per_s = u64::from(id.0 * 7 % 4 + 1) * 10 * percent;
            Load { state_bytes: u64::from(id.0 + 1) * 100_000 * percent, records_per_s }
        };
        let holding = |held: &Holding| {
            let is_known = has_loads && held.stage == Stage::Serving;
            Holding { load: is_known.then(|| load(held.range)), ..*held }
        };
        let copy = |(&range, &(epoch, left))| Copy { range, epoch, is_ready: left == 0 };
        Report {
            member: self.member.clone(),
            number: self.reports,
            holdings: self.holdings.values().map(holding).collect(),
            copies: self.copies.iter().map(copy).collect(),
        }
    }
}
