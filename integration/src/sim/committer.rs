//! The committer as its actor runs it, with a store whose answers get lost. Imitates `actors::committer`.

use std::collections::{BTreeMap, VecDeque};

use actors::journal::object::{Packed, Sealed, seal};
use actors::machine::commit::{Commit, Order, ReadBack, Written};
use anyhow::bail;
use bytes::Bytes;
use proto::log::Created;
use proto::types::{RangeId, Slot};

use super::fault::Fault;
use super::objects::Life;
use super::outside::{LateWrite, Outside};
use super::owned::{Message, Owned};
use super::plant::Plant;

/// An answer on its way to the committer.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Written(u64, Written),
    Read(u64, ReadBack),
    Waited,
}

/// The committer.
#[derive(Debug)]
pub(super) struct Committer {
    machine: Commit,
    life: Life,
    waiting: usize,
    blocks: Vec<Packed>,
    object: Bytes,
    nonce: u64,
    answers: VecDeque<Answer>,
    /// Answers for which nobody waits any more.
    stale: Vec<u64>,
    /// Ranges that come and go once the commit that is under way is over.
    changes: Vec<(RangeId, Change)>,
    /// The first slot that can hold nothing of a range that has gone.
    left: BTreeMap<RangeId, Slot>,
    is_fenced: bool,
}

/// What a range does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// It takes part from the next commit on.
    Enter,
    /// It takes no part any more.
    Leave,
}

impl Committer {
    pub(super) fn new(life: Life, interval_ms: u64) -> Self {
        Self {
            machine: Commit::new(Slot(1), interval_ms),
            life,
            waiting: 0,
            blocks: Vec::new(),
            object: Bytes::new(),
            nonce: 0,
            answers: VecDeque::new(),
            stale: Vec::new(),
            changes: Vec::new(),
            left: BTreeMap::new(),
            is_fenced: false,
        }
    }

    /// A range comes or goes, as soon as no commit is under way.
    pub(super) fn announce(&mut self, range: RangeId, change: Change) {
        self.left.remove(&range);
        self.changes.push((range, change));
    }

    /// From which slot on nothing is of a range that has gone; `None` while it has not.
    pub(super) fn left(&self, range: RangeId) -> Option<Slot> {
        self.left.get(&range).copied()
    }

    /// Whether another has taken the journal over.
    pub(super) const fn is_fenced(&self) -> bool {
        self.is_fenced
    }

    fn change(&mut self, ranges: &mut [Owned], out: &Outside) {
        let is_under_way = self.waiting > 0 || !self.answers.is_empty();
        if is_under_way {
            return;
        }
        for (range, change) in self.changes.drain(..) {
            let is_in = change == Change::Enter || out.has(Plant::TwoOwners);
            let it = ranges.iter_mut().filter(|it| it.id() == range);
            it.for_each(|it| it.takes_part = is_in);
            if change == Change::Leave {
                self.left.insert(range, self.machine.next());
            }
        }
    }

    /// Takes an answer, or looks at the clock.
    pub(super) fn step(&mut self, ranges: &mut [Owned], out: &mut Outside) -> anyhow::Result<()> {
        if !self.stale.is_empty() && out.random.chance(300) {
            let of = self.stale.swap_remove(0);
            let of = if out.has(Plant::AnswerNotTied) { self.nonce } else { of };
            let order = self.machine.written(of, Written::Won);
            return self.obey(order, ranges, out);
        }
        self.change(ranges, out);
        let order = match self.answers.pop_front() {
            Some(Answer::Written(of, answer)) => self.written(of, answer, out),
            Some(Answer::Read(of, found)) => self.machine.read_back(of, found),
            Some(Answer::Waited) => self.machine.retry(),
            None => {
                // A range that has been asked to close is waited for.
                let is_idle = self.waiting == 0 && ranges.iter().any(|range| range.takes_part);
                if is_idle { self.machine.tick(out.wall_ms()) } else { Order::Nothing }
            }
        };
        self.obey(order, ranges, out)
    }

