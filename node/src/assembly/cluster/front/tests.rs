//! Several fronts at one exchange, each with a life that says what it is told to.

use std::sync::atomic::{AtomicBool, Ordering};

use coordinator::machine::entry::{self, Entry, Intent};
use coordinator::machine::letter::Leading;
use coordinator::machine::member::Term;
use coordinator::machine::table::{Standing, Table};
use coordinator::machine::wish::Request;
use proto::types::{Epoch, Incarnation, NodeId, RangeId, Slot, TransactionKey};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::api::backend::{AsOf, Health, NodeState, RangeState};
use crate::assembly::cluster::carry::Carry;
use crate::assembly::cluster::fixtures::*;
use crate::assembly::cluster::hub::Hub;
use crate::assembly::upkeep::requests::Part;
use crate::cluster::agent::{Admin, Asked};
use crate::fake::Fake;
use crate::peer::Peer;
use crate::peer::local::Exchange;

const NOW_MS: u64 = 50_000;

/// A life whose word is settled.
struct Told {
    fake: Fake,
    word: Mutex<Word>,
    is_silent: AtomicBool,
    /// How its snapshot ends, after a while.
    taken: Mutex<Result<(), Problem>>,
    /// The requests that it has taken one for.
    requests: Mutex<Vec<String>>,
}

impl Told {
    fn life(&self) -> Result<&Fake, Problem> {
        Ok(&self.fake)
    }
}

impl Backend for Told {
    cluster_calls! { by_life! { self, self; } }
    life_calls! { by_life! { self, self;
        create_snapshot(request_id: String) -> Vec<Snapshot>;
        pulse() -> Pulse;
    } }
}

impl Life for Told {
    fn word(&self) -> BoxFuture<'_, Result<Word, Problem>> {
        if self.is_silent.load(Ordering::Relaxed) {
            return std::future::pending().boxed();
        }
        let word = self.word.lock().clone();
        async { Ok(word) }.boxed()
    }

    fn find(&self, id: String) -> BoxFuture<'_, Result<Option<Answer<Transaction>>, Problem>> {
        let hash = TransactionKey::of(id.as_bytes()).hash();
        let is_here = self.word.lock().ranges.iter().any(|range| range.keys.contains(hash));
        async move { if is_here { self.fake.transaction(id).await.map(Some) } else { Ok(None) } }
            .boxed()
    }

    fn part(&self, request_id: String) -> BoxFuture<'_, Result<Part, Problem>> {
        let mut requests = self.requests.lock();
        let is_again = requests.last() == Some(&request_id);
        requests.push(request_id);
        if !is_again || self.is_silent.load(Ordering::Relaxed) {
            return std::future::pending().boxed();
        }
        let word = self.word.lock().clone();
        let outcome = self.taken.lock().clone();
        async move {
            outcome?;
            let ranges: Vec<_> = word.ranges.iter().map(|range| range.id).collect();
            let mut taken = self.fake.create_snapshot("x".to_owned()).await?.value;
            let name = ranges[0].0.to_string();
            Ok(Part { snapshot: Snapshot { name, ..taken.remove(0) }, ranges })
        }
        .boxed()
    }
}

struct Place {
    front: Arc<Front>,
    told: Arc<Told>,
    asked: mpsc::Receiver<Asked>,
    stop: CancellationToken,
}

/// Nodes a, b and c; r0 and r3 are a's, and so on.
struct World {
    places: Vec<Place>,
    view: watch::Sender<View>,
    table: Table,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn world() -> World {
    let (exchange, tasks) = (Exchange::default(), TaskTracker::new());
    let (view, seen) = watch::channel(View::default());
    let (mut places, mut changes) = (Vec::new(), Vec::new());
    for (number, name) in (0..).zip(NAMES) {
        let (front, stop) = (Arc::new(Front::default()), CancellationToken::new());
        let hub = Arc::new(Hub::new(Arc::clone(&front)));
        let me = Peer { node: node(name), incarnation: Incarnation(1) };
        let peers = exchange.join(me, hub, &tasks, stop.clone());
        changes.push(joined(name, &peers.address().to_string()));
        let clock: actors::clock::Clock = Arc::new(|| NOW_MS);
        let (admin, asked) = Admin::new();
        front.connect(Outside {
            name: "bank".to_owned(),
            me: node(name),
            view: seen.clone(),
            admin,
            carry: Arc::new(Carry::new(peers, Arc::clone(&clock))),
            clock,
        });
        let word = Mutex::new(word(name, 6, &[number, number + 3]));
        let (taken, requests) = (Mutex::new(Ok(())), Mutex::default());
        let is_silent = false.into();
        let told = Arc::new(Told { fake: Fake::default(), word, is_silent, taken, requests });
        front.begin(Arc::<Told>::clone(&told));
        places.push(Place { front, told, asked, stop });
    }
    let owned = [divided(6), assigned(&["a", "b", "c", "a", "b", "c"])];
    let table = table(changes.into_iter().chain(owned).collect());
    let world = World { places, view, table };
    world.says(Some("b"));
    world
}

impl World {
    /// All know the table, and that this node leads.
    fn says(&self, leader: Option<&str>) {
        let leader = leader.map(|name| Leading {
            term: Term(1),
            leader: node(name),
            address: "b:1".to_owned(),
            control_slot: Slot(6),
            age_ms: 0,
        });
        let table = Arc::new(self.table.clone());
        let member = Some(member("a"));
        self.view.send_replace(View { member, leader, heard_ms: NOW_MS, table, read: Slot(6) });
    }

