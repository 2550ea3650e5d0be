//! One step of who leads: from the control log, the nodes' reports and the time to what is to be done.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{NodeId, RangeId};

use super::health::{Detector, Health, Settings};
use super::member::Member;
use super::moves::{Moves, Step, Transfer};
use super::order::Order;
use super::pace::{ASSUMED_BYTES, Limits, Move, pace};
use super::plan::{Condition, Facts, Load, Placement, plan};
use super::reconcile::{Observed, reconcile};
use super::report::{Holding, Report, Stage};
use super::table::Table;
use super::wish::{Denied, Request, Wishes};
use hub::Hub;

mod hub;

/// What a leader knows besides the control log. None of it survives it: a successor begins with
/// [`Lead::new`], hears the reports, and comes to the same or as good decisions.
#[derive(Debug)]
pub struct Lead {
    limits: Limits,
    detector: Detector,
    moves: Moves,
    wishes: Wishes,
    /// The newest report of each member.
    reports: BTreeMap<Member, Report>,
    /// What each range was last said to cost, also by an owner that is none any more.
    loads: BTreeMap<RangeId, Load>,
}

impl Lead {
    /// Who has just won the lead. Nobody is held dead before the full time has passed.
    #[must_use]
    pub fn new(settings: Settings, limits: Limits, now_ms: u64) -> Self {
        let detector = Detector::new(settings, now_ms);
        let (moves, wishes, reports, loads) = Default::default();
        Self { limits, detector, moves, wishes, reports, loads }
    }

    /// A node's heartbeat came at `at_ms`. Says whether it tells more than that it lives and what
    /// its ranges cost: then the next step should not wait.
    pub fn heard(&mut self, report: Report, at_ms: u64) -> bool {
        self.detector.heard(&report.member, at_ms);
        let known = self.reports.get(&report.member);
        if known.is_some_and(|known| known.number >= report.number) {
            return false;
        }
        let is_news = known.is_none_or(|known| !known.says_same(&report));
        let loads = report.holdings.iter().filter_map(|held| Some((held.range, held.load?)));
        self.loads.extend(loads);
        self.reports.insert(report.member.clone(), report);
        is_news
    }

    /// The connection to a member has broken; see [`Detector::lost`].
    pub fn lost(&mut self, member: &Member) {
        self.detector.lost(member);
    }

    /// A member was heard last at `at_ms`, before this process led; see [`Detector::missed`].
    pub fn missed(&mut self, member: Member, at_ms: u64) {
        self.detector.missed(member, at_ms);
    }

    /// Time passes while a step has to wait for the store: it is no absence.
    pub fn tick(&mut self, table: &Table, now_ms: u64) {
        self.detector.tick(table, now_ms);
    }

    /// An operator asks for something. What is not denied follows from the next steps.
    ///
    /// # Errors
    ///
    /// [`Denied`], with what to do.
    pub fn ask(&mut self, request: &Request, table: &Table) -> Result<(), Denied> {
        let held_dead = self.detector.held_dead();
        let facts = Observed { table, held_dead: &held_dead }.facts();
        self.wishes.ask(request, table, &facts)
    }

    /// What is thought of the members, and when that changes.
    #[must_use]
    pub const fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The planned moves on their way.
    #[must_use]
    pub const fn moves(&self) -> &Moves {
        &self.moves
    }

    /// What is to be done now. Comes once a heartbeat at least, and after each change of the control
    /// log. Whatever was ordered and has not come to be known as done is ordered again.
    pub fn step(&mut self, table: &Table, now_ms: u64) -> Vec<Order> {
        self.detector.tick(table, now_ms);
        let held_dead = self.over(table);
        let observed = Observed { table, held_dead: &held_dead };
        let serving = observed.serving();
        let serves = |member: &Member| serving.get(&member.node) == Some(&member);
        let is_over = |member: &Member| table.standing(member).is_some_and(|it| !it.is_alive());
        let ended: Vec<_> = self.reports.keys().filter(|it| is_over(it)).cloned().collect();
        self.reports.retain(|member, _| serves(member));
        self.loads.retain(|&range, _| table.range(range).is_some());
        self.moves.observe(table, serves, now_ms);
        self.wishes.observe(table, &observed.facts());

        let mut desired = plan(&self.facts(&observed));
        self.wishes.pin(&mut desired);
        for range in self.diverted(&desired) {
            self.moves.call_off(range);
        }
        let mut orders = reconcile(&desired, &observed);
        let wanted: BTreeSet<_> = orders.extract_if(.., |order| order.is_release()).collect();
        self.begin(&wanted, &desired, &serving, now_ms);
        self.advance();

        let hub = Hub { lead: self, desired: &desired, serving: &serving };
        // Two splits would take the same numbers: one at a time.
        let mut splits = false;
        let about = table.ranges().filter_map(|(id, range)| hub.order(id, range, table));
        orders.extend(
            about.filter(|order| !order.is_split() || !std::mem::replace(&mut splits, true)),
        );
        orders.extend(self.leaving(table));
        orders.extend(hub.warmings());
        orders.extend(hub.coolings(table));
        orders.extend(ended.into_iter().map(|member| Order::Rejoin { member }));
        orders
    }

