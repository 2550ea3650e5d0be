//! Whole clusters in one process: real agents and leaders, letters as bytes, and bodies that commit.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use actors::engine::Holding;
use bytes::Bytes;
use coordinator::clock::monotonic;
use coordinator::coordinator::{Cut, Journals};
use coordinator::machine::entry::{Assignment, Change, Entry, Handover};
use coordinator::machine::fence::is_fence;
use coordinator::machine::member::Member;
use coordinator::machine::plan::Load;
use coordinator::machine::table::{Span, Table};
use coordinator::testing::memory_log::MemoryLog;
use futures::FutureExt as _;
use parking_lot::Mutex;
use proto::log::{Created, Log};
use proto::types::{Epoch, Incarnation, Keying, NodeId, PartitionIndex, RangeId, Slot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::super::*;
use crate::cluster::body::Bodies;
use crate::cluster::body::{Body, Map};
use crate::cluster::post::Carrier;
use crate::cluster::seeds::Seeds;
use crate::cluster::{Cluster, Setup as ClusterSetup, start};

pub(super) const RANGES: u16 = 6;
const COMMIT: Duration = Duration::from_millis(50);
/// How long it takes to restore a range, to close one, and to warm a copy.
const RESTORE: Duration = Duration::from_millis(40);
const CLOSE: Duration = Duration::from_millis(20);
const WARM: Duration = Duration::from_millis(100);
/// How long a node that is to stop waits for others.
pub(super) const LEAVE: Duration = Duration::from_secs(20);

/// The store, the network, and all bodies that ever were.
#[derive(Debug, Default)]
pub(super) struct World {
    journals: Mutex<BTreeMap<Member, Arc<MemoryLog>>>,
    posts: Mutex<BTreeMap<String, Arc<crate::cluster::post::Post>>>,
    cut: Mutex<BTreeSet<String>>,
    bodies: Mutex<Vec<Arc<Fake>>>,
    /// When each range was closed under an epoch.
    closed: Mutex<BTreeMap<(RangeId, Epoch), Instant>>,
    /// When each range was served under an epoch first.
    served: Mutex<BTreeMap<(RangeId, Epoch), Instant>>,
}

impl Journals for World {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        self.open(&Member { node: node.clone(), incarnation })
    }
}

impl World {
    fn open(&self, member: &Member) -> Arc<MemoryLog> {
        let mut journals = self.journals.lock();
        let journal = || Arc::new(MemoryLog::new(&member.to_string()));
        Arc::clone(journals.entry(member.clone()).or_insert_with(journal))
    }
}

#[derive(Debug)]
struct Net {
    world: Arc<World>,
    from: String,
}

impl Carrier for Net {
    fn tell(&self, address: &str, bytes: Bytes) {
        let cut = self.world.cut.lock();
        if cut.contains(address) || cut.contains(&self.from) {
            return;
        }
        drop(cut);
        let post = self.world.posts.lock().get(address).cloned();
        let from = NodeId::new(self.from.split(':').next().unwrap()).unwrap();
        post.into_iter().for_each(|post| post.deliver(&from, &bytes));
    }
}

/// A body that commits for what it serves, every 50 ms.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) member: Member,
    world: Arc<World>,
    journal: Arc<MemoryLog>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    serving: BTreeMap<RangeId, Epoch>,
    copies: BTreeMap<RangeId, (Epoch, Instant)>,
    next: Slot,
    /// The slot of a commit that is on its way.
    under_way: Option<Slot>,
    map: Option<Map>,
    is_stopped: bool,
}

impl Fake {
    /// Commits; `false` where it was fenced.
    async fn commit(&self) -> bool {
        let (next, content) = {
            let mut state = self.state.lock();
            state.under_way = Some(state.next);
            let blocks =
                state.serving.iter().map(|(id, epoch)| format!("{} {}", id.0, epoch.get()));
            (state.next, format!("TLJC\n{}", blocks.collect::<Vec<_>>().join("\n")))
        };
        let created = self.journal.create(next, content.into()).await.unwrap();
        let mut state = self.state.lock();
        (state.next, state.under_way) = (next.next(), None);
        created == Created::Won
    }

    pub(super) fn map(&self) -> Option<Map> {
        self.state.lock().map.clone()
    }
}