    /// A range has closed.
    pub(super) fn closed(
        &mut self,
        block: Option<Packed>,
        ranges: &mut [Owned],
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        self.blocks.extend(block);
        self.waiting -= 1;
        if self.waiting > 0 {
            return Ok(());
        }
        self.nonce = out.random.next();
        self.object = seal(self.nonce, &self.blocks);
        let order = self.machine.closed(self.nonce, self.blocks.is_empty());
        self.obey(order, ranges, out)
    }

    fn obey(
        &mut self,
        order: Order,
        ranges: &mut [Owned],
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        match order {
            Order::Close => {
                self.blocks.clear();
                self.waiting = tell(&Message::Close(out.wall_ms()), ranges);
            }
            Order::Write { slot, nonce } => {
                let answer = self.write(slot, out)?;
                self.answers.push_back(Answer::Written(nonce, answer));
            }
            Order::Read(slot) => {
                let found = self.read_back(slot, out);
                self.answers.push_back(Answer::Read(self.nonce, found));
            }
            Order::Wait => self.answers.push_back(Answer::Waited),
            Order::Committed(slot) => {
                tell(&Message::Committed(slot), ranges);
            }
            Order::Fenced(_) => self.is_fenced = true,
            Order::Nothing => {}
        }
        Ok(())
    }

    fn write(&mut self, slot: Slot, out: &mut Outside) -> anyhow::Result<Written> {
        let (of, object) = (self.life, self.object.clone());
        if out.strikes(Fault::NotWritten) {
            return Ok(Written::Unclear);
        }
        if out.strikes(Fault::TornWrite) {
            let length = out.random.place(object.len());
            if Sealed::open(object.slice(..length)).is_ok() {
                bail!("I11: an object that was cut to {length} bytes is believed");
            }
            out.objects.tear(&object, length);
            return Ok(Written::Unclear);
        }
        if out.strikes(Fault::LateWrite) {
            out.late.push(LateWrite { of, slot, object });
            return Ok(Written::Unclear);
        }
        let created = out.create(of, slot, &object)?;
        if created == Created::Won && out.strikes(Fault::LateAnswer) {
            self.stale.push(self.nonce);
            return Ok(Written::Unclear);
        }
        if out.strikes(Fault::LostAnswer) {
            return Ok(Written::Unclear);
        }
        Ok(match created {
            Created::Won => Written::Won,
            Created::Exists => Written::Exists,
        })
    }

    fn read_back(&self, slot: Slot, out: &mut Outside) -> ReadBack {
        if out.strikes(Fault::UnclearRead) {
            return ReadBack::Unclear;
        }
        let object = out.objects.read(Some(self.life), slot);
        object.map_or(ReadBack::Nothing, |object| {
            Sealed::open(object).map_or(ReadBack::Foreign, |it| ReadBack::Commit(it.nonce()))
        })
    }

    /// What an answer means; here the planted bugs mistake it.
    fn written(&mut self, of: u64, answer: Written, out: &mut Outside) -> Order {
        if answer != Written::Unclear {
            return self.machine.written(of, answer);
        }
        if out.has(Plant::LostAsWon) {
            return self.machine.written(of, Written::Won);
        }
        if !out.has(Plant::LostAsLost) {
            return self.machine.written(of, answer);
        }
        self.machine = Commit::new(self.machine.next().next(), out.shape.durable.interval_ms);
        self.nonce = out.random.next();
        self.object = seal(self.nonce, &self.blocks);
        match self.machine.tick(out.now_ms) {
            Order::Close => self.machine.closed(self.nonce, false),
            other @ (Order::Write { .. }
            | Order::Read(_)
            | Order::Committed(_)
            | Order::Wait
            | Order::Fenced(_)
            | Order::Nothing) => other,
        }
    }
}

/// Says something to the ranges that take part; to how many.
fn tell(message: &Message, ranges: &mut [Owned]) -> usize {
    let mut told = 0;
    for range in ranges.iter_mut().filter(|range| range.takes_part) {
        range.inbox.push_back(message.clone());
        told += 1;
    }
    told
}
