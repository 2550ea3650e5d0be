//! The data plane of one life: ranges, readers, committer, publisher, a step of any of them at a time. Imitates
//! `actors::engine`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actors::machine::positions::{Receipt, Said};
use actors::machine::transaction::Activation;
use actors::reader::Alignment;
use proto::types::{Epoch, PartitionIndex, RangeId};

use super::change::{Done, Releasing, Restoring};
use super::copies::Copy;
use super::link::{Link, Numbers, Serving};
use super::net::{Net, What};
use super::tidy::Keeping;
use crate::sim::committer::Committer;
use crate::sim::fault::Fault;
use crate::sim::objects::Life;
use crate::sim::outside::Outside;
use crate::sim::owned::{Message, Owned};
use crate::sim::process::decided;
use crate::sim::publisher::{self, Publisher};
use crate::sim::reader::Reader;

/// A node's engine. Dropping it is what a crash leaves of it.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) life: Life,
    pub(super) ranges: Vec<Owned>,
    pub(super) readers: BTreeMap<PartitionIndex, Reader>,
    /// Each reader has a number of its own.
    pub(super) numbers: Numbers,
    pub(super) reader_count: u64,
    pub(super) alignment: Alignment,
    wall: Arc<AtomicU64>,
    pub(super) committer: Committer,
    pub(super) publisher: Publisher,
    deciding: Vec<((RangeId, Epoch), Activation)>,
    /// The door: the ranges that others may feed, and under which epochs.
    pub(super) served: BTreeMap<RangeId, Epoch>,
    pub(super) links: BTreeMap<usize, Link>,
    pub(super) serving: BTreeMap<u64, Serving>,
    pub(super) restoring: Vec<Restoring>,
    pub(super) releasing: Vec<Releasing>,
    pub(super) copies: BTreeMap<RangeId, Copy>,
    pub(super) done: Vec<Done>,
    /// Why a range could not be restored last.
    pub(super) refused: String,
    pub(super) ticked_ms: u64,
    pub(super) keeping: Keeping,
    /// It ends: nothing is fed any more, and what is under way may still be delivered.
    pub(super) is_closing: bool,
}

impl Body {
    /// The body of a life, which owns nothing yet.
    pub(super) fn new(life: Life, nodes: usize, out: &Outside) -> Self {
        let wall = Arc::new(AtomicU64::new(out.wall_ms()));
        let shown = Arc::clone(&wall);
        let clock = Arc::new(move || shown.load(Ordering::Relaxed));
        let partitions = out.source.names().len();
        let others = (0..nodes).filter(|node| *node != life.0);
        Self {
            life,
            ranges: Vec::new(),
            readers: BTreeMap::new(),
            numbers: Numbers::new(),
            reader_count: 0,
            alignment: Alignment::new(partitions, out.shape.ahead_ms, clock),
            wall,
            committer: Committer::new(life, out.shape.durable.interval_ms),
            publisher: Publisher::new(life),
            deciding: Vec::new(),
            served: BTreeMap::new(),
            links: others.map(|there| (there, Link::new(life.0, there))).collect(),
            serving: BTreeMap::new(),
            restoring: Vec::new(),
            releasing: Vec::new(),
            copies: BTreeMap::new(),
            done: Vec::new(),
            refused: String::new(),
            ticked_ms: 0,
            keeping: Keeping::default(),
            is_closing: false,
        }
    }

    /// Whether the journal or the sink takes nothing of this life any more.
    pub(super) const fn is_fenced(&self) -> bool {
        self.committer.is_fenced() || self.publisher.is_fenced()
    }

    /// The clock of this node shows something.
    pub(super) fn look_at_clock(&self, out: &Outside) {
        self.wall.store(out.wall_ms(), Ordering::Relaxed);
    }

    pub(super) fn range(&mut self, range: RangeId) -> Option<&mut Owned> {
        self.ranges.iter_mut().find(|it| it.id() == range)
    }

    /// How it stands, for who looks for a fault.
    pub(super) fn text(&self) -> String {
        let Self { life, served, restoring, releasing, copies, committer, .. } = self;
        let copies: Vec<_> = copies.values().map(Copy::shown).collect();
        let restoring = restoring.len();
        let inboxes: Vec<_> = self
            .ranges
            .iter()
            .map(|it| (it.id(), it.takes_part, it.inbox.len(), it.closed.is_some()))
            .collect();
        format!(
            "{life:?} serves {served:?}, restores {restoring} ({}), releases {releasing:?}, copies {copies:?}, \
             {inboxes:?} {committer:?} {:?}",
            self.refused, self.links
        )
    }

