//! One history: steps taken by chance while things go wrong, then a time in which nothing does.

use std::collections::BTreeSet;

use actors::machine::frame::Pass;
use anyhow::{Context as _, ensure};
use proto::types::{RangeId, TransactionKey};

use super::bank::{Bank, Kind, START_MS};
use super::fault::Fault;
use super::outside::{Disk, Outside};
use super::plant::Plant;
use super::process::Process;
use super::random::Random;
use super::reader::Reader;
use super::restart::{Lives, starts};
use super::rules::{names, rules};
use super::shape::Shape;
use super::sink::Sink;
use super::source::Source;

/// Rounds after which a history without faults must have come to rest.
const MAX_ROUNDS: u64 = 3_000;

/// Everything there is in a history.
#[derive(Debug)]
pub(super) struct World {
    pub(super) out: Outside,
    pub(super) bank: Bank,
    pub(super) process: Option<Process>,
    lives: Lives,
    /// Until when each source partition is silent.
    silent_until_ms: Vec<u64>,
    /// Transactions with messages that wait, and those of them that have been said to be incomplete.
    waiting: BTreeSet<usize>,
    incomplete: BTreeSet<String>,
}

impl World {
    /// The history of `seed`, before its first step.
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Self {
        let mut random = Random::new(seed);
        let shape = Shape::draw(&mut random);
        let mut source = Source::new(names(&shape.partitions), shape.ranges.clone());
        let bank = Bank::draw(&shape, &mut source, &mut random);
        let disks = shape.ranges.iter().map(|_| Disk::new(shape.durable.unsynced)).collect();
        let panics = bank.transactions.iter().filter(|it| it.kind == Kind::Panics);
        let waits = |at: &usize| bank.transactions[*at].sent.iter().any(|it| it.waits);
        let waiting = (0..bank.transactions.len()).filter(waits).collect();
        let out = Outside {
            plant,
            faults: shape.faults.clone(),
            now_ms: START_MS + shape.head_start_ms,
            source,
            objects: super::objects::Objects::default(),
            disks,
            sink: Sink::new(shape.durable.is_exactly_once, plant != Some(Plant::NoDedupe)),
            watch: super::watch::Watch::default(),
            trace: super::trace::Trace::default(),
            late: Vec::new(),
            rules: rules(&shape.partitions),
            panics: panics.map(|it| it.id.clone()).collect(),
            random,
            shape,
        };
        let silent_until_ms = vec![0; out.source.names().len()];
        let (lives, incomplete) = (Lives::default(), BTreeSet::new());
        Self { out, bank, process: None, lives, silent_until_ms, waiting, incomplete }
    }

    /// Takes every step.
    pub(super) fn run(&mut self) -> anyhow::Result<()> {
        for step in 0..self.out.shape.steps {
            self.step().with_context(|| format!("step {step}"))?;
        }
        self.out.faults.end();
        for round in 0..MAX_ROUNDS {
            if self.heal(round).with_context(|| format!("healing round {round}"))? {
                return Ok(());
            }
        }
        let process = self.process.as_ref().context("no process after healing")?;
        let status: Vec<_> = process.ranges.iter().map(|it| it.machine.status()).collect();
        anyhow::bail!("nothing goes wrong any more, but there is no end: {status:?}")
    }

    fn step(&mut self) -> anyhow::Result<()> {
        let out = &mut self.out;
        out.now_ms += out.random.below(out.shape.pace_ms);
        if self.process.is_some() && out.strikes(Fault::Crash) {
            self.crash();
        }
        let choice = self.out.random.below(100);
        self.out.trace.note(choice);
        let Some(process) = &mut self.process else {
            return if choice < 30 { self.begin() } else { self.out.land_late() };
        };
        let out = &mut self.out;
        match choice {
            0..30 => self.read(),
            30..62 => {
                let range = out.random.place(process.ranges.len());
                for _ in 0..out.random.within(1, 6) {
                    process.handle(range, out)?;
                }
                Ok(())
            }
            62..75 => {
                let most = if out.strikes(Fault::SlowDecisions) { 1 } else { 20 };
                for _ in 0..most {
                    process.decide(out);
                }
                Ok(())
            }
            75..88 => process.commit(out),
            88..94 => process.publish(out),
            94..96 => out.land_late(),
            96..98 => {
                if out.shape.durable.is_trimmed {
                    out.trim();
                }
                Ok(())
            }
            98.. => self.open_gates(),
        }
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        self.process = self.lives.begin(&mut self.out).context("restore")?;
        if self.process.is_none() {
            self.crash();
        }
        Ok(())
    }

    fn crash(&mut self) {
        self.process = None;
        self.out.crash_stores();
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let out = &mut self.out;
        let partition = out.random.place(self.silent_until_ms.len());
        if out.strikes(Fault::Silence) {
            self.silent_until_ms[partition] = out.now_ms + out.random.below(3 * out.shape.span_ms);
        }
        if self.silent_until_ms[partition] > out.now_ms {
            return Ok(());
        }
        process.read(partition, out)
    }

    /// Messages that wait are sent once what they wait for has been said, or committed.
    fn open_gates(&mut self) -> anyhow::Result<()> {
        self.incomplete.extend(self.out.sink.take_incomplete());
        let waiting: Vec<_> = self.waiting.iter().copied().collect();
        for at in waiting {
            let transaction = &self.bank.transactions[at];
            let is_open = self.incomplete.contains(&transaction.id)
                && (transaction.kind == Kind::Corrected || self.is_over(at));
            if is_open {
                self.waiting.remove(&at);
                self.send(at);
            }
        }
        Ok(())
    }

