//! A node that joins, obeys and commits, as far as it is let.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use proto::types::{Epoch, NodeId, RangeId, Slot};

use super::world::{ToNode, World};
use crate::claim::{Claim, claim};
use crate::control_log::ControlLog;
use crate::machine::letter::{Joining, Letter};
use crate::machine::life::{Deed, Life};
use crate::machine::member::Member;
use crate::machine::plan::Load;
use crate::machine::report::{Copy, Holding, Report, Stage};
use crate::machine::table::Table;
use crate::testing::memory_log::MemoryLog;

/// How many rounds are between two heartbeats.
const HEARTBEAT: u64 = 2;
/// How many rounds a node waits for an answer before it asks to join again.
const PATIENCE: u64 = 8;
/// How many rounds a copy takes to become ready.
const WARMING: u64 = 6;

pub(super) struct Node {
    id: NodeId,
    process: Option<Process>,
    /// What it has read of the control log; `None` where that has to be opened anew.
    control: Option<ControlLog>,
    /// What the process that asks to join knows itself by: an answer to another would bring back a
    /// life that has ended, without what it knew.
    ticket: u64,
    asked: u64,
    asleep_until: u64,
    cut_off_until: u64,
    cold_starts: u32,
}

/// What a process keeps in memory: the life, and what stands for the data plane.
struct Process {
    life: Life,
    /// Ranges that are being brought up.
    restoring: Vec<(RangeId, Epoch)>,
    /// The epoch that a copy follows, and for how many rounds more it is not ready.
    copies: BTreeMap<RangeId, (Epoch, u64)>,
    next_slot: Slot,
    last_report: Option<Report>,
}

impl Node {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            process: None,
            control: None,
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
        self.process.as_ref().map(|process| process.life.member())
    }

    /// The ranges that it commits for.
    pub(super) fn served(&self) -> impl Iterator<Item = RangeId> {
        self.held().filter(|held| held.stage == Stage::Serving).map(|held| held.range)
    }

    /// What it said last that it holds.
    pub(super) fn held(&self) -> impl Iterator<Item = &Holding> {
        let reports = self.process.iter().filter_map(|process| process.last_report.as_ref());
        reports.flat_map(|report| &report.holdings)
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
        self.process = None;
        self.control = None;
        self.ticket += 1;
    }

    /// It is asked to stop; another process of it starts when that life is over.
    pub(super) fn leave(&mut self) {
        self.process.iter_mut().for_each(|process| process.life.leave());
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
        self.follow(world);
        let is_over =
            self.process.as_mut().is_some_and(|it| it.life.is_over() || !it.commit(world));
        if is_over {
            self.end();
        }
        if is_cut_off {
            return;
        }
        match &mut self.process {
            Some(process) if round.is_multiple_of(HEARTBEAT) => {
                world.tell_leaders(&Letter::Report(process.report(world.has_loads())));
            }
            None if round >= self.asked + PATIENCE => {
                self.asked = round;
                let (node, ticket) = (self.id.clone(), self.ticket);
                let address = format!("{node}:7700");
                world.tell_leaders(&Letter::Join(Joining { node, address, ticket }));
            }
            Some(_) | None => {}
        }
    }

    /// Reads on in the control log, as far as the store lets it.
    fn follow(&mut self, world: &World) {
        if self.control.is_none() {
            let log = Arc::<MemoryLog>::clone(&world.control);
            self.control = block_on(ControlLog::open(log)).ok();
        }
        let Some(control) = &mut self.control else { return };
        let is_read = block_on(control.catch_up()).is_ok();
        if let Some(process) = self.process.as_mut().filter(|_| is_read) {
            let deeds = process.life.follow(control.table());
            self.cold_starts += process.act(deeds);
        }
    }

    fn hear(&mut self, message: ToNode) {
        match (message, &mut self.process) {
            (ToNode::Joined(member, ticket), process) if ticket == self.ticket => {
                if process.as_ref().is_none_or(|it| *it.life.member() < member) {
                    *process = Some(Process::new(member));
                }
            }
            (ToNode::Obey(order), Some(process)) => {
                let empty = Table::default();
                let table = self.control.as_ref().map_or(&empty, ControlLog::table);
                let deed = process.life.obey(&order, table);
                self.cold_starts += process.act(deed.into_iter().collect());
            }
            (ToNode::Joined(..) | ToNode::Obey(_), _) => {}
        }
    }
}

impl Process {
    fn new(member: Member) -> Self {
        Self {
            life: Life::new(member),
            restoring: Vec::new(),
            copies: BTreeMap::new(),
            next_slot: Slot(1),
            last_report: None,
        }
    }

    /// Does what the life wants, and says how many ranges it has to serve from nothing.
    fn act(&mut self, deeds: Vec<Deed>) -> u32 {
        let mut cold = 0;
        for deed in deeds {
            match deed {
                Deed::Serve { range, epoch } => {
                    self.restoring.push((range, epoch));
                    let is_warm = self.copies.remove(&range).is_some_and(|(_, left)| left == 0);
                    cold += u32::from(epoch > Epoch::NONE.next() && !is_warm);
                }
                Deed::Release { range, epoch } => {
                    self.life.released(range, epoch, Some(self.next_slot));
                }
                Deed::Warm { range, epoch } => drop(self.copies.insert(range, (epoch, WARMING))),
                Deed::Cool { range } => drop(self.copies.remove(&range)),
            }
        }
        cold
    }

    /// Commits for what it serves. `false` where this life is over, as far as it can know.
    fn commit(&mut self, world: &World) -> bool {
        let blocks: Vec<_> = self
            .life
            .serving()
            .map(|(range, epoch)| format!("{} {}", range.0, epoch.get()))
            .collect();
        if !blocks.is_empty() {
            let commit = Bytes::from(format!("TLJC\n{}", blocks.join("\n")));
            let journal = world.open(self.life.member());
            if !matches!(block_on(claim(&*journal, self.next_slot, &commit)), Ok(Claim::Ours)) {
                return false;
            }
            self.next_slot = self.next_slot.next();
        }
        for (range, epoch) in std::mem::take(&mut self.restoring) {
            let deed = self.life.served(range, epoch, true);
            self.act(deed.into_iter().collect());
        }
        self.copies.values_mut().for_each(|(_, left)| *left = left.saturating_sub(1));
        true
    }

    /// `has_loads` says whether it knows what its ranges cost: each something else, and a little more
    /// or less each time.
    fn report(&mut self, has_loads: bool) -> Report {
        let number = self.last_report.as_ref().map_or(1, |last| last.number + 1);
        let load = |id: RangeId| {
            let percent = 98 + (number + u64::from(id.0)) % 5;
            let records_per_s = u64::from(id.0 * 7 % 4 + 1) * 10 * percent;
            Load { state_bytes: u64::from(id.0 + 1) * 100_000 * percent, records_per_s }
        };
        let served = self.life.serving().filter(|_| has_loads);
        let loads = served.map(|(range, _)| (range, load(range))).collect();
        let copy = |(&range, &(epoch, left))| Copy { range, epoch, is_ready: left == 0 };
        let report = self.life.report(self.copies.iter().map(copy).collect(), &loads);
        self.last_report = Some(report.clone());
        report
    }
}
