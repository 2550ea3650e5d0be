//! The simulated sink, and who reads it: each sequence of a range counts once.

use std::collections::{BTreeMap, BTreeSet};

use actors::sink::Row;
use anyhow::{Context as _, ensure};
use proto::types::{RangeId, Sequence};
use serde_json::Value;

use super::objects::Life;
use super::watch::Watch;

/// What happens to a delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Delivery {
    /// It arrives.
    Whole,
    /// It arrives, but the answer is lost.
    Unanswered,
    /// So many rows arrive, if the sink can take a part; the answer is an error.
    Cut(usize),
}

/// What the sink answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// All rows are there.
    Taken,
    /// Nobody knows which are.
    Failed,
    /// It takes nothing of this life any more.
    Fenced,
}

/// Where rows go.
#[expect(clippy::struct_excessive_bools, reason = "one is drawn, the other a planted bug")]
#[derive(Clone, Debug)]
pub(super) struct Sink {
    is_exactly_once: bool,
    is_deduped: bool,
    /// The last sequence of each range: the marker, or what a reader has seen.
    last: BTreeMap<RangeId, Sequence>,
    rows: Vec<Row>,
    incomplete: Vec<String>,
    /// The lives of which it takes nothing any more.
    fenced: BTreeSet<Life>,
}

impl Sink {
    /// An empty sink.
    #[must_use]
    #[expect(clippy::fn_params_excessive_bools, reason = "one is drawn, the other a planted bug")]
    pub(super) fn new(is_exactly_once: bool, is_deduped: bool) -> Self {
        let (last, rows, incomplete, fenced) = Default::default();
        Self { is_exactly_once, is_deduped, last, rows, incomplete, fenced }
    }

    /// What the sink itself knows to have.
    #[must_use]
    pub(super) fn recover(&self) -> BTreeMap<RangeId, Sequence> {
        if self.is_exactly_once { self.last.clone() } else { BTreeMap::new() }
    }

    /// Takes nothing of these lives any more, where it can tell them apart.
    pub(super) fn fence(&mut self, lives: &[Life]) {
        if self.is_exactly_once {
            self.fenced.extend(lives);
        }
    }

    /// Takes rows of a life.
    ///
    /// # Errors
    ///
    /// Where a row breaks a promise.
    pub(super) fn deliver(
        &mut self,
        life: Life,
        rows: &[Row],
        how: Delivery,
        watch: &Watch,
    ) -> anyhow::Result<Answer> {
        if self.fenced.contains(&life) {
            return Ok(Answer::Fenced);
        }
        let count = match how {
            Delivery::Whole | Delivery::Unanswered => rows.len(),
            // A transaction of the sink is whole or not there.
            Delivery::Cut(_) if self.is_exactly_once => 0,
            Delivery::Cut(count) => count.min(rows.len()),
        };
        for row in &rows[..count] {
            self.take(row, watch)?;
        }
        Ok(if how == Delivery::Whole { Answer::Taken } else { Answer::Failed })
    }

    fn take(&mut self, row: &Row, watch: &Watch) -> anyhow::Result<()> {
        watch.check_published(row)?;
        let (range, sequence) = (row.stamp.range, row.stamp.sequence);
        let last = self.last.entry(range).or_default();
        ensure!(
            sequence <= last.next(),
            "I7: {range} has {last} in the sink, and {sequence} is delivered: a gap"
        );
        let is_new = sequence > *last;
        ensure!(
            is_new || !self.is_exactly_once,
            "I7: {range} has {last} in the sink, and {sequence} is delivered again"
        );
        *last = sequence.max(*last);
        if is_new || !self.is_deduped {
            if row.payload.windows(12).any(|it| it == b"\"INCOMPLETE\"") {
                let value: Value = serde_json::from_slice(&row.payload).context("read a result")?;
                let id = value["transactionId"].as_str().unwrap_or_default();
                self.incomplete.push(id.to_owned());
            }
            self.rows.push(row.clone());
        }
        Ok(())
    }

    /// Every row that counts, in the order of its arrival.
    #[must_use]
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The transactions that have been said to be incomplete since the last call.
    pub(super) fn take_incomplete(&mut self) -> Vec<String> {
        std::mem::take(&mut self.incomplete)
    }

    /// The last sequence of a range that has arrived.
    #[must_use]
    pub(super) fn last(&self, range: RangeId) -> Sequence {
        self.last.get(&range).copied().unwrap_or_default()
    }
}