    /// Whether the clock of its range says for good that the transaction cannot be corrected any more:
    /// the committed one, and without faults the one in memory.
    fn is_over(&self, at: usize) -> bool {
        let settings = &self.out.shape.settings;
        let last = last_ms(&self.bank, at, &self.out.source);
        let over_ms = last + settings.deadline_ms + settings.correction_ms + 200;
        let id = &self.bank.transactions[at].id;
        let hash = TransactionKey::of(id.as_bytes()).hash();
        let range = self.out.shape.ranges.iter().position(|keys| keys.contains(hash)).unwrap_or(0);
        let committed = self.out.watch.head(RangeId(u16::try_from(range).unwrap_or(0))).clock;
        let held = self.process.as_ref().filter(|_| self.out.faults.are_over());
        let held = held.map_or(committed, |it| it.ranges[range].machine.status().clock);
        committed.max(held).0 >= over_ms
    }

    fn send(&mut self, at: usize) {
        for message in 0..self.bank.transactions[at].sent.len() {
            if self.bank.transactions[at].sent[message].waits {
                let out = &mut self.out;
                self.bank.transactions[at].sent[message].time_ms = out.now_ms;
                self.bank.send((at, message), out.now_ms, &mut out.source, &mut out.random);
            }
        }
    }

    /// One round of everything, without a fault; whether the history has come to rest.
    fn heal(&mut self, round: u64) -> anyhow::Result<bool> {
        self.silent_until_ms.fill(0);
        while !self.out.late.is_empty() {
            self.out.land_late()?;
        }
        if self.process.is_none() {
            self.begin()?;
        }
        self.out.now_ms += self.out.random.within(1, 500);
        self.open_gates()?;
        if round.is_multiple_of(20) {
            self.restart_readers();
        }
        let out = &mut self.out;
        let process = self.process.as_mut().context("it has begun")?;
        for partition in 0..process.readers.len() {
            for _ in 0..4 {
                process.read(partition, out)?;
            }
        }
        for _ in 0..4 {
            settle(process, out)?;
            process.commit(out)?;
            process.publish(out)?;
        }
        settle(process, out)?;
        Ok(self.is_at_rest())
    }

    /// Readers that have lost their way begin again where the ranges stand.
    fn restart_readers(&mut self) {
        let Some(process) = &mut self.process else { return };
        let starts = starts(&process.ranges, process.readers.len());
        for (index, start) in (0u16..).zip(starts) {
            let index = proto::types::PartitionIndex(index);
            process.alignment.set((index, Pass::Front), start.clock);
            process.readers[index.index()] = Reader::new(index, start, &self.out);
        }
    }

    fn is_at_rest(&self) -> bool {
        let Some(process) = &self.process else { return false };
        let source = &self.out.source;
        let is_done = |it: &super::owned::Owned| {
            let (status, head) =
                (it.machine.status(), self.out.watch.head(it.machine.identity().id));
            let is_read = head.positions.iter().enumerate();
            let mut is_read = is_read.map(|(at, it)| it.offset == source.end(at));
            is_read.all(|it| it)
                && head.positions.len() == source.names().len()
                && head.sequence == status.sequence
                && head.sequence == self.out.sink.last(it.machine.identity().id)
                && status.open == 0
                && status.is_settled
                && (self.out.shape.is_correctable || status.correctable == 0)
                && it.machine.deciding() == 0
        };
        self.waiting.is_empty() && process.publisher.is_done() && process.ranges.iter().all(is_done)
    }

    /// Begins a new life without a local store: what is in the journals must give the same again.
    pub(super) fn begin_from_nothing(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.take().is_some(), "it was at rest");
        for disk in &mut self.out.disks {
            *disk = Disk::new(self.out.shape.durable.unsynced);
        }
        self.begin()?;
        ensure!(self.process.is_some(), "nothing goes wrong any more");
        Ok(())
    }
}

/// The record clock at the transaction's earliest message of those that did not wait.
pub(super) fn first_ms(bank: &Bank, at: usize, source: &Source) -> u64 {
    let sent = bank.transactions[at].sent.iter();
    let times = sent.filter_map(|it| Some(source.record_ms(it.partition, it.offset?)));
    times.min().unwrap_or(u64::MAX)
}

/// The record clock at the last of them: which of equal messages counts, and with it when the deadline is,
/// is up to the order in which partitions are read.
fn last_ms(bank: &Bank, at: usize, source: &Source) -> u64 {
    let sent = bank.transactions[at].sent.iter();
    let times = sent.filter_map(|it| Some(source.record_ms(it.partition, it.offset?)));
    times.max().unwrap_or(u64::MAX)
}

/// Everybody takes what is waiting.
fn settle(process: &mut Process, out: &mut Outside) -> anyhow::Result<()> {
    loop {
        let mut is_moving = false;
        for range in 0..process.ranges.len() {
            while process.handle(range, out)? {
                is_moving = true;
            }
        }
        while process.decide(out) {
            is_moving = true;
        }
        if !is_moving {
            return Ok(());
        }
    }
}
