//! Clocks that are set while nodes run.

use std::time::Duration;

use anyhow::ensure;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::time::sleep;

use super::kill::follower;
use super::{Fault, Stage};
use crate::view::View;

/// Longer than any transaction is waited for.
const JUMP_S: i64 = 3_600;
const JUMPED: Duration = Duration::from_secs(10);
/// What a node says of it.
const SEEN: &str = "the machine's clock was set";

/// All clocks jump, or one; ahead, or behind.
pub(super) fn jump(
    stage: &mut Stage,
    view: View,
    round: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let ahead_s = if round.is_multiple_of(2) { JUMP_S } else { -JUMP_S };
        let nodes = match round % 4 {
            0 | 1 => (0..stage.cluster.size()).collect(),
            _ => vec![follower(&view, round / 4)?],
        };
        let mut fault = stage.fault(view.owned(), false);
        for node in &nodes {
            stage.clock(*node)?.set(ahead_s)?;
        }
        sleep(JUMPED).await;
        for node in &nodes {
            let log = stage.cluster.node(*node)?.process().log();
            ensure!(log.contains(SEEN), "node {node} has not seen that its clock was set");
            stage.clock(*node)?.set(0)?;
        }
        stage.mark(&mut fault, "clocks right again");
        stage.served(&mut fault).await?;
        Ok(fault)
    }
    .boxed_local()
}
