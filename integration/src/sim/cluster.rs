//! Several nodes: control plane and data plane together, with a network between them that fails.
//!
//! ```text
//!   node 0                     node 1                      node 2
//!   Office, Scribe ──letters── Office, Scribe ──letters─── Office, Scribe ──▶ control log ─▶ Table: its rules
//!   Life ─▶ body ────frames─── Life ─▶ body ─────frames─── Life ─▶ body ────▶ journals ────▶ watch
//! ```
//!
//! The machines are the real ones: the coordinator's and the engine's. A body imitates the engine's shells.

mod agent;
mod births;
mod body;
mod chair;
mod change;
mod copies;
mod link;
mod living;
mod logs;
mod name;
mod net;
mod node;
mod restore;
mod tidy;
mod trouble;
mod wires;

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use coordinator::machine::entry::Entry;
use coordinator::machine::table::Table;
use proto::types::{RangeId, RecordTime, Slot};

use super::bank::Bank;
use super::fault::Fault;
use super::gates::Gates;
use super::oracle::Case;
use super::outside::Outside;
use super::owned::Owned;
use super::plant::Plant;
use super::random::Random;
use super::shape::Shape;
use logs::Logs;
use net::Net;
use node::Node;
pub(super) use restore::Snapshot;

/// How many nodes there are.
const NODES: usize = 3;
/// Rounds after which a history without faults must have come to rest.
const MAX_ROUNDS: u64 = 1_500;
/// Rounds without a decision after which none is expected any more.
const CALM: u64 = 100;

/// Everything there is in a history of several nodes.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) out: Outside,
    pub(super) bank: Bank,
    gates: Gates,
    logs: Logs,
    net: Net,
    nodes: Vec<Node>,
    /// The first slot of the control log that has not been looked at.
    next: Slot,
    table: Table,
    /// For how many rounds nothing has been decided.
    calm: u64,
}

impl Cluster {
    /// The history of `seed`, before its first step.
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Self {
        let mut random = Random::new(seed ^ 0x0005_eed0_f3a9_11ce);
        let shape = Shape::draw_together(&mut random);
        let (candidates, store) = (random.within(2, NODES as u64), random.next());
        let (out, bank) = Outside::new(shape, random, plant);
        let per_mille = out.faults.rate(Fault::Store);
        let logs = Logs::new(out.objects.clone(), Random::new(store), per_mille, plant);
        let candidates = usize::try_from(candidates).unwrap_or(NODES);
        let nodes = (0..NODES).map(|number| Node::new(number, number < candidates)).collect();
        let (net, table) = Default::default();
        let gates = Gates::new(&bank);
        Self { out, bank, gates, logs, net, nodes, next: Slot(1), table, calm: 0 }
    }

    /// Takes every step.
    pub(super) fn run(&mut self) -> anyhow::Result<()> {
        for step in 0..self.out.shape.steps {
            self.step().with_context(|| format!("step {step}"))?;
        }
        self.heal();
        self.settle()
    }

    /// How often something went wrong in the store.
    pub(super) fn store_faults(&self) -> u64 {
        self.logs.happened()
    }

    /// Goes on without faults until there is nothing to do any more.
    fn settle(&mut self) -> anyhow::Result<()> {
        for round in 0..MAX_ROUNDS {
            if self.round(round).with_context(|| format!("healing round {round}"))? {
                return Ok(());
            }
        }
        let agents: Vec<_> = self.nodes.iter().map(Node::text).collect();
        let ranges: Vec<_> =
            self.table.ranges().map(|(id, it)| (id, it.epoch, &it.tenure)).collect();
        anyhow::bail!(
            "nothing goes wrong any more, but there is no end: {ranges:?}\n{}",
            agents.join("\n")
        )
    }

