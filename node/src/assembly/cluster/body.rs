//! The data plane of a life: an engine that owns nothing when it begins, and the rest of a node around it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actors::clock::{Clock, Witness};
use actors::committer::Fenced;
use actors::engine::{Engine, Holding, Place, Route, Setup};
use actors::machine::partial::layout::Layout;
use actors::remote::{Dial, DialError};
use actors::sink::SinkError;
use anyhow::Context as _;
use coordinator::coordinator::Journals;
use coordinator::machine::member::Member;
use coordinator::machine::plan::Load;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::RwLock;
use proto::types::{Epoch, NodeId, PartitionIndex, RangeId, Slot};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::front::Front;
use super::hub::Hub;
use crate::assembly::backend::EngineBackend;
use crate::assembly::durable::Ground;
use crate::assembly::memory::Shares;
use crate::assembly::upkeep::Upkeep;
use crate::assembly::{inlet, outlet, start};
use crate::cluster::body::{Bodies, Body, Ending, Map};
use crate::config::Config;
use crate::peer::{Address, Peers};

/// How long a range that is given up may take to deliver its last results.
const RELEASE: Duration = Duration::from_secs(10);
/// How long a life that ends in peace waits for its last results to be delivered.
const PATIENCE: Duration = Duration::from_secs(10);
/// A life that was fenced has nothing left to deliver.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Begins engines, one a life.
pub(super) struct EngineBodies {
    pub(super) config: Config,
    pub(super) shares: Shares,
    pub(super) ground: Ground,
    pub(super) peers: Peers,
    pub(super) hub: Arc<Hub>,
    pub(super) front: Arc<Front>,
    pub(super) clock: Clock,
    pub(super) witness: Witness,
}

impl std::fmt::Debug for EngineBodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBodies").finish_non_exhaustive()
    }
}

/// Where nodes are reached, as the map says.
type Addresses = Arc<RwLock<BTreeMap<NodeId, String>>>;

/// An engine, and what ends with it.
struct EngineBody {
    engine: Arc<Engine>,
    addresses: Addresses,
    /// The newest map. What it says is carried out one after the other.
    map: watch::Sender<Option<Map>>,
    dimensions: Vec<String>,
    hub: Arc<Hub>,
    front: Arc<Front>,
    /// The last figures come while the engine stops.
    figures: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
    has_failed: AtomicBool,
}

impl std::fmt::Debug for EngineBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBody").field("node", self.engine.node()).finish_non_exhaustive()
    }
}

impl EngineBodies {
    async fn engine(&self, member: &Member) -> anyhow::Result<EngineBody> {
        let (config, clock) = (&self.config, &self.clock);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let source = inlet::open(config, self.shares.prefetch, clock, &tasks);
        let source = source.await.context("open the source")?;
        let figures = CancellationToken::new();
        let cells = outlet::Cells::start(config, &tasks, figures.clone());
        let layout = Layout::of(&config.rules.scenarios);
        let names = layout.scenarios.iter().flat_map(|scenario| &scenario.dimensions);
        let dimensions: BTreeSet<_> = names.map(|it| it.name.clone()).collect();
        let addresses = Addresses::default();
        // As if it were to own every range: it may have to.
        let held_bytes = self.shares.ranges / usize::from(config.storage.ranges.get());
        let setup = Setup {
            node: member.node.clone(),
            incarnation: member.incarnation,
            journal: self.ground.journals().journal(&member.node, member.incarnation),
            settings: start::settings(config, held_bytes),
            holdings: Vec::new(),
            stores: Box::new(self.ground.stores(self.shares.stores)?),
            births: tokio::sync::Mutex::default(),
            snapshots: self.ground.snapshots(),
            reads: Some(BTreeSet::new()),
            look_back: start::look_back(config, self.shares.prefetch, clock, &tasks),
            dial: dial(&self.peers, &addresses),
            decoders: inlet::decoders(config)?,
            upserts: Box::new(move || Box::new(cells.clone())),
            rules: start::rules(config, &*source),
            layout: Arc::new(layout),
            commit_interval: config.commit.interval,
            alignment: config.join.alignment,
            outbox_bytes: self.shares.outbox,
            clock: Arc::clone(clock),
            witness: Arc::clone(&self.witness),
        };
        let sink = outlet::sink(config, (member.incarnation, member.node.clone()));
        let engine = Arc::new(Engine::start(setup, source, sink).await?);
        // Until the map says so nothing is summed up here: it would be this node's ranges alone.
        engine.aggregate(0, BTreeMap::new());
        let (map, newest) = watch::channel(None);
        tasks.spawn(follow(Arc::clone(&engine), newest, stop.clone()));
        Ok(EngineBody {
            engine,
            addresses,
            map,
            dimensions: dimensions.into_iter().collect(),
            hub: Arc::clone(&self.hub),
            front: Arc::clone(&self.front),
            figures,
            stop,
            tasks,
            has_failed: AtomicBool::new(false),
        })
    }
}

