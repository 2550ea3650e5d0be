//! What a life of a node does: restores, applies, commits, publishes, closes.

use super::super::rule::Rule;
use super::control::{Epoch, Life, Slot, Span};
use super::journal::{At, Block, Object, Shelf, Snapshot};
use super::{Answer, Ownership, SinkKind, State};

/// What a life does with the range: `coordinator/src/machine/report.rs`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) enum Stage {
    /// Nothing yet.
    #[default]
    Without,
    /// It commits for it.
    Serving,
    /// It has committed for it, under its epoch, for the last time, before that slot.
    Closed(Slot),
}

/// A commit that was sent and whose answer is unclear: `actors/src/machine/commit.rs`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Write {
    /// The slot that it goes to.
    pub(crate) slot: Slot,
    /// What it writes there, in each attempt the same.
    pub(crate) block: Block,
}

/// How far the sink has been made this life's: `Sink::recover`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Readiness {
    /// Nothing was asked.
    #[default]
    Cold,
    /// The first of both was done: others fenced, markers read.
    Half,
    /// Rows may go out.
    Ready,
}

/// A process of a node.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Process {
    /// Whether it runs: a zombie does.
    pub(crate) runs: bool,
    /// What it does with the range.
    pub(crate) stage: Stage,
    /// Under which epoch.
    pub(crate) epoch: Epoch,
    /// The slot of its next commit.
    pub(crate) next: Slot,
    /// The range's state: one row a record, in order.
    pub(crate) memory: Vec<u8>,
    /// How many of them are durable, as far as it was told.
    pub(crate) durable: u8,
    /// The commit without an answer.
    pub(crate) write: Option<Write>,
    /// A request that the store may still carry out, whatever has happened since.
    pub(crate) late: Option<(Slot, Block)>,
    /// The commit whose answer, "won", is still on its way although nobody waits for it.
    pub(crate) echo: Option<Slot>,
    /// Up to where its publisher knows the sink to have rows.
    pub(crate) delivered: u8,
    /// The slots with rows that wait.
    pub(crate) outbox: Vec<(At, u8)>,
    /// Whether it may deliver.
    pub(crate) readiness: Readiness,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            runs: true,
            stage: Stage::Without,
            epoch: 0,
            next: 1,
            memory: Vec::new(),
            durable: 0,
            write: None,
            late: None,
            echo: None,
            delivered: 0,
            outbox: Vec::new(),
            readiness: Readiness::Cold,
        }
    }
}

impl Process {
    /// It ends, and what it holds in memory is gone. What was sent may still arrive.
    pub(crate) fn end(&mut self) {
        let late = self.late.take();
        *self = Self { runs: false, late, ..Self::default() };
    }

    /// Whether it serves.
    pub(crate) fn serves(&self) -> bool {
        self.runs && self.stage == Stage::Serving
    }
}

fn count(rows: &[u8]) -> u8 {
    u8::try_from(rows.len()).expect("few rows")
}

impl Ownership {
    /// `Engine::adopt`, on an order that may be old: the range as its past has it.
    pub(crate) fn serve(&self, state: &mut State, by: usize, life: Life) -> Option<()> {
        let table = &state.coordinators[by].table;
        if table.owner != Some(life) {
            return None;
        }
        let (epoch, lineage) = (table.epoch, table.lineage.clone());
        let process = &state.processes[usize::from(life)];
        let is_old = match process.stage {
            Stage::Without => false,
            Stage::Serving => process.epoch >= epoch,
            Stage::Closed(_) => process.epoch >= epoch && self.has(Rule::ClosedForEver),
        };
        if !process.runs || is_old {
            return None;
        }
        let restored = self.shelf(state).restore(&lineage)?;
        let process = &mut state.processes[usize::from(life)];
        process.stage = Stage::Serving;
        process.epoch = epoch;
        process.durable = count(&restored.rows);
        process.memory = restored.rows;
        process.delivered = restored.acknowledged;
        process.outbox = restored.outbox;
        process.readiness = Readiness::Cold;
        Some(())
    }

    /// One more record is applied.
    pub(crate) fn apply(&self, state: &mut State, life: Life) -> Option<()> {
        let process = &mut state.processes[usize::from(life)];
        let may = process.serves() && count(&process.memory) < self.records;
        may.then(|| process.memory.push(process.epoch))
    }

    /// The committer closes the batch and writes one object.
    pub(crate) fn write(&self, state: &mut State, life: Life, answer: Answer) -> Option<()> {
        let process = &mut state.processes[usize::from(life)];
        let after = count(&process.memory);
        if !process.serves() || after <= process.durable {
            return None;
        }
        if let Some(Write { slot, block }) = process.write.take() {
            // I1: one write in flight. Without that the next goes to the slot after it.
            if self.has(Rule::OneWriteInFlight) || block.after() >= after {
                return None;
            }
            process.durable = block.after();
            process.next = slot + 1;
        }
        let (epoch, before) = (process.epoch, process.durable);
        let rows = process.memory[usize::from(before)..].to_vec();
        let acknowledged = process.delivered.min(before);
        let block = Block { epoch, before, rows, acknowledged };
        process.write = Some(Write { slot: process.next, block });
        self.send(state, life, answer)
    }

