//! What a reader does: it reads while it has credit and isn't ahead of the others, and sends each range its part.

use std::collections::BTreeMap;

use proto::types::{Offset, RangeId, RecordTime};
use ractor::{ActorProcessingErr, ActorRef};
use tracing::{error, info, warn};

use super::parked::Parked;
use super::route::Target;
use super::{Arguments, Message};
use crate::causes::one_line;
use crate::machine::positions::{Batch, Position};
use crate::range;
use crate::source::{Limit, Partition, Progress, Record, SourceError};

/// Bytes that may be on their way to one range (I13).
pub const CREDIT_BYTES: usize = 64 << 10;
/// What one read takes at most: short enough that other actors get their turn.
const READ: Limit = Limit { records: 1_000, bytes: 1 << 20 };

/// How often ranges hear that a partition still has nothing more: their clocks go on with it. With many
/// partitions and ranges that is most of what an idle node does.
const TELL_MS: u64 = 200;

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
    pub(super) it: Arguments,
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
    /// Up to where ranges were told last that all has been read, and when.
    told: (Offset, RecordTime),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("at", &self.at).finish_non_exhaustive()
    }
}

impl State {
    /// A reader that has handed on nothing yet.
    pub(super) fn new(it: Arguments, partition: Box<dyn Partition>) -> Self {
        let (at, sent, parked) = (it.start, BTreeMap::new(), Parked::default());
        let (read_up_to, calling, end) = (at.offset, Calling::Wanted, None);
        let told = (Offset(0), RecordTime(0));
        Self { it, partition, at, read_up_to, sent, calling, end, parked, told }
    }

    /// Without a range there is nobody to read for.
    fn may_read(&self) -> bool {
        !self.it.router.targets().is_empty()
            && self.sent.values().all(|&bytes| bytes < CREDIT_BYTES)
            && self.it.alignment.allows(self.it.index, self.next_time())
    }

    /// The record clock at the next record, as far as it is known: where all partitions jump in time, the
    /// one that jumps least goes on.
    fn next_time(&self) -> RecordTime {
        self.parked.first_time().map_or(self.at.clock, |time| time.max(self.at.clock))
    }

    pub(super) fn poll(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
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
    fn caught_up(&mut self, wall: RecordTime) -> Result<(), ActorProcessingErr> {
        if self.calling != Calling::Idle || self.end.is_none_or(|end| self.at.offset < end) {
            return Ok(());
        }
        self.it.alignment.release(self.it.index);
        let (told, when) = self.told;
        // A wall clock that was set back must not silence it.
        if told == self.at.offset && (when..when.plus_ms(TELL_MS)).contains(&wall) {
            return Ok(());
        }
        self.told = (self.at.offset, wall);
        for target in self.it.router.targets() {
            let message = range::Message::CaughtUp(self.it.index, self.at.offset, wall);
            target.actor.cast(message)?;
        }
        Ok(())
    }

    pub(super) fn call(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
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

    /// Time passes.
    pub(super) fn tick(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        self.caught_up(RecordTime((self.it.clock)()))?;
        self.call(myself)
    }

    /// A range has applied so many bytes.
    pub(super) fn applied(&mut self, range: RangeId, bytes: usize) {
        if let Some(sent) = self.sent.get_mut(&range) {
            *sent = sent.saturating_sub(bytes);
        }
    }

    /// A range is fed too, from where it stands.
    pub(super) fn feed(
        &mut self,
        target: Target,
        from: Position,
    ) -> Result<(), ActorProcessingErr> {
        let is_first = self.it.router.targets().is_empty();
        self.told = (Offset(0), RecordTime(0));
        self.sent.insert(target.range, 0);
        self.it.router.add(target);
        // Those that are fed already see again what they have, and ignore it (I3).
        if is_first || from.offset < self.at.offset { self.seek(from) } else { Ok(()) }
    }

    /// A range is not fed any more.
    pub(super) fn leave(&mut self, range: RangeId) {
        self.it.router.remove(range);
        self.sent.remove(&range);
    }

    /// A range stands elsewhere.
    pub(super) fn go_back(
        &mut self,
        range: RangeId,
        to: Position,
    ) -> Result<(), ActorProcessingErr> {
        if !self.it.router.targets().iter().any(|target| target.range == range) {
            return Ok(());
        }
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