    /// What each node says of the cluster: within the patience, and a second look.
    async fn pictures(&self) -> Vec<Picture> {
        let pictures = self.places.iter().map(|place| place.front.picture());
        let pictures = tokio::time::timeout(PATIENCE * 3, join_all(pictures)).await.unwrap();
        pictures.into_iter().map(Result::unwrap).collect()
    }

    fn change(request: Request) -> Change {
        Change { request, is_trial: false, request_id: String::new() }
    }
}

#[tokio::test(start_paused = true)]
async fn every_node_says_the_same_of_the_cluster() {
    let world = world();
    let pictures = world.pictures().await;
    assert_eq!(pictures[0].overview.cluster.reasons, Vec::<String>::new());
    assert_eq!(pictures[0].overview.cluster.health, Health::Healthy);
    assert_eq!(pictures[0].overview.ranges.len(), 6);
    assert_eq!(pictures[0].overview.cluster.leader, Some(node("b")));
    assert_eq!(pictures[0].ledger.rows[0].1.consumed, 75);
    assert_eq!(pictures[0].as_of.map_version, 6);
    assert_eq!((&pictures[0], &pictures[0]), (&pictures[1], &pictures[2]));
    // And so does each call.
    let front = &world.places[2].front;
    assert_eq!(front.ledger().await.unwrap().value, pictures[0].ledger);
    assert_eq!(front.overview().await.unwrap().value, pictures[0].overview);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_came_back_before_its_last_life_was_declared_dead_is_heard_once() {
    let mut world = world();
    let Some(Standing::Alive { address }) = world.table.standing(&member("b")) else { panic!() };
    let second = Member { incarnation: Incarnation(2), ..member("b") };
    let change = entry::Change::Joined { member: second, address: address.clone() };
    world.table.apply(Entry { term: Term(1), change }).unwrap();
    world.says(Some("b"));
    for picture in world.pictures().await {
        assert_eq!(picture.ledger.rows[0].1.consumed, 75);
        assert_eq!(picture.overview.nodes.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_silent_is_waited_for_no_longer_than_the_patience() {
    let world = world();
    world.places[1].told.is_silent.store(true, Ordering::Relaxed);
    for picture in world.pictures().await {
        assert_eq!(picture.as_of.missing, [RangeId(1), RangeId(4)]);
        assert_eq!(picture.overview.nodes[1].state, NodeState::Suspect);
        assert_eq!(picture.overview.cluster.health, Health::Degraded);
        assert_eq!(picture.ledger.rows[1].1.consumed, 40);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_gone_and_one_between_two_lives_are_missing() {
    let world = world();
    world.places[1].stop.cancel();
    world.places[2].front.end();
    tokio::task::yield_now().await;
    let picture = world.places[0].front.picture().await.unwrap();
    assert_eq!(picture.as_of.missing, [1, 2, 4, 5].map(RangeId));
    // Who has no life itself still says how the others are.
    let picture = world.places[2].front.picture().await.unwrap();
    assert_eq!(picture.as_of.missing, [1, 2, 4, 5].map(RangeId));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_speaks_for_another_is_not_believed() {
    let world = world();
    world.places[1].told.word.lock().node.id = node("c");
    let picture = world.places[0].front.picture().await.unwrap();
    assert_eq!(picture.as_of.missing, [RangeId(1), RangeId(4)]);
}

#[tokio::test]
async fn what_is_not_understood_is_answered_with_nothing() {
    let world = world();
    let front = &world.places[0].front;
    for bytes in [&b""[..], b"TLQ2\"Word\"", b"TLQ1", b"TLQ1\"What\"", b"\xff\xfe"] {
        assert!(front.asked(bytes).await.is_empty(), "{bytes:?}");
    }
    assert!(!front.asked(&Question::Word.encode()).await.is_empty());
}

/// An id of a transaction of each range.
fn ids(table: &Table) -> BTreeMap<RangeId, String> {
    let ids = (0..200).map(|number| format!("t-{number}"));
    let ids = ["t-open", "t-done", "t-old"].map(str::to_owned).into_iter().chain(ids);
    let place = |id: &String| {
        let hash = TransactionKey::of(id.as_bytes()).hash();
        table.ranges().find(|(_, range)| range.keys.contains(hash)).map(|(range, _)| range)
    };
    ids.map(|id| (place(&id).unwrap(), id)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_asked_of_who_owns_its_key() {
    let world = world();
    for place in &world.places {
        for id in ["t-open", "t-done", "t-old", "nobody"] {
            let expected = place.told.fake.transaction(id.to_owned()).await.unwrap().value;
            let answer = place.front.transaction(id.to_owned()).await.unwrap();
            assert_eq!((answer.value, answer.as_of.map_version), (expected, 6), "{id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_transaction_whose_owner_cannot_answer_nobody_says_that_it_is_unknown() {
    let world = world();
    let ids = ids(&world.table);
    // r4 is not served yet; b has it.
    world.places[1].told.word.lock().ranges.retain(|range| range.id != RangeId(4));
    world.places[2].front.end();
    for place in &world.places {
        for range in [4, 2, 5].map(RangeId) {
            let problem = place.front.transaction(ids[&range].clone()).await.unwrap_err();
            assert_eq!(problem.code, Code::RangesMissing, "{range}");
            assert!(problem.why.contains(&range.to_string()), "{}", problem.why);
        }
        assert!(place.front.transaction(ids[&RangeId(3)].clone()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_that_moves_between_two_answers_is_asked_for_again() {
    let world = world();
    // a still speaks for r0, which b has under its next epoch: for good, so even the second look is blurred.
    {
        let mut word_of_b = world.places[1].told.word.lock();
        *word_of_b = word("b", 6, &[0, 1, 4]);
        word_of_b.ranges[0].epoch = Epoch::new(2);
    }
    let picture = world.places[2].front.picture().await.unwrap();
    assert_eq!(picture.as_of.missing, [RangeId(3)]);
    assert_eq!(picture.overview.ranges[3].state, RangeState::Restoring);
    assert_eq!(picture.ledger.rows[1].1.consumed, 50);
}

#[tokio::test]
async fn before_it_has_read_who_there_is_a_node_says_that_it_has_not_joined() {
    let world = world();
    world.view.send_replace(View::default());
    let problem = world.places[0].front.cluster().await.unwrap_err();
    assert_eq!(problem.code, Code::CatchingUp);
    let fresh = Front::default();
    assert_eq!(fresh.nodes().await.unwrap_err().code, Code::CatchingUp);
    let pulse = Own(Arc::new(fresh)).ledger().await.unwrap_err();
    assert_eq!(pulse.code, Code::CatchingUp);
}

#[tokio::test]
async fn metrics_are_of_the_node_alone() {
    let world = world();
    let own = Own(Arc::clone(&world.places[0].front));
    let alone = world.places[0].told.fake.ledger().await.unwrap();
    assert_eq!(own.ledger().await.unwrap(), alone);
}

/// Answers the next request of a node as who leads would.
async fn lead(asked: &mut mpsc::Receiver<Asked>, answer: Result<(), String>) -> Request {
    let (request, reply) = asked.recv().await.unwrap();
    reply.send(answer).unwrap();
    request
}

fn drain(name: &str) -> Request {
    Request::Intend { node: NodeId::new(name).unwrap(), intent: Intent::Drain }
}

#[tokio::test]
async fn what_an_operator_asks_goes_to_who_leads_and_his_answer_back() {
    let mut world = world();
    let Place { front, asked, .. } = &mut world.places[0];
    let change = World::change(drain("c"));
    let (granted, request) = tokio::join!(front.change(change.clone()), lead(asked, Ok(())));
    assert_eq!(request, drain("c"));
    let expected = Granted { change, leader: Some(node("b")) };
    let as_of = AsOf { map_version: 6, ..AsOf::default() };
    assert_eq!(granted.unwrap(), Answer { value: expected, as_of });

    let why = "c is the last: add a node first";
    let refused =
        tokio::join!(front.change(World::change(drain("c"))), lead(asked, Err(why.to_owned())));
    let problem = refused.0.unwrap_err();
    assert_eq!((problem.code, problem.why.as_str()), (Code::Denied, why));
}

#[tokio::test]
async fn the_same_request_id_is_the_same_request() {
    let mut world = world();
    let Place { front, asked, .. } = &mut world.places[0];
    let with = |request| Change { request_id: "7".to_owned(), ..World::change(request) };
    // One that was denied may be asked for again.
    let denied = tokio::join!(front.change(with(drain("c"))), lead(asked, Err("no".to_owned())));
    assert_eq!(denied.0.unwrap_err().code, Code::Denied);
    let granted = tokio::join!(front.change(with(drain("c"))), lead(asked, Ok(())));
    assert!(granted.0.is_ok());
    assert!(front.change(with(drain("c"))).await.is_ok());
    assert!(asked.try_recv().is_err(), "nobody was asked again");
    let other = front.change(with(drain("a"))).await.unwrap_err();
    assert_eq!(other.code, Code::BadArgument);
}

#[tokio::test]
async fn what_does_not_exist_and_what_is_only_tried_asks_nobody() {
    let mut world = world();
    let place = &mut world.places[0];
    let code = async |change| place.front.change(change).await.map_err(|problem| problem.code);
    let elsewhere = Request::Move { range: RangeId(77), to: node("a") };
    assert_eq!(code(World::change(elsewhere)).await.unwrap_err(), Code::RangeNotFound);
    assert_eq!(code(World::change(drain("z"))).await.unwrap_err(), Code::NodeNotFound);
    let trial = |request| Change { is_trial: true, ..World::change(request) };
    assert!(code(trial(drain("c"))).await.is_ok());
    let split = |at| Request::Split { range: RangeId(1), at };
    assert!(code(trial(split(None))).await.is_ok());
    assert_eq!(code(trial(split(Some(0)))).await.unwrap_err(), Code::Denied);
    assert!(place.asked.try_recv().is_err());
}

#[tokio::test]
async fn where_nobody_leads_nothing_is_granted_and_the_cluster_is_degraded() {
    let world = world();
    world.says(None);
    let front = &world.places[0].front;
    let refused = front.change(World::change(Request::Rebalance)).await.unwrap_err();
    assert_eq!(refused.code, Code::NobodyLeads);
    let cluster = front.cluster().await.unwrap().value;
    assert_eq!((cluster.health, cluster.leader), (Health::Degraded, None));
    // Nor where who led has been silent for long.
    world.says(Some("b"));
    world.view.send_modify(|view| view.heard_ms = NOW_MS - 3_000);
    assert_eq!(front.cluster().await.unwrap().value.leader, None);
}

#[tokio::test(start_paused = true)]
async fn any_node_has_every_owner_take_its_part_of_a_snapshot() {
    let world = world();
    for place in &world.places {
        let taken = place.front.create_snapshot(String::new()).await.unwrap().value;
        let names: Vec<_> = taken.iter().map(|it| (it.name.as_str(), it.ranges)).collect();
        assert_eq!(names, [("2", 2), ("1", 2), ("0", 2)]);
    }
    // The one request was asked for until it was done; those without a name are three requests.
    let requests = world.places[1].told.requests.lock().clone();
    assert_eq!(requests.len(), 6);
    let distinct: std::collections::BTreeSet<_> = requests.into_iter().collect();
    assert_eq!(distinct.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_the_cluster_lacks_no_range_and_says_why_it_was_not_taken() {
    let world = world();
    let ask = async || world.places[0].front.create_snapshot("7".to_owned()).await.unwrap_err();
    let early = Problem::new(Code::CatchingUp, "it is too early", "nothing was read");
    *world.places[1].told.taken.lock() = Err(early);
    let problem = ask().await;
    assert_eq!((problem.code, problem.what.as_str()), (Code::CatchingUp, "b: it is too early"));

    *world.places[1].told.taken.lock() = Ok(());
    *world.places[2].told.word.lock() = word("c", 6, &[2]);
    let problem = ask().await;
    assert_eq!(problem.code, Code::RangesMissing);
    assert!(problem.what.contains("do not hold r5"), "{problem}");

    world.places[2].stop.cancel();
    tokio::time::sleep(PATIENCE).await;
    let problem = ask().await;
    assert!(problem.what.contains("c has taken no snapshot"), "{problem}");
}
