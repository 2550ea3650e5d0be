//! What a drill has shown: what the oracle found, how long results paused, and what happened when.

use std::collections::BTreeMap;
use std::fmt;

use node::workload::verify::{Difference as D, Report as Found};
use serde::{Deserialize, Serialize};

use super::pauses::{longest, quantile};
use super::play::Load;
use super::results::Track;
use super::{Drill, Fault, Skipped};
use crate::standing::Standing;

/// How a drill ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing is lost, doubled or wrong.
    Passed,
    /// Something is, or it did not end.
    Failed,
    /// This machine cannot have it.
    Skipped,
}

/// A drill that was had, or could not be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The drill's name.
    pub drill: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not pass; empty where it did.
    pub why: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// Transactions in a second.
    pub rate: u64,
    /// How many nodes there were.
    pub nodes: usize,
    /// How results were delivered.
    pub delivery: String,
    /// What the oracle says; nothing where it could not be asked.
    pub verdict: Verdict,
    /// The longest pause of any range before the first fault.
    pub calm_pause_ms: u64,
    /// The longest time without any result while the load ran.
    pub gap_ms: u64,
    /// From the beginning until all was through and checked.
    pub through_ms: u64,
    /// Each time that the fault was had.
    pub rounds: Vec<Round>,
}

/// What the oracle says.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Transactions of which there are results.
    pub transactions: u64,
    /// Results, conflicts and dead letters that are missing.
    pub lost: u64,
    /// Those that are there twice.
    pub doubled: u64,
    /// Cells of indicators that differ.
    pub cells_wrong: u64,
    /// Whatever else differs.
    pub otherwise_wrong: u64,
    /// Records that the ledger lacks or has twice.
    pub imbalance: u64,
    /// Rows that were delivered again, as at-least-once may.
    pub delivered_again: u64,
    /// All differences, as the checker tells them; empty where there are none.
    pub differences: String,
}

/// One time that a fault was had. Times are milliseconds since it began.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// Until the last range that it hit gave results again.
    pub recovery_ms: u64,
    /// The longest pause of a range that it hit.
    pub pause_ms: u64,
    /// The longest pause of a range that it did not hit, until then.
    pub pause_of_others_ms: u64,
    /// The longest pause of any range from then until all was as before.
    pub pause_while_healing_ms: u64,
    /// What happened when.
    pub timeline: Vec<(String, u64)>,
}

impl Round {
    pub(super) fn of(fault: &Fault, tracks: &BTreeMap<u64, Track>) -> Self {
        let began = fault.began_ms;
        let whole = fault.marks.last().map_or(began, |(_, at)| *at);
        let hit = |id: &&u64| fault.hit.contains(*id);
        let back = |(id, track): (&u64, &Track)| {
            let before = fault.before.get(id).copied().unwrap_or_default();
            match fault.is_moved {
                true => track.epochs.range(before + 1..).next().map_or(whole, |(_, at)| *at),
                false => longest(&track.times, (began, whole)).end_ms,
            }
        };
        let recovered = tracks.iter().filter(|(id, _)| hit(id)).map(back).max().unwrap_or(began);
        let pause = |is_hit: bool, window| {
            let there = tracks.iter().filter(|(id, _)| !fault.gone.contains(*id));
            let of = there.filter(|(id, _)| hit(id) == is_hit);
            of.map(|(_, it)| longest(&it.times, window).length_ms).max().unwrap_or_default()
        };
        let (until, healing) = ((began, recovered), ((recovered + 1).min(whole), whole));
        let marks = fault.marks.iter().map(|(what, at)| (what.clone(), at.saturating_sub(began)));
        Self {
            recovery_ms: recovered.saturating_sub(began),
            pause_ms: pause(true, until),
            pause_of_others_ms: pause(false, until),
            pause_while_healing_ms: pause(true, healing).max(pause(false, healing)),
            timeline: marks.collect(),
        }
    }
}

impl Verdict {
    pub(super) fn of(standing: Standing, report: &Found) -> Self {
        let count = |kinds: &[D]| {
            kinds.iter().filter_map(|it| report.differences.get(it)).map(|it| it.count).sum::<u64>()
        };
        let all = report.differences.values().map(|it| it.count).sum::<u64>();
        let lost = count(&[D::Lost, D::ConflictLost, D::DeadLetterLost]);
        let doubled = count(&[D::Doubled, D::Resent, D::ConflictDoubled, D::DeadLetterDoubled]);
        let cells_wrong = count(&[D::CellLost, D::CellWrong, D::CellForeign]);
        Self {
            transactions: report.counts.results.complete + report.counts.results.incomplete,
            lost,
            doubled,
            cells_wrong,
            otherwise_wrong: all - lost - doubled - cells_wrong,
            imbalance: standing.imbalance,
            delivered_again: report.counts.resent,
            differences: if report.is_right() { String::new() } else { report.to_string() },
        }
    }