impl Body for Fake {
    fn serve(&self, holding: Holding) -> BoxFuture<'_, anyhow::Result<()>> {
        async move {
            let is_warm = self.state.lock().copies.remove(&holding.id).is_some();
            sleep(if is_warm { Duration::from_millis(5) } else { RESTORE }).await;
            // I1: whatever it may not have is fenced or closed.
            for past in &holding.past {
                assert!(past.epoch < holding.epoch, "{holding:?}");
            }
            self.state.lock().serving.insert(holding.id, holding.epoch);
            let mut served = self.world.served.lock();
            served.entry((holding.id, holding.epoch)).or_insert_with(Instant::now);
            Ok(())
        }
        .boxed()
    }

    fn release(&self, range: RangeId) -> BoxFuture<'_, anyhow::Result<Slot>> {
        async move {
            sleep(CLOSE).await;
            let mut state = self.state.lock();
            let epoch = state.serving.remove(&range).context("it is not served")?;
            self.world.closed.lock().insert((range, epoch), Instant::now());
            // A commit that is on its way has the range in it.
            Ok(state.under_way.map_or(state.next, Slot::next))
        }
        .boxed()
    }

    fn warm(&self, holding: Holding) -> BoxFuture<'_, anyhow::Result<()>> {
        async move {
            let open = holding.past.last().map(|past| (past.epoch, past.to));
            assert_eq!(open, Some((holding.epoch, crate::cluster::body::OPEN)));
            let ready = Instant::now() + WARM;
            self.state.lock().copies.insert(holding.id, (holding.epoch, ready));
            Ok(())
        }
        .boxed()
    }

    fn cool(&self, range: RangeId) -> BoxFuture<'_, ()> {
        async move {
            self.state.lock().copies.remove(&range);
        }
        .boxed()
    }

    fn copies(&self) -> Vec<(RangeId, Epoch, bool)> {
        let state = self.state.lock();
        let copies = state.copies.iter();
        copies.map(|(&range, &(epoch, at))| (range, epoch, at <= Instant::now())).collect()
    }

    fn loads(&self) -> BTreeMap<RangeId, Load> {
        BTreeMap::new()
    }

    fn partitions(&self) -> BTreeMap<PartitionIndex, i32> {
        (0..12).map(|index| (PartitionIndex(index), i32::from(index))).collect()
    }

    fn dimensions(&self) -> Vec<String> {
        vec!["channel".to_owned(), "product".to_owned()]
    }

    fn routed(&self, map: Map) {
        let mut state = self.state.lock();
        assert!(state.map.as_ref().is_none_or(|before| before.version < map.version));
        state.map = Some(map);
    }

    fn ended(&self) -> BoxFuture<'_, Ending> {
        async move {
            loop {
                sleep(COMMIT).await;
                let is_idle = self.state.lock().serving.is_empty();
                if !is_idle && !self.commit().await {
                    return Ending::Fenced;
                }
            }
        }
        .boxed()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        async move {
            let mut state = self.state.lock();
            (state.serving, state.is_stopped) = (BTreeMap::new(), true);
        }
        .boxed()
    }
}

#[derive(Debug)]
struct Fakes(Arc<World>);

impl Bodies for Fakes {
    fn begin(&self, member: &Member) -> BoxFuture<'_, anyhow::Result<Arc<dyn Body>>> {
        let member = member.clone();
        async move {
            let mut bodies = self.0.bodies.lock();
            let before = bodies.iter().rev().find(|body| body.member.node == member.node);
            assert!(before.is_none_or(|it| it.state.lock().is_stopped), "one life at a time");
            let state = State {
                serving: BTreeMap::new(),
                copies: BTreeMap::new(),
                next: Slot(1),
                under_way: None,
                map: None,
                is_stopped: false,
            };
            let (journal, world) = (self.0.open(&member), Arc::clone(&self.0));
            let body = Arc::new(Fake { member, world, journal, state: Mutex::new(state) });
            bodies.push(Arc::clone(&body));
            Ok(body as Arc<dyn Body>)
        }
        .boxed()
    }
}

/// A node that runs.
struct Running {
    cluster: Cluster,
    stop: CancellationToken,
    task: AbortHandle,
}

