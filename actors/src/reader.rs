//! The actor that reads one source partition: it decodes, routes by key, and hands each range its part.
//!
//! It holds no truth (I3): whatever it sends twice, late or from the wrong place is ignored or sent back.

mod alignment;
mod parked;
mod route;

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::types::{Offset, PartitionIndex, RangeId, RecordTime, SourcePartition};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{error, info, warn};

pub use alignment::Alignment;
use parked::Parked;
pub use route::{Router, Target};

use crate::causes::one_line;
use crate::clock::Clock;
use crate::engine::Links;
use crate::machine::positions::{Batch, Position};
use crate::range;
use crate::source::{Limit, Partition, Progress, Record, SourceError, Waker};

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

/// Whether there is something to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Calling {
    /// Nothing, until the waker calls.
    Idle,
    /// There is, once it may be read.
    Wanted,
    /// There is, and the message that reads it is on its way.
    Called,
}

/// The reader's state.
pub struct State {
    it: Arguments,
    partition: Box<dyn Partition>,
    /// Up to where records have been handed on, and the record clock there.
    at: Position,
    /// Up to where the source has been read; what lies between is parked.
    read_up_to: Offset,
    /// Bytes on their way to each range.
    sent: BTreeMap<RangeId, usize>,
    calling: Calling,
    end: Option<Offset>,
    parked: Parked,
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arguments").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("at", &self.at).finish_non_exhaustive()
    }
}

/// The reader actor.
#[derive(Debug)]
pub struct Reader;

/// Bytes that may be on their way to one range (I13).
pub const CREDIT_BYTES: usize = 64 << 10;
/// What one read takes at most: short enough that other actors get their turn.
const READ: Limit = Limit { records: 1_000, bytes: 1 << 20 };
/// How often a reader that waits looks whether it still has to.
const TICK: std::time::Duration = std::time::Duration::from_millis(50);

impl State {
    fn may_read(&self) -> bool {
        self.sent.values().all(|&bytes| bytes < CREDIT_BYTES)
            && self.it.alignment.allows(self.it.index, self.next_time())
    }

    /// The record clock at the next record, as far as it is known: where all partitions jump in time, the
    /// one that jumps least goes on.
    fn next_time(&self) -> RecordTime {
        self.parked.first_time().map_or(self.at.clock, |time| time.max(self.at.clock))
    }

    fn poll(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        self.calling = Calling::Wanted;
        if !self.may_read() {
            return Ok(());
        }
        let from = self.at.offset;
        let now = RecordTime((self.it.clock)());
        let horizon = self.it.alignment.horizon(self.it.index);
        let (router, clock) = (&mut self.it.router, &mut self.at.clock);
        let mut take = |record: &Record<'_>| router.take(record, clock, now);
        self.parked.release(horizon, &mut take);
        let progress = if self.parked.first().is_some() {
            Progress { next: from, end: self.end, more: true }
        } else {
            let parked = &mut self.parked;
            match self.partition.read(READ, &mut |record| parked.offer(&record, horizon, &mut take))
            {
                Ok(progress) => progress,
                Err(error) => return self.failed(error),
            }
        };
        // What waits has not been handed on: the interval ends before it.
        let next = self.parked.first().unwrap_or(self.read_up_to.max(progress.next));
        self.read_up_to = self.read_up_to.max(progress.next);
        self.send(from, Progress { next, ..progress }, myself)?;
        self.it.links.meters().handed_on(self.it.name.leg, self.it.router.delays());
        self.it.alignment.set(self.it.index, self.next_time());
        if progress.more || self.parked.first().is_some() {
            return self.call(myself);
        }
        self.calling = Calling::Idle;
        self.caught_up(now)
    }

    fn send(
        &mut self,
        from: Offset,
        progress: Progress,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        self.end = progress.end;
        self.at.offset = progress.next;
        let (to, clock, partition) = (progress.next, self.at.clock, self.it.index);
        self.it.links.read(partition, to, self.end);
        if to <= from {
            return Ok(());
        }
        for (target, records) in self.it.router.drain() {
            *self.sent.entry(target.range).or_default() += records.len();
            self.it.links.count_read(records.len());
            let batch = Batch { partition, from, to, clock, records };
            target.actor.cast(range::Message::Batch(batch, myself.clone()))?;
        }
        Ok(())
    }

    /// A partition of which all has been read holds nobody back.
    fn caught_up(&self, wall: RecordTime) -> Result<(), ActorProcessingErr> {
        if self.calling != Calling::Idle || self.end.is_none_or(|end| self.at.offset < end) {
            return Ok(());
        }
        self.it.alignment.release(self.it.index);
        for target in self.it.router.targets() {
            let message = range::Message::CaughtUp(self.it.index, self.at.offset, wall);
            target.actor.cast(message)?;
        }
        Ok(())
    }

    fn call(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        if self.calling == Calling::Wanted && self.may_read() {
            self.calling = Calling::Called;
            myself.cast(Message::Poll)?;
        }
        Ok(())
    }

    /// I10: a partition that has lost records stops the node loudly; one out of reach is tried again.
    fn failed(&mut self, error: SourceError) -> Result<(), ActorProcessingErr> {
        match error {
            SourceError::Trimmed { .. } | SourceError::Shrunk { .. } | SourceError::Missing(_) => {
                error!(partition = %self.it.name, error = one_line(&error), "source partition cannot be read on");
                Err(error.into())
            }
            SourceError::Unreachable { .. } => {
                warn!(partition = %self.it.name, error = one_line(&error), "source is out of reach, trying again");
                self.it.links.degraded(format!("input waits: {}", one_line(&error)));
                self.seek(self.at)
            }
        }
    }

    fn go_back(&mut self, range: RangeId, to: Position) -> Result<(), ActorProcessingErr> {
        info!(partition = %self.it.name, %range, from = %self.at.offset, to = %to.offset, "reading again");
        self.sent.insert(range, 0);
        if to.offset < self.at.offset {
            self.seek(to)?;
        }
        Ok(())
    }

    /// Forgets what has not been sent, and reads on from there.
    fn seek(&mut self, to: Position) -> Result<(), ActorProcessingErr> {
        self.it.router.clear();
        self.parked.clear();
        self.at = to;
        self.read_up_to = to.offset;
        self.calling = Calling::Wanted;
        Ok(self.partition.seek(to.offset)?)
    }
}

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
        let (at, sent) = (it.start, BTreeMap::new());
        let read_up_to = at.offset;
        Ok(State {
            it,
            partition,
            at,
            read_up_to,
            sent,
            calling: Calling::Wanted,
            end: None,
            parked: Parked::default(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Poll => state.poll(&myself),
            Message::Tick => {
                state.caught_up(RecordTime((state.it.clock)()))?;
                state.call(&myself)
            }
            Message::Applied(range, _, bytes) => {
                let sent = state.sent.entry(range).or_default();
                *sent = sent.saturating_sub(bytes);
                state.call(&myself)
            }
            Message::Refused(range, position) => {
                state.go_back(range, position)?;
                state.call(&myself)
            }
        }
    }
}
