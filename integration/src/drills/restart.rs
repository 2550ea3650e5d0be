//! Restarts: of the nodes in turn as for an upgrade, of a node without its disk, of the broker, and of none.

use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::time::sleep;

use super::kill::follower;
use super::{Fault, Stage};
use crate::view::View;

/// A broker that is away longer than every timeout but those of an hour.
const BROKER_AWAY: Duration = Duration::from_secs(60);
/// How long odd input is let in.
const WATCHED: Duration = Duration::from_secs(10);

pub(super) fn rolling(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let mut fault = stage.fault(view.owned(), false);
        for node in 0..stage.cluster.size() {
            stage.cluster.stop(node).await?;
            let name = stage.cluster.place(node).name.clone();
            stage.mark(&mut fault, &format!("{name} stopped"));
            stage.cluster.start(node)?;
            stage.whole().await.with_context(|| format!("wait for {name} to be back"))?;
            stage.mark(&mut fault, &format!("{name} back"));
        }
        Ok(fault)
    }
    .boxed_local()
}

pub(super) fn local_state_removed(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = follower(&view, round)?;
        let mut fault = stage.fault(view.of(victim), true);
        stage.cluster.kill9(victim, true)?;
        // At once: it is back before or after the others have its ranges, by chance.
        stage.cluster.start(victim)?;
        stage.served(&mut fault).await?;
        Ok(fault)
    }
    .boxed_local()
}

pub(super) fn broker(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    without_broker(stage, view, Duration::ZERO).boxed_local()
}

pub(super) fn broker_away(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    without_broker(stage, view, BROKER_AWAY).boxed_local()
}

async fn without_broker(stage: &mut Stage, view: View, away: Duration) -> anyhow::Result<Fault> {
    let mut fault = stage.fault(view.owned(), false);
    stage.broker.kill()?;
    sleep(away).await;
    stage.broker.restart().await?;
    stage.mark(&mut fault, "broker back");
    stage.served(&mut fault).await?;
    Ok(fault)
}

/// Moves one range to where fewest are.
pub(super) fn planned_move(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let nodes = 0..stage.cluster.size();
        let many = nodes.clone().max_by_key(|it| view.of(*it).len()).context("find a node")?;
        let few = nodes.min_by_key(|it| view.of(*it).len()).context("find a node")?;
        let ranges: Vec<u64> = view.of(many).into_iter().collect();
        let range = ranges[round % ranges.len()];
        let mut fault = stage.fault([range].into(), true);
        stage.cluster.ask_to_move(range, few).await?;
        stage.served(&mut fault).await?;
        Ok(fault)
    }
    .boxed_local()
}

/// Splits one range in the middle of its keys.
pub(super) fn split(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let ranges: Vec<u64> = view.owned().into_iter().collect();
        let range = ranges[round * 5 % ranges.len()];
        let mut fault = stage.fault([range].into(), false);
        fault.hit = stage.split(range).await?;
        fault.gone.insert(range);
        stage.served(&mut fault).await?;
        Ok(fault)
    }
    .boxed_local()
}

/// The input itself is the failure.
pub(super) fn odd_input(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let fault = stage.fault(view.owned(), false);
        sleep(WATCHED).await;
        Ok(fault)
    }
    .boxed_local()
}
