//! The committer as its actor runs it, with a store whose answers get lost. Imitates `actors::committer`.

use std::collections::VecDeque;

use actors::journal::object::{Packed, Sealed, seal};
use actors::machine::commit::{Commit, Order, ReadBack, Written};
use anyhow::bail;
use bytes::Bytes;
use proto::log::Created;
use proto::types::{Incarnation, Slot};

use super::fault::Fault;
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
    incarnation: Incarnation,
    waiting: usize,
    blocks: Vec<Packed>,
    object: Bytes,
    nonce: u64,
    answers: VecDeque<Answer>,
    /// Answers for which nobody waits any more.
    stale: Vec<u64>,
}

impl Committer {
    pub(super) fn new(incarnation: Incarnation, interval_ms: u64) -> Self {
        Self {
            machine: Commit::new(Slot(1), interval_ms),
            incarnation,
            waiting: 0,
            blocks: Vec::new(),
            object: Bytes::new(),
            nonce: 0,
            answers: VecDeque::new(),
            stale: Vec::new(),
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
        let order = match self.answers.pop_front() {
            Some(Answer::Written(of, answer)) => self.written(of, answer, out),
            Some(Answer::Read(of, found)) => self.machine.read_back(of, found),
            Some(Answer::Waited) => self.machine.retry(),
            None => self.machine.tick(out.now_ms),
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
                self.waiting = ranges.len();
                self.blocks.clear();
                let message = Message::Close(out.now_ms);
                ranges.iter_mut().for_each(|range| range.inbox.push_back(message.clone()));
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
                let message = Message::Committed(slot);
                ranges.iter_mut().for_each(|range| range.inbox.push_back(message.clone()));
            }
            Order::Fenced(slot) => bail!("I1: fenced in slot {slot}, though nobody else is there"),
            Order::Nothing => {}
        }
        Ok(())
    }

    fn write(&mut self, slot: Slot, out: &mut Outside) -> anyhow::Result<Written> {
        let (of, object) = (self.incarnation, self.object.clone());
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
        let object = out.objects.read(self.incarnation, slot);
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
