//! One pass over a source partition: it reads while it has credit and isn't ahead of the others, and sends each of its
//! ranges its part.

use std::collections::BTreeMap;

use proto::types::{Offset, RangeId, RecordTime};
use ractor::{ActorProcessingErr, ActorRef};
use tracing::{error, warn};

use super::parked::Parked;
use super::route::{Router, Target};
use super::{Arguments, Message};
use crate::causes::one_line;
use crate::machine::frame::Pass;
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

/// One pass over a partition.
pub(super) struct Stream {
    pass: Pass,
    /// `None` until there is something to read for: a place to begin at.
    partition: Option<Box<dyn Partition>>,
    router: Router,
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

impl Stream {
    /// A pass that has handed on nothing yet.
    pub(super) fn new(pass: Pass, router: Router, at: Position) -> Self {
        let (partition, sent, parked) = (None, BTreeMap::new(), Parked::default());
        let (read_up_to, calling, end) = (at.offset, Calling::Wanted, None);
        let told = (Offset(0), RecordTime(0));
        Self { pass, partition, router, at, read_up_to, sent, calling, end, parked, told }
    }

    /// What it reads from; it stands where the pass does.
    pub(super) fn opened(&mut self, partition: Box<dyn Partition>) {
        self.partition = Some(partition);
        self.calling = Calling::Wanted;
    }

    /// Whether it has nothing yet to read from.
    pub(super) const fn is_closed(&self) -> bool {
        self.partition.is_none()
    }

    /// Lets go of the source.
    pub(super) fn close(&mut self) {
        self.partition = None;
    }

    /// Up to where records have been handed on.
    pub(super) const fn at(&self) -> Position {
        self.at
    }

    /// The ranges that it feeds.
    pub(super) fn targets(&self) -> &[Target] {
        self.router.targets()
    }

    /// Without a range there is nobody to read for.
    fn may_read(&self, it: &Arguments) -> bool {
        self.partition.is_some()
            && !self.router.targets().is_empty()
            && self.sent.values().all(|&bytes| bytes < CREDIT_BYTES)
            && it.alignment.allows((it.index, self.pass), self.next_time())
    }

    /// The record clock at the next record, as far as it is known: where all partitions jump in time, the
    /// one that jumps least goes on.
    fn next_time(&self) -> RecordTime {
        self.parked.first_time().map_or(self.at.clock, |time| time.max(self.at.clock))
    }

    pub(super) fn poll(
        &mut self,
        it: &Arguments,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        self.calling = Calling::Wanted;
        if !self.may_read(it) {
            return Ok(());
        }
        let from = self.at.offset;
        let now = RecordTime((it.clock)());
        let horizon = it.alignment.horizon((it.index, self.pass));
        let (router, clock) = (&mut self.router, &mut self.at.clock);
        let mut take = |record: &Record<'_>| router.take(record, clock, now);
        self.parked.release(horizon, &mut take);
        let progress = match &mut self.partition {
            Some(partition) if self.parked.first().is_none() => {
                let parked = &mut self.parked;
                let offer = &mut |record: Record<'_>| parked.offer(&record, horizon, &mut take);
                match partition.read(READ, offer) {
                    Ok(progress) => progress,
                    Err(error) => return self.failed(it, error),
                }
            }
            Some(_) | None => Progress { next: from, end: self.end, more: true },
        };
        // What waits has not been handed on: the interval ends before it.
        let next = self.parked.first().unwrap_or(self.read_up_to.max(progress.next));
        self.read_up_to = self.read_up_to.max(progress.next);
        self.send(it, from, Progress { next, ..progress }, myself);
        it.alignment.set((it.index, self.pass), self.next_time());
        (it.witness)(self.at.clock.0);
        if progress.more || self.parked.first().is_some() {
            return self.call(it, myself);
        }
        self.calling = Calling::Idle;
        self.caught_up(it, now);
        Ok(())
    }

