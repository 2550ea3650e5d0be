//! Nodes that die without a word, and come back.

use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::time::sleep;

use super::{Fault, Stage};
use crate::view::View;

/// Who was killed is away for so long, whatever the others do meanwhile.
const AWAY: Duration = Duration::from_secs(1);
/// Longer than a node is waited for whose connection stands (`deadAfter`): who wakes then is a zombie.
const FROZEN: Duration = Duration::from_secs(7);

pub(super) fn kill_node(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = follower(&view, round)?;
        kill(stage, &view, &[victim]).await
    }
    .boxed_local()
}

pub(super) fn kill_leader(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let leader = view.leader.context("find who leads")?;
        kill(stage, &view, &[leader]).await
    }
    .boxed_local()
}

pub(super) fn kill_both(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let leader = view.leader.context("find who leads")?;
        kill(stage, &view, &[leader, follower(&view, round)?]).await
    }
    .boxed_local()
}

/// Stands still as a long pause of the machine would have it, and goes on as if nothing had been.
pub(super) fn pause_node(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = follower(&view, round)?;
        let mut fault = stage.fault(view.of(victim), true);
        stage.cluster.node(victim)?.process().freeze()?;
        stage.detected(&mut fault, victim).await?;
        stage.served(&mut fault).await?;
        stage.rest(&fault, FROZEN).await;
        stage.cluster.node(victim)?.process().thaw()?;
        Ok(fault)
    }
    .boxed_local()
}

async fn kill(stage: &mut Stage, view: &View, victims: &[usize]) -> anyhow::Result<Fault> {
    let hit = victims.iter().flat_map(|it| view.of(*it)).collect();
    let mut fault = stage.fault(hit, true);
    for victim in victims {
        stage.cluster.kill9(*victim, false)?;
    }
    for victim in victims {
        stage.detected(&mut fault, *victim).await?;
    }
    stage.served(&mut fault).await?;
    sleep(AWAY).await;
    for victim in victims {
        stage.cluster.start(*victim)?;
    }
    Ok(fault)
}

/// A node that does not lead, another one each round.
pub(super) fn follower(view: &View, round: usize) -> anyhow::Result<usize> {
    let followers: Vec<usize> =
        view.alive.iter().copied().filter(|it| Some(*it) != view.leader).collect();
    let turn = round.checked_rem(followers.len());
    turn.map(|it| followers[it]).context("find a node that does not lead")
}
