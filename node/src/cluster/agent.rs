//! The agent of a node: it joins, follows the control log, and obeys; one life after the other.
//!
//! A life that was fenced or declared dead drops everything, and the next one begins in the same process: so a
//! node that stood still for a while needs no restart.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use coordinator::machine::letter::Letter;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::body::Ending;
use super::follow::Follow;
pub(crate) use ask::Asked;
use ask::Asking;
use living::{Event, Living};

mod ask;
mod contact;
mod leave;
mod living;
mod setup;

pub use ask::Admin;
use contact::addresses;
pub use setup::{Setup, View};

/// How long who leads counts as known without a beat; then the control log is read without one, as often.
const UNHEARD_MS: u64 = 1_000;
/// How often copies are looked at: one that has become ready should not wait for a heartbeat.
const PEEK: Duration = Duration::from_millis(25);

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
    /// Since when it wants to stop.
    leaving_ms: Option<u64>,
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
        let follow = Follow::new(Arc::clone(&setup.control), UNHEARD_MS);
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
            leaving_ms: None,
        };
        (agent, seen, admin)
    }

    /// Lives until it is stopped: then until others have its ranges, or for as long as it may wait for that.
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
            if self.may_go() {
                break Ok(());
            }
            let event = tokio::select! {
                () = stop.cancelled(), if self.leaving_ms.is_none() => Event::Leave,
                letter = self.inbox.recv() => match letter {
                    Some(letter) => Event::Letter(letter),
                    None => break Ok(()),
                },
                Some(asked) = self.asked.recv() => Event::Asked(asked),
                _ = heartbeat.tick() => Event::Heartbeat,
                _ = peek.tick() => Event::Peek,
                read = self.follow.next() => Event::Read(read),
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
            Event::Leave => self.leave(),
            Event::Heartbeat => self.beat().await,
            Event::Peek => {}
            Event::Read(Ok(false)) => {}
            Event::Read(Ok(true)) => self.read_on(),
            Event::Read(Err(error)) => {
                let why = anyhow::Error::from(error);
                warn!(error = format!("{why:#}"), "cannot read the control log, trying again");
            }
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
            if self.leaving_ms.is_none() {
                warn!(node = %self.setup.node, "this life was declared dead");
            }
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
}

#[cfg(test)]
mod tests;
