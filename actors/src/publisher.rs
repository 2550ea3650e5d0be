//! The actor that delivers committed rows to the sink, in order, and tells the ranges what has arrived.
//!
//! A sink that does not answer is left alone for a while, and the publisher goes on to hear what it is told: what the
//! sink waits for may be the very life that it is told to shut out.

mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::types::{RangeId, Sequence};
use ractor::{Actor, ActorProcessingErr, ActorRef};

pub use self::state::State;
use crate::clock::Clock;
use crate::engine::{Life, Links};
use crate::range;
use crate::sink::{Row, Sink};

/// What may be said to the publisher.
#[derive(Debug)]
pub enum Message {
    /// Committed rows of a range, in sequence.
    Rows(Vec<Row>),
    /// Deliver what waits.
    Deliver,
    /// These lives are over, and ranges of theirs are on their way here.
    Over(Arc<[Life]>),
    /// These ranges are to be served.
    Serve(Serve),
    /// Begin to serve all that are to be.
    Begin,
    /// A range has ended, with all its rows acknowledged.
    Leave(RangeId),
}

/// Ranges that are to be served.
#[derive(Debug, Default)]
pub struct Serve {
    /// They hear of acknowledgements.
    pub ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
    /// The last sequence of each that was ever committed.
    pub restored: BTreeMap<RangeId, Sequence>,
    /// Rows of theirs that wait since before; those that the sink has already are dropped.
    pub rows: Vec<Row>,
    /// The lives that are over: whoever had the ranges before is among them, or has delivered all.
    pub ended: Vec<Life>,
}

/// The publisher actor.
#[derive(Debug)]
pub struct Publisher;

/// How long a sink that does not answer is left alone.
const RETRY: Duration = Duration::from_millis(500);

/// Whether what the sink was called for is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Called {
    Done,
    /// It did not answer: it is to be called for the same again.
    Again,
}

/// Bytes of a row, about.
#[must_use]
pub fn size(row: &Row) -> usize {
    row.key.len() + row.payload.len() + 64
}

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Publisher {
    type Msg = Message;
    type State = State;
    type Arguments = (Box<dyn Sink>, Arc<Links>, Clock);

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (sink, links, clock): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State::new(sink, links, clock))
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Over(lives) => state.shut_out(&lives).await?,
            Message::Serve(serve) => {
                if state.come(serve) {
                    myself.cast(Message::Begin)?;
                }
            }
            Message::Begin => {
                if state.begin().await? == Called::Again {
                    drop(myself.send_after(RETRY, || Message::Begin));
                }
            }
            Message::Rows(rows) => state.take(rows),
            Message::Deliver => {
                if state.deliver().await? == Called::Again {
                    drop(myself.send_after(RETRY, || Message::Deliver));
                }
            }
            Message::Leave(range) => state.leave(range),
        }
        if state.call() {
            myself.cast(Message::Deliver)?;
        }
        Ok(())
    }
}
