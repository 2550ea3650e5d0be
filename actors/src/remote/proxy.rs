//! Stand-ins: a range of another node, for the readers here; and the readers of another node, for the ranges here.

use bytes::Bytes;
use proto::types::{Epoch, RangeId};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc::UnboundedSender;

use crate::machine::frame::{ToOwner, ToReader};
use crate::{range, reader};

/// What stands for a range of another node, on one connection. It turns what readers say into frames; the answers come
/// to the link.
#[derive(Debug)]
pub(super) struct Proxy;

impl Actor for Proxy {
    type Msg = range::Message;
    type State = (RangeId, Epoch, UnboundedSender<Bytes>);
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _myself: ActorRef<range::Message>,
        it: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(it)
    }

    async fn handle(
        &self,
        _myself: ActorRef<range::Message>,
        message: range::Message,
        (range, epoch, outgoing): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let frame = match message {
            range::Message::Batch(batch, _) => ToOwner::Batch(*range, *epoch, batch),
            range::Message::CaughtUp(partition, at, wall) => {
                ToOwner::CaughtUp(*range, *epoch, partition, (at, wall))
            }
            // Nobody says these to a range that is another node's; who asks hears that nobody answers.
            range::Message::Decided
            | range::Message::Close(..)
            | range::Message::Committed(_)
            | range::Message::Acknowledged(_)
            | range::Message::Ending
            | range::Message::Tell(_)
            | range::Message::Find(..)
            | range::Message::Report(_)
            | range::Message::Checkpoint(..) => return Ok(()),
        };
        // Where the connection has ended, the link opens the range again on the next.
        drop(outgoing.send(frame.encode()));
        Ok(())
    }
}

/// What stands for the readers of another node. It turns what ranges say into frames.
#[derive(Debug)]
pub(super) struct Receipts;

impl Actor for Receipts {
    type Msg = reader::Message;
    type State = UnboundedSender<Bytes>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _myself: ActorRef<reader::Message>,
        outgoing: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(outgoing)
    }

    async fn handle(
        &self,
        _myself: ActorRef<reader::Message>,
        message: reader::Message,
        outgoing: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            // Where the connection has ended, so has what the receipt is good for.
            reader::Message::Receipt(it) => drop(outgoing.send(ToReader::Receipt(it).encode())),
            // Ranges say nothing else to readers.
            reader::Message::Poll(_)
            | reader::Message::Tick
            | reader::Message::Feed(..)
            | reader::Message::Leave(..)
            | reader::Message::Lost(..)
            | reader::Message::Opened(_) => {}
        }
        Ok(())
    }
}
