//! The actor in the coordinator's role: it hears, ticks and speaks, and never waits for the store.
//!
//! What it does is decided by [`Office`]; what has to be written is done by an actor of its own, the
//! scribe, one job at a time. So ticks go on while the store is slow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proto::log::Log;
use proto::types::{NodeId, Slot};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tracing::{error, info};

use crate::clock::Clock;
use crate::coordinator::{Cut, Journals};
use crate::machine::letter::Letter;
use crate::machine::member::Term;
use crate::machine::office::{Effect, Job, Office, Outcome, Settings};
use crate::machine::table::Table;
pub use scribe::Scribe;
use scribe::ScribeActor;

mod scribe;

/// What carries letters to nodes, also to this one. They may get lost; nobody waits for them.
pub trait Wire: Send + Sync + fmt::Debug {
    /// Says something to a node.
    fn tell(&self, to: &NodeId, address: &str, letter: Letter);

    /// Says something to whichever node is reached at this address.
    fn tell_whoever(&self, address: &str, letter: Letter);
}

/// What may be said to a leader.
#[derive(Debug)]
pub enum Message {
    /// A letter came.
    Letter(Letter),
    /// The connection to who is reached at this address has broken.
    Lost(String),
    /// Time passes.
    Tick,
    /// The scribe has done its job.
    Done(Outcome, Option<Arc<Table>>, Slot),
    /// Ask to lead, whoever does.
    Contend,
    /// In which term does it lead, if it does?
    Leads(RpcReplyPort<Option<Term>>),
}

/// What a leader is given at birth.
pub struct Arguments {
    /// The node whose process it is.
    pub node: NodeId,
    /// Where others reach it.
    pub address: String,
    /// How to cut the key space, if nobody has cut it before.
    pub cut: Cut,
    /// How it leads.
    pub settings: Settings,
    /// The control log.
    pub control: Arc<dyn Log>,
    /// All journals, for fences.
    pub journals: Arc<dyn Journals>,
    /// Carries its letters.
    pub wire: Arc<dyn Wire>,
    /// Tells the time.
    pub clock: Clock,
    /// No two calls, of any process, give the same.
    pub nonces: Box<dyn FnMut() -> u64 + Send>,
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments").field("node", &self.node).finish_non_exhaustive()
    }
}

/// The actor. It ends only when it is stopped, or its scribe fails.
#[derive(Debug)]
pub struct Leader;

/// What a leader keeps.
pub struct State {
    office: Office,
    scribe: ActorRef<Job>,
    wire: Arc<dyn Wire>,
    clock: Clock,
    leads: Option<Term>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("leads", &self.leads).finish_non_exhaustive()
    }
}

impl ractor::Message for Message {}

impl Actor for Leader {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        it: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let office = Office::new(it.node.clone(), it.address, it.settings, (it.clock)());
        let scribe = Scribe::new((it.node, it.cut), it.control, it.journals, it.nonces);
        let told = myself.clone();
        let arguments = (scribe, told);
        let (scribe, _) =
            Actor::spawn_linked(None, ScribeActor, arguments, myself.get_cell()).await?;
        let tick = Duration::from_millis((it.settings.beat_ms / 2).max(1));
        drop(myself.send_interval(tick, || Message::Tick));
        Ok(State { office, scribe, wire: it.wire, clock: it.clock, leads: None })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now_ms = (state.clock)();
        let effects = match message {
            Message::Letter(letter) => state.office.hear(letter, now_ms),
            Message::Tick => state.office.tick(now_ms),
            Message::Done(outcome, table, read) => {
                state.office.done(outcome, (table, read), now_ms)
            }
            Message::Lost(address) => {
                state.office.lost(&address);
                Vec::new()
            }
            Message::Contend => {
                state.office.contend();
                Vec::new()
            }
            Message::Leads(reply) => {
                if !reply.is_closed() && reply.send(state.office.leading()).is_err() {
                    tracing::debug!("who asked has gone");
                }
                Vec::new()
            }
        };
        state.act(effects)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, why) = event {
            error!(%why, "the leader's scribe failed: this process leads no more");
            myself.stop(None);
        }
        Ok(())
    }
}

impl State {
    fn act(&mut self, effects: Vec<Effect>) -> Result<(), ActorProcessingErr> {
        for effect in effects {
            match effect {
                Effect::Tell { to, address, letter } => self.wire.tell(&to, &address, letter),
                Effect::Do(job) => self.scribe.cast(job)?,
            }
        }
        let leads = self.office.leading();
        if leads != self.leads {
            match leads {
                Some(term) => info!(%term, "this process leads"),
                None => info!("this process leads no more"),
            }
            self.leads = leads;
        }
        Ok(())
    }
}