    /// The write goes out, for the first time or again.
    fn send(&self, state: &mut State, life: Life, answer: Answer) -> Option<()> {
        let Write { slot, block } = state.processes[usize::from(life)].write.clone()?;
        let is_vacant = state.journals[usize::from(life)].is_vacant(slot);
        match answer {
            Answer::Clear if is_vacant => {
                self.land(state, life, slot, &block);
                self.won(state, life);
            }
            Answer::Clear => self.settle(state, life, answer)?,
            Answer::Unanswered if is_vacant => {
                state.left.unclear = state.left.unclear.checked_sub(1)?;
                self.land(state, life, slot, &block);
                state.processes[usize::from(life)].echo = Some(slot);
                self.unclear(state, life);
            }
            Answer::Unanswered => return None,
            Answer::Lost => {
                state.left.unclear = state.left.unclear.checked_sub(1)?;
                state.processes[usize::from(life)].late = Some((slot, block));
                self.unclear(state, life);
            }
        }
        Some(())
    }

    /// What an unclear answer is taken for where it is not read back.
    fn unclear(&self, state: &mut State, life: Life) {
        if !self.has(Rule::UnclearIsNotWon) {
            self.won(state, life);
        } else if !self.has(Rule::UnclearIsNotLost) {
            let process = &mut state.processes[usize::from(life)];
            process.next += 1;
            process.write = None;
        }
    }

    /// A block stands in a slot: from now on it is committed. One that was trimmed there comes back.
    fn land(&self, state: &mut State, life: Life, slot: Slot, block: &Block) {
        let journal = &mut state.journals[usize::from(life)];
        let is_repeat = journal.has_had(slot, block);
        journal.create(slot, Object::Commit(block.clone()));
        if is_repeat {
            return;
        }
        let is_owners = state.table.owner == Some(life) && state.table.epoch == block.epoch;
        let is_next = usize::from(block.before) == state.committed.len();
        state.is_one_lineage &= is_owners && is_next;
        if is_next {
            state.committed.extend(&block.rows);
        }
    }

    /// A request that was given up long ago is carried out.
    pub(crate) fn arrive(&self, state: &mut State, life: Life) -> Option<()> {
        let (slot, block) = state.processes[usize::from(life)].late.take()?;
        if state.journals[usize::from(life)].is_vacant(slot) {
            self.land(state, life, slot, &block);
        }
        Some(())
    }

    /// The slot is read back: `Commit::read_back`.
    pub(crate) fn settle(&self, state: &mut State, life: Life, answer: Answer) -> Option<()> {
        let process = &mut state.processes[usize::from(life)];
        let Write { slot, block } = process.write.as_ref().filter(|_| process.runs)?;
        match state.journals[usize::from(life)].read(*slot) {
            // The nonce: this life's, and this attempt's.
            Some(Object::Commit(found)) if found == block => self.won(state, life),
            Some(_) => process.end(),
            None => return self.send(state, life, answer),
        }
        Some(())
    }

    /// An old answer comes: without the rule it counts for whichever write is under way.
    pub(crate) fn hear_echo(&self, state: &mut State, life: Life) -> Option<()> {
        let process = &mut state.processes[usize::from(life)];
        if self.has(Rule::AnswerTied) {
            return None;
        }
        process.echo.take()?;
        process.write.is_some().then(|| self.won(state, life))
    }

    fn won(&self, state: &mut State, life: Life) {
        let process = &mut state.processes[usize::from(life)];
        let Some(Write { slot, block }) = process.write.take() else { return };
        let after = block.after();
        process.durable = after;
        process.next = slot + 1;
        process.outbox.push(((process.epoch, slot), after));
        let acknowledged = process.delivered;
        process.outbox.retain(|&(_, last)| last > acknowledged);
    }

    /// `Engine::release`: the range is closed at a commit, for ever under its epoch.
    pub(crate) fn close(&self, state: &mut State, life: Life) -> Option<()> {
        let process = &mut state.processes[usize::from(life)];
        let is_between = process.write.is_none() || !self.has(Rule::CloseBetweenCommits);
        let is_delivered = process.delivered == process.durable || !self.has(Rule::CloseDelivered);
        if !process.serves() || !is_between || !is_delivered {
            return None;
        }
        process.stage = Stage::Closed(process.next);
        Some(())
    }

