//! The agent of a node: it joins, follows the control log, and obeys; one life after the other.
//!
//! A life that was fenced or declared dead drops everything, and the next one begins in the same process: so a
//! node that stood still for a while needs no restart.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use coordinator::clock::Clock;
use coordinator::coordinator::Journals;
use coordinator::leader::Wire;
use coordinator::machine::letter::{Joining, Leading, Letter};
use coordinator::machine::life::Life;
use coordinator::machine::member::Member;
use coordinator::machine::table::{Standing, Table};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use proto::log::Log;
use proto::types::{NodeId, Slot};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::body::{Bodies, Ending};
use super::seeds::Seeds;
use ask::{Asked, Asking};
use follow::Follow;
use living::{Event, Living};

mod ask;
mod follow;
mod living;

pub use ask::Admin;

/// How often a node that wants to join asks again.
const ASK_AGAIN_MS: u64 = 500;
/// How long who leads counts as known without a beat; then the control log is read without one, as often.
const UNHEARD_MS: u64 = 1_000;
/// How often copies are looked at: one that has become ready should not wait for a heartbeat.
const PEEK: Duration = Duration::from_millis(25);

/// What an agent needs.
pub struct Setup {
    /// The node.
    pub node: NodeId,
    /// Where others reach it.
    pub address: String,
    /// How often it says that it lives.
    pub heartbeat: Duration,
    /// Where else it asks who leads.
    pub seeds: Seeds,
    /// The control log.
    pub control: Arc<dyn Log>,
    /// All journals, for the pasts of ranges.
    pub journals: Arc<dyn Journals>,
    /// Carries its letters.
    pub wire: Arc<dyn Wire>,
    /// Begins the data plane of each life.
    pub bodies: Arc<dyn Bodies>,
    /// Tells the time.
    pub clock: Clock,
    /// No two calls, of any process, give the same.
    pub nonces: Box<dyn FnMut() -> u64 + Send>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("node", &self.node).finish_non_exhaustive()
    }
}

/// What a node knows of its cluster.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its life; `None` while it has none.
    pub member: Option<Member>,
    /// Who was heard to lead last; `None` before anybody was.
    pub leader: Option<Leading>,
    /// The control log as far as it was read.
    pub table: Arc<Table>,
    /// Up to which slot.
    pub read: Slot,
}

/// The agent, not yet running.
pub struct Agent {
    setup: Setup,
    inbox: mpsc::Receiver<Letter>,
    asked: mpsc::Receiver<Asked>,
    asking: Asking,
    follow: Follow,
    phase: Phase,
    /// What this process knows itself by before its next life.
    ticket: u64,
    work: Work,
    view: watch::Sender<View>,
    /// When who leads was heard last.
    heard_ms: u64,
    asked_to_join_ms: Option<u64>,
}

type Work = FuturesUnordered<BoxFuture<'static, Event>>;

/// What a process is doing.
enum Phase {
    /// It asks for a life.
    Joining,
    /// It has one.
    Living(Living),
    /// It had one, and drops everything.
    Ending,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("node", &self.setup.node).finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent that gets its letters from `inbox`; what it knows can be seen, and operators' requests
    /// handed to it.
    #[must_use]
    pub fn new(
        mut setup: Setup,
        inbox: mpsc::Receiver<Letter>,
    ) -> (Self, watch::Receiver<View>, Admin) {
        let (view, seen) = watch::channel(View::default());
        let (admin, asked) = Admin::new();
        let follow = Follow::new(Arc::clone(&setup.control));
        let ticket = (setup.nonces)();
        let (asking, work) = Default::default();
        let phase = Phase::Joining;
        let (heard_ms, asked_to_join_ms) = (0, None);
        let agent = Self {
            setup,
            inbox,
            asked,
            asking,
            follow,
            phase,
            ticket,
            work,
            view,
            heard_ms,
            asked_to_join_ms,
        };
        (agent, seen, admin)
    }

