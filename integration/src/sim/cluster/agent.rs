//! A node's part in the cluster: one life after the other. Imitates `node::cluster::agent`.

use coordinator::control_log::ControlError;
use coordinator::machine::letter::{Joining, Leading, Letter};
use coordinator::machine::life::Life;
use coordinator::machine::member::Member;
use coordinator::machine::order::Order;
use coordinator::machine::table::Table;
use futures::FutureExt as _;
use node::cluster::follow::Follow;

use super::body::Body;
use super::chair::{BEAT_MS, Letters};
use super::living::Living;
use super::logs::Logs;
use super::name::{address, life, name, number};
use super::net::Net;
use crate::sim::outside::Outside;

/// How long who leads counts as known without a beat; then the log is read without one, as often.
const UNHEARD_MS: u64 = 150;
/// How often a node that wants to join asks again.
const ASK_AGAIN_MS: u64 = 120;
/// How often what has failed is tried again.
const RETRY_MS: u64 = 200;
/// How long a life that has ended in peace may still deliver.
const PATIENCE_MS: u64 = 400;

/// What a process is doing.
#[derive(Debug)]
enum Phase {
    Joining,
    Living(Box<Living>),
    /// It ends, and what is left of it goes on until then.
    Ending(Box<Body>, u64),
}

/// The agent.
#[derive(Debug)]
pub(super) struct Agent {
    node: usize,
    nodes: usize,
    logs: Logs,
    follow: Follow,
    phase: Phase,
    ticket: u64,
    /// Who leads, as was heard, and when.
    leader: Option<Leading>,
    heard_ms: u64,
    beat_ms: u64,
    asked_ms: Option<u64>,
    letters: Letters,
}

impl Agent {
    pub(super) fn new(node: usize, nodes: usize, logs: &Logs, out: &mut Outside) -> Self {
        Self {
            node,
            nodes,
            logs: logs.clone(),
            follow: Follow::new(logs.control(), UNHEARD_MS),
            phase: Phase::Joining,
            ticket: out.random.next(),
            leader: None,
            heard_ms: 0,
            beat_ms: 0,
            asked_ms: None,
            letters: Letters::new(),
        }
    }

    /// The body, also one that ends.
    pub(super) fn body(&mut self) -> Option<&mut Body> {
        match &mut self.phase {
            Phase::Joining => None,
            Phase::Living(living) => Some(&mut living.body),
            Phase::Ending(body, _) => Some(body),
        }
    }

    /// The body of a life that goes on.
    pub(super) fn living(&self) -> Option<&Body> {
        match &self.phase {
            Phase::Living(living) => Some(&living.body),
            Phase::Joining | Phase::Ending(..) => None,
        }
    }

    /// It is asked to stop.
    pub(super) fn leave(&mut self) {
        if let Phase::Living(living) = &mut self.phase {
            living.life.leave();
        }
    }

    /// How it stands, for who looks for a fault.
    pub(super) fn text(&self) -> String {
        let phase = match &self.phase {
            Phase::Joining => "joins".to_owned(),
            Phase::Living(living) => format!("{:?} {}", living.life, living.body.text()),
            Phase::Ending(body, _) => format!("ends {}", body.text()),
        };
        let leader = self.leader.as_ref().map(|it| (&it.leader, it.term, it.control_slot));
        format!("n{} leader {leader:?} {:?}: {phase}", self.node, self.follow)
    }

    /// What it wants to say.
    pub(super) fn take_letters(&mut self) -> Letters {
        std::mem::take(&mut self.letters)
    }

    /// A letter came.
    pub(super) fn hear(&mut self, letter: Letter, net: &mut Net, out: &mut Outside) {
        match letter {
            Letter::Leading(beat) => self.heard(beat, out.wall_ms()),
            Letter::Joined { member, ticket } => self.joined(member, ticket, net, out),
            Letter::Obey { term, orders } => {
                let table = self.follow.table();
                if term >= table.term() {
                    self.obey(&orders, &table, out);
                }
            }
            Letter::Answer { .. } | Letter::Join(_) | Letter::Report(_) | Letter::Ask(_) => {}
        }
    }

    fn heard(&mut self, beat: Leading, now_ms: u64) {
        let known = self.leader.as_ref();
        let is_other = known.is_none_or(|it| (it.term, &it.leader) != (beat.term, &beat.leader));
        if known.is_some_and(|known| known.term > beat.term) {
            return;
        }
        self.heard_ms = self.heard_ms.max(now_ms.saturating_sub(beat.age_ms));
        self.follow.wants(beat.control_slot);
        self.leader = Some(beat);
        if is_other {
            self.asked_ms = None;
            if let (Some(leader), Phase::Joining) = (self.leads(), &self.phase) {
                self.letters.push((leader, Letter::Join(self.joining())));
            }
            self.report(true);
        }
    }

