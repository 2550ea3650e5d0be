//! Sessions with other nodes stay out of the way of transactions: their actors come and go unheard of.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]
#![allow(clippy::print_stdout, reason = "a measurement says what it found")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use node::peer::{Address, Duplex, Inbox, Pace, Peer, Peers, Settings};
use proto::types::{Incarnation, NodeId};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// As many as a busy node spawns in a second or two.
const ACTORS: usize = 300_000;
const AT_ONCE: usize = 1_000;
const PEERS: usize = 8;
/// One open session that hears of every spawn takes ten times that.
const MOST_GROWTH_BYTES: u64 = 100 << 20;

struct Echo;

impl Inbox for Echo {
    fn told(&self, _: Peer, _: Bytes) {}

    fn asked(&self, _: Peer, body: Bytes) -> BoxFuture<'static, Bytes> {
        async move { body }.boxed()
    }

    fn streamed(&self, _: Peer, _: Duplex) {}

    fn lost(&self, _: Peer) {}
}

async fn start(number: usize, stop: &CancellationToken) -> Peers {
    let node = NodeId::new(&format!("node-{number}")).unwrap();
    let settings = Settings {
        cluster: "bank".to_owned(),
        me: Peer { node, incarnation: Incarnation(1) },
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        pace: Pace::default(),
    };
    Peers::start(settings, Arc::new(Echo), TaskTracker::new(), stop.clone()).await.unwrap()
}

async fn reach(from: &Peers, to: &Address) {
    let answered = async {
        while from.ask(to, Bytes::from_static(b"?"), Duration::from_secs(60)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answered).await.expect("an answer");
}

struct Brief;

struct Never;

impl ractor::Message for Never {}

impl Actor for Brief {
    type Msg = Never;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Never>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_thousand_actors_leave_no_trace_in_eight_sessions() {
    let stop = CancellationToken::new();
    let _end = stop.clone().drop_guard();
    let hub = start(0, &stop).await;
    let mut others = Vec::new();
    for number in 1..=PEERS {
        others.push(start(number, &stop).await);
    }
    let addresses: Vec<Address> = others.iter().map(|it| it.address().into()).collect();
    hub.keep(addresses.iter().cloned().collect());
    for to in &addresses {
        reach(&hub, to).await;
    }
    assert_eq!(hub.counts().sessions, PEERS);

    let before = resident_bytes();
    let mut most = before;
    let mut living = std::collections::VecDeque::with_capacity(AT_ONCE);
    for number in 0..ACTORS {
        let (actor, ended) = Actor::spawn(None, Brief, ()).await.unwrap();
        living.push_back((actor, ended));
        if living.len() == AT_ONCE {
            let (actor, ended) = living.pop_front().unwrap();
            actor.stop(None);
            ended.await.unwrap();
        }
        if number % 1_000 == 0 {
            most = most.max(resident_bytes());
        }
    }
    let growth = most - before;
    println!("{} MB grew by {} MB", before >> 20, growth >> 20);
    assert!(growth < MOST_GROWTH_BYTES, "{} MB", growth >> 20);
    for to in &addresses {
        reach(&hub, to).await;
    }
    assert_eq!(hub.counts().sessions, PEERS, "none was lost meanwhile");
}