    /// Lives until it is stopped.
    ///
    /// # Errors
    ///
    /// Where a body could not begin or has failed: a fresh process starts from what is durable.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut heartbeat = tokio::time::interval(self.setup.heartbeat);
        let mut peek = tokio::time::interval(PEEK);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        peek.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            let event = tokio::select! {
                () = stop.cancelled() => break Ok(()),
                letter = self.inbox.recv() => match letter {
                    Some(letter) => Event::Letter(letter),
                    None => break Ok(()),
                },
                Some(asked) = self.asked.recv() => Event::Asked(asked),
                _ = heartbeat.tick() => Event::Heartbeat,
                _ = peek.tick() => Event::Peek,
                is_further = self.follow.next() => Event::Read(is_further),
                Some(event) = self.work.next(), if !self.work.is_empty() => event,
            };
            if let Err(error) = self.take(event).await {
                break Err(error);
            }
        };
        // Nothing of it may go on behind its back.
        self.work.clear();
        if let Phase::Living(living) = &self.phase {
            living.stop().await;
        }
        ended
    }

    fn now_ms(&self) -> u64 {
        (self.setup.clock)()
    }

    async fn take(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Letter(letter) => self.hear(letter),
            Event::Asked(asked) => self.ask(asked),
            Event::Heartbeat => self.beat().await,
            Event::Peek => {}
            Event::Read(false) => {}
            Event::Read(true) => self.read_on(),
            Event::Begun(body) => {
                let body = body.context("begin a life of this node")?;
                if let Phase::Living(living) = &mut self.phase {
                    self.work.extend(living.begun(body));
                    self.read_on();
                }
            }
            Event::Ended(Ending::Failed(why)) => anyhow::bail!(why),
            Event::Ended(Ending::Fenced) => {
                warn!(node = %self.setup.node, "this life was fenced");
                self.end();
            }
            Event::Stopped => self.phase = Phase::Joining,
            Event::Done(done) => {
                if let Phase::Living(living) = &mut self.phase {
                    self.work.extend(living.done(done, &self.setup, &self.follow.table()));
                }
            }
        }
        if matches!(&self.phase, Phase::Living(living) if living.is_over()) {
            warn!(node = %self.setup.node, "this life was declared dead");
            self.end();
        }
        self.report(false);
        Ok(())
    }

    fn hear(&mut self, letter: Letter) {
        match letter {
            Letter::Leading(beat) => self.heard(beat),
            Letter::Joined { member, ticket } => self.joined(member, ticket),
            Letter::Obey { term, orders } => {
                // Who was followed by another orders nothing any more.
                let table = self.follow.table();
                if let Phase::Living(living) = &mut self.phase
                    && term >= table.term()
                {
                    self.work.extend(living.obey(&orders, &self.setup, &table));
                }
            }
            Letter::Answer { ticket, denied } => self.asking.answer(ticket, denied),
            // Said to who leads.
            Letter::Join(_) | Letter::Report(_) | Letter::Ask(_) => {}
        }
    }

    fn heard(&mut self, beat: Leading) {
        let known = self.view.borrow().leader.clone();
        let is_other =
            known.as_ref().is_none_or(|it| (it.term, &it.leader) != (beat.term, &beat.leader));
        if known.is_some_and(|known| known.term > beat.term) {
            return;
        }
        self.heard_ms = self.now_ms();
        self.follow.wants(beat.control_slot);
        self.view.send_modify(|view| view.leader = Some(beat));
        if is_other {
            // It has heard nothing of this node yet.
            self.asked_to_join_ms = None;
            self.ask_leader_to_join();
            self.report(true);
        }
    }

    fn joined(&mut self, member: Member, ticket: u64) {
        if ticket != self.ticket || !matches!(self.phase, Phase::Joining) {
            return;
        }
        info!(node = %member.node, incarnation = %member.incarnation, "joined the cluster");
        self.ticket = (self.setup.nonces)();
        self.asked_to_join_ms = None;
        self.view.send_modify(|view| view.member = Some(member.clone()));
        let (living, begin) = Living::new(Life::new(member), &self.setup);
        self.phase = Phase::Living(living);
        self.work.push(begin);
    }

    /// This life is over: whatever it was at is dropped, and then its body.
    fn end(&mut self) {
        if let Phase::Living(living) = std::mem::replace(&mut self.phase, Phase::Ending) {
            self.work.clear();
            self.work.push(living.ending());
            self.view.send_modify(|view| view.member = None);
        }
    }

    /// The control log says more than before.
    fn read_on(&mut self) {
        let (table, read) = (self.follow.table(), self.follow.read());
        if let Phase::Living(living) = &mut self.phase {
            self.work.extend(living.follow((&*table, read), &self.setup));
        }
        self.view.send_modify(|view| (view.table, view.read) = (table, read));
    }

    /// Time for a heartbeat, and for whatever has to be done again.
    async fn beat(&mut self) {
        let now_ms = self.now_ms();
        let is_unheard = now_ms.saturating_sub(self.heard_ms) >= UNHEARD_MS;
        self.follow.beat(is_unheard, now_ms);
        self.asking.expire(now_ms);
        match &mut self.phase {
            Phase::Joining => self.ask_to_join(now_ms).await,
            Phase::Living(living) => {
                let table = self.follow.table();
                self.work.extend(living.retry(&self.setup, &table, now_ms));
                self.report(true);
            }
            Phase::Ending => {}
        }
    }

    /// Says how things stand: to who leads, and where something has changed or `is_due`.
    fn report(&mut self, is_due: bool) {
        let Phase::Living(living) = &mut self.phase else { return };
        let Some(report) = living.report(is_due) else { return };
        if let Some((leader, address)) = self.leads() {
            self.setup.wire.tell(&leader, &address, Letter::Report(report));
        }
    }

    /// Asks everybody who may lead, or may know who does.
    async fn ask_to_join(&mut self, now_ms: u64) {
        if self.asked_to_join_ms.is_some_and(|at| now_ms < at.saturating_add(ASK_AGAIN_MS)) {
            return;
        }
        self.asked_to_join_ms = Some(now_ms);
        let mut places = self.setup.seeds.addresses().await;
        places.insert(self.setup.address.clone());
        places.extend(self.leads().map(|(_, address)| address));
        for place in places {
            self.setup.wire.tell_whoever(&place, Letter::Join(self.joining()));
        }
    }

    fn ask_leader_to_join(&self) {
        let leads = self.leads().filter(|_| matches!(self.phase, Phase::Joining));
        if let Some((leader, address)) = leads {
            self.setup.wire.tell(&leader, &address, Letter::Join(self.joining()));
        }
    }

    fn joining(&self) -> Joining {
        let (node, address) = (self.setup.node.clone(), self.setup.address.clone());
        Joining { node, address, ticket: self.ticket }
    }

    /// Who leads and where: who was heard last, or else what the control log says.
    fn leads(&self) -> Option<(NodeId, String)> {
        let view = self.view.borrow();
        let is_heard = view.leader.as_ref().filter(|beat| beat.term >= view.table.term());
        if let Some(beat) = is_heard {
            return Some((beat.leader.clone(), beat.address.clone()));
        }
        let leader = &view.table.leader()?.candidate;
        let address = addresses(&view.table).remove(leader)?;
        Some((leader.clone(), address))
    }

    fn ask(&mut self, asked: Asked) {
        let leads = self.leads();
        let ticket = (self.setup.nonces)();
        let from = (self.setup.node.clone(), self.setup.address.clone());
        let now_ms = self.now_ms();
        if let Some((to, address, letter)) = self.asking.ask(asked, leads, (ticket, from), now_ms) {
            self.setup.wire.tell(&to, &address, letter);
        }
    }
}

/// Where each node that lives is reached, by its last life.
fn addresses(table: &Table) -> BTreeMap<NodeId, String> {
    let alive = table.members().filter_map(|(member, standing)| match standing {
        Standing::Alive { address } => Some((member.node.clone(), address.clone())),
        Standing::Dead { .. } => None,
    });
    alive.collect()
}

#[cfg(test)]
mod tests;