    /// The owner's store goes to the object store: `node/src/assembly/upkeep/take.rs`.
    pub(crate) fn snapshot(&self, state: &mut State, life: Life) -> Option<()> {
        state.left.snapshots = state.left.snapshots.checked_sub(1)?;
        let process = &state.processes[usize::from(life)];
        if !process.serves() || process.durable == 0 || process.write.is_some() {
            return None;
        }
        let at = self.place(state, life)?;
        let outbox = process.outbox.first().map_or((at.0, at.1 + 1), |&(at, _)| at);
        let rows = process.memory[..usize::from(process.durable)].to_vec();
        let acknowledged = process.delivered.min(process.durable);
        let snapshot = Snapshot { at, outbox, rows, acknowledged };
        if state.snapshots.last() == Some(&snapshot) {
            return None;
        }
        state.snapshots.push(snapshot);
        Some(())
    }

    /// Where the last commit that it has is.
    fn place(&self, state: &State, life: Life) -> Option<At> {
        let process = &state.processes[usize::from(life)];
        let journals = (0..).zip(&state.journals);
        let blocks = journals.flat_map(|(_, journal): (Life, _)| journal.commits());
        let ends = blocks.filter(|(_, block)| block.after() == process.durable);
        ends.map(|(slot, block)| (block.epoch, slot)).min()
    }

    /// `Tidying::tidy`, after a look at the control log.
    pub(crate) fn tidy(&self, state: &mut State, life: Life) -> Option<()> {
        let process = &state.processes[usize::from(life)];
        let is_over = state.table.dead.contains(&life);
        if !process.runs || state.snapshots.is_empty() || is_over && self.has(Rule::TidyLooksFirst)
        {
            return None;
        }
        let (kept, gone) = if self.has(Rule::TrimByAllNeeds) && self.has(Rule::TidyLooksFirst) {
            self.shelf(state).tidied(&self.seen(state), life)
        } else if process.stage == Stage::Serving {
            self.shelf(state).tidied(&self.past(state, life), life)
        } else if self.has(Rule::TrimByAllNeeds) || process.stage == Stage::Without {
            return None;
        } else {
            (state.snapshots.clone(), self.shelf(state).trimmable(life, Slot::MAX))
        };
        let is_same = kept.len() == state.snapshots.len() && gone.is_empty();
        state.snapshots = kept;
        for (life, slot) in gone {
            state.journals[usize::from(life)].slots[usize::from(slot) - 1].1 = false;
        }
        (!is_same).then_some(())
    }

    /// The range's past and its owner's tail, as the control log has them, whoever looks: `look.rs`, `existing`.
    fn seen(&self, state: &State) -> Vec<Span> {
        let table = &state.table;
        let mut past = table.lineage.clone();
        past.extend(table.owner.map(|life| {
            let to = state.journals[usize::from(life)].highest() + 1;
            Span { life, epoch: table.epoch, from: table.since(life), to }
        }));
        past
    }

    /// What an owner alone would take for the range's past.
    fn past(&self, state: &State, life: Life) -> Vec<Span> {
        let epoch = state.processes[usize::from(life)].epoch;
        let spans = state.table.lineage.iter().filter(|span| span.epoch < epoch);
        let mut past: Vec<Span> = spans.copied().collect();
        let before = past.iter().filter(|span| span.life == life).map(|span| span.to).max();
        let to = state.journals[usize::from(life)].highest() + 1;
        past.push(Span { life, epoch, from: before.unwrap_or(1), to });
        past
    }

    /// All that a range can be restored from.
    pub(crate) fn shelf<'a>(&self, state: &'a State) -> Shelf<'a> {
        Shelf { journals: &state.journals, snapshots: &state.snapshots, rules: self.rules }
    }

    /// The first half of `Sink::recover`, or the second: nobody else can write, and what is there is read.
    pub(crate) fn recover(&self, state: &mut State, life: Life) -> Option<()> {
        let process = &state.processes[usize::from(life)];
        if process.stage != Stage::Serving || !process.runs {
            return None;
        }
        let is_first = process.readiness == Readiness::Cold;
        let next = match (self.sink, process.readiness) {
            (_, Readiness::Ready) => return None,
            (SinkKind::Stamped, _) => Readiness::Ready,
            (SinkKind::Marked, Readiness::Cold) => Readiness::Half,
            (SinkKind::Marked, Readiness::Half) => Readiness::Ready,
        };
        if self.sink == SinkKind::Marked {
            if is_first == self.has(Rule::SinkFencedFirst) {
                self.fence_sink(state, life);
            } else {
                let marker = state.sink.marker();
                let process = &mut state.processes[usize::from(life)];
                process.delivered = process.delivered.max(marker.min(process.durable));
            }
        }
        state.processes[usize::from(life)].readiness = next;
        Some(())
    }
}
