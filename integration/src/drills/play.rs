//! Plays a drill: load, fault, heal, again as often as wished, and then every record is checked.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;

use super::report::{Report, Round, Verdict};
use super::{Drill, Stage};
use crate::drain::Delivery;

/// Before the first fault the cluster works in peace for so long: what pauses there are then are the machine's.
const CALM: Duration = Duration::from_secs(5);
/// Between a round and the next.
const REST: Duration = Duration::from_secs(2);
/// The load lasts at least so long: a correction comes 43 s behind its transaction at the latest.
const SHORTEST_S: u64 = 55;
/// Start and end of a run, beside its rounds.
const AROUND_S: u64 = 12;
/// How long it may take until all is through, from the end of the rounds.
const PATIENCE: Duration = Duration::from_secs(600);

/// How much is sent, and to what.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Transactions in a second.
    pub rate: u64,
    /// For how long; `None`: for as long as the rounds take.
    pub seconds: Option<u64>,
    /// How many nodes there are.
    pub nodes: usize,
    /// How results are delivered.
    pub delivery: Delivery,
    /// How often each drill is had.
    pub repeat: usize,
}

impl Load {
    fn seconds_for(&self, drills: &[&Drill]) -> u64 {
        let repeat = u64::try_from(self.repeat).unwrap_or(u64::MAX);
        let rounds: u64 = drills.iter().map(|it| it.round_s.saturating_mul(repeat)).sum();
        self.seconds.unwrap_or((rounds + AROUND_S).max(SHORTEST_S))
    }
}

/// Plays drills one after the other on one cluster, which has to give the first one what it needs, under one load. What
/// the oracle finds in the end is said of all of them.
/// What goes wrong is in the reports.
pub async fn play(drills: &[&Drill], load: &Load, say: &mut dyn FnMut(&str)) -> Vec<Report> {
    let Some(first) = drills.first() else { return Vec::new() };
    let seconds = load.seconds_for(drills);
    let set = Stage::set(first.needs, load, seconds).await;
    let mut stage = match set {
        Ok(stage) => stage,
        Err(fault) => {
            let report = |it: &&Drill| Report::without_a_stage(it, load, &fault);
            return drills.iter().map(report).collect();
        }
    };
    let began_ms = stage.now();
    sleep(CALM).await;
    let mut reports: Vec<Report> =
        drills.iter().map(|it| Report::new(it, load, began_ms)).collect();
    let calm = (began_ms, stage.now());
    let played = all(drills, load, &mut stage, &mut reports, say).await;
    let ended_ms = stage.now();
    let finished = match played {
        Ok(()) => stage.finish(PATIENCE).await,
        Err(fault) => Err(fault),
    };
    let through_ms = stage.now();
    let tracks = stage.tracks();
    let verdict = finished.map(|(standing, report)| Verdict::of(standing, &report));
    for report in &mut reports {
        report.conclude(&verdict, (calm, (began_ms, ended_ms)), &tracks);
        report.through_ms = through_ms.saturating_sub(began_ms);
    }
    reports
}

async fn all(
    drills: &[&Drill],
    load: &Load,
    stage: &mut Stage,
    reports: &mut [Report],
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    for (drill, report) in drills.iter().zip(reports) {
        for number in 0..load.repeat {
            let round = one(drill, number, stage).await;
            let round = round.with_context(|| format!("{}, round {}", drill.name, number + 1))?;
            say(&format!("{} {}/{}: {round}", drill.name, number + 1, load.repeat));
            report.rounds.push(round);
        }
    }
    Ok(())
}

async fn one(drill: &Drill, number: usize, stage: &mut Stage) -> anyhow::Result<Round> {
    stage.whole().await.context("wait for the cluster to be whole before")?;
    let view = stage.view().await?;
    let mut fault = (drill.inject)(stage, view, number).await?;
    stage.mark(&mut fault, "healed");
    stage.whole().await?;
    stage.mark(&mut fault, "whole");
    sleep(REST).await;
    Ok(Round::of(&fault, &stage.tracks()))
}
