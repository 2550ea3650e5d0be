//! A node starts: from its configuration to a running engine that can be asked and stopped.

use std::sync::Arc;
use std::time::Duration;

use actors::clock::Clock;
use actors::engine::{Engine, LookBack, Setup};
use actors::lock::DirLock;
use actors::machine::partial::layout::Layout;
use actors::machine::range::Settings;
use actors::machine::transaction::Rules;
use actors::remote::{DialError, Duplex};
use actors::source::{Source, SourceError};
use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::types::NodeId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backend::EngineBackend;
use super::cluster::{self, Transport};
use super::memory::Shares;
use super::upkeep::Upkeep;
use super::{durable, explain, inlet, outlet};
use crate::cli::Running;
use crate::config::Config;

/// How long a stopping node waits for its last results to be delivered.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long legs are kept by reference before their transaction is kept by value.
const YOUNG: Duration = Duration::from_secs(3);
/// Transactions of a range that the clock may have under decision at once.
const EXPIRIES: usize = 1_000;

/// Starts the node that `config` describes: one of a cluster where it listens for other nodes, else alone.
pub(super) async fn node(config: Config) -> anyhow::Result<Running> {
    match config.listen.peer.clone() {
        Some(port) => cluster::node(config, Transport::Sockets(port)).await,
        None => single(config).await,
    }
}

async fn single(config: Config) -> anyhow::Result<Running> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (clock, witness) = actors::clock::steered();
    let shares = Shares::of(&config)?;
    let durable = durable::open(&config, shares.stores).await?;
    let source = inlet::open(&config, shares.prefetch, &clock, &tasks);
    let source = source.await.context("open the source")?;
    // Not with `stop`: the last figures come while the engine stops.
    let figures = CancellationToken::new();
    let cells = outlet::Cells::start(&config, &tasks, figures.clone());
    let layout = Arc::new(Layout::of(&config.rules.scenarios));
    let rules = rules(&config, &*source);
    let started = vec![
        format!(
            "{} ranges, node {}, {}",
            durable.holdings.len(),
            config.names.node,
            durable.incarnation
        ),
        format!("{} source partitions", rules.partitions.len()),
    ];
    let setup = Setup {
        node: config.names.node.clone(),
        incarnation: durable.incarnation,
        journal: durable.journal,
        settings: settings(&config, shares.ranges / durable.holdings.len().max(1)),
        holdings: durable.holdings,
        stores: Box::new(durable.stores),
        births: tokio::sync::Mutex::default(),
        snapshots: durable.snapshots.clone(),
        reads: None,
        look_back: look_back(&config, shares.prefetch, &clock, &tasks),
        dial: Box::new(alone),
        decoders: inlet::decoders(&config)?,
        upserts: Box::new(move || Box::new(cells.clone())),
        rules,
        layout,
        commit_interval: config.commit.interval,
        alignment: config.join.alignment,
        outbox_bytes: shares.outbox,
        clock,
        witness,
    };
    let life = (durable.incarnation, config.names.node.clone());
    let engine = Engine::start(setup, source, outlet::sink(&config, life));
    let engine = Arc::new(engine.await?);
    let upkeep =
        Upkeep::new(Arc::clone(&engine), durable.snapshots, durable.cluster, config.clone());
    let upkeep = Arc::new(upkeep);
    tasks.spawn(Arc::clone(&upkeep).run(stop.child_token()));
    Ok(running((engine, upkeep), config, (durable.lock, stop, figures, tasks), started))
}

/// By which rules transactions from `source` are decided.
pub(super) fn rules(config: &Config, source: &dyn Source) -> Arc<Rules> {
    Arc::new(Rules {
        partitions: source.partitions().to_vec(),
        columns: config.rules.result_fields.clone(),
        scenarios: config.rules.scenarios.clone(),
    })
}

/// The program has one node, which owns every range: it has nobody to dial.
fn alone(node: &NodeId) -> BoxFuture<'static, Result<Duplex, DialError>> {
    let why = "this node runs alone".to_owned();
    let error = DialError { node: node.clone(), why };
    async { Err(error) }.boxed()
}

/// Opens the source once more.
pub(super) fn look_back(
    config: &Config,
    prefetch_bytes: usize,
    clock: &Clock,
    tasks: &TaskTracker,
) -> LookBack {
    let (config, clock, tasks) = (config.clone(), Arc::clone(clock), tasks.clone());
    Box::new(move || {
        let (config, clock, tasks) = (config.clone(), Arc::clone(&clock), tasks.clone());
        let open = async move { inlet::open(&config, prefetch_bytes, &clock, &tasks).await };
        let failed = |error: anyhow::Error| SourceError::Unreachable {
            what: "the source, once more".to_owned(),
            source: error.into(),
        };
        open.map(move |it| it.map_err(failed)).boxed()
    })
}

/// The running engine, as the command line knows it.
fn running(
    (engine, upkeep): (Arc<Engine>, Arc<Upkeep>),
    config: Config,
    (lock, stop, figures, tasks): (Arc<DirLock>, CancellationToken, CancellationToken, TaskTracker),
    started: Vec<String>,
) -> Running {
    let (api, metrics) = (config.listen.public, config.listen.metrics);
    let backend = Arc::new(EngineBackend::new(Arc::clone(&engine), config, upkeep));
    let own = Arc::<EngineBackend>::clone(&backend);
    let asked = stop.clone();
    let stopped = async move {
        let ended = tokio::select! {
            () = asked.cancelled() => Ok(()),
            why = engine.failed() => Err(explain::failed(&why)),
        };
        engine.stop(PATIENCE).await;
        asked.cancel();
        figures.cancel();
        tasks.close();
        tasks.wait().await;
        drop(lock);
        ended
    };
    Running { backend, own, api, metrics, started, stop, stopped: stopped.boxed() }
}

pub(super) fn settings(config: &Config, held_bytes: usize) -> Settings {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let join = &config.join;
    let (deadline, correction) = (join.lateness + join.skew, join.correction);
    Settings {
        deadline_ms: ms(deadline),
        correction_ms: ms(correction),
        duplicates_ms: ms(join.duplicates),
        late_ms: ms(correction),
        young_ms: ms(YOUNG),
        // Beyond the last correction, with an hour to spare.
        figures_ms: ms(deadline + correction) + 3_600_000,
        held_bytes,
        expiries: EXPIRIES,
    }
}
