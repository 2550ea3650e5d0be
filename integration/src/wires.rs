//! What stands between the nodes of a cluster, and does to their connections what networks do: delay, stall, cut, also in
//! one direction only. A cut holds bytes back as lost packets do: they come when it is healed, where the connection lives.

mod dialler;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::cluster::Cluster;

/// From which node to which.
pub type Way = (usize, usize);

/// What is done to what travels one way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// Nothing arrives.
    pub is_cut: bool,
    /// All is late by so much.
    pub delay: Duration,
    /// Of a thousand pieces so many are lost, and come as much later as it takes to miss them.
    pub lost_of_thousand: u32,
}

impl Rule {
    /// Nothing arrives.
    pub const CUT: Self = Self { is_cut: true, delay: Duration::ZERO, lost_of_thousand: 0 };
}

type Rules = BTreeMap<Way, Rule>;

/// So long it takes until what was lost is sent again.
const SENT_AGAIN: Duration = Duration::from_millis(300);
/// Pieces on their way at once: more wait at the sender.
const UNDER_WAY: usize = 256;
const PIECE: usize = 64 << 10;

/// The wires of a cluster. They end with this value.
#[derive(Debug)]
pub struct Wires {
    rules: watch::Sender<Rules>,
    _serving: JoinSet<()>,
}

impl Wires {
    /// Stands before every node of a cluster that was not started yet, and lets all through.
    ///
    /// # Errors
    ///
    /// Where no port is free.
    pub async fn between(cluster: &mut Cluster) -> anyhow::Result<Self> {
        let rules = watch::Sender::new(Rules::new());
        let folders: Vec<PathBuf> =
            (0..cluster.size()).map(|it| cluster.place(it).folder.clone()).collect();
        let mut serving = JoinSet::new();
        for to in 0..cluster.size() {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
            let dial = listener.local_addr().context("listen")?.port();
            let place = cluster.place_mut(to);
            place.dial = dial;
            let before = Before { folders: folders.clone(), dial, node: to, port: place.ports[1] };
            serving.spawn(before.serve(listener, rules.subscribe()));
        }
        Ok(Self { rules, _serving: serving })
    }

    /// From now on this is done to what travels these ways, and nothing to all else.
    pub fn set(&self, ways: impl IntoIterator<Item = Way>, rule: Rule) {
        self.rules.send_replace(ways.into_iter().map(|way| (way, rule)).collect());
    }

    /// From now on all is let through.
    pub fn heal(&self) {
        self.rules.send_replace(Rules::new());
    }
}

/// What stands before a node.
struct Before {
    folders: Vec<PathBuf>,
    dial: u16,
    node: usize,
    port: u16,
}

impl Before {
    async fn serve(self, listener: TcpListener, rules: watch::Receiver<Rules>) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((client, from)) = accepted else { continue };
                    // A connection of nobody's is none of the cluster's: whoever it is may wait for an answer.
                    let Some(dialler) = dialler::find(from.port(), self.dial, &self.folders) else { continue };
                    open.spawn(join(client, self.port, (dialler, self.node), rules.clone()));
                }
                Some(_) = open.join_next() => {}
            }
        }
    }
}

/// A connection, until either side ends it.
async fn join(
    client: TcpStream,
    port: u16,
    (from, to): Way,
    rules: watch::Receiver<Rules>,
) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        ended = pump(from_client, to_server, (from, to), rules.clone()) => ended,
        ended = pump(from_server, to_client, (to, from), rules.clone()) => ended,
    }
}

async fn pump(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    way: Way,
    rules: watch::Receiver<Rules>,
) -> io::Result<()> {
    let (sender, pieces) = mpsc::channel(UNDER_WAY);
    tokio::try_join!(take(from, sender, way, rules.clone()), give(to, pieces, way, rules))?;
    Ok(())
}

type Piece = (Instant, Vec<u8>);

async fn take(
    mut from: OwnedReadHalf,
    pieces: mpsc::Sender<Piece>,
    way: Way,
    mut rules: watch::Receiver<Rules>,
) -> io::Result<()> {
    let mut random = SmallRng::seed_from_u64(u64::from(from.peer_addr()?.port()));
    loop {
        passable(&mut rules, way).await?;
        let mut bytes = vec![0; PIECE];
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(length);
        let rule = rules.borrow().get(&way).copied().unwrap_or_default();
        let is_lost = random.random_range(0..1_000) < rule.lost_of_thousand;
        let late = rule.delay + if is_lost { SENT_AGAIN } else { Duration::ZERO };
        let due = Instant::now() + late;
        pieces.send((due, bytes)).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

/// What comes behind a late piece is late too: order is kept.
async fn give(
    mut to: OwnedWriteHalf,
    mut pieces: mpsc::Receiver<Piece>,
    way: Way,
    mut rules: watch::Receiver<Rules>,
) -> io::Result<()> {
    while let Some((due, bytes)) = pieces.recv().await {
        sleep_until(due).await;
        passable(&mut rules, way).await?;
        to.write_all(&bytes).await?;
    }
    Ok(())
}

async fn passable(rules: &mut watch::Receiver<Rules>, way: Way) -> io::Result<()> {
    let is_open = |rules: &Rules| !rules.get(&way).is_some_and(|it| it.is_cut);
    rules.wait_for(is_open).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
    Ok(())
}
