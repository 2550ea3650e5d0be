//! How records come to ranges: two source partitions, readers that lose, double and reorder batches, two ranges
//! of one process that commits and crashes, and a source that lets go of what is old.

pub(crate) mod range;

use std::collections::BTreeSet;

use stateright::{Model, Property};

use super::rule::{Rule, Rules};
use range::{Range, in_range};

/// How many source partitions there are; each has one leg of each transaction, at its number.
pub(crate) const PARTITIONS: usize = 2;

/// "These are all of your records in `from..to`": `actors/src/machine/positions.rs`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Batch {
    /// Who sent it.
    pub(crate) reader: usize,
    /// To which range.
    pub(crate) range: usize,
    /// The first offset of the interval.
    pub(crate) from: u8,
    /// One past the last.
    pub(crate) to: u8,
    /// The first offset whose record the source still had.
    pub(crate) had: u8,
}

/// The model and its bounds.
#[derive(Clone, Debug)]
pub(crate) struct Routing {
    /// Which rules hold.
    pub(crate) rules: Rules,
    /// Records of each partition, and transactions.
    pub(crate) records: u8,
    /// Which partition each reader reads.
    pub(crate) readers: Vec<usize>,
    /// Where readers begin: beyond 0 where ranges were taken on that stand further back.
    pub(crate) begin: u8,
    /// How many records a batch may have.
    pub(crate) batch: u8,
    /// Batches that may be on their way at once.
    pub(crate) in_flight: usize,
    /// How often the process may crash.
    pub(crate) crashes: u8,
    /// How often the source may let go of what is still needed.
    pub(crate) overtakings: u8,
}

/// How the process is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Health {
    /// It works.
    Whole,
    /// It works, and half of a commit is durable: possible only where state and positions are two writes.
    Torn,
    /// It has found that something is lost, and serves nothing.
    Stopped,
}

/// Everything.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct State {
    /// Where each reader is.
    pub(crate) readers: Vec<u8>,
    /// What is on its way.
    pub(crate) batches: BTreeSet<Batch>,
    /// The ranges, as the process has them.
    pub(crate) memory: [Range; 2],
    /// The ranges, as they were committed.
    pub(crate) committed: [Range; 2],
    /// How the process is.
    pub(crate) health: Health,
    /// Up to where each partition was let go.
    pub(crate) released: [u8; PARTITIONS],
    /// The first offset that each partition has.
    pub(crate) low: [u8; PARTITIONS],
    /// How often it may crash still.
    pub(crate) crashes: u8,
    /// How often the source may overtake still.
    pub(crate) overtakings: u8,
}

/// One step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// A reader reads so many records on, and tells every range.
    Read(usize, u8),
    /// A batch comes, and perhaps will again.
    Deliver(Batch, bool),
    /// A batch is lost.
    Lose(Batch),
    /// Every range's state and positions become durable, as one object.
    Commit,
    /// The process dies, and comes back.
    Crash,
    /// A partition's old records are let go.
    Release(usize),
    /// The source lets go of one more record, needed or not.
    Overtake(usize),
}

impl Routing {
    fn has(&self, rule: Rule) -> bool {
        self.rules.has(rule)
    }

    /// `Reader::poll`: every range gets its part, also where it is empty.
    fn read(&self, state: &mut State, reader: usize, count: u8) -> Option<()> {
        let partition = self.readers[reader];
        let from = state.readers[reader];
        let to = from + count;
        if to > self.records || state.batches.len() + 2 > self.in_flight {
            return None;
        }
        let had = from.max(state.low[partition]);
        if had > from && self.has(Rule::LostOffsetStops) {
            return None;
        }
        for range in 0..2 {
            if self.has(Rule::EmptyBatches) || (from..to).any(|offset| in_range(offset, range)) {
                state.batches.insert(Batch { reader, range, from, to, had });
            }
        }
        state.readers[reader] = to;
        Some(())
    }

    /// `Positions::accept`: from where on the batch's records count; `None` where none do.
    pub(crate) fn accepted(&self, range: &Range, batch: Batch) -> Option<u8> {
        let position = range.positions[self.readers[batch.reader]];
        let is_gap = batch.from > position && self.has(Rule::GapRefused);
        let is_repeat = position >= batch.to && self.has(Rule::RepeatIgnored);
        let first =
            if self.has(Rule::FromPositionOn) { position.max(batch.from) } else { batch.from };
        (!is_gap && !is_repeat).then_some(first)
    }

    /// `range.rs`: a batch is applied or ignored as a repeat, or its reader goes back.
    fn deliver(&self, state: &mut State, batch: Batch, again: bool) {
        if !again {
            state.batches.remove(&batch);
        }
        let partition = self.readers[batch.reader];
        let range = &mut state.memory[batch.range];
        let position = range.positions[partition];
        match self.accepted(range, batch) {
            Some(first) => {
                range.apply(batch.range, partition, (first.max(batch.had), batch.to));
            }
            None if position < batch.from && self.has(Rule::GoBack) => {
                let at = &mut state.readers[batch.reader];
                *at = position.min(*at);
            }
            None => {}
        }
    }

