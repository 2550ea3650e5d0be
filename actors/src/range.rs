//! The actor that owns one key range: it feeds the range's machine and runs what the machine asks for.
//!
//! An error stops it, and with it the node: what is in doubt is dropped and restored (I4).

mod report;
mod reports;
#[cfg(test)]
pub(crate) mod silent;
mod supply;

use std::collections::BTreeSet;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use proto::types::{Offset, PartitionIndex, RecordTime, Sequence, Slot, TransactionKey};

use crate::engine::Ears;
use crate::journal::object::Packed;
use crate::machine::block::{Block, Place};
use crate::machine::outbox::Outbox;
use crate::machine::positions::{Batch, Receipt, Said};
use crate::machine::range::{ApplyError, Found, Identity, Range as Machine};
use crate::machine::restore::Standing;
use crate::machine::transaction::Rules;
use crate::store::{Store, StoreError, memory::MemoryStore};
use crate::transaction::{self, Transaction};
use crate::{committer, engine, publisher, reader};
pub use report::{Checkpoint, Report};
pub use reports::Reports;
use supply::Supply;

/// What may be said to a range.
#[derive(Debug)]
pub enum Message {
    /// All records of a source partition's interval that belong here, from its reader.
    Batch(Batch, ActorRef<reader::Message>),
    /// The source had nothing beyond that offset when the wall said this.
    CaughtUp(PartitionIndex, Offset, RecordTime),
    /// Transactions' actors have decided; what they say is with the [`Reports`].
    Decided,
    /// Close the batch for a commit; the answer goes to the committer.
    Close(u64, ActorRef<committer::Message>),
    /// The commit that was closed last is durable in that slot.
    Committed(Slot),
    /// The sink has acknowledged every row up to that one.
    Acknowledged(Sequence),
    /// Tell the aggregators of these dimensions the whole share.
    Tell(BTreeSet<String>),
    /// The range is about to end here: commit whole figures, and all that is open by value, without delay.
    Ending,
    /// What is known about a transaction?
    Find(TransactionKey, RpcReplyPort<Found>),
    /// How do things stand?
    Report(RpcReplyPort<Report>),
    /// Write a copy of the store, as of the last commit, to the folder; `None` before the first commit.
    Checkpoint(std::path::PathBuf, RpcReplyPort<Result<Option<Checkpoint>, String>>),
}

/// What a range is given at birth.
#[derive(Debug)]
pub struct Arguments {
    /// The machine, as restored.
    pub machine: Machine,
    /// Its local state.
    pub store: Box<dyn Store>,
    /// Where the store stands; the outbox begins there too where nothing is waiting.
    pub place: Place,
    /// The rules that its transactions decide by.
    pub rules: Arc<Rules>,
    /// Takes what is committed.
    pub publisher: ActorRef<publisher::Message>,
    /// Takes figures, and faults.
    pub links: Arc<engine::Links>,
    /// The slots with rows that wait for acknowledgement.
    pub outbox: Outbox,
}

/// One range's state. Just this actor touches it.
#[derive(Debug)]
pub struct State {
    machine: Machine,
    store: Box<dyn Store>,
    place: Place,
    closed: Option<Block>,
    supply: Supply,
    outbox: Outbox,
    reports: Arc<Reports>,
    /// Room for the reports that are being read.
    room: Vec<reports::Report>,
    arguments: Fixed,
}

/// What does not change.
#[derive(Debug)]
struct Fixed {
    rules: Arc<Rules>,
    publisher: ActorRef<publisher::Message>,
    links: Arc<engine::Links>,
}

/// The range actor. It holds nothing: all that changes is in [`State`].
#[derive(Debug)]
pub struct Range;