    /// One step, of whatever `choice` says.
    pub(super) fn step(
        &mut self,
        choice: u64,
        net: &mut Net,
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        match choice {
            0..22 if self.readers.is_empty() => Ok(()),
            0..22 => {
                let at = out.random.place(self.readers.len());
                let index = self.readers.keys().nth(at).copied();
                index.map_or(Ok(()), |index| self.read(index, net, out))
            }
            22..52 if self.ranges.is_empty() => Ok(()),
            22..52 => {
                let range = out.random.place(self.ranges.len());
                for _ in 0..out.random.within(1, 8) {
                    self.handle(range, net, out)?;
                }
                Ok(())
            }
            52..63 => {
                let most = if out.strikes(Fault::SlowDecisions) { 1 } else { 20 };
                for _ in 0..most {
                    self.decide(out);
                }
                Ok(())
            }
            63..78 => self.committer.step(&mut self.ranges, out),
            78..86 => self.publisher.step(&mut self.ranges, out),
            86..98 => self.change(out),
            98.. => self.tidy(out),
        }
    }

    /// Everybody takes what is waiting.
    pub(super) fn catch_up(&mut self, net: &mut Net, out: &mut Outside) -> anyhow::Result<()> {
        let mut is_moving = true;
        while std::mem::take(&mut is_moving) {
            for at in 0..self.ranges.len() {
                while self.handle(at, net, out)? {
                    is_moving = true;
                }
            }
            while self.decide(out) {
                is_moving = true;
            }
        }
        Ok(())
    }

    /// Reads a source partition on.
    pub(super) fn read(
        &mut self,
        index: PartitionIndex,
        net: &mut Net,
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        let Some(reader) = self.readers.get_mut(&index) else { return Ok(()) };
        for (over, frame) in reader.step(&self.alignment, &mut self.ranges, out)? {
            let there = self.links.values().filter_map(Link::connection).find(|it| it.1 == over);
            if let Some((there, over)) = there {
                net.send((self.life.0, there), What::ToOwner(over, frame.encode()), out);
            }
        }
        Ok(())
    }

    /// Has a range take its next message; whether there was one.
    pub(super) fn handle(
        &mut self,
        at: usize,
        net: &mut Net,
        out: &mut Outside,
    ) -> anyhow::Result<bool> {
        let owned = &mut self.ranges[at];
        let Some(message) = owned.inbox.pop_front() else { return Ok(false) };
        let effects = owned.handle(message, out)?;
        self.collect(at);
        match effects.receipt {
            Some((None, receipt)) => self.receipt(receipt),
            Some((Some(over), receipt)) => self.answer(over, receipt, net, out),
            None => {}
        }
        if !effects.rows.is_empty() {
            self.publisher.tell(publisher::Said::Rows(effects.rows));
        }
        if let Some(block) = effects.closed {
            self.committer.closed(block, &mut self.ranges, out)?;
        }
        Ok(true)
    }

    /// A range says what became of a batch.
    pub(super) fn receipt(&mut self, receipt: Receipt) {
        let Some(reader) = self.readers.get_mut(&receipt.partition) else { return };
        let is_its = |it: &crate::sim::reader::Target| {
            (it.range, it.epoch) == (receipt.range, receipt.epoch)
        };
        if let Said::Refused(position) = receipt.said
            && reader.targets().iter().any(is_its)
        {
            reader.refused(position);
        }
    }

    /// Notes what a range has to have decided.
    pub(super) fn collect(&mut self, at: usize) {
        let range = &mut self.ranges[at];
        let (id, epoch) = (range.id(), range.machine.identity().epoch);
        let activations = range.machine.take_activations();
        self.deciding.extend(activations.into_iter().map(|it| ((id, epoch), it)));
    }

    /// One of the decisions that are under way is made; whether there was one.
    pub(super) fn decide(&mut self, out: &mut Outside) -> bool {
        if self.deciding.is_empty() {
            return false;
        }
        let is_slow = out.faults.has(Fault::SlowDecisions);
        let at = if is_slow { out.random.place(self.deciding.len()) } else { 0 };
        let ((id, epoch), activation) = self.deciding.remove(at);
        let (key, outcome) = decided(&activation, out);
        // The range may be gone, and back under another epoch: then the report is for nobody.
        let range = self.range(id).filter(|it| it.machine.identity().epoch == epoch);
        if let Some(range) = range {
            range.inbox.push_back(Message::Decided(key, Box::new(outcome)));
        }
        true
    }
}