/// All nodes of a cluster.
pub(super) struct Town {
    pub(super) world: Arc<World>,
    pub(super) control: Arc<MemoryLog>,
    nodes: BTreeMap<String, Running>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Town {
    pub(super) fn new() -> Self {
        let (world, nodes, tasks) = Default::default();
        Self { world, control: Arc::new(MemoryLog::new("control")), nodes, tasks }
    }

    /// A cluster of these nodes that has come to rest.
    pub(super) async fn of(names: &[&str]) -> Self {
        let mut town = Self::new();
        for name in names {
            town.start(name).await;
        }
        town.settle().await;
        town
    }

    pub(super) async fn start(&mut self, name: &str) {
        let address = format!("{name}:7401");
        let carrier = Net { world: Arc::clone(&self.world), from: address.clone() };
        let setup = ClusterSetup {
            node: NodeId::new(name).unwrap(),
            address: address.clone(),
            cut: Cut { ranges: NonZeroU16::new(RANGES).unwrap(), keying: Keying::default() },
            settings: coordinator::machine::office::Settings::default(),
            leave_within: LEAVE,
            seeds: Seeds::Listed(["a", "b", "c"].map(|it| format!("{it}:7401")).to_vec()),
            control: Arc::<MemoryLog>::clone(&self.control),
            journals: Arc::<World>::clone(&self.world),
            carrier: Arc::new(carrier),
            bodies: Arc::new(Fakes(Arc::clone(&self.world))),
            clock: monotonic(),
            nonce: actors::clock::nonce,
        };
        let stop = CancellationToken::new();
        let (cluster, run) = start(setup, stop.clone()).await.unwrap();
        self.world.posts.lock().insert(address, Arc::clone(&cluster.post));
        let task = self.tasks.spawn(run);
        self.nodes.insert(name.to_owned(), Running { cluster, stop, task });
    }

    /// The process is killed, and the connections to it break.
    pub(super) fn kill(&mut self, name: &str) {
        let Running { cluster, task, .. } = self.nodes.remove(name).unwrap();
        task.abort();
        cluster.leader.kill();
        self.lose(name);
    }

    /// The process is asked to stop, and does.
    pub(super) async fn stop(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.nodes[*name].stop.cancel());
        let is_going = |town: &Self, name: &str| !town.nodes[name].task.is_finished();
        for name in names {
            while is_going(self, name) {
                sleep(Duration::from_millis(5)).await;
            }
            self.nodes.remove(*name);
            self.lose(name);
        }
    }

    fn lose(&self, name: &str) {
        let address = format!("{name}:7401");
        self.world.posts.lock().remove(&address);
        if let Some(body) = self.body(name) {
            let mut state = body.state.lock();
            (state.serving, state.is_stopped) = (BTreeMap::new(), true);
        }
        self.nodes.values().for_each(|node| node.cluster.post.lost(&address));
    }

    /// Nothing goes to it or comes from it any more, but the store is there.
    pub(super) fn cut_off(&self, name: &str) {
        self.world.cut.lock().insert(format!("{name}:7401"));
    }

    pub(super) fn mend(&self) {
        self.world.cut.lock().clear();
    }

    pub(super) async fn ask(&self, via: &str, request: Request) -> Result<(), String> {
        let admin = self.nodes[via].cluster.admin.clone();
        admin.ask(request).await
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.control.content().values().map(|object| Entry::open(object).unwrap()).collect()
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::default();
        self.entries().into_iter().for_each(|entry| table.apply(entry).unwrap());
        table
    }

    /// The node that the control log says leads.
    pub(super) fn leader(&self) -> Option<String> {
        self.table().leader().map(|leader| leader.candidate.to_string())
    }

    pub(super) fn body(&self, name: &str) -> Option<Arc<Fake>> {
        let bodies = self.world.bodies.lock();
        bodies.iter().rev().find(|body| body.member.node.as_str() == name).cloned()
    }

    /// What each node serves, under which epochs.
    pub(super) fn served(&self) -> BTreeMap<String, BTreeMap<u16, u64>> {
        let served = |name: &String| {
            let body = self.body(name)?;
            let state = body.state.lock();
            Some(state.serving.iter().map(|(range, epoch)| (range.0, epoch.get())).collect())
        };
        let names = self.nodes.keys();
        names.map(|name| (name.clone(), served(name).unwrap_or_default())).collect()
    }