impl Bodies for EngineBodies {
    fn begin(&self, member: &Member) -> BoxFuture<'_, anyhow::Result<Arc<dyn Body>>> {
        let member = member.clone();
        async move {
            // Before any node joined the key space was cut.
            let view = self.ground.view(member.clone()).await?;
            view.agrees(&self.config).await?;
            let body = self.engine(&member).await?;
            let (engine, snapshots) = (Arc::clone(&body.engine), self.ground.snapshots());
            let upkeep = Upkeep::new(Arc::clone(&engine), snapshots, view, self.config.clone());
            let upkeep = Arc::new(upkeep);
            body.tasks.spawn(Arc::clone(&upkeep).run(body.stop.clone()));
            let backend = EngineBackend::new(Arc::clone(&engine), self.config.clone(), upkeep);
            self.hub.begin(engine);
            self.front.begin(Arc::new(backend));
            let body: Arc<dyn Body> = Arc::new(body);
            Ok(body)
        }
        .boxed()
    }
}

/// Reaches other nodes where the map says that they are.
fn dial(peers: &Peers, addresses: &Addresses) -> Dial {
    let (peers, addresses) = (peers.clone(), Arc::clone(addresses));
    Box::new(move |node| {
        let (peers, node) = (peers.clone(), node.clone());
        let address = addresses.read().get(&node).cloned();
        async move {
            let failed = |why: String| DialError { node: node.clone(), why };
            let address = address.ok_or_else(|| failed("the map does not know it".to_owned()))?;
            let address = Address::new(&address).map_err(|error| failed(error.to_string()))?;
            peers.stream(&address).await.map_err(|error| failed(error.to_string()))
        }
        .boxed()
    })
}

/// Carries out what the newest map says, until `stop`. An engine that cannot says why it has failed.
async fn follow(
    engine: Arc<Engine>,
    mut newest: watch::Receiver<Option<Map>>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = newest.changed() => if changed.is_err() { return },
        }
        let Some(map) = newest.borrow_and_update().clone() else { continue };
        engine.route(map.version, &routes(&engine, &map));
        let places = map.aggregators.iter();
        let place = |(name, node): (&String, &NodeId)| (name.clone(), Place::There(node.clone()));
        engine.aggregate(map.version, places.map(place).collect());
        if let Err(error) = engine.read(&map.partitions).await {
            warn!(error = actors::causes::one_line(&error), "cannot read what the map says");
        }
    }
}

fn routes(engine: &Engine, map: &Map) -> Vec<Route> {
    let place = |owner: &Member| match owner.node == *engine.node() {
        true => Place::Here,
        false => Place::There(owner.node.clone()),
    };
    let route = |it: &coordinator::machine::share::Route| Route {
        range: it.range,
        keys: it.keys,
        epoch: it.epoch,
        at: place(&it.owner),
    };
    map.routes.iter().map(route).collect()
}

impl Body for EngineBody {
    fn serve(&self, holding: Holding) -> BoxFuture<'_, anyhow::Result<()>> {
        async move { Ok(self.engine.adopt(holding).await?) }.boxed()
    }

    fn release(&self, range: RangeId) -> BoxFuture<'_, anyhow::Result<Slot>> {
        async move { Ok(self.engine.release(range, RELEASE).await?) }.boxed()
    }

    fn warm(&self, holding: Holding) -> BoxFuture<'_, anyhow::Result<()>> {
        async move {
            self.engine.warm(holding).await;
            Ok(())
        }
        .boxed()
    }

    fn cool(&self, range: RangeId) -> BoxFuture<'_, ()> {
        self.engine.cool(range).boxed()
    }

    fn copies(&self) -> Vec<(RangeId, Epoch, bool)> {
        self.engine.copies()
    }

    /// Not known: ranges are shared out by their number.
    fn loads(&self) -> BTreeMap<RangeId, Load> {
        BTreeMap::new()
    }

    fn partitions(&self) -> BTreeMap<PartitionIndex, i32> {
        let numbers = self.engine.partitions().iter().map(|it| it.partition);
        (0..).map(PartitionIndex).zip(numbers).collect()
    }

    fn dimensions(&self) -> Vec<String> {
        self.dimensions.clone()
    }

    fn routed(&self, map: Map) {
        self.addresses.write().clone_from(&map.addresses);
        self.map.send_replace(Some(map));
    }

    fn ended(&self) -> BoxFuture<'_, Ending> {
        async move {
            let why = self.engine.failed().await;
            self.has_failed.store(true, Ordering::Relaxed);
            // By its journal or by its sink, in their own words.
            let fenced = [Fenced.to_string(), SinkError::Fenced(String::new()).to_string()];
            let is_fenced = fenced.iter().any(|fenced| why.contains(fenced));
            if is_fenced { Ending::Fenced } else { Ending::Failed(why) }
        }
        .boxed()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        async move {
            self.front.end();
            self.hub.end();
            self.stop.cancel();
            let has_failed = self.has_failed.load(Ordering::Relaxed);
            self.engine.stop(if has_failed { AT_ONCE } else { PATIENCE }).await;
            self.figures.cancel();
            self.tasks.close();
            self.tasks.wait().await;
        }
        .boxed()
    }
}
