//! What a node does as time passes: it takes snapshots, and lets go what they make superfluous.

pub(super) mod look;
mod phases;
pub(super) mod requests;
mod take;

use std::pin::pin;
use std::sync::Arc;

use actors::engine::{Engine, Tidied, Tidying, View};
use actors::histogram::Distribution;
use actors::machine::trim::Keep;
use actors::snapshot::Snapshots;
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::phases::{Phase, Phases};
use self::requests::{Part, Requests, Taking};
use self::take::Taken;
use super::durable::ClusterView;
use crate::api::backend::Upkeep as Shown;
use crate::config::Config;
use crate::problem::{Code, Problem};

/// Takes snapshots of a running engine, and tidies up behind them: one thing after the other, in [`Upkeep::run`].
pub(super) struct Upkeep {
    engine: Arc<Engine>,
    snapshots: Snapshots,
    cluster: ClusterView,
    config: Config,
    shown: Mutex<Shown>,
    phases: Phases,
    requests: Requests,
}

impl Upkeep {
    pub(super) fn new(
        engine: Arc<Engine>,
        snapshots: Snapshots,
        cluster: ClusterView,
        config: Config,
    ) -> Self {
        let (shown, phases, requests) = (Mutex::default(), Phases::default(), Requests::default());
        Self { engine, snapshots, cluster, config, shown, phases, requests }
    }

    pub(super) const fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// How the snapshots of this life of the node went.
    pub(super) fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }

    /// How long the parts of snapshots took, by their names.
    pub(super) fn phases(&self) -> Vec<(&'static str, Distribution)> {
        self.phases.shown()
    }

    /// A snapshot that is taken as soon as no other is, whether somebody waits for it or not. The same request again is
    /// the same snapshot.
    pub(super) fn wanted(&self, request_id: &str) -> Taking {
        self.requests.ask(request_id)
    }

    async fn create(&self) -> Result<Part, Problem> {
        let work = take::snapshot(&self.engine, &self.snapshots, &self.config, &self.phases);
        let taken = self.phases.measure(Phase::Total, work).await;
        let mut shown = self.shown.lock();
        match &taken {
            Ok(Taken { part: taken, held_ms }) => {
                shown.newest = Some((taken.snapshot.name.clone(), taken.snapshot.new_bytes));
                shown.took_ms = taken.snapshot.took_ms;
                shown.held_ms = Some(*held_ms);
                shown.trouble = None;
            }
            Err(problem) if problem.code == Code::CatchingUp => {}
            Err(problem) => {
                shown.failures += 1;
                shown.trouble = Some(format!("no snapshot could be taken: {problem}"));
            }
        }
        taken.map(|taken| taken.part)
    }

    /// Takes snapshots for as long as the node runs. What fails is told, and tried again the next time.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let work = async {
            let mut committed = 0;
            let mut rest = pin!(tokio::time::sleep(self.config.snapshots.every));
            loop {
                tokio::select! {
                    () = &mut rest => {}
                    asked = self.requests.next() => {
                        asked.done(self.create().await);
                        continue;
                    }
                }
                rest.set(tokio::time::sleep(self.config.snapshots.every));
                let commits = self.engine.shown().commits;
                // Nothing new, nothing to keep; and who was idle for a night has not lost its snapshots. What a node
                // without ranges has is let go as others take snapshots.
                if self.engine.ranges().is_empty() {
                    self.let_go().await;
                } else if commits != committed && self.round().await {
                    committed = commits;
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    /// A snapshot, and what goes behind it. Whether there is a new snapshot.
    async fn round(&self) -> bool {
        let is_taken = match self.create().await {
            Ok(Part { snapshot, .. }) => {
                let (name, took_ms) = (&snapshot.name, snapshot.took_ms);
                let held_ms = self.shown().held_ms;
                info!(name, took_ms, held_ms, new_bytes = snapshot.new_bytes, "snapshot taken");
                true
            }
            Err(problem) if problem.code == Code::CatchingUp => return false,
            Err(problem) => {
                warn!(%problem, "no snapshot could be taken, trying again");
                false
            }
        };
        // Also where none was taken: a disk that is full needs it most.
        self.let_go().await;
        is_taken
    }

    async fn let_go(&self) {
        match self.tidy().await {
            Ok(Tidied { snapshots, slots, files }) => {
                self.shown.lock().trimmed_slots += slots as u64;
                info!(snapshots, slots, files, "what no snapshot needs has gone");
            }
            Err(error) => {
                let error = format!("{error:#}");
                warn!(error, "what no snapshot needs stays, trying again");
                let mut shown = self.shown.lock();
                shown.failures += 1;
                shown.trouble.get_or_insert(format!("what no snapshot needs stays: {error}"));
            }
        }
    }

    /// What is deleted after it rests on snapshots that are there now. Whoever takes over later finds them.
    async fn look(&self) -> Result<View, Box<dyn std::error::Error + Send + Sync>> {
        let view = self.cluster.look().await?;
        view.ok_or_else(|| "another process has taken over".into())
    }

    async fn tidy(&self) -> anyhow::Result<Tidied> {
        let keep = self.config.join.keep_results;
        let age_ms = u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX);
        let tidying = Tidying {
            snapshots: &self.snapshots,
            keep: usize::from(self.config.snapshots.keep),
            keep_results: Keep { age_ms, bytes: keep.size },
            look: &|| self.look().boxed(),
            journal: &|life| self.cluster.journal(life),
        };
        Ok(tidying.tidy(actors::clock::wall()()).await?)
    }
}