    fn send(
        &mut self,
        it: &Arguments,
        from: Offset,
        progress: Progress,
        myself: &ActorRef<Message>,
    ) {
        self.end = progress.end;
        self.at.offset = progress.next;
        let (to, clock, partition) = (progress.next, self.at.clock, it.index);
        // What is read a second time was counted the first time.
        if self.pass == Pass::Front {
            it.links.read(partition, to, self.end);
            it.links.meters().handed_on(it.name.leg, self.router.delays());
        }
        if to <= from {
            return;
        }
        for (target, records) in self.router.drain() {
            *self.sent.entry(target.range).or_default() += records.len();
            it.links.count_read(records.len());
            let batch = Batch { partition, from, to, clock, records };
            // Where it has gone, whoever watches over it says so: its supervisor, or the link to its node.
            drop(target.actor.cast(range::Message::Batch(batch, myself.clone())));
        }
    }

    /// A partition of which all has been read holds nobody back.
    fn caught_up(&mut self, it: &Arguments, wall: RecordTime) {
        if self.calling != Calling::Idle || self.end.is_none_or(|end| self.at.offset < end) {
            return;
        }
        it.alignment.release((it.index, self.pass));
        let (told, when) = self.told;
        // A wall clock that was set back must not silence it.
        if told == self.at.offset && (when..when.plus_ms(TELL_MS)).contains(&wall) {
            return;
        }
        self.told = (self.at.offset, wall);
        for target in self.router.targets() {
            let message = range::Message::CaughtUp(it.index, self.at.offset, wall);
            drop(target.actor.cast(message));
        }
    }

    pub(super) fn call(
        &mut self,
        it: &Arguments,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        if self.calling == Calling::Wanted && self.may_read(it) {
            self.calling = Calling::Called;
            myself.cast(Message::Poll(self.pass))?;
        }
        Ok(())
    }

    /// I10: a partition that has lost records stops the node loudly; one out of reach is tried again.
    fn failed(&mut self, it: &Arguments, error: SourceError) -> Result<(), ActorProcessingErr> {
        match error {
            SourceError::Trimmed { .. } | SourceError::Shrunk { .. } | SourceError::Missing(_) => {
                error!(partition = %it.name, error = one_line(&error), "source partition cannot be read on");
                Err(error.into())
            }
            SourceError::Unreachable { .. } => {
                warn!(partition = %it.name, error = one_line(&error), "source is out of reach, trying again");
                it.links.degraded(format!("input waits: {}", one_line(&error)));
                Ok(self.seek(self.at)?)
            }
        }
    }

    /// Time passes.
    pub(super) fn tick(
        &mut self,
        it: &Arguments,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        self.caught_up(it, RecordTime((it.clock)()));
        self.call(it, myself)
    }

    /// The target that a range has here under that epoch.
    pub(super) fn has(&self, range: RangeId) -> Option<&Target> {
        self.router.targets().iter().find(|target| target.range == range)
    }

    /// A range has applied so many bytes.
    pub(super) fn applied(&mut self, range: RangeId, bytes: usize) {
        if let Some(sent) = self.sent.get_mut(&range) {
            *sent = sent.saturating_sub(bytes);
        }
    }

    /// A range is fed too, from here on or from before.
    pub(super) fn add(&mut self, target: Target) {
        self.told = (Offset(0), RecordTime(0));
        self.sent.insert(target.range, 0);
        self.router.add(target);
    }

    /// A range is not fed any more.
    pub(super) fn remove(&mut self, range: RangeId) -> Option<Target> {
        self.sent.remove(&range);
        self.router.remove(range)
    }

    /// Everything that it feeds, and the credit that each has used: another pass goes on with them.
    pub(super) fn hand_over(&mut self) -> Vec<(Target, usize)> {
        let targets = self.router.targets().to_vec();
        let taken = targets.into_iter().filter_map(|target| {
            let sent = self.sent.remove(&target.range).unwrap_or_default();
            Some((self.router.remove(target.range)?, sent))
        });
        taken.collect()
    }

    /// Goes on with a range that another pass has fed.
    pub(super) fn take_over(&mut self, target: Target, sent: usize) {
        let range = target.range;
        self.add(target);
        self.sent.insert(range, sent);
    }

    /// Forgets what has not been sent, and reads on from there.
    pub(super) fn seek(&mut self, to: Position) -> Result<(), SourceError> {
        self.router.clear();
        self.parked.clear();
        self.at = to;
        self.read_up_to = to.offset;
        self.calling = Calling::Wanted;
        self.partition.as_mut().map_or(Ok(()), |partition| partition.seek(to.offset))
    }
}
