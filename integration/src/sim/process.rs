//! A process: ranges, readers, committer and publisher, a step of any of them at a time.

use actors::machine::positions::{Receipt, Said};
use actors::machine::range::Outcome;
use actors::machine::transaction::Activation;
use actors::reader::Alignment;
use actors::transaction::run;
use anyhow::ensure;

use proto::types::TransactionKey;

use super::committer::Committer;
use super::fault::Fault;
use super::outside::Outside;
use super::owned::{Message, Owned};
use super::publisher::{self, Publisher};
use super::reader::Reader;

/// One life of the node. Dropping it is a crash.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) ranges: Vec<Owned>,
    pub(super) readers: Vec<Reader>,
    pub(super) alignment: Alignment,
    pub(super) committer: Committer,
    pub(super) publisher: Publisher,
    /// Decisions that are under way.
    pub(super) deciding: Vec<(usize, Activation)>,
}

impl Process {
    /// Reads a source partition on.
    pub(super) fn read(&mut self, partition: usize, out: &mut Outside) -> anyhow::Result<()> {
        self.readers[partition].step(&self.alignment, &mut self.ranges, out)?;
        Ok(())
    }

    /// Has a range take its next message; whether there was one.
    pub(super) fn handle(&mut self, range: usize, out: &mut Outside) -> anyhow::Result<bool> {
        let owned = &mut self.ranges[range];
        let Some(message) = owned.inbox.pop_front() else { return Ok(false) };
        let effects = owned.handle(message, out)?;
        self.collect(range);
        if let Some((_, Receipt { partition, said: Said::Refused(position), .. })) = effects.receipt
        {
            self.readers[partition.index()].refused(position);
        }
        if !effects.rows.is_empty() {
            self.publisher.tell(publisher::Said::Rows(effects.rows));
        }
        if let Some(block) = effects.closed {
            self.committer.closed(block, &mut self.ranges, out)?;
        }
        Ok(true)
    }

    /// Notes what a range has to have decided.
    pub(super) fn collect(&mut self, range: usize) {
        let activations = self.ranges[range].machine.take_activations();
        self.deciding.extend(activations.into_iter().map(|it| (range, it)));
    }

    /// One of the decisions that are under way is made; whether there was one.
    pub(super) fn decide(&mut self, out: &mut Outside) -> bool {
        if self.deciding.is_empty() {
            return false;
        }
        let at = if out.faults.has(Fault::SlowDecisions) {
            out.random.place(self.deciding.len())
        } else {
            0
        };
        let (range, activation) = self.deciding.remove(at);
        let (key, outcome) = decided(&activation, out);
        self.ranges[range].inbox.push_back(Message::Decided(key, Box::new(outcome)));
        true
    }

    /// Takes an answer about a commit, or begins one.
    pub(super) fn commit(&mut self, out: &mut Outside) -> anyhow::Result<()> {
        self.committer.step(&mut self.ranges, out)?;
        ensure!(!self.committer.is_fenced(), "I1: fenced, though nobody else is there");
        Ok(())
    }

    /// Delivers rows.
    pub(super) fn publish(&mut self, out: &mut Outside) -> anyhow::Result<()> {
        self.publisher.step(&mut self.ranges, out)
    }
}

/// What a transaction's actor says; some panic.
pub(super) fn decided(activation: &Activation, out: &Outside) -> (TransactionKey, Outcome) {
    let (key, outcome) = run(activation, &out.rules.0);
    match &outcome {
        Outcome::Decided(it) if out.panics.contains(&*String::from_utf8_lossy(&it.id)) => {
            (key, Outcome::Panicked("a rule failed".to_owned()))
        }
        Outcome::Decided(_) | Outcome::Panicked(_) => (key, outcome),
    }
}