    /// Whether each range is served by its owner and by nobody else.
    pub(super) fn is_served(&self) -> bool {
        let (table, served) = (self.table(), self.served());
        let count: usize = served.values().map(BTreeMap::len).sum();
        let is_right = table.ranges().all(|(id, range)| {
            let owner = range.owner().map(|owner| owner.node.as_str());
            owner.and_then(|owner| served.get(owner)?.get(&id.0)) == Some(&range.epoch.get())
        });
        table.ranges().len() > 0 && is_right && count == table.ranges().len()
    }

    /// Waits for `what`, however long it takes; a minute on the turned clock is for ever.
    pub(super) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:#?}", self.served());
            if let Some(ended) = self.tasks.try_join_next() {
                let was_killed = |why: tokio::task::JoinError| why.is_cancelled();
                assert!(ended.map_or_else(was_killed, |it| it.is_ok()), "no node fails");
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until every range is served and the control log has been still for a while.
    pub(super) async fn settle(&mut self) {
        let mut known = 0;
        loop {
            self.until("every range is served", Self::is_served).await;
            sleep(Duration::from_secs(2)).await;
            let now = self.control.content().len();
            if now == known && self.is_served() {
                break;
            }
            known = now;
        }
        self.verify();
    }

    /// The longest time that a range was not served in a planned move.
    pub(super) fn longest_pause(&self) -> Duration {
        let (closed, served) = (self.world.closed.lock(), self.world.served.lock());
        let pause = |(&(range, epoch), &at): (&(RangeId, Epoch), &Instant)| {
            served.get(&(range, epoch.next())).map(|&served| served - at)
        };
        closed.iter().filter_map(pause).max().unwrap_or_default()
    }

    /// I1 and I12, read from the store: each commit was its owner's and is in the range's past.
    pub(super) fn verify(&self) {
        let (table, mut owners) = (self.table(), BTreeMap::new());
        for entry in self.entries() {
            match entry.change {
                Change::Assigned { assignments } => {
                    for Assignment { range, member, epoch } in assignments {
                        assert!(owners.insert((range, epoch), member).is_none());
                    }
                }
                Change::Moved { handovers, .. } => {
                    for Handover { range, next, epoch, .. } in handovers {
                        assert!(owners.insert((range, epoch), next).is_none());
                    }
                }
                Change::Leader { .. }
                | Change::Joined { .. }
                | Change::Dead { .. }
                | Change::Divided { .. }
                | Change::Released { .. }
                | Change::Intended { .. }
                | Change::Leaving { .. }
                | Change::Merged { .. } => {}
                Change::Split { member, epoch, children, .. } => {
                    for child in children {
                        let owned = (child.range, epoch);
                        assert!(owners.insert(owned, member.clone()).is_none());
                    }
                }
            }
        }
        for (member, journal) in &*self.world.journals.lock() {
            let commits = journal.content().into_iter().filter(|(_, object)| !is_fence(object));
            for (slot, object) in commits {
                for block in str::from_utf8(&object).unwrap().lines().skip(1) {
                    let (range, epoch) = block.split_once(' ').unwrap();
                    let range = RangeId(range.parse().unwrap());
                    let epoch = Epoch::new(epoch.parse().unwrap());
                    let at = format!("{member} {slot} {range} {epoch}");
                    assert_eq!(owners.get(&(range, epoch)), Some(member), "by its owner: {at}");
                    let is_kept = is_kept(&table, (member, slot), (range, epoch));
                    assert!(is_kept, "in the range's past: {at}");
                }
            }
        }
    }
}

/// Whether a commit is the present owner's, or in the range's past.
fn is_kept(
    table: &Table,
    (member, slot): (&Member, Slot),
    (range, epoch): (RangeId, Epoch),
) -> bool {
    let is_past = |span: &Span| {
        let is_in = span.range == range && (span.from..span.to).contains(&slot);
        is_in && span.member == *member && span.epoch == epoch
    };
    // A range that was split is in its children's pasts.
    let mut pasts = table.ranges().flat_map(|(_, it)| &it.lineage);
    let now = table.range(range).filter(|it| it.epoch == epoch);
    now.is_some_and(|it| it.owner() == Some(member)) || pasts.any(is_past)
}

pub(super) use coordinator::machine::wish::Request;