    /// Who is to be fenced: who is held dead, and who leaves and has nothing left.
    fn over(&self, table: &Table) -> BTreeSet<Member> {
        let owners: BTreeSet<_> = table.ranges().filter_map(|(_, range)| range.owner()).collect();
        let empty = table.leaving().filter(|member| !owners.contains(member)).cloned();
        empty.chain(self.detector.held_dead()).collect()
    }

    /// Lives that say that they will be stopped, where the control log does not say so yet.
    fn leaving(&self, table: &Table) -> impl Iterator<Item = Order> {
        let said = self.reports.values().filter(|report| report.is_leaving);
        let news = said.filter(|report| !table.leaving().any(|it| *it == report.member));
        news.map(|report| Order::Leave { member: report.member.clone() })
    }

    /// What the plan is made from. A node that is suspect gets nothing new. A range on its way counts
    /// as arrived, as long as its next owner may still get it.
    fn facts(&self, observed: &Observed<'_>) -> Facts {
        let mut facts = observed.facts();
        for member in observed.table.alive() {
            let suspect = self.detector.health(member) == Health::Suspect;
            let condition = facts.nodes.get_mut(&member.node).filter(|_| suspect);
            if let Some(serving @ Condition::Serving) = condition {
                *serving = Condition::Cordoned;
            }
        }
        for (range, Transfer { next, .. }) in self.moves.iter() {
            if facts.nodes.get(&next.node) == Some(&Condition::Serving) {
                facts.homes.insert(range, Some(next.node.clone()));
            }
        }
        self.wishes.place(&mut facts.homes);
        facts.loads.clone_from(&self.loads);
        facts
    }

    /// Ranges on their way to where they should no longer go.
    fn diverted(&self, desired: &Placement) -> Vec<RangeId> {
        let moves = self.moves.iter();
        let diverted = moves.filter(|(id, moving)| {
            desired.get(id) != Some(&moving.next.node) || self.wishes.is_split(*id)
        });
        diverted.map(|(id, _)| id).collect()
    }

    /// Begins as many of the moves that are `wanted` as the pace allows, and none before everybody who
    /// is alive has been heard: a leader that has heard half of the loads would level that half.
    fn begin(
        &mut self,
        wanted: &BTreeSet<Order>,
        desired: &Placement,
        serving: &BTreeMap<&NodeId, &Member>,
        now_ms: u64,
    ) {
        let is_awaited = |member: &&Member| {
            self.detector.health(member) == Health::Alive && !self.reports.contains_key(*member)
        };
        if serving.values().any(is_awaited) {
            return;
        }
        let may_begin = |range| self.moves.may_begin(range) && !self.wishes.is_split(range);
        let moving = |order: &Order| {
            let Order::Release { range, member, epoch } = order else { return None };
            let next = desired.get(range).and_then(|node| serving.get(node))?;
            let held = self.holding(*range, member)?;
            let is_open = held.epoch == *epoch && held.stage == Stage::Serving;
            let state_bytes = held.load.map_or(ASSUMED_BYTES, |load| load.state_bytes);
            let step = Step::Warming { since_ms: now_ms };
            let (owner, epoch, next) = (member.clone(), *epoch, (*next).clone());
            let transfer = Transfer { owner, epoch, next, state_bytes, step };
            (is_open && may_begin(*range)).then_some((*range, transfer))
        };
        let mut transfers: BTreeMap<_, _> = wanted.iter().filter_map(moving).collect();
        let moves = transfers.iter().map(|(&range, transfer)| Move {
            range,
            from: transfer.owner.node.clone(),
            to: transfer.next.node.clone(),
            state_bytes: transfer.state_bytes,
        });
        for allowed in pace(moves, &self.moves.in_flight(), &self.limits) {
            let transfer = transfers.remove(&allowed.range);
            transfer.into_iter().for_each(|transfer| self.moves.begin(allowed.range, transfer));
        }
    }

    /// Takes note of the copies that have become ready.
    fn advance(&mut self) {
        let is_ready = |&(id, transfer): &(RangeId, &Transfer)| {
            let report = self.reports.get(&transfer.next);
            let mut copies = report.into_iter().flat_map(|report| &report.copies);
            copies.any(|copy| (copy.range, copy.epoch, copy.is_ready) == (id, transfer.epoch, true))
        };
        let ready: Vec<_> = self.moves.iter().filter(is_ready).map(|(id, _)| id).collect();
        ready.into_iter().for_each(|range| self.moves.warmed(range));
    }

    /// What `member` has last said of a range; `None` where it has not said that it holds it.
    fn holding(&self, range: RangeId, member: &Member) -> Option<&Holding> {
        let holdings = &self.reports.get(member)?.holdings;
        // Of a range that came back to a life, the last epoch is what counts.
        holdings.iter().filter(|held| held.range == range).max_by_key(|held| held.epoch)
    }
}

#[cfg(test)]
mod tests;