    fn step(&mut self) -> anyhow::Result<()> {
        self.out.now_ms += self.out.random.below(self.out.shape.pace_ms);
        self.trouble();
        self.everybody(3)?;
        match self.out.random.below(100) {
            0..10 => self.out.land_late(),
            10..14 => {
                self.open_gates();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Everybody who is awake goes on: with what has arrived and is due, and so many steps with data.
    fn everybody(&mut self, steps: u64) -> anyhow::Result<()> {
        let now_ms = self.out.now_ms;
        self.logs.advance(now_ms);
        let awake: Vec<_> = self.nodes.iter().map(|node| node.is_awake(now_ms)).collect();
        let frozen: Vec<_> = self.nodes.iter().map(|node| node.is_frozen(now_ms)).collect();
        while let Some(parcel) = self.net.take(now_ms, |to| !frozen[to]) {
            let to = parcel.to;
            self.out.skew_ms = self.nodes[to].skew_ms;
            self.nodes[to].take(parcel, &mut self.net, &mut self.out)?;
        }
        for number in 0..NODES {
            if frozen[number] {
                continue;
            }
            let node = &mut self.nodes[number];
            self.out.skew_ms = node.skew_ms;
            node.go_on(NODES, &self.logs, &mut self.net, &mut self.out)?;
            self.look()?;
            let node = &mut self.nodes[number];
            if awake[number] {
                for _ in 0..self.out.random.within(1, steps) {
                    node.step(&mut self.net, &mut self.out)?;
                }
            }
            self.out.skew_ms = 0;
            self.look()?;
        }
        Ok(())
    }

    /// What the control log says by now must follow from what it said before.
    fn look(&mut self) -> anyhow::Result<()> {
        let before = self.next;
        while let Some(object) = self.out.objects.read(None, self.next) {
            self.out.trace.note_bytes(&object);
            let slot = self.next;
            let entry = Entry::open(&object).with_context(|| format!("I1: open slot {slot}"))?;
            self.note(&entry.change);
            self.table.apply(entry).with_context(|| format!("I1: fold slot {slot}"))?;
            self.next = slot.next();
        }
        if self.next > before {
            self.calm = 0;
            for (life, slot) in tidy::ended(&self.table) {
                self.out.watch.fenced(life, slot)?;
            }
            self.out.table = Arc::new(self.table.clone());
        }
        Ok(())
    }

    /// The ranges of lives that go on, whoever owns them by the control log.
    fn owned(&self) -> impl Iterator<Item = &Owned> {
        let agents = self.nodes.iter().filter_map(Node::seen);
        agents.filter_map(agent::Agent::living).flat_map(|body| &body.ranges)
    }

    /// The clock of a range in its owner's memory, as long as nothing speaks for another owner to come.
    fn clock(&self, range: RangeId) -> Option<RecordTime> {
        if self.calm < CALM {
            return None;
        }
        let clocks = self.owned().filter(|it| it.id() == range).map(|it| it.machine.status().clock);
        clocks.max()
    }

    fn open_gates(&mut self) {
        let ranges = self.table.ranges();
        let clocks: Vec<_> = ranges.map(|(id, it)| (it.keys, id, self.clock(id))).collect();
        let of = |hash: u64| {
            let found = clocks.iter().find(|(keys, ..)| keys.contains(hash));
            found.map_or((RangeId(0), None), |&(_, id, clock)| (id, clock))
        };
        self.gates.open(&mut self.bank, &mut self.out, of);
    }

    /// One round of everything, without a fault; whether the history has come to rest.
    fn round(&mut self, round: u64) -> anyhow::Result<bool> {
        self.out.now_ms += self.out.random.within(1, 30);
        while !self.out.late.is_empty() {
            self.out.land_late()?;
        }
        self.calm += 1;
        self.open_gates();
        if round == 60 {
            self.serve_all();
        }
        self.everybody(30)?;
        for number in 0..NODES {
            self.out.skew_ms = self.nodes[number].skew_ms;
            self.nodes[number].catch_up(&mut self.net, &mut self.out)?;
        }
        self.out.skew_ms = 0;
        Ok(round.is_multiple_of(4) && self.is_at_rest())
    }

    fn is_at_rest(&self) -> bool {
        self.gates.are_open() && self.table.ranges().len() > 0 && {
            let mut ranges = self.table.ranges();
            ranges.all(|(id, range)| {
                let owner = range.owner().map(name::life);
                let agents = self.nodes.iter().filter_map(Node::seen);
                let mut bodies = agents.filter_map(agent::Agent::living);
                let body = bodies.find(|body| Some(body.life) == owner);
                body.is_some_and(|body| {
                    let served = body.served.get(&id) == Some(&range.epoch);
                    let owned = body.ranges.iter().find(|it| it.id() == id);
                    let is_done = owned.is_some_and(|it| self.is_done(it));
                    served && is_done && body.publisher.is_done() && !body.is_changing()
                })
            })
        }
    }

    fn is_done(&self, it: &Owned) -> bool {
        let (status, head) = (it.machine.status(), self.out.watch.head(it.id()));
        let source = &self.out.source;
        let mut positions = head.positions.iter().enumerate();
        positions.all(|(at, it)| it.offset == source.end(at))
            && head.positions.len() == source.names().len()
            && head.sequence == status.sequence
            && head.sequence == self.out.sink.last(it.id())
            && status.open == 0
            && status.is_settled
            && it.closed.is_none()
            && (self.out.shape.is_correctable || status.correctable == 0)
            && it.machine.deciding() == 0
    }

    /// What there is to judge.
    pub(super) fn case(&self) -> Case<'_> {
        let is_its = |it: &&Owned| {
            let identity = it.machine.identity();
            self.table.range(identity.id).is_some_and(|range| range.epoch == identity.epoch)
        };
        let cells = self.owned().filter(is_its).flat_map(|it| it.machine.cells()).collect();
        Case { bank: &self.bank, out: &self.out, cells }
    }

    /// Every node dies and loses its stores: what is in the journals must give the same again.
    pub(super) fn begin_from_nothing(&mut self) -> anyhow::Result<()> {
        let Self { nodes, net, out, .. } = self;
        for node in nodes {
            node.kill(0, net, out);
        }
        self.out.disks.clear();
        let mut rounds = 0;
        while self.owned().next().is_none() {
            self.round(rounds)?;
            rounds += 1;
            ensure!(
                rounds < MAX_ROUNDS,
                "nobody serves anything after all nodes have started again"
            );
        }
        self.settle()
    }
}
