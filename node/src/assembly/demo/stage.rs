//! The nodes of a demo in one process: each may be killed at any time, and comes back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actors::clock::Clock;
use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::join_all;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::backend::{AnyNode, FirstNode};
use super::process::{End, Process, Voice};
use crate::assembly::inlet;
use crate::cli::{Demo, Down, Nodes, Running};
use crate::config::Config;
use crate::peer::local::Exchange;

/// How long a node stays away that was killed: the others are done with its ranges by then.
const AWAY: Duration = Duration::from_secs(6);

/// The nodes.
pub(super) struct Stage {
    seats: Vec<Seat>,
    exchange: Exchange,
    clock: Clock,
    /// How often a node was started.
    starts: AtomicU64,
}

/// A node, whether it runs or not.
struct Seat {
    config: Config,
    present: Mutex<Present>,
}

enum Present {
    /// It runs, as the so many'th start of all.
    Up(u64, Voice),
    /// It comes back then.
    Down { until_ms: u64 },
}

/// Starts a node for each of the configurations, which differ in name and folders.
pub(super) async fn start(configs: Vec<Config>) -> anyhow::Result<Demo> {
    let clock = actors::clock::wall();
    let began_ms = clock();
    for config in &configs {
        let dir = &config.storage.dir;
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        inlet::begin_traffic(dir, began_ms)?;
    }
    let seat = |config| Seat { config, present: Mutex::new(Present::Down { until_ms: 0 }) };
    let seats = configs.into_iter().map(seat).collect();
    let (exchange, starts) = (Exchange::default(), AtomicU64::new(0));
    let stage = Arc::new(Stage { seats, exchange, clock, starts });
    let mut processes = Vec::new();
    for seat in &stage.seats {
        processes.push(stage.enter(seat).await?);
    }
    Ok(demo(stage, processes))
}

fn demo(stage: Arc<Stage>, processes: Vec<Process>) -> Demo {
    let first = &stage.seats[0].config;
    let (api, metrics) = (first.listen.public, first.listen.metrics);
    let (count, ranges) = (stage.seats.len(), first.storage.ranges);
    let started = vec![format!("{count} nodes in this process, {ranges} ranges")];
    let stop = CancellationToken::new();
    // Not only once somebody waits for its end: who was killed has to come back meanwhile.
    let playing = TaskTracker::new().spawn(play(Arc::clone(&stage), processes, stop.clone()));
    let stopped = async { playing.await? }.boxed();
    let backend = Arc::new(AnyNode::new(Arc::clone(&stage)));
    let own = Arc::new(FirstNode(Arc::clone(&stage)));
    let running = Running { backend, own, api, metrics, started, stop, stopped };
    Demo { running, nodes: Some(stage) }
}

/// Until all have stopped.
async fn play(
    stage: Arc<Stage>,
    processes: Vec<Process>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let each = stage.seats.iter().zip(processes);
    let ended = join_all(each.map(|(seat, process)| stage.keep(seat, process, &stop))).await;
    ended.into_iter().collect()
}

impl Stage {
    /// How to ask each node that runs, with which start it was; first the one that has run for longest, as it knows the
    /// others.
    pub(super) fn voices(&self) -> Vec<(u64, Voice)> {
        let mut voices: Vec<_> = self.seats.iter().filter_map(Seat::up).collect();
        voices.sort_by_key(|(start, _)| *start);
        voices
    }

    /// How to ask the first node; `None` where it does not run.
    pub(super) fn first(&self) -> Option<Voice> {
        self.seats.first().and_then(Seat::up).map(|(_, voice)| voice)
    }

    /// Keeps a node running until `stop`.
    async fn keep(
        &self,
        seat: &Seat,
        mut process: Process,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            match process.run(stop).await {
                End::Asked => {
                    let stopped = process.stop().await;
                    self.leave(seat);
                    return stopped;
                }
                End::Killed => {}
                End::Failed(outcome) => {
                    let why = outcome.err().map(|error| format!("{error:#}"));
                    error!(node = %seat.config.names.node, why, "a node has ended by itself");
                }
            }
            self.leave(seat);
            process.kill().await;
            let Some(back) = self.come_back(seat, stop).await else { return Ok(()) };
            process = back;
        }
    }

    /// Starts a node again; `None` where it is asked to `stop` before.
    async fn come_back(&self, seat: &Seat, stop: &CancellationToken) -> Option<Process> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(AWAY) => {}
            }
            match self.enter(seat).await {
                Ok(process) => return Some(process),
                Err(error) => {
                    let (node, why) = (&seat.config.names.node, format!("{error:#}"));
                    error!(%node, why, "a node does not start, trying again");
                    self.leave(seat);
                }
            }
        }
    }

    /// Starts a node, and lets it be asked.
    async fn enter(&self, seat: &Seat) -> anyhow::Result<Process> {
        let (process, voice) = Process::start(seat.config.clone(), self.exchange.clone()).await?;
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        *seat.present.lock() = Present::Up(start, voice);
        Ok(process)
    }

    /// Nobody asks the node any more.
    fn leave(&self, seat: &Seat) {
        let until_ms = (self.clock)() + u64::try_from(AWAY.as_millis()).unwrap_or(0);
        *seat.present.lock() = Present::Down { until_ms };
    }
}

impl Seat {
    fn up(&self) -> Option<(u64, Voice)> {
        match &*self.present.lock() {
            Present::Up(start, voice) => Some((*start, voice.clone())),
            Present::Down { .. } => None,
        }
    }
}

impl Nodes for Stage {
    fn kill(&self, number: u8) -> bool {
        let seat = number.checked_sub(1).and_then(|place| self.seats.get(usize::from(place)));
        let Some((seat, (_, voice))) = seat.and_then(|seat| Some((seat, seat.up()?))) else {
            return false;
        };
        self.leave(seat);
        voice.killed.cancel();
        true
    }

    fn down(&self) -> Vec<Down> {
        let now_ms = (self.clock)();
        let down = |seat: &Seat| match &*seat.present.lock() {
            Present::Up(..) => None,
            Present::Down { until_ms } => Some(Down {
                node: seat.config.names.node.clone(),
                back_in: Duration::from_millis(until_ms.saturating_sub(now_ms)),
            }),
        };
        self.seats.iter().filter_map(down).collect()
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("nodes", &self.seats.len()).finish_non_exhaustive()
    }
}