    fn commit(&self, state: &mut State) -> Option<()> {
        if state.health == Health::Torn || self.has(Rule::OneWrite) {
            let before = state.committed.clone();
            state.committed = state.memory.clone();
            if !self.has(Rule::LedgerInCommit) {
                let ledgers = before.iter().map(|it| it.ledger);
                state.committed.iter_mut().zip(ledgers).for_each(|(it, ledger)| it.ledger = ledger);
            }
            state.health = Health::Whole;
            return (before != state.committed).then_some(());
        }
        for (committed, memory) in state.committed.iter_mut().zip(&state.memory) {
            committed.positions = memory.positions;
        }
        state.health = Health::Torn;
        Some(())
    }

    /// Memory is gone; what was committed comes back, young legs from the source: `engine/restore.rs`.
    fn crash(&self, state: &mut State) -> Option<()> {
        state.crashes = state.crashes.checked_sub(1)?;
        state.health = Health::Whole;
        state.memory = state.committed.clone();
        for range in &mut state.memory {
            for (partition, offset) in range.young(self.records) {
                let is_there = offset >= state.low[partition];
                if !is_there && self.has(Rule::LostLegStops) {
                    state.health = Health::Stopped;
                } else if !is_there || !self.has(Rule::RefillYoung) {
                    range.legs[partition][usize::from(offset)] = 0;
                }
            }
        }
        for (at, &partition) in state.readers.iter_mut().zip(&self.readers) {
            let positions = state.committed.iter().map(|it| it.positions[partition]);
            let start =
                if self.has(Rule::StartAtLeast) { positions.min() } else { positions.max() };
            *at = start.expect("two ranges");
        }
        Some(())
    }

    /// What a release of a partition must leave: what a range has yet to read, and legs kept by reference.
    fn needed(&self, state: &State, partition: usize) -> u8 {
        let committed = self.has(Rule::ReleaseCommitted);
        let ranges = if committed { &state.committed } else { &state.memory };
        let positions = ranges.iter().map(|it| it.positions[partition]);
        let least = if self.has(Rule::ReleaseLeast) { positions.min() } else { positions.max() };
        let least = least.expect("two ranges");
        if !self.has(Rule::ReleaseReferences) {
            return least;
        }
        let young = ranges.iter().flat_map(|it| it.young(self.records));
        young.filter(|it| it.0 == partition).map(|it| it.1).min().unwrap_or(least).min(least)
    }

    fn release(&self, state: &mut State, partition: usize) -> Option<()> {
        let to = self.needed(state, partition);
        let is_more = to > state.released[partition];
        state.released[partition] = to.max(state.released[partition]);
        state.low[partition] = state.low[partition].max(to);
        is_more.then_some(())
    }

    fn overtake(&self, state: &mut State, partition: usize) -> Option<()> {
        state.overtakings = state.overtakings.checked_sub(1)?;
        state.low[partition] += 1;
        (state.low[partition] <= self.records).then_some(())
    }
}

impl Model for Routing {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let ranges = [Range::new(self.records), Range::new(self.records)];
        vec![State {
            readers: vec![self.begin; self.readers.len()],
            batches: BTreeSet::new(),
            memory: ranges.clone(),
            committed: ranges,
            health: Health::Whole,
            released: [0; PARTITIONS],
            low: [0; PARTITIONS],
            crashes: self.crashes,
            overtakings: self.overtakings,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.health == Health::Stopped {
            return;
        }
        for reader in 0..self.readers.len() {
            steps.extend((1..=self.batch).map(|count| Step::Read(reader, count)));
        }
        for &batch in &state.batches {
            steps.extend([Step::Deliver(batch, true), Step::Deliver(batch, false)]);
            steps.push(Step::Lose(batch));
        }
        steps.extend([Step::Commit, Step::Crash]);
        for partition in 0..PARTITIONS {
            steps.extend([Step::Release(partition), Step::Overtake(partition)]);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Read(reader, count) => self.read(&mut state, reader, count)?,
            Step::Deliver(batch, again) => self.deliver(&mut state, batch, again),
            Step::Lose(batch) => drop(state.batches.remove(&batch)),
            Step::Commit => self.commit(&mut state)?,
            Step::Crash => self.crash(&mut state)?,
            Step::Release(partition) => self.release(&mut state, partition)?,
            Step::Overtake(partition) => self.overtake(&mut state, partition)?,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "I2 I3 exact fold of what is below the positions",
                |_, state: &State| {
                    state.health == Health::Stopped
                        || range::all(state).all(|(number, it)| it.is_exact(number))
                },
            ),
            Property::always("I9 the ledger balances", |_, state: &State| {
                state.health == Health::Stopped || range::all(state).all(|(_, it)| it.balances())
            }),
            Property::always("I10 nothing needed is let go", |model: &Self, state: &State| {
                let everything = Self { rules: Rules::ALL, ..model.clone() };
                (0..PARTITIONS).all(|it| state.released[it] <= everything.needed(state, it))
            }),
            Property::sometimes(
                "everything is applied, committed and let go",
                |model: &Self, state: &State| {
                    let is_done = |it: &Range| it.positions == [model.records; PARTITIONS];
                    let is_let_go = state.released == [model.records; PARTITIONS];
                    state.committed.iter().all(is_done) && is_let_go
                },
            ),
        ]
    }
}
