//! The actor that reads one source partition: it decodes, routes by key, and hands each range its part.
//!
//! It holds no truth (I3): whatever it sends twice, late or from the wrong place is ignored or sent back.

mod alignment;
mod parked;
mod route;
mod state;

use std::sync::Arc;

use proto::types::{Offset, PartitionIndex, RangeId, SourcePartition};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

pub use alignment::Alignment;
pub use route::{Router, Target};
pub use state::{CREDIT_BYTES, State};

use crate::clock::Clock;
use crate::engine::{self, Links};
use crate::machine::positions::Position;
use crate::source::{Partition, SourceError, Waker};

/// What may be said to a reader.
#[derive(Debug)]
pub enum Message {
    /// There may be something to read.
    Poll,
    /// Time passes.
    Tick,
    /// A range has applied a batch up to that offset; so many bytes of credit come back.
    Applied(RangeId, Offset, usize),
    /// A range stands elsewhere: go back there.
    Refused(RangeId, Position),
    /// A further range is to be fed, from its position on.
    Feed(Target, Position),
    /// A range is not to be fed any more. After the answer nothing goes to it.
    Leave(RangeId, RpcReplyPort<()>),
}

/// Opens a partition for reading from an offset; the waker sends [`Message::Poll`].
pub type Opening =
    Box<dyn Fn(Offset, Waker) -> Result<Box<dyn Partition>, SourceError> + Send + Sync>;

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
    /// Decodes and routes.
    pub router: Router,
    /// Keeps the partitions' record clocks together.
    pub alignment: Arc<Alignment>,
    /// What is shared within the node.
    pub links: Arc<Links>,
    /// Tells the time.
    pub clock: Clock,
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
        let waker = myself.clone();
        // A reader that has gone needs no waking.
        let waker = Arc::new(move || drop(waker.cast(Message::Poll)));
        let partition = (it.open)(it.start.offset, waker)?;
        drop(myself.send_interval(TICK, || Message::Tick));
        Ok(State::new(it, partition))
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Poll => return state.poll(&myself),
            Message::Tick => return state.tick(&myself),
            Message::Applied(range, _, bytes) => state.applied(range, bytes),
            Message::Refused(range, position) => state.go_back(range, position)?,
            Message::Feed(target, position) => state.feed(target, position)?,
            Message::Leave(range, reply) => {
                state.leave(range);
                engine::answer(reply, ());
            }
        }
        state.call(&myself)
    }
}
