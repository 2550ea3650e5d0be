//! The sink of the model: an append-only topic, its markers, and who is shut out of it.

use super::super::rule::Rule;
use super::control::Life;
use super::life::Readiness;
use super::{Answer, Ownership, SinkKind, State};

/// What a reader of the results finds.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Sink {
    /// Each row with its sequence, in the order in which they came.
    pub(crate) rows: Vec<(u8, u8)>,
    /// Lives whose transactions can no longer be committed, ascending.
    pub(crate) fenced: Vec<Life>,
}

impl Sink {
    /// The last sequence that is in it: `actors/src/sink/kafka/markers.rs`.
    pub(crate) fn marker(&self) -> u8 {
        self.rows.last().map_or(0, |&(sequence, _)| sequence)
    }

    /// What is left when rows that were there before are dropped by their stamps.
    pub(crate) fn without_repeats(&self) -> Vec<(u8, u8)> {
        let mut rows: Vec<(u8, u8)> = Vec::new();
        for &row in &self.rows {
            if row.0 > rows.last().map_or(0, |&(sequence, _)| sequence) {
                rows.push(row);
            }
        }
        rows
    }
}

impl Ownership {
    /// Ends the transactions of those who owned the range before: `Sink::fence`. Its own begin anew, unless
    /// others have ended them: `Sink::recover`.
    pub(crate) fn fence_sink(&self, state: &mut State, life: Life) {
        if !self.has(Rule::SinkFenceLasts) {
            state.sink.fenced.retain(|it| *it != life);
        }
        if !self.has(Rule::SinkFencesOwners) {
            return;
        }
        let dead = state.table.dead.iter().copied();
        let mut fenced: Vec<Life> = if self.has(Rule::SinkFencesIdleOwners) {
            dead.collect()
        } else {
            let spans = &state.table.lineage;
            dead.filter(|it| spans.iter().any(|span| span.life == *it)).collect()
        };
        fenced.retain(|it| *it != life);
        fenced.extend(&state.sink.fenced);
        fenced.sort_unstable();
        fenced.dedup();
        state.sink.fenced = fenced;
    }

    /// The publisher delivers what is durable: `actors/src/publisher.rs`.
    pub(crate) fn deliver(&self, state: &mut State, life: Life, answer: Answer) -> Option<()> {
        let process = &mut state.processes[usize::from(life)];
        let is_published = self.has(Rule::PublishDurable);
        let memory = u8::try_from(process.memory.len()).expect("few rows");
        let last = if is_published { process.durable } else { memory };
        let is_ready = process.runs && process.readiness == Readiness::Ready;
        if !is_ready || process.delivered >= last || answer == Answer::Lost {
            return None;
        }
        if self.sink == SinkKind::Marked && state.sink.fenced.contains(&life) {
            process.end();
            return Some(());
        }
        let first = process.delivered + 1;
        let rows = (first..=last).map(|it| (it, process.memory[usize::from(it) - 1]));
        state.sink.rows.extend(rows);
        if answer == Answer::Unanswered {
            state.left.unclear = state.left.unclear.checked_sub(1)?;
            if self.has(Rule::RecoverAfterFault) {
                process.readiness = Readiness::Cold;
            }
            return Some(());
        }
        process.delivered = last;
        process.outbox.retain(|&(_, it)| it > last);
        Some(())
    }
}
