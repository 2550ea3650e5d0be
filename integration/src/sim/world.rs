//! One history: steps taken by chance while things go wrong, then a time in which nothing does.

use std::collections::BTreeMap;

use actors::machine::frame::Pass;
use anyhow::{Context as _, ensure};
use proto::types::RangeId;

use super::bank::Bank;
use super::fault::Fault;
use super::gates::Gates;
use super::oracle::Case;
use super::outside::Outside;
use super::plant::Plant;
use super::process::Process;
use super::random::Random;
use super::reader::Reader;
use super::restart::{Lives, starts};
use super::shape::Shape;

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
    gates: Gates,
}

impl World {
    /// The history of `seed`, before its first step.
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Self {
        let mut random = Random::new(seed);
        let shape = Shape::draw(&mut random);
        let (out, bank) = Outside::new(shape, random, plant);
        let silent_until_ms = vec![0; out.source.names().len()];
        let (lives, gates) = (Lives::default(), Gates::new(&bank));
        Self { out, bank, process: None, lives, silent_until_ms, gates }
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
            98.. => {
                self.open_gates();
                Ok(())
            }
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
        self.out.crash_stores(0);
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

    fn open_gates(&mut self) {
        let ranges = self.process.iter().flat_map(|it| &it.ranges);
        let clocks: BTreeMap<_, _> =
            ranges.map(|it| (it.id(), it.machine.status().clock)).collect();
        let ranges: Vec<_> = (0..).map(RangeId).zip(self.out.shape.ranges.clone()).collect();
        let of = |hash: u64| {
            let found = ranges.iter().find(|(_, keys)| keys.contains(hash));
            found.map_or((RangeId(0), None), |(id, _)| (*id, clocks.get(id).copied()))
        };
        self.gates.open(&mut self.bank, &mut self.out, of);
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
        self.open_gates();
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
            process.readers[index.index()] = Reader::here(index, start, &process.ranges, &self.out);
        }
    }

    fn is_at_rest(&self) -> bool {
        let Some(process) = &self.process else { return false };
        let source = &self.out.source;
        let is_done = |it: &super::owned::Owned| {
            let (status, head) = (it.machine.status(), self.out.watch.head(it.id()));
            let is_read = head.positions.iter().enumerate();
            let mut is_read = is_read.map(|(at, it)| it.offset == source.end(at));
            is_read.all(|it| it)
                && head.positions.len() == source.names().len()
                && head.sequence == status.sequence
                && head.sequence == self.out.sink.last(it.id())
                && status.open == 0
                && status.is_settled
                && (self.out.shape.is_correctable || status.correctable == 0)
                && it.machine.deciding() == 0
        };
        self.gates.are_open() && process.publisher.is_done() && process.ranges.iter().all(is_done)
    }

    /// What there is to judge.
    pub(super) fn case(&self) -> Case<'_> {
        let ranges = self.process.iter().flat_map(|it| &it.ranges);
        let cells = ranges.flat_map(|it| it.machine.cells()).collect();
        Case { bank: &self.bank, out: &self.out, cells }
    }

    /// Begins a new life without a local store: what is in the journals must give the same again.
    pub(super) fn begin_from_nothing(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.take().is_some(), "it was at rest");
        self.out.disks.clear();
        self.begin()?;
        ensure!(self.process.is_some(), "nothing goes wrong any more");
        Ok(())
    }
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