    fn joined(&mut self, member: Member, ticket: u64, net: &mut Net, out: &mut Outside) {
        if ticket != self.ticket || !matches!(self.phase, Phase::Joining) {
            return;
        }
        self.ticket = out.random.next();
        self.asked_ms = None;
        let body = Body::new(life(&member), self.nodes, out);
        let (life, last) = (Life::new(member), None);
        self.phase = Phase::Living(Box::new(Living { life, body, last, retried_ms: 0 }));
        self.read_on(net, out);
    }

    fn joining(&self) -> Joining {
        Joining { node: name(self.node), address: address(self.node), ticket: self.ticket }
    }

    /// Who leads: who was heard last, or else what the control log says.
    fn leads(&self) -> Option<usize> {
        let table = self.follow.table();
        let heard = self.leader.as_ref().filter(|beat| beat.term >= table.term());
        let known = || table.leader().map(|it| number(&it.candidate));
        heard.map(|it| number(&it.leader)).or_else(known)
    }

    fn obey(&mut self, orders: &[Order], table: &Table, out: &Outside) {
        let Phase::Living(living) = &mut self.phase else { return };
        for order in orders {
            let deed = living.life.obey(order, table);
            living.act(deed, table, &self.logs, out);
        }
    }

    /// The control log says more than before.
    fn read_on(&mut self, net: &mut Net, out: &mut Outside) {
        let table = self.follow.table();
        let Phase::Living(living) = &mut self.phase else { return };
        let deeds = living.life.follow(&table);
        if !living.life.is_over() {
            living.body.look_at_clock(out);
            let me = living.life.member().clone();
            living.body.routed(&table, &me, net, out);
        }
        living.act(deeds, &table, &self.logs, out);
    }

    /// Goes on: reads the control log, takes note of what was done, and speaks where there is news.
    pub(super) fn go_on(&mut self, net: &mut Net, out: &mut Outside) -> anyhow::Result<()> {
        match self.follow.next().now_or_never() {
            Some(Ok(true)) => self.read_on(net, out),
            None | Some(Ok(false) | Err(ControlError::Store(_))) => {}
            // A log that no node could follow: nothing helps any more.
            Some(Err(error)) => return Err(error.into()),
        }
        if let Phase::Living(living) = &mut self.phase {
            living.note_done(&self.follow.table(), &self.logs, out);
        }
        self.end_if_over(net, out);
        if out.wall_ms() >= self.beat_ms + BEAT_MS || out.wall_ms() < self.beat_ms {
            self.beat_ms = out.wall_ms();
            self.beat(out);
        }
        self.report(false);
        Ok(())
    }

    /// This life is over: it was fenced, declared dead, or told to end.
    fn end_if_over(&mut self, net: &mut Net, out: &mut Outside) {
        let Phase::Living(living) = &self.phase else {
            if let Phase::Ending(body, until_ms) = &self.phase
                && (out.now_ms >= *until_ms || body.is_fenced())
            {
                self.phase = Phase::Joining;
            }
            return;
        };
        if !living.life.is_over() && !living.body.is_fenced() {
            return;
        }
        if let Phase::Living(living) = std::mem::replace(&mut self.phase, Phase::Joining) {
            let mut body = living.body;
            body.close(net, out);
            self.phase = Phase::Ending(Box::new(body), out.now_ms + PATIENCE_MS);
        }
    }

    /// Time for a heartbeat, and for whatever has to be done again.
    fn beat(&mut self, out: &Outside) {
        let now_ms = out.wall_ms();
        let is_unheard = now_ms.saturating_sub(self.heard_ms) >= UNHEARD_MS;
        self.follow.beat(is_unheard, now_ms);
        match &mut self.phase {
            Phase::Joining => self.ask_to_join(now_ms),
            Phase::Living(living) => {
                if now_ms >= living.retried_ms + RETRY_MS {
                    living.retried_ms = now_ms;
                    let deeds = living.life.retry();
                    living.act(deeds, &self.follow.table(), &self.logs, out);
                }
                self.report(true);
            }
            Phase::Ending(..) => {}
        }
    }

    fn ask_to_join(&mut self, now_ms: u64) {
        if self.asked_ms.is_some_and(|at| now_ms < at.saturating_add(ASK_AGAIN_MS)) {
            return;
        }
        self.asked_ms = Some(now_ms);
        for to in 0..self.nodes {
            self.letters.push((to, Letter::Join(self.joining())));
        }
    }

    /// Says how things stand: to who leads, and where something has changed or `is_due`.
    fn report(&mut self, is_due: bool) {
        let Phase::Living(living) = &mut self.phase else { return };
        let Some(report) = living.report(is_due) else { return };
        if let Some(leader) = self.leads() {
            self.letters.push((leader, Letter::Report(report)));
        }
    }
}
