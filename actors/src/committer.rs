//! The actor that commits for a node: it has its ranges close, writes one object, and tells them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::log::{Created, Log};
use proto::types::{RangeId, Slot};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tracing::{debug, error, warn};

use crate::causes::one_line;
use crate::clock::{self, Clock};
use crate::engine::{self, Links};
use crate::journal::object::{Packed, Sealed, seal};
use crate::machine::commit::{Commit, Order, ReadBack, Written};
use crate::range;

/// What may be said to the committer.
#[derive(Debug)]
pub enum Message {
    /// Time passes.
    Tick,
    /// A range has closed; `None` where it had nothing to commit.
    Closed(RangeId, Option<Packed>),
    /// A range takes part from the next commit on.
    Enter(RangeId, ActorRef<range::Message>),
    /// A range takes no part any more. The answer is the first slot that can hold nothing of it.
    Leave(RangeId, RpcReplyPort<Slot>),
}

/// What waits for the end of the commit that is under way.
#[derive(Debug)]
enum Change {
    Enter(RangeId, ActorRef<range::Message>),
    Leave(RangeId, RpcReplyPort<Slot>),
}

/// What the committer is given at birth.
#[derive(Debug)]
pub struct Arguments {
    /// The journal of this incarnation.
    pub journal: Arc<dyn Log>,
    /// The first free slot in it.
    pub next: Slot,
    /// The least time between two commits.
    pub interval: Duration,
    /// The ranges of this node.
    pub ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
    /// What is shared within the node.
    pub links: Arc<Links>,
}

/// The committer's state.
pub struct State {
    machine: Commit,
    arguments: Arguments,
    clock: Clock,
    waiting: usize,
    blocks: Vec<Packed>,
    is_unclear: bool,
    changes: Vec<Change>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("machine", &self.machine).finish_non_exhaustive()
    }
}

/// The committer actor.
#[derive(Debug)]
pub struct Committer;

/// How long an unclear answer is left alone before the slot is read back.
const RETRY: Duration = Duration::from_millis(200);

impl State {
    fn close(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        let now_ms = (self.clock)();
        // I13: what the sinks have not taken is bounded; until then nothing more is committed.
        if self.arguments.links.outbox_is_full() || self.arguments.ranges.is_empty() {
            return Ok(());
        }
        if self.machine.tick(now_ms) == Order::Close {
            self.waiting = self.arguments.ranges.len();
            for range in self.arguments.ranges.values() {
                range.cast(range::Message::Close(now_ms, myself.clone()))?;
            }
        }
        Ok(())
    }

    /// Ranges come and go between commits: one that has been asked to close is waited for.
    fn change(&mut self) {
        if self.waiting > 0 {
            return;
        }
        for change in self.changes.drain(..) {
            match change {
                Change::Enter(range, actor) => {
                    self.arguments.ranges.insert(range, actor);
                }
                Change::Leave(range, reply) => {
                    self.arguments.ranges.remove(&range);
                    engine::answer(reply, self.machine.next());
                }
            }
        }
    }

    async fn closed(&mut self, block: Option<Packed>) -> Result<(), ActorProcessingErr> {
        self.blocks.extend(block);
        self.waiting -= 1;
        if self.waiting > 0 {
            return Ok(());
        }
        let nonce = clock::nonce();
        let object = seal(nonce, &self.blocks);
        let mut order = self.machine.closed(nonce, self.blocks.is_empty());
        self.blocks.clear();
        loop {
            order = match order {
                Order::Write { slot, nonce } => {
                    let answer = self.write(slot, object.clone()).await;
                    self.machine.written(nonce, answer)
                }
                Order::Read(slot) => {
                    let found = self.read_back(slot).await;
                    self.machine.read_back(nonce, found)
                }
                Order::Wait => {
                    tokio::time::sleep(RETRY).await;
                    self.machine.retry()
                }
                Order::Committed(slot) => return self.committed(slot, object.len()),
                Order::Fenced(slot) => {
                    error!(%slot, "fenced: another process has taken this node's journal over");
                    return Err(Fenced.into());
                }
                Order::Close | Order::Nothing => return Ok(()),
            };
        }
    }

    async fn write(&mut self, slot: Slot, object: bytes::Bytes) -> Written {
        match self.arguments.journal.create(slot, object).await {
            Ok(Created::Won) => Written::Won,
            Ok(Created::Exists) => Written::Exists,
            Err(error) => {
                self.arguments.links.degraded(format!("commits wait: {}", one_line(&error)));
                warn!(%slot, error = one_line(&error), "write to the journal is unclear, reading it back");
                self.is_unclear = true;
                Written::Unclear
            }
        }
    }

    async fn read_back(&self, slot: Slot) -> ReadBack {
        match self.arguments.journal.read(slot).await {
            Ok(None) => ReadBack::Nothing,
            Ok(Some(object)) => {
                Sealed::open(object).map_or(ReadBack::Foreign, |it| ReadBack::Commit(it.nonce()))
            }
            Err(error) => {
                warn!(%slot, error = one_line(&error), "journal does not answer");
                ReadBack::Unclear
            }
        }
    }

    fn committed(&mut self, slot: Slot, bytes: usize) -> Result<(), ActorProcessingErr> {
        debug!(%slot, bytes, "committed");
        if std::mem::take(&mut self.is_unclear) {
            self.arguments.links.recovered();
        }
        self.arguments.links.count_commit(bytes);
        for range in self.arguments.ranges.values() {
            range.cast(range::Message::Committed(slot))?;
        }
        self.machine.told((self.clock)());
        Ok(())
    }
}

/// Another process has taken over; what this one holds is dropped.
#[derive(Debug, thiserror::Error)]
#[error("another process has taken this node's journal over; this one stops, nothing is lost")]
pub struct Fenced;

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Committer {
    type Msg = Message;
    type State = State;
    type Arguments = (Arguments, Clock);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (arguments, clock): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let interval = arguments.interval;
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let machine = Commit::new(arguments.next, interval_ms);
        drop(myself.send_interval(interval.max(Duration::from_millis(5)), || Message::Tick));
        let (waiting, blocks, is_unclear, changes) = (0, Vec::new(), false, Vec::new());
        Ok(State { machine, arguments, clock, waiting, blocks, is_unclear, changes })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Tick => state.close(&myself)?,
            Message::Closed(_, block) => state.closed(block).await?,
            Message::Enter(range, actor) => state.changes.push(Change::Enter(range, actor)),
            Message::Leave(range, reply) => state.changes.push(Change::Leave(range, reply)),
        }
        state.change();
        Ok(())
    }
}
