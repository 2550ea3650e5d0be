//! Storage that fails: an object store that is unkind, and a disk that is full.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::time::sleep;

use super::{Fault, Stage};
use crate::view::View;

/// Every second request: cut, refused, done without an answer, late …
const UNKIND_PERCENT: u64 = 50;
const UNKIND: Duration = Duration::from_secs(10);
const FULL: Duration = Duration::from_secs(10);
const BLOCK: usize = 1 << 20;

pub(super) fn objects_fail(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let mut fault = stage.fault(view.owned(), false);
        stage.faults()?.set(UNKIND_PERCENT);
        sleep(UNKIND).await;
        stage.faults()?.set(0);
        stage.mark(&mut fault, "kind again");
        stage.served(&mut fault).await?;
        Ok(fault)
    }
    .boxed_local()
}

/// A node may end where it has no room, and then starts again when it has: its ranges go to others meanwhile, or wait.
pub(super) fn disk_full(
    stage: &mut Stage,
    view: View,
    _: usize,
) -> LocalBoxFuture<'_, anyhow::Result<Fault>> {
    async move {
        let victim = stage.cluster.size() - 1;
        let mut fault = stage.fault(view.of(victim), false);
        let filler = stage.disk()?.filler();
        let fill = filler.clone();
        tokio::task::spawn_blocking(move || {
            let mut file = File::create(&fill)?;
            let block = vec![1; BLOCK];
            while file.write_all(&block).is_ok() {}
            std::io::Result::Ok(())
        })
        .await?
        .context("fill the disk")?;
        stage.mark(&mut fault, "full");
        sleep(FULL).await;
        std::fs::remove_file(filler).context("make room on the disk")?;
        stage.mark(&mut fault, "has room");
        if stage.cluster.node(victim)?.process().ended()?.is_some() {
            stage.mark(&mut fault, "had ended, is started again");
            stage.cluster.start(victim)?;
        }
        stage.served(&mut fault).await?;
        Ok(fault)
    }
    .boxed_local()
}