impl State {
    fn take(&mut self, message: Message) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Batch(batch, reader) => self.supply.put(batch, reader),
            Message::CaughtUp(partition, at, wall) => {
                self.machine.caught_up(partition, at, wall, &*self.store)?;
            }
            Message::Decided => self.decided(),
            Message::Close(wall_ms, committer) => {
                let range = self.machine.identity().id;
                committer.cast(committer::Message::Closed(range, self.close(wall_ms)))?;
            }
            Message::Committed(slot) => self.committed(slot)?,
            Message::Acknowledged(sequence) => self.machine.acknowledged(sequence),
            Message::Tell(dimensions) => self.tell(&dimensions)?,
            Message::Ending => self.machine.end(),
            Message::Find(key, reply) => {
                engine::answer(reply, self.machine.find(key, &*self.store)?);
            }
            Message::Report(reply) => engine::answer(reply, self.report()),
            Message::Checkpoint(to, reply) => {
                engine::answer(reply, self.checkpoint(&to).map_err(|error| error.to_string()));
            }
        }
        Ok(())
    }

    /// Whether there is something to decide about, or a batch that there is room for.
    fn has_work(&self) -> bool {
        self.machine.has_activations() || self.supply.has_next(&self.machine)
    }

    /// Applies the batches that wait, as far as there is room, and spawns what there is to decide.
    async fn go_on(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        self.spawn_decisions(myself).await?;
        while let Some((batch, reader)) = self.supply.next(&self.machine) {
            self.apply(&batch, &reader)?;
            self.spawn_decisions(myself).await?;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        batch: &Batch,
        reader: &ActorRef<reader::Message>,
    ) -> Result<(), ActorProcessingErr> {
        let said = match self.machine.apply(batch, &*self.store) {
            Err(ApplyError::Refused(refused)) if refused.position.offset < batch.from => {
                Said::Refused(refused.position)
            }
            // Where it is refused here, all of it has been applied before.
            Ok(()) | Err(ApplyError::Refused(_)) => Said::Applied(batch.records.len()),
            Err(error @ (ApplyError::Malformed | ApplyError::Store(_))) => return Err(error.into()),
        };
        let Identity { id: range, epoch, .. } = self.machine.identity();
        let receipt = Receipt { range, epoch, partition: batch.partition, said };
        // A reader may have gone meanwhile: whoever reads on asks where the range stands.
        drop(reader.cast(reader::Message::Receipt(receipt)));
        Ok(())
    }

    async fn spawn_decisions(
        &mut self,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        for activation in self.machine.take_activations() {
            let (rules, range) = (Arc::clone(&self.arguments.rules), myself.clone());
            let reports = Arc::clone(&self.reports);
            let arguments = transaction::Arguments { activation, rules, range, reports };
            Actor::spawn(None, Transaction, arguments).await?;
        }
        Ok(())
    }

    fn decided(&mut self) {
        self.reports.take(&mut self.room);
        self.machine.read_ahead(self.room.iter().map(|(key, _)| *key));
        for (key, outcome) in self.room.drain(..) {
            self.machine.decided(key, outcome);
        }
    }

    fn close(&mut self, wall_ms: u64) -> Option<Packed> {
        let block = self.machine.close(wall_ms)?;
        let packed = Packed::new(&block);
        self.closed = Some(block);
        Some(packed)
    }

    /// I5: only here, when the commit is durable, does anything leave the range.
    fn committed(&mut self, slot: Slot) -> Result<(), ActorProcessingErr> {
        let Some(mut block) = self.closed.take() else { return Ok(()) };
        let at = (block.head.epoch, slot);
        self.place = self.outbox.committed(at, &block.head, !block.rows.is_empty());
        self.store.apply(&block.changes(&self.place))?;
        self.arguments.links.committed(&block)?;
        let rows = std::mem::take(&mut block.rows);
        if !rows.is_empty() {
            self.arguments.publisher.cast(publisher::Message::Rows(rows))?;
        }
        self.machine.applied(block.head.commit, block.puts.iter().map(|(key, _)| *key));
        Ok(())
    }

    /// I5: as it is committed; the machine itself may be ahead of that.
    fn tell(&self, dimensions: &BTreeSet<String>) -> Result<(), ActorProcessingErr> {
        let share = self.machine.share(&*self.store)?;
        self.arguments.links.aggregators().tell(&share, Ears::Of(dimensions))
    }

    fn report(&self) -> Report {
        let mut status = self.machine.status();
        status.is_settled &= self.closed.is_none();
        let closed = self.closed.iter().flat_map(|block| &block.rows);
        Report {
            identity: self.machine.identity(),
            status,
            positions: self.machine.positions().to_vec(),
            ledger: self.machine.ledger().to_vec(),
            emitted: self.machine.emitted(),
            dead: self.machine.dead_letters().clone(),
            uncommitted_bytes: self.machine.pending_bytes()
                + closed.map(publisher::size).sum::<usize>(),
            store_bytes: self.store.bytes(),
            waiting_batches: self.supply.len(),
        }
    }

    /// As of the last commit that is in the store: the machine itself may be ahead of it.
    fn checkpoint(&self, to: &std::path::Path) -> Result<Option<Checkpoint>, StoreError> {
        let Some((place, head)) = Standing::head(&*self.store)? else { return Ok(None) };
        self.store.checkpoint(to)?;
        Ok(Some(Checkpoint { identity: self.machine.identity(), place, head }))
    }
}

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Range {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        it: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let (rules, publisher, links) = (it.rules, it.publisher, it.links);
        let arguments = Fixed { rules, publisher, links };
        let (machine, store, place) = (it.machine, it.store, it.place);
        let (supply, outbox) = (Supply::default(), it.outbox);
        let (reports, room) = (Arc::default(), Vec::new());
        Ok(State { machine, store, place, closed: None, supply, outbox, reports, room, arguments })
    }

    /// What was ready when the range was restored is decided first.
    async fn post_start(
        &self,
        myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.spawn_decisions(&myself).await
    }

    /// The store is closed before anybody hears that the range has stopped: its state lives on for a while,
    /// in the message that tells the supervisor.
    async fn post_stop(
        &self,
        _myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.store = Box::new(MemoryStore::default());
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.take(message)?;
        // A future that spawns is large, and each message would copy it: few messages have anything to spawn.
        if state.has_work() { Box::pin(state.go_on(&myself)).await } else { Ok(()) }
    }
}
