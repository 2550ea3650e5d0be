//! What a reader does with ranges that come, go and stand elsewhere: the front pass feeds those that are near it,
//! and one that is far behind is brought up by a pass of its own, without holding the others back.

use std::collections::BTreeMap;

use proto::types::{Epoch, RangeId};
use ractor::{ActorProcessingErr, ActorRef};
use tracing::{info, warn};

use super::route::Target;
use super::stream::Stream;
use super::{Again, Arguments, Message};
use crate::causes::one_line;
use crate::machine::frame::Pass;
use crate::machine::positions::{Position, Receipt, Said};
use crate::source::SourceError;

/// From how many offsets behind the front on a range is brought up by a pass of its own. Nearer than that the front
/// goes back, and the others ignore what they see again (I3): that costs less than to open the source once more.
const FAR: u64 = if cfg!(test) { 500 } else { 20_000 };

/// The reader's state.
pub struct State {
    it: Arguments,
    front: Stream,
    behind: Behind,
    /// The newest epoch under which each range was to be fed: what comes later from an older one is stale.
    epochs: BTreeMap<RangeId, Epoch>,
}

/// The pass that brings up the ranges that are far behind.
enum Behind {
    /// There are none.
    Nobody,
    /// The source is being opened once more for them.
    Opening(Vec<(Target, Position)>),
    /// They are being brought up.
    Reading(Box<Stream>),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("at", &self.front.at()).finish_non_exhaustive()
    }
}

impl State {
    /// A reader that has handed on nothing yet.
    pub(super) fn new(
        mut it: Arguments,
        myself: &ActorRef<Message>,
    ) -> Result<Self, ActorProcessingErr> {
        let router = it.router.take().ok_or("a reader is started once")?;
        let ranges = router.targets().iter();
        let epochs = ranges.map(|target| (target.range, target.epoch)).collect();
        let front = Stream::new(Pass::Front, router, it.start);
        let mut state = Self { it, front, behind: Behind::Nobody, epochs };
        state.it.alignment.begin(state.it.index);
        if !state.front.targets().is_empty() {
            state.begin(state.it.start, myself)?;
        }
        Ok(state)
    }

    /// The front is somewhere else, or there for the first time.
    fn begin(&mut self, at: Position, myself: &ActorRef<Message>) -> Result<(), SourceError> {
        self.front.seek(at)?;
        self.it.alignment.set((self.it.index, Pass::Front), at.clock);
        if self.front.is_closed() {
            let waker = super::waker(myself, Pass::Front);
            self.front.opened((self.it.open)(at.offset, waker)?);
        }
        Ok(())
    }

    /// Reads on, wherever there is something to read, and credit.
    pub(super) fn call(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        if let Behind::Reading(behind) = &mut self.behind {
            behind.call(&self.it, myself)?;
        }
        self.front.call(&self.it, myself)
    }

    /// There may be something to read.
    pub(super) fn poll(
        &mut self,
        pass: Pass,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        match (pass, &mut self.behind) {
            (Pass::Front, _) => return self.front.poll(&self.it, myself),
            (Pass::Behind, Behind::Reading(behind)) => behind.poll(&self.it, myself)?,
            (Pass::Behind, Behind::Nobody | Behind::Opening(_)) => return Ok(()),
        }
        self.join();
        Ok(())
    }

    /// Where the pass behind has come as far as the front, the front goes on with its ranges: it repeats to them what
    /// they have beyond (I3), and nothing is left out.
    fn join(&mut self) {
        let Behind::Reading(behind) = &mut self.behind else { return };
        if behind.at().offset >= self.front.at().offset {
            info!(partition = %self.it.name, at = %behind.at().offset, "brought up");
            for (target, sent) in behind.hand_over() {
                self.front.take_over(target, sent);
            }
        }
        self.tidy();
    }

    /// A pass that nobody needs any more is over, and who reads for nobody holds nobody back.
    fn tidy(&mut self) {
        if self.front.targets().is_empty() {
            self.it.alignment.release((self.it.index, Pass::Front));
        }
        let is_over = match &self.behind {
            Behind::Nobody => false,
            Behind::Opening(waiting) => waiting.is_empty(),
            Behind::Reading(behind) => behind.targets().is_empty(),
        };
        if is_over {
            self.behind = Behind::Nobody;
            self.it.alignment.release((self.it.index, Pass::Behind));
        }
    }

    /// Time passes.
    pub(super) fn tick(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        if let Behind::Reading(behind) = &mut self.behind {
            behind.tick(&self.it, myself)?;
        }
        self.front.tick(&self.it, myself)
    }

    /// A range says what became of a batch.
    pub(super) fn receipt(
        &mut self,
        receipt: Receipt,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        let range = receipt.range;
        let found = match &mut self.behind {
            Behind::Reading(behind) if behind.has(range).is_some() => &mut **behind,
            Behind::Reading(_) | Behind::Nobody | Behind::Opening(_) => &mut self.front,
        };
        // What an earlier owner says is about what it was sent.
        let target = found.has(range).filter(|target| target.epoch == receipt.epoch).cloned();
        let Some(target) = target else { return Ok(()) };
        match receipt.said {
            Said::Applied(bytes) => {
                found.applied(range, bytes);
                Ok(())
            }
            Said::Refused(position) => {
                let from = found.at().offset;
                info!(partition = %self.it.name, %range, %from, to = %position.offset, "reading again");
                self.feed(target, position, myself)
            }
        }
    }

