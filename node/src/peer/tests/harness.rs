//! Nodes that write down what they hear, an authority that issues what it is asked for, and a proxy that can freeze.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::types::{Incarnation, NodeId};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::peer::{Address, Duplex, Inbox, Pace, Peer, Peers, Settings, TlsFiles};

pub(super) const CLUSTER: &str = "bank";
/// A question that is never answered.
pub(super) const SILENCE: &[u8] = b"silence";
/// A question whose answer is larger than a message may be.
pub(super) const TOO_MUCH: &[u8] = b"too much";
/// No test waits longer for what must come.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn peer(node: &str, incarnation: u64) -> Peer {
    Peer { node: NodeId::new(node).unwrap(), incarnation: Incarnation(incarnation) }
}

/// What a node has heard.
#[derive(Debug)]
pub(super) enum Heard {
    Told(Peer, Bytes),
    Streamed(Peer, Duplex),
    Lost(Peer),
}

pub(super) struct Ear(pub(super) mpsc::UnboundedSender<Heard>);

impl Inbox for Ear {
    fn told(&self, from: Peer, body: Bytes) {
        drop(self.0.send(Heard::Told(from, body)));
    }

    fn asked(&self, from: Peer, body: Bytes) -> BoxFuture<'static, Bytes> {
        async move {
            match body.as_ref() {
                SILENCE => std::future::pending().await,
                TOO_MUCH => vec![0; crate::peer::MESSAGE_BYTES + 1].into(),
                _ => Bytes::from([from.to_string().as_bytes(), b" asked ", &body].concat()),
            }
        }
        .boxed()
    }

    fn streamed(&self, from: Peer, duplex: Duplex) {
        drop(self.0.send(Heard::Streamed(from, duplex)));
    }

    fn lost(&self, peer: Peer) {
        drop(self.0.send(Heard::Lost(peer)));
    }
}

/// A node under test. It stops with the test.
pub(super) struct Stand {
    pub(super) peers: Peers,
    pub(super) heard: mpsc::UnboundedReceiver<Heard>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) fn settings(me: Peer, tls: Option<TlsFiles>) -> Settings {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Settings { cluster: CLUSTER.to_owned(), me, listen, tls, pace: Pace::default() }
}

impl Stand {
    pub(super) async fn start(node: &str, tls: Option<TlsFiles>) -> Self {
        Self::with(settings(peer(node, 1), tls)).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let (ear, heard) = mpsc::unbounded_channel();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let inbox = Arc::new(Ear(ear));
        let peers = Peers::start(settings, inbox, tasks.clone(), stop.clone()).await.unwrap();
        Self { peers, heard, stop, tasks }
    }

    pub(super) fn address(&self) -> Address {
        self.peers.address().into()
    }

    pub(super) fn keep(&self, addresses: &[&Address]) {
        self.peers.keep(addresses.iter().map(|it| (*it).clone()).collect());
    }

    /// Keeps a session to `to`, and waits until it is there.
    pub(super) async fn meet(&self, to: &Address) {
        self.keep(&[to]);
        self.reach(to).await;
    }

    /// Waits until `to` answers.
    pub(super) async fn reach(&self, to: &Address) -> Bytes {
        in_time(async {
            loop {
                let asked = self.peers.ask(to, Bytes::from_static(b"?"), LIMIT).await;
                match asked {
                    Ok(answer) => return answer,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        })
        .await
    }

    pub(super) async fn hears(&mut self) -> Heard {
        in_time(self.heard.recv()).await.unwrap()
    }

    pub(super) async fn hears_told(&mut self) -> (Peer, Bytes) {
        match self.hears().await {
            Heard::Told(from, body) => (from, body),
            other @ (Heard::Streamed(..) | Heard::Lost(_)) => panic!("{other:?}"),
        }
    }

    pub(super) async fn hears_lost(&mut self) -> Peer {
        match self.hears().await {
            Heard::Lost(peer) => peer,
            other @ (Heard::Streamed(..) | Heard::Told(..)) => panic!("{other:?}"),
        }
    }

    pub(super) async fn hears_streamed(&mut self) -> (Peer, Duplex) {
        match self.hears().await {
            Heard::Streamed(from, duplex) => (from, duplex),
            other @ (Heard::Lost(_) | Heard::Told(..)) => panic!("{other:?}"),
        }
    }

    /// Stops the node, as at the end of its process.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        in_time(self.tasks.wait()).await;
    }
}

/// What must come, and if it doesn't, a failure instead of a test that hangs.
pub(super) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it must come")
}

/// Waits until `is_so`.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    in_time(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Issues certificates.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn issue(&self, node: &str) -> TlsFiles {
        self.issue_as(CLUSTER, node, 2_096)
    }

    /// Files for that node of that cluster, good until that year.
    pub(super) fn issue_as(&self, cluster: &str, node: &str, year: i32) -> TlsFiles {
        let path = self.folder.path().join(format!("{cluster}-{node}-{year}"));
        std::fs::create_dir_all(&path).unwrap();
        self.issue_into(&path, cluster, node, year)
    }

    pub(super) fn issue_into(
        &self,
        folder: &Path,
        cluster: &str,
        node: &str,
        year: i32,
    ) -> TlsFiles {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("spiffe://{cluster}/node/{node}");
        params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let files = TlsFiles {
            cert: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            ca: folder.join("ca.crt"),
        };
        std::fs::write(&files.cert, cert.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::write(&files.ca, self.issuer.pem()).unwrap();
        files
    }
}

/// Stands before a node, and can stop forwarding without closing anything.
pub(super) struct Proxy {
    pub(super) address: Address,
    frozen: watch::Sender<bool>,
    stop: CancellationToken,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Proxy {
    pub(super) async fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().into();
        let (frozen, watching) = watch::channel(false);
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (stopped, pool) = (stop.clone(), tasks.clone());
        tasks.spawn(stopped.clone().run_until_cancelled_owned(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(node).await else { continue };
                let ((from_near, to_near), (from_far, to_far)) =
                    (near.into_split(), far.into_split());
                let there = forward(from_near, to_far, watching.clone());
                let back = forward(from_far, to_near, watching.clone());
                for way in [there.boxed(), back.boxed()] {
                    pool.spawn(stopped.clone().run_until_cancelled_owned(way));
                }
            }
        }));
        Self { address, frozen, stop }
    }

    pub(super) fn freeze(&self) {
        self.frozen.send(true).unwrap();
    }

    pub(super) fn thaw(&self) {
        self.frozen.send(false).unwrap();
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let Ok(count) = from.read(&mut bytes).await else { return };
        if frozen.wait_for(|it| !*it).await.is_err() || count == 0 {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
