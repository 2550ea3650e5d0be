//! Nodes on one source and one object store, and who owns what.

mod net;
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use proto::log::{Created, Log as _};
use proto::types::{
    Ancestor, Epoch, Incarnation, KeyRange, Leg, NodeId, Offset, PartitionIndex, RangeId, Sequence,
    Slot, SourcePartition,
};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use self::net::Net;
use crate::aggregator::{UpsertRow, Upserts};
use crate::engine::{Engine, Holding, Life, Past, Place, ReleaseError, Route, Setup, Stores};
use crate::journal::log::{ObjectLog, ObjectLogs};
use crate::machine::fields::FieldTable;
use crate::machine::range::Settings;
use crate::machine::result_field::ResultField;
use crate::machine::transaction::Rules;
use crate::sink::{Row, Sink, SinkError};
use crate::snapshot::Snapshots;
use crate::source::decode::{Decoder, Limits};
use crate::source::{Limit, Partition, Progress, Record, Source, SourceError, Waker};
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError};

const PATIENCE: Duration = Duration::from_secs(20);
const PARTITIONS: usize = 2;

/// Partitions that grow, in memory.
#[derive(Default)]
pub(super) struct Topics {
    partitions: Vec<SourcePartition>,
    records: Vec<Mutex<Vec<(u64, String)>>>,
    wakers: Mutex<Vec<Waker>>,
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

impl Topics {
    fn new() -> Self {
        let name =
            |leg: Leg, partition| SourcePartition { topic: leg.name().into(), partition, leg };
        let partitions: Vec<_> = Leg::ALL
            .into_iter()
            .flat_map(|leg| (0..).take(PARTITIONS).map(move |partition| name(leg, partition)))
            .collect();
        let records = partitions.iter().map(|_| Mutex::default()).collect();
        Self { partitions, records, wakers: Mutex::default() }
    }

    fn append(&self, leg: Leg, partition: usize, record: String) {
        let now = crate::clock::wall()();
        self.records[leg.index() * PARTITIONS + partition].lock().push((now, record));
    }
}

#[derive(Clone, Debug)]
struct Shared(Arc<Topics>);

impl Source for Shared {
    fn partitions(&self) -> &[SourcePartition] {
        &self.0.partitions
    }

    fn open(
        &self,
        index: PartitionIndex,
        from: Offset,
        waker: Waker,
    ) -> Result<Box<dyn Partition>, SourceError> {
        self.0.wakers.lock().push(waker);
        Ok(Box::new(Reading { topics: Arc::clone(&self.0), index: index.index(), next: from.0 }))
    }

    fn committed(&self, _: &[(PartitionIndex, Offset)]) {}
}

struct Reading {
    topics: Arc<Topics>,
    index: usize,
    next: u64,
}

impl Partition for Reading {
    fn read(
        &mut self,
        limit: Limit,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Result<Progress, SourceError> {
        let records = self.topics.records[self.index].lock();
        let end = records.len() as u64;
        let upto = end.min(self.next + limit.records as u64);
        let first = usize::try_from(self.next).unwrap();
        for (offset, (time_ms, text)) in (self.next..upto).zip(&records[first.min(records.len())..])
        {
            let payload = Some(text.as_bytes());
            take(Record { offset: Offset(offset), time_ms: *time_ms, payload });
        }
        self.next = upto.max(self.next);
        Ok(Progress { next: Offset(self.next), end: Some(Offset(end)), more: self.next < end })
    }

    fn seek(&mut self, offset: Offset) -> Result<(), SourceError> {
        self.next = offset.0;
        Ok(())
    }
}

/// What all nodes' sinks have taken.
#[derive(Clone, Debug, Default)]
struct Taken {
    rows: Arc<Mutex<Vec<Row>>>,
    /// The lives that were shut out.
    fenced: Arc<Mutex<BTreeSet<Life>>>,
    is_closed: Arc<AtomicBool>,
}

impl Sink for Taken {
    fn fence<'a>(&'a mut self, lives: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>> {
        self.fenced.lock().extend(lives.iter().cloned());
        async { Ok(()) }.boxed()
    }

    fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn deliver<'a>(&'a mut self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>> {
        async move {
            if self.is_closed.load(Ordering::SeqCst) {
                let doing = "deliver to a closed sink".to_owned();
                return Err(SinkError::Unavailable { doing, source: "closed".into() });
            }
            self.rows.lock().extend_from_slice(rows);
            Ok(())
        }
        .boxed()
    }
}

/// A compacted topic: of each cell the version that came last, whoever pushed it.
#[derive(Clone, Debug, Default)]
struct Pushed(Arc<Mutex<BTreeMap<Bytes, u64>>>);

impl Upserts for Pushed {
    fn upsert(&mut self, rows: Vec<UpsertRow>) {
        self.0.lock().extend(rows.into_iter().map(|row| (row.key, row.version)));
    }
}

#[derive(Clone, Debug)]
struct Memory(Arc<Mutex<BTreeMap<RangeId, MemoryStore>>>, Arc<TempDir>);

impl Stores for Memory {
    fn open(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError> {
        let mut stores = self.0.lock();
        Ok(Box::new(stores.entry(range).or_insert_with(|| MemoryStore::new(0)).clone()))
    }

    fn destroy(&self, range: RangeId) -> Result<(), StoreError> {
        self.0.lock().remove(&range);
        Ok(())
    }

    fn folder(&self, range: RangeId) -> PathBuf {
        self.1.path().join(range.to_string())
    }

    fn adopt(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError> {
        let store = MemoryStore::open(&self.folder(range), 0)?;
        self.0.lock().insert(range, store);
        self.open(range)
    }
}

/// A life that was over before the nodes began.
pub(super) fn before() -> Life {
    (Incarnation(1), NodeId::new("before").unwrap())
}

pub(super) struct Node {
    pub(super) life: Life,
    pub(super) engine: Arc<Engine>,
}

struct Owned {
    holding: Holding,
    owner: usize,
}

/// Nodes, and who owns what: what the control log would say.
pub(super) struct World {
    objects: Arc<InMemory>,
    topics: Arc<Topics>,
    taken: Taken,
    pushed: Pushed,
    /// Which node sums up which dimension.
    pub(super) summed: BTreeMap<&'static str, usize>,
    /// The nodes that are gone.
    lost: BTreeSet<usize>,
    pub(super) nodes: Vec<Node>,
    ranges: Vec<Owned>,
    /// The greatest number that a range has had.
    last_range: RangeId,
    pub(super) net: Net,
    /// The version of the map; `None` where nodes know nothing of each other, and each reads all.
    version: Option<u64>,
    /// The nodes that do not hear of changes to the map.
    pub(super) deaf: BTreeSet<usize>,
    /// How often a source was opened once more.
    pub(super) looked_back: Arc<AtomicUsize>,
}

impl World {
    /// `ranges` ranges on as many nodes as `shares` has; each owns as many as it says.
    pub(super) async fn new(ranges: u16, shares: &[usize]) -> Self {
        Self::begin(ranges, shares, None).await
    }

    /// The same, but each node reads its share of the partitions, for all ranges wherever they are.
    pub(super) async fn cluster(ranges: u16, shares: &[usize]) -> Self {
        let mut world = Self::begin(ranges, shares, Some(0)).await;
        world.tell();
        world
    }

    async fn begin(ranges: u16, shares: &[usize], version: Option<u64>) -> Self {
        let owners = shares.iter().enumerate();
        let owners = owners.flat_map(|(node, &count)| std::iter::repeat_n(node, count));
        let keys = KeyRange::divide(NonZeroU16::new(ranges).unwrap());
        let owned = |((id, keys), owner)| {
            let (id, epoch) = (RangeId(id), Epoch::NONE.next());
            let (past, ancestors, ended) = (Vec::new(), Vec::new(), Arc::from([before()]));
            Owned { holding: Holding { id, keys, epoch, past, ancestors, ended }, owner }
        };
        let mut world = Self {
            objects: Arc::default(),
            topics: Arc::new(Topics::new()),
            taken: Taken::default(),
            pushed: Pushed::default(),
            summed: BTreeMap::new(),
            lost: BTreeSet::new(),
            nodes: Vec::new(),
            ranges: (0..).zip(keys).zip(owners).map(owned).collect(),
            last_range: RangeId(ranges - 1),
            net: Net::default(),
            version,
            deaf: BTreeSet::new(),
            looked_back: Arc::default(),
        };
        for number in 0..shares.len() {
            let life = (Incarnation(1), NodeId::new(&format!("node-{number}")).unwrap());
            let own = world.ranges.iter().filter(|it| it.owner == number);
            let source = Arc::new(Shared(Arc::clone(&world.topics)));
            let mut setup = world.setup(&life, own.map(|it| it.holding.clone()).collect());
            setup.reads = version.map(|_| share(number, shares.len()));
            let sink = Box::new(world.taken.clone());
            let engine = Arc::new(Engine::start(setup, source, sink).await.unwrap());
            world.net.join(&engine);
            world.nodes.push(Node { life, engine });
        }
        world
    }

    fn journal(&self, (incarnation, node): &Life) -> ObjectLog {
        let objects: Arc<dyn ObjectStore> = self.objects.clone();
        ObjectLogs::new(objects).object_log(&format!("journal/{node}/{}", incarnation.0))
    }

    fn setup(&self, life: &Life, holdings: Vec<Holding>) -> Setup {
        let mut table = FieldTable::default();
        let status = table.intern(Leg::Response, "/status");
        let columns = vec![ResultField { name: "status".to_owned(), from: vec![status] }];
        let channel = table.intern(Leg::Trace, "/channel");
        let scenarios = vec![sums::scenario(&[("channel", channel), ("status", status)])];
        let (layout, pushed) = (sums::layout(&scenarios), self.pushed.clone());
        let partitions = self.topics.partitions.clone();
        let (topics, looked_back) = (Arc::clone(&self.topics), Arc::clone(&self.looked_back));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Setup {
            node: life.1.clone(),
            incarnation: life.0,
            journal: Arc::new(self.journal(life)),
            holdings,
            stores: Box::new(Memory(Arc::default(), dir)),
            births: tokio::sync::Mutex::default(),
            snapshots: Snapshots::new(self.objects.clone()),
            reads: None,
            dial: self.net.dial(life.1.clone()),
            look_back: Box::new(move || {
                looked_back.fetch_add(1, Ordering::SeqCst);
                let source: Arc<dyn Source> = Arc::new(Shared(Arc::clone(&topics)));
                async { Ok(source) }.boxed()
            }),
            decoders: Box::new(decoder),
            upserts: Box::new(move || Box::new(pushed.clone())),
            rules: Arc::new(Rules { partitions, columns, scenarios }),
            layout: Arc::new(layout),
            settings: Settings {
                deadline_ms: 3_600_000,
                correction_ms: 3_600_000,
                duplicates_ms: 3_600_000,
                late_ms: 3_600_000,
                young_ms: 100,
                figures_ms: u64::MAX,
                held_bytes: 1 << 20,
                expiries: 100,
            },
            commit_interval: Duration::from_millis(5),
            alignment: Duration::from_secs(60),
            outbox_bytes: 1 << 20,
            clock: crate::clock::wall(),
            witness: Arc::new(|_| {}),
        }
    }

    /// How many ranges there are.
    pub(super) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// What the sinks have taken.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.taken.rows.lock().clone()
    }

    /// The lives that the sinks were told to shut out.
    pub(super) fn fenced(&self) -> BTreeSet<Life> {
        self.taken.fenced.lock().clone()
    }

    /// The sinks refuse everything, or take it again.
    pub(super) fn close_sinks(&self, is_closed: bool) {
        self.taken.is_closed.store(is_closed, Ordering::SeqCst);
    }

    /// The owner gives the range at `place` up, and nobody gets it.
    pub(super) async fn release(
        &self,
        place: usize,
        patience: Duration,
    ) -> Result<Slot, ReleaseError> {
        let range = &self.ranges[place];
        self.nodes[range.owner].engine.release(range.holding.id, patience).await
    }

    /// A node is told to give up the range at `place`.
    pub(super) async fn release_from(
        &self,
        node: usize,
        place: usize,
    ) -> Result<Slot, ReleaseError> {
        self.nodes[node].engine.release(self.ranges[place].holding.id, PATIENCE).await
    }

    /// The range at `place` goes to the next node.
    pub(super) async fn moves(&mut self, place: usize) {
        self.moves_by(place, 1).await;
    }

    /// The range at `place` goes to the next node, unless it is not given up in time.
    pub(super) async fn tries_to_move(&mut self, place: usize, patience: Duration) {
        match self.release(place, patience).await {
            Ok(to) => self.goes(place, to, (self.ranges[place].owner + 1) % self.nodes.len()).await,
            Err(refused) => {
                assert!(matches!(refused, ReleaseError::NotSettled { .. }), "{refused}")
            }
        }
    }

    /// The range at `place` goes so many nodes on.
    pub(super) async fn moves_by(&mut self, place: usize, nodes: usize) {
        let to = self.release(place, PATIENCE).await.unwrap();
        let from = self.ranges[place].owner;
        self.goes(place, to, (from + nodes) % self.nodes.len()).await;
        self.tell();
    }

    /// The range at `place` becomes two, in the middle of its keys, which its owner serves.
    pub(super) async fn splits(&mut self, place: usize) {
        let to = self.release(place, PATIENCE).await.unwrap();
        let Owned { holding, owner } = self.ranges.remove(place);
        let life = self.nodes[owner].life.clone();
        let (start, end) = (u128::from(holding.keys.start()), u128::from(holding.keys.end()));
        let end = if end == 0 { 1 << 64 } else { end };
        let middle = u64::try_from(u128::midpoint(start, end)).unwrap();
        let (below, above) = holding.keys.split(middle).unwrap();
        for (number, keys) in [below, above].into_iter().enumerate() {
            let ancestor = Ancestor {
                range: holding.id,
                keys: holding.keys,
                passes_figures: number == 0,
                child_epoch: holding.epoch.next(),
            };
            let mut child = holding.clone();
            self.last_range = RangeId(self.last_range.0 + 1);
            (child.id, child.keys, child.epoch) = (self.last_range, keys, holding.epoch.next());
            child.past.push(self.past(&holding, &life, to));
            child.ancestors.push(ancestor);
            self.ranges.insert(place + number, Owned { holding: child, owner });
        }
        let engine = &self.nodes[owner].engine;
        let children = self.ranges[place..place + 2].iter().map(|it| it.holding.clone());
        let adopted = futures::future::join_all(children.map(|child| engine.adopt(child))).await;
        adopted.into_iter().for_each(|it| it.unwrap());
        self.tell();
    }

    /// What `life` has committed for a range, up to `to`.
    fn past(&self, holding: &Holding, life: &Life, to: Slot) -> Past {
        let before = holding.past.iter().rev().find(|past| past.life == *life);
        let from = before.map_or(Slot(1), |past| past.to);
        let (range, epoch, journal) =
            (holding.id, holding.epoch, Arc::new(self.journal(life)) as _);
        Past { range, life: life.clone(), epoch, journal, from, to }
    }

    /// The next node has a copy of the range at `place`, nearly as far as its owner.
    pub(super) async fn warms(&self, place: usize) {
        let Owned { holding, owner } = &self.ranges[place];
        let life = self.nodes[*owner].life.clone();
        let mut holding = holding.clone();
        let epoch = holding.epoch;
        let mut past = self.past(&holding, &life, Slot(0));
        past.to = past.from;
        holding.past.push(past);
        let (next, range) = (&self.nodes[(owner + 1) % self.nodes.len()].engine, holding.id);
        next.warm(holding.clone()).await;
        next.warm(holding).await;
        let waited = tokio::time::timeout(PATIENCE, async {
            while next.copies() != [(range, epoch, true)] {
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "not ready: {:?}", next.copies());
    }

    /// Who hears it hears the map.
    pub(super) fn tell(&mut self) {
        let Some(version) = &mut self.version else { return };
        *version += 1;
        let version = *version;
        for number in 0..self.nodes.len() {
            if !self.deaf.contains(&number) {
                self.nodes[number].engine.route(version, &self.map(number));
                self.nodes[number].engine.aggregate(version, self.places());
            }
        }
    }

    /// The map, as it is told to a node.
    pub(super) fn map(&self, number: usize) -> Vec<Route> {
        let route = |owned: &Owned| {
            let Holding { id, keys, epoch, .. } = owned.holding;
            let there = || Place::There(self.nodes[owned.owner].life.1.clone());
            let at = if owned.owner == number { Place::Here } else { there() };
            Route { range: id, keys, epoch, at }
        };
        self.ranges.iter().map(route).collect()
    }

    /// A node is gone without a word: others get its ranges, and read what it has read.
    pub(super) async fn loses(&mut self, node: usize) {
        self.net.down(&self.nodes[node].life.1);
        let partitions = self.topics.partitions.len();
        self.shuts_out(node, true).await;
        self.lost.insert(node);
        self.tell();
        let left: Vec<_> = (0..self.nodes.len()).filter(|it| *it != node).collect();
        for (place, number) in left.iter().enumerate() {
            let of = |index: &PartitionIndex| index.index() % left.len() == place;
            let reads = (0..).map(PartitionIndex).take(partitions).filter(of).collect();
            self.nodes[*number].engine.read(&reads).await.unwrap();
        }
    }

    /// Waits until the ranges of these nodes have applied all that there is.
    pub(super) async fn applied(&self, nodes: &[usize]) {
        let ends: Vec<u64> = self.topics.records.iter().map(|it| it.lock().len() as u64).collect();
        let waited = tokio::time::timeout(PATIENCE, async {
            for &number in nodes {
                while !self.has_applied(number, &ends).await {
                    sleep(Duration::from_millis(10)).await;
                }
            }
        });
        assert!(waited.await.is_ok(), "not applied: {:?}", self.consumed().await);
    }

    async fn has_applied(&self, number: usize, ends: &[u64]) -> bool {
        let reports = self.nodes[number].engine.reports().await.unwrap();
        let mut positions = reports.iter().map(|report| report.positions.iter());
        positions.all(|it| it.map(|position| position.offset.0).eq(ends.iter().copied()))
    }

    /// Waits until each node knows that everything is durable, of the partitions that it reads and no others.
    pub(super) async fn durable(&self) {
        let end =
            |index: &PartitionIndex| Offset(self.topics.records[index.index()].lock().len() as u64);
        for node in &self.nodes {
            let reads = node.engine.reads();
            let expected: Vec<_> = reads.iter().map(|index| (*index, end(index))).collect();
            let links = &node.engine.links;
            let waited = tokio::time::timeout(PATIENCE, async {
                while !links.all_have_committed() || links.safe_positions() != expected {
                    sleep(Duration::from_millis(20)).await;
                }
            });
            assert!(waited.await.is_ok(), "{:?} is not {expected:?}", links.safe_positions());
        }
    }

    async fn goes(&mut self, place: usize, to: Slot, next: usize) {
        let life = self.nodes[self.ranges[place].owner].life.clone();
        let past = self.past(&self.ranges[place].holding, &life, to);
        let range = &mut self.ranges[place];
        range.holding.past.push(past);
        range.holding.epoch = range.holding.epoch.next();
        range.owner = next;
        // An order may come twice.
        self.nodes[next].engine.adopt(range.holding.clone()).await.unwrap();
        self.nodes[next].engine.adopt(range.holding.clone()).await.unwrap();
    }

    /// A node is killed, or goes on without knowing: its journal is ended, and the other gets its ranges.
    pub(super) async fn shuts_out(&mut self, node: usize, is_killed: bool) {
        let Node { life, engine } = &self.nodes[node];
        if is_killed {
            engine.supervisor.get_cell().kill();
        }
        let journal = self.journal(life);
        let mut slot = journal.slots().await.unwrap().last().copied().unwrap_or_default().next();
        while journal.create(slot, "TLFN".into()).await.unwrap() == Created::Exists {
            slot = slot.next();
        }
        let over = Arc::from([before(), life.clone()]);
        for place in 0..self.ranges.len() {
            if self.ranges[place].owner == node {
                self.ranges[place].holding.ended = Arc::clone(&over);
                let next = (node + 1 + place % (self.nodes.len() - 1)) % self.nodes.len();
                self.goes(place, slot, next).await;
            }
        }
        if !is_killed {
            let failed = self.nodes[node].engine.failed();
            let why = tokio::time::timeout(PATIENCE, failed).await.unwrap();
            assert!(why.contains("taken this node's journal over"), "{why}");
        }
    }

    /// Waits until every record has been consumed once, and all results are delivered.
    pub(super) async fn through(&self, feed: &Feed) {
        let waited = tokio::time::timeout(PATIENCE * 2, async {
            while !feed.is_over() || !self.is_through().await {
                sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "not through: {:?}", self.consumed().await);
    }

    async fn is_through(&self) -> bool {
        let (consumed, is_settled) = self.consumed().await;
        let there = self.topics.records.iter().map(|it| it.lock().len() as u64);
        is_settled && there.eq(consumed)
    }

    /// What the owners have consumed of each partition, and whether all of it is committed and delivered.
    async fn consumed(&self) -> (Vec<u64>, bool) {
        let mut consumed = vec![0; self.topics.partitions.len()];
        let mut is_settled = true;
        for (number, node) in self.nodes.iter().enumerate() {
            let own = |id| self.ranges.iter().any(|it| it.owner == number && it.holding.id == id);
            if !self.ranges.iter().any(|it| it.owner == number) {
                continue;
            }
            for report in node.engine.reports().await.unwrap() {
                assert!(own(report.identity.id), "{} is served by two", report.identity.id);
                for (sum, counts) in consumed.iter_mut().zip(&report.ledger) {
                    assert!(counts.balances(), "I9: {} has {counts:?}", report.identity.id);
                    *sum += counts.consumed;
                }
                let status = report.status;
                is_settled &= status.is_settled && status.sequence == status.acknowledged;
            }
        }
        (consumed, is_settled)
    }
}

/// The partitions that one of so many nodes reads.
pub(super) fn share(number: usize, nodes: usize) -> BTreeSet<PartitionIndex> {
    let all = (0..).map(PartitionIndex).take(Leg::ALL.len() * PARTITIONS);
    all.filter(|index| index.index() % nodes == number).collect()
}

fn decoder(leg: Leg) -> Decoder {
    let pointers = match leg {
        Leg::Trace => vec!["/channel".to_owned()],
        Leg::Request => vec![],
        Leg::Response => vec!["/status".to_owned()],
    };
    Decoder::new(leg, "/id", "/time", &pointers, Limits::default()).unwrap()
}

/// Appends legs, shuffled, some twice, for as long as it takes.
pub(super) struct Feed(tokio::task::JoinHandle<()>);

impl Feed {
    /// Begins to append the legs of so many transactions.
    pub(super) fn begin(world: &World, transactions: u64) -> Self {
        let topics = Arc::clone(&world.topics);
        let mut random = SmallRng::seed_from_u64(7);
        let mut legs = Vec::new();
        for number in 0..transactions {
            for leg in Leg::ALL {
                for _ in 0..random.random_range(1..=20_u32).max(19) - 18 {
                    legs.push((number + random.random_range(0..300_u64), number, leg));
                }
            }
        }
        legs.sort_unstable();
        Self(TaskTracker::new().spawn(async move {
            for some in legs.chunks(24) {
                for &(_, number, leg) in some {
                    let partition = random.random_range(0..PARTITIONS);
                    let text = sums::record(number, leg);
                    topics.append(leg, partition, text);
                }
                topics.wakers.lock().iter().for_each(|waker| waker());
                sleep(Duration::from_millis(2)).await;
            }
        }))
    }

    /// Whether all has been appended.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}