    fn is_right(&self) -> bool {
        self.differences.is_empty() && self.imbalance == 0
    }
}

impl Report {
    pub(super) fn new(drill: &Drill, load: &Load, began_ms: u64) -> Self {
        Self {
            drill: drill.name.to_owned(),
            outcome: Outcome::Failed,
            why: String::new(),
            began_ms,
            rate: load.rate,
            nodes: load.nodes,
            delivery: load.delivery.name().to_owned(),
            verdict: Verdict::default(),
            calm_pause_ms: 0,
            gap_ms: 0,
            through_ms: 0,
            rounds: Vec::new(),
        }
    }

    /// Of a drill for which no cluster could be set up: skipped where this machine cannot have it, else failed.
    pub(super) fn without_a_stage(drill: &Drill, load: &Load, fault: &anyhow::Error) -> Self {
        let is_skipped = fault.downcast_ref::<Skipped>().is_some();
        let outcome = if is_skipped { Outcome::Skipped } else { Outcome::Failed };
        Self { outcome, why: format!("{fault:#}"), ..Self::new(drill, load, 0) }
    }

    pub(super) fn conclude(
        &mut self,
        verdict: &anyhow::Result<Verdict>,
        (calm, load): ((u64, u64), (u64, u64)),
        tracks: &BTreeMap<u64, Track>,
    ) {
        // Only what was seen until then: the first fault comes right behind.
        let until = |times: &[u64]| times.partition_point(|it| *it <= calm.1);
        // A range that came later, out of another, had no part in it.
        let there = tracks.values().filter(|it| until(&it.times) > 0);
        let pauses = there.map(|it| longest(&it.times[..until(&it.times)], calm));
        self.calm_pause_ms = pauses.map(|it| it.length_ms).max().unwrap_or_default();
        let mut times: Vec<u64> = tracks.values().flat_map(|it| it.times.clone()).collect();
        times.sort_unstable();
        self.gap_ms = longest(&times, load).length_ms;
        match verdict {
            Ok(verdict) => {
                self.outcome = if verdict.is_right() { Outcome::Passed } else { Outcome::Failed };
                self.why.clone_from(&verdict.differences);
                self.verdict = verdict.clone();
            }
            Err(fault) => self.why = format!("{fault:#}"),
        }
    }

    /// Whether something was lost, doubled or wrong, or the drill did not come to its end.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recovery_ms, pause_ms, pause_of_others_ms, pause_while_healing_ms, .. } = self;
        write!(
            f,
            "recovered in {recovery_ms} ms, pause {pause_ms} ms, of the other ranges {pause_of_others_ms} ms, \
             while healing {pause_while_healing_ms} ms; fault"
        )?;
        self.timeline.iter().try_for_each(|(what, at)| write!(f, " → {what} {at}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Passed => "PASSED",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "SKIPPED",
        };
        writeln!(f, "{word:<8} {}", self.drill)?;
        if !self.why.is_empty() {
            writeln!(f, "  {}", self.why.trim_end().replace('\n', "\n  "))?;
        }
        if self.outcome == Outcome::Skipped {
            return Ok(());
        }
        let it = &self.verdict;
        writeln!(
            f,
            "  {} transactions at {}/s over {} nodes, {}: lost {}, doubled {}, otherwise wrong {}, figures {}, \
             ledger {}, delivered again {}",
            it.transactions,
            self.rate,
            self.nodes,
            self.delivery,
            it.lost,
            it.doubled,
            it.otherwise_wrong,
            if it.cells_wrong == 0 { "equal" } else { "DIFFERENT" },
            if it.imbalance == 0 { "balanced" } else { "NOT BALANCED" },
            it.delivered_again,
        )?;
        let spread = |name: &str, of: fn(&Round) -> u64| {
            let values: Vec<u64> = self.rounds.iter().map(of).collect();
            let [median, p99] = [50, 99].map(|percent| quantile(&values, percent));
            format!("  {name:<24}median {median} ms, p99 {p99} ms over {} rounds", values.len())
        };
        writeln!(f, "{}", spread("recovery", |it| it.recovery_ms))?;
        writeln!(f, "{}", spread("pause", |it| it.pause_ms))?;
        writeln!(f, "{}", spread("pause of others", |it| it.pause_of_others_ms))?;
        writeln!(f, "{}", spread("pause while healing", |it| it.pause_while_healing_ms))?;
        writeln!(
            f,
            "  longest pause in peace {} ms, longest time without any result {} ms",
            self.calm_pause_ms, self.gap_ms
        )?;
        self.rounds.iter().try_for_each(|round| writeln!(f, "  {round}"))
    }
}