    /// A range is fed from where it stands. It may come twice, and for a range that is fed already, from elsewhere
    /// or by another way: what counts is the newest epoch, and the position that comes with it.
    pub(super) fn feed(
        &mut self,
        target: Target,
        from: Position,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        if self.epochs.get(&target.range).is_some_and(|newest| newest.fences(target.epoch)) {
            return Ok(());
        }
        // Of two with keys in common one was split off from the other: a batch says that it has all of a range's records.
        let known = self.overlapping(&target);
        if known.iter().any(|(_, epoch)| *epoch >= target.epoch) {
            return Ok(());
        }
        self.epochs.insert(target.range, target.epoch);
        known.into_iter().for_each(|(range, _)| self.remove(range));
        self.remove(target.range);
        let is_first = self.front.targets().is_empty();
        if !is_first && from.offset.0.saturating_add(FAR) < self.front.at().offset.0 {
            return self.bring_up(target, from, myself);
        }
        self.front.add(target);
        // Those that are fed already see again what they have, and ignore it (I3).
        if is_first || from.offset < self.front.at().offset {
            self.begin(from, myself)?;
        }
        Ok(())
    }

    /// Other ranges that are fed, and have keys of this one.
    fn overlapping(&self, target: &Target) -> Vec<(RangeId, Epoch)> {
        let all = self.front.targets().iter().chain(self.behind());
        let others = all.filter(|it| it.range != target.range && it.keys.overlaps(target.keys));
        others.map(|it| (it.range, it.epoch)).collect()
    }

    fn bring_up(
        &mut self,
        target: Target,
        from: Position,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        info!(partition = %self.it.name, range = %target.range, from = %from.offset, to = %self.front.at().offset, "far behind");
        match &mut self.behind {
            Behind::Reading(behind) => {
                behind.add(target);
                if from.offset < behind.at().offset {
                    behind.seek(from)?;
                    self.it.alignment.set((self.it.index, Pass::Behind), from.clock);
                }
            }
            Behind::Opening(waiting) => waiting.push((target, from)),
            Behind::Nobody => {
                self.behind = Behind::Opening(vec![(target, from)]);
                let opening = (self.it.again)(from.offset, super::waker(myself, Pass::Behind));
                let myself = myself.clone();
                // A reader that has gone meanwhile needs it no more.
                let told = async move {
                    drop(myself.cast(Message::Opened(Box::new(Again(opening.await)))))
                };
                drop(self.it.links.tasks().spawn(told));
            }
        }
        Ok(())
    }

    /// The source was opened once more.
    pub(super) fn opened(
        &mut self,
        Again(opened): Again,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        let Behind::Opening(waiting) = std::mem::replace(&mut self.behind, Behind::Nobody) else {
            return Ok(());
        };
        let least = waiting.iter().map(|(_, from)| *from).min_by_key(|from| from.offset);
        let Some(least) = least else { return Ok(()) };
        match opened {
            Ok((partition, router)) => {
                let mut behind = Stream::new(Pass::Behind, router, least);
                behind.opened(partition);
                waiting.into_iter().for_each(|(target, _)| behind.add(target));
                behind.seek(least)?;
                self.it.alignment.set((self.it.index, Pass::Behind), least.clock);
                self.behind = Behind::Reading(Box::new(behind));
                Ok(())
            }
            Err(error) => {
                warn!(partition = %self.it.name, error = one_line(&error), "not opened once more: all are read for again");
                waiting.into_iter().for_each(|(target, _)| self.front.add(target));
                Ok(self.begin(least, myself)?)
            }
        }
    }

    /// A range is not fed any more, whoever owns it.
    pub(super) fn leave(&mut self, range: RangeId) {
        self.remove(range);
        self.tidy();
    }

    /// The way to a range is lost, or its owner under that epoch.
    pub(super) fn lost(&mut self, range: RangeId, epoch: Epoch) {
        let behind = self.behind().into_iter().find(|target| target.range == range);
        let target = behind.or_else(|| self.front.has(range));
        if target.is_some_and(|target| target.epoch == epoch) {
            self.leave(range);
        }
    }

    /// The ranges that are being brought up, or will be.
    fn behind(&self) -> Vec<&Target> {
        match &self.behind {
            Behind::Nobody => Vec::new(),
            Behind::Opening(waiting) => waiting.iter().map(|(target, _)| target).collect(),
            Behind::Reading(behind) => behind.targets().iter().collect(),
        }
    }

    fn remove(&mut self, range: RangeId) {
        self.front.remove(range);
        match &mut self.behind {
            Behind::Nobody => {}
            Behind::Opening(waiting) => waiting.retain(|(target, _)| target.range != range),
            Behind::Reading(behind) => drop(behind.remove(range)),
        }
    }

    /// Nothing is read here any more.
    pub(super) fn close(&mut self) {
        self.front.close();
        self.behind = Behind::Nobody;
        self.it.alignment.end(self.it.index);
        self.it.links.not_read(self.it.index);
    }
}
