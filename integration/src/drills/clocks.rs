//! Clocks that are set while nodes run: what a node sees instead of the machine's wall clock.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::time::sleep;

use super::kill::follower;
use super::{Fault, Skipped, Stage};
use crate::process::script;
use crate::view::View;

/// Longer than any transaction is waited for.
const JUMP_S: i64 = 3_600;
const JUMPED: Duration = Duration::from_secs(10);
/// What a node says of it.
const SEEN: &str = "the machine's clock was set";

/// A node's clock. It goes as the machine's does, as far ahead of it or behind as it was set.
#[derive(Clone, Debug)]
pub struct NodeClock {
    /// What stands between the program and the machine's clock.
    library: PathBuf,
    /// How far ahead it is.
    ahead: PathBuf,
}

impl NodeClock {
    /// A clock that is right; what it needs is kept in `folder`.
    ///
    /// # Errors
    ///
    /// [`Skipped`] where this machine has no compiler; or nothing can be written.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let (library, ahead) = (folder.join("wall.so"), folder.join("ahead"));
        let compiled = Command::new("clang")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&library, &script("wall.c")])
            .output()
            .map_err(|why| Skipped(format!("clang cannot be started: {why}")))?;
        if !compiled.status.success() {
            let why = String::from_utf8_lossy(&compiled.stderr).trim().to_owned();
            return Err(
                Skipped(format!("a clock that can be set cannot be made here: {why}")).into()
            );
        }
        let clock = Self { library, ahead };
        clock.set(0)?;
        Ok(clock)
    }

    /// From now on it is so many seconds ahead of the machine's.
    ///
    /// # Errors
    ///
    /// Where its file cannot be written.
    pub fn set(&self, ahead_s: i64) -> anyhow::Result<()> {
        // In place: whoever sees this clock has the file before their eyes.
        let file = File::options().create(true).truncate(false).write(true).open(&self.ahead);
        let nanos = ahead_s * 1_000_000_000;
        file.and_then(|it| it.write_all_at(&nanos.to_ne_bytes(), 0)).context("set a clock")
    }

    /// What a program is started with to see this clock.
    #[must_use]
    pub fn variables(&self) -> [String; 2] {
        [
            format!("LD_PRELOAD={}", self.library.display()),
            format!("THROUGHLINE_WALL={}", self.ahead.display()),
        ]
    }
}

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
