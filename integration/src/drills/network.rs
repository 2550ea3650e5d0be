//! Networks that cut nodes off from each other, in one direction or both, for long or again and again, or are slow.
//! All reach the broker and the objects as before: who is cut off from the others must notice by itself that it is over.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::time::sleep;

use super::kill::follower;
use super::{Fault, Stage};
use crate::view::View;
use crate::wires::{Rule, Way};

/// Longer than any node is waited for (`deadAfter`).
const CUT: Duration = Duration::from_secs(8);
const FLAPS: u32 = 8;
const FLAP: Duration = Duration::from_millis(700);
const SLOW: Duration = Duration::from_secs(10);
const SLOW_RULE: Rule =
    Rule { is_cut: false, delay: Duration::from_millis(200), lost_of_thousand: 50 };

pub(super) fn cut_node(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = follower(&view, round)?;
        let mut fault = stage.fault(view.of(victim), true);
        stage.wires()?.set(around(victim, stage.cluster.size(), Both), Rule::CUT);
        stage.detected(&mut fault, victim).await?;
        stage.served(&mut fault).await?;
        stage.rest(&fault, CUT).await;
        stage.wires()?.heal();
        Ok(fault)
    }
    .boxed_local()
}

/// What the victim says is not heard, and it hears all; in the next round the other way round. Either may cost it its
/// ranges, and neither has to: so none counts as moved.
pub(super) fn cut_one_way(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = follower(&view, round / 2)?;
        let fault = stage.fault(view.of(victim), false);
        let which = if round.is_multiple_of(2) { Out } else { In };
        stage.wires()?.set(around(victim, stage.cluster.size(), which), Rule::CUT);
        stage.rest(&fault, CUT).await;
        stage.wires()?.heal();
        Ok(fault)
    }
    .boxed_local()
}

pub(super) fn flapping(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = follower(&view, round)?;
        let fault = stage.fault(view.of(victim), false);
        for _ in 0..FLAPS {
            stage.wires()?.set(around(victim, stage.cluster.size(), Both), Rule::CUT);
            sleep(FLAP).await;
            stage.wires()?.heal();
            sleep(FLAP).await;
        }
        Ok(fault)
    }
    .boxed_local()
}

pub(super) fn slow_network(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let fault = stage.fault(view.owned(), false);
        let nodes = stage.cluster.size();
        let ways = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        stage.wires()?.set(ways, SLOW_RULE);
        stage.rest(&fault, SLOW).await;
        stage.wires()?.heal();
        Ok(fault)
    }
    .boxed_local()
}

/// What of a node's ways.
#[derive(Clone, Copy)]
enum Side {
    Out,
    In,
    Both,
}
use Side::{Both, In, Out};

fn around(victim: usize, nodes: usize, side: Side) -> Vec<Way> {
    let others = (0..nodes).filter(|it| *it != victim);
    let ways = others.flat_map(|it| match side {
        Out => vec![(victim, it)],
        In => vec![(it, victim)],
        Both => vec![(victim, it), (it, victim)],
    });
    ways.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_cut_from_all_others_in_the_directions_that_are_meant() {
        assert_eq!(around(1, 3, Out), [(1, 0), (1, 2)]);
        assert_eq!(around(1, 3, In), [(0, 1), (2, 1)]);
        assert_eq!(around(0, 2, Both), [(0, 1), (1, 0)]);
    }
}
