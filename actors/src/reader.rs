//! The actor that reads one source partition: it decodes, routes by key, and hands each range its part.
//!
//! It holds no truth (I3): whatever it sends twice, late or from the wrong place is ignored or sent back.

mod alignment;
mod parked;
mod route;
mod state;
mod stream;

use std::sync::Arc;

use futures::future::BoxFuture;
use proto::types::{Epoch, Offset, PartitionIndex, RangeId, SourcePartition};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

pub use alignment::Alignment;
pub use route::{Router, Target};
pub use state::State;
pub use stream::CREDIT_BYTES;

use crate::clock::{Clock, Witness};
use crate::engine::{self, Links};
use crate::machine::frame::Pass;
use crate::machine::positions::{Position, Receipt};
use crate::source::{Partition, SourceError, Waker};

/// What may be said to a reader.
#[derive(Debug)]
pub enum Message {
    /// There may be something to read.
    Poll(Pass),
    /// Time passes.
    Tick,
    /// A range says what became of a batch.
    Receipt(Receipt),
    /// A range is to be fed from that position on, by that way. May come again, for a range that is fed already.
    Feed(Target, Position),
    /// A range is not to be fed any more. After the answer nothing goes to it.
    Leave(RangeId, RpcReplyPort<()>),
    /// The way to a range was lost, or its owner under that epoch; another one's is none of it.
    Lost(RangeId, Epoch),
    /// The partition was opened once more, for ranges that are far behind.
    Opened(Box<Again>),
}

/// Opens a partition for reading from an offset; the waker sends [`Message::Poll`].
pub type Opening =
    Box<dyn Fn(Offset, Waker) -> Result<Box<dyn Partition>, SourceError> + Send + Sync>;

/// Opens the partition once more, beside the first, with a router to nobody.
pub type OpeningAgain = Box<dyn Fn(Offset, Waker) -> BoxFuture<'static, Opened> + Send + Sync>;

/// A partition that was opened once more, or why not.
pub type Opened = Result<(Box<dyn Partition>, Router), SourceError>;

/// What came of [`OpeningAgain`].
pub struct Again(pub Opened);

impl std::fmt::Debug for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Again").field(&self.0.is_ok()).finish()
    }
}

/// What a reader is given at birth.
pub struct Arguments {
    /// Which source partition it reads.
    pub index: PartitionIndex,
    /// Its name.
    pub name: SourcePartition,
    /// Where it starts, and the record clock there.
    pub start: Position,
    /// Opens the partition.
    pub open: Opening,
    /// Opens it once more.
    pub again: OpeningAgain,
    /// Decodes and routes; taken when the reader starts.
    pub router: Option<Router>,
    /// Keeps the partitions' record clocks together.
    pub alignment: Arc<Alignment>,
    /// What is shared within the node.
    pub links: Arc<Links>,
    /// Tells the time.
    pub clock: Clock,
    /// Hears how new the records are.
    pub witness: Witness,
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arguments").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The reader actor.
#[derive(Debug)]
pub struct Reader;

/// How often a reader that waits looks whether it still has to.
const TICK: std::time::Duration = std::time::Duration::from_millis(50);

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Reader {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        it: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        drop(myself.send_interval(TICK, || Message::Tick));
        State::new(it, &myself)
    }

    /// The source is let go before anybody hears that the reader has stopped: its state lives on for a while, in the
    /// message that tells the supervisor.
    async fn post_stop(
        &self,
        _myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.close();
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Poll(pass) => return state.poll(pass, &myself),
            Message::Tick => return state.tick(&myself),
            Message::Receipt(receipt) => state.receipt(receipt, &myself)?,
            Message::Feed(target, position) => state.feed(target, position, &myself)?,
            Message::Opened(again) => state.opened(*again, &myself)?,
            Message::Lost(range, epoch) => state.lost(range, epoch),
            Message::Leave(range, reply) => {
                state.leave(range);
                engine::answer(reply, ());
            }
        }
        state.call(&myself)
    }
}

/// Calls a pass of a reader; one that has gone needs no waking.
fn waker(reader: &ActorRef<Message>, pass: Pass) -> Waker {
    let reader = reader.clone();
    Arc::new(move || drop(reader.cast(Message::Poll(pass))))
}
