//! Who owns a range, what is committed for it, and what the sink gets: one range, some lives of nodes, two
//! processes that may lead, an object store, a sink.

pub(crate) mod control;
pub(crate) mod journal;
pub(crate) mod leader;
pub(crate) mod life;
pub(crate) mod properties;
pub(crate) mod sink;

use stateright::{Model, Property};

use super::rule::{Rule, Rules};
use control::{Change, Coordinator, Entry, Fencing, Life, Table};
use journal::{Journal, Snapshot};
use life::{Process, Stage};
use sink::Sink;

/// How rows are delivered: `actors/src/sink/kafka.rs`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum SinkKind {
    /// At least once, each row with its stamp: who reads drops repeats.
    Stamped,
    /// As transactions with a marker, and nothing twice.
    Marked,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Answer {
    /// It is carried out, and the answer comes.
    Clear,
    /// It is carried out, and the answer does not come, or late.
    Unanswered,
    /// It is not carried out, or late.
    Lost,
}

/// What may still go wrong, and what is still to be tried.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Left {
    /// Changes of the lead.
    pub(crate) leaders: u8,
    /// Lives that are held dead, rightly or not.
    pub(crate) fences: u8,
    /// Crashes of lives.
    pub(crate) crashes: u8,
    /// Requests without an answer: to a log, a journal or the sink.
    pub(crate) unclear: u8,
    /// Planned moves.
    pub(crate) moves: u8,
    /// Snapshots.
    pub(crate) snapshots: u8,
}

/// The model's bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ownership {
    /// Which rules hold.
    pub(crate) rules: Rules,
    /// How many lives there are.
    pub(crate) lives: u8,
    /// How many records there are.
    pub(crate) records: u8,
    /// How rows are delivered.
    pub(crate) sink: SinkKind,
    /// What may go wrong.
    pub(crate) left: Left,
}

/// Everything.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct State {
    /// The control log.
    pub(crate) log: Vec<Entry>,
    /// The log's fold.
    pub(crate) table: Table,
    /// Who may lead.
    pub(crate) coordinators: [Coordinator; 2],
    /// The process of each life.
    pub(crate) processes: Vec<Process>,
    /// The journal of each life.
    pub(crate) journals: Vec<Journal>,
    /// Oldest first.
    pub(crate) snapshots: Vec<Snapshot>,
    /// What was delivered.
    pub(crate) sink: Sink,
    /// Every row that was ever committed.
    pub(crate) committed: Vec<u8>,
    /// Whether each commit was its owner's, under the epoch of then, and followed the one before.
    pub(crate) is_one_lineage: bool,
    /// What may still go wrong.
    pub(crate) left: Left,
}

/// One step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// A process asks to lead.
    Lead(usize),
    /// A process reads the control log on.
    Look(usize),
    /// A leader begins to end a journal.
    List(usize, Life),
    /// It claims the slot for the fence.
    Claim(usize),
    /// It writes a decision.
    Decide(usize, Change, Answer),
    /// A life hears from a process, perhaps one of the past, that the range is its.
    Serve(usize, Life),
    /// A record is applied.
    Apply(Life),
    /// A commit is written.
    Write(Life, Answer),
    /// A commit arrives that was given up.
    Arrive(Life),
    /// A slot is read back.
    Settle(Life, Answer),
    /// An old answer arrives.
    Echo(Life),
    /// The owner closes the range.
    Close(Life),
    /// A process dies.
    Crash(Life),
    /// A publisher makes the sink its own.
    Recover(Life),
    /// It delivers.
    Deliver(Life, Answer),
    /// The owner takes a snapshot.
    Snapshot(Life),
    /// A life lets go what it takes for superfluous.
    Tidy(Life),
}

impl Ownership {
    pub(crate) fn has(&self, rule: Rule) -> bool {
        self.rules.has(rule)
    }
}

impl Model for Ownership {
    type State = State;
    type Action = Step;

    /// The first process leads, and has given the range to the first life.
    fn init_states(&self) -> Vec<State> {
        let entry = |change| Entry { term: 1, change };
        let log = vec![entry(Change::Leader(0)), entry(Change::Assigned(0, 1))];
        let mut table = Table::default();
        log.iter().for_each(|&entry| table.apply(entry));
        let coordinator =
            |won| Coordinator { next: 2, table: table.clone(), won, fencing: Fencing::Not };
        let coordinators = [coordinator(1), coordinator(0)];
        let processes = vec![Process::default(); usize::from(self.lives)];
        let journals = vec![Journal::default(); usize::from(self.lives)];
        vec![State {
            log,
            table,
            coordinators,
            processes,
            journals,
            snapshots: Vec::new(),
            sink: Sink::default(),
            committed: Vec::new(),
            is_one_lineage: true,
            left: self.left,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        const ANSWERS: [Answer; 3] = [Answer::Clear, Answer::Unanswered, Answer::Lost];
        for by in 0..state.coordinators.len() {
            steps.extend([Step::Lead(by), Step::Look(by), Step::Claim(by)]);
            steps.extend(self.decisions(state, by));
            for life in 0..self.lives {
                steps.extend([Step::List(by, life), Step::Serve(by, life)]);
            }
        }
        for life in 0..self.lives {
            let process = &state.processes[usize::from(life)];
            if process.late.is_some() {
                steps.push(Step::Arrive(life));
            }
            if !process.runs || process.stage == Stage::Without {
                continue;
            }
            for answer in ANSWERS {
                steps.push(Step::Write(life, answer));
                steps.push(Step::Settle(life, answer));
                steps.push(Step::Deliver(life, answer));
            }
            steps.extend([Step::Apply(life), Step::Echo(life), Step::Close(life)]);
            steps.extend([Step::Crash(life), Step::Recover(life)]);
            steps.extend([Step::Snapshot(life), Step::Tidy(life)]);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        let it = &mut state;
        match step {
            Step::Lead(by) => self.lead(it, by)?,
            Step::Look(by) => it.coordinators[by].look(&last.log)?,
            Step::List(by, life) => self.list(it, by, life)?,
            Step::Claim(by) => self.claim(it, by)?,
            Step::Decide(by, change, answer) => self.decide(it, by, change, answer)?,
            Step::Serve(by, life) => self.serve(it, by, life)?,
            Step::Apply(life) => self.apply(it, life)?,
            Step::Write(life, answer) => self.write(it, life, answer)?,
            Step::Arrive(life) => self.arrive(it, life)?,
            Step::Settle(life, answer) => self.settle(it, life, answer)?,
            Step::Echo(life) => self.hear_echo(it, life)?,
            Step::Close(life) => {
                it.left.moves = it.left.moves.checked_sub(1)?;
                self.close(it, life)?;
            }
            Step::Crash(life) => {
                it.left.crashes = it.left.crashes.checked_sub(1)?;
                it.processes[usize::from(life)].end();
            }
            Step::Recover(life) => self.recover(it, life)?,
            Step::Deliver(life, answer) => self.deliver(it, life, answer)?,
            Step::Snapshot(life) => self.snapshot(it, life)?,
            Step::Tidy(life) => self.tidy(it, life)?,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
