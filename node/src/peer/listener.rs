//! The one port for other nodes: lets nobody in before it is clear who it is, and nobody hold up the others.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::bulk::Arrival;
use super::control::{self, Side};
use super::count::Refusal;
use super::hello::{self, Key, Refused};
use super::link::Link;
use super::net::Node;
use super::session::Session;
use super::settings::HANDSHAKES;
use super::tls::{BULK, CONTROL, Identity};
use super::{Peer, dial, socket};

/// How HTTP/2 begins; a hello's length is smaller.
const HTTP2: u8 = b'P';
/// After a failure that has to do with this machine, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Who a connection is from, as far as it has been proven.
type Proven = Option<Identity>;

/// Accepts connections until the node stops.
pub(super) async fn run(node: Arc<Node>, listener: TcpListener, streams: mpsc::Sender<Arrival>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &handshakes) => accepted,
            () = node.stop.cancelled() => return,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                warn!(%why, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (node, streams) = (Arc::clone(&node), streams.clone());
        node.tasks.clone().spawn(async move {
            let patience = node.settings.pace.handshake;
            let entered = tokio::select! {
                entered = tokio::time::timeout(patience, enter(&node, stream)) => entered,
                () = node.stop.cancelled() => return,
            };
            drop(permit);
            match entered {
                Ok(Ok(entered)) => entered.go(&node, streams).await,
                Ok(Err(refused)) => refuse(&node, &refused),
                Err(_) => refuse(&node, &Refused::new(Refusal::Silent, "it said too little")),
            }
        });
    }
}

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(handshakes).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?.0, permit))
}

fn refuse(node: &Node, refused: &Refused) {
    node.tally.refuse(refused.reason);
    // Anybody can cause it, and often: counted in the metrics, told to who asks for it.
    debug!(reason = refused.reason.label(), why = refused.why, "connection refused");
}

/// A connection that was let in.
enum Entered {
    Bulk(Link, Proven),
    Control(Link, Arc<Session>),
}

impl Entered {
    async fn go(self, node: &Arc<Node>, streams: mpsc::Sender<Arrival>) {
        match self {
            Self::Bulk(link, proven) => {
                let arrival = Arrival::new(link, proven, node.stop.clone());
                // Nobody takes it where the node stops, and then nobody is let in any more.
                drop(streams.send(arrival).await);
            }
            Self::Control(link, session) => {
                if let Err(refused) = serve(node, link, &session).await {
                    refuse(node, &refused);
                }
            }
        }
    }
}

/// Who it is, and what it wants.
async fn enter(node: &Arc<Node>, stream: TcpStream) -> Result<Entered, Refused> {
    socket::tune(&stream)?;
    let Some(certificates) = &node.certificates else {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(Refused::new(Refusal::HungUp, "it said nothing"));
        }
        let link = Link::Plain(stream);
        if first[0] == HTTP2 {
            return Ok(Entered::Bulk(link, None));
        }
        return greet(node, link, None).await;
    };
    let stream = TlsAcceptor::from(certificates.server()).accept(stream).await;
    let stream = stream.map_err(|why| dial::explain(&why))?;
    let (_, connection) = stream.get_ref();
    let identity = dial::proven(connection.peer_certificates(), &node.settings.cluster)?;
    let protocol = connection.alpn_protocol().map(<[u8]>::to_vec);
    let link = Link::Tls(Box::new(stream.into()));
    match protocol.as_deref() {
        Some(BULK) => Ok(Entered::Bulk(link, Some(identity))),
        Some(CONTROL) => greet(node, link, Some(identity)).await,
        Some(_) | None => Err(Refused::new(Refusal::Protocol, "it negotiated no protocol")),
    }
}

/// Both hellos of a control connection.
async fn greet(node: &Arc<Node>, mut link: Link, proven: Proven) -> Result<Entered, Refused> {
    let greeting = hello::hear(&mut link).await?;
    let checked = hello::greeting(&greeting, &node.settings, proven.as_ref());
    let admitted = checked.and_then(|greeting| {
        if let Some(later) = node.sessions.later_than(&greeting.peer) {
            return Err(stale(&later));
        }
        let key = Key::fresh().ok_or_else(|| Refused::new(Refusal::Protocol, "no randomness"))?;
        Ok(Session::new(greeting, key, node.stop.child_token()))
    });
    match admitted {
        Ok(session) => {
            let ours = hello::of(&node.settings, Some((&node.control.mailbox_name, session.ours)));
            hello::say(&mut link, &ours).await?;
            Ok(Entered::Control(link, session))
        }
        Err(refused) => {
            // It is refused in any case; it may not even listen.
            drop(hello::say(&mut link, &hello::refusal(&node.settings, &refused.why)).await);
            Err(refused)
        }
    }
}

fn stale(later: &Peer) -> Refused {
    Refused::new(Refusal::Stale, format!("{later} is here, a later life of the node"))
}

async fn serve(node: &Arc<Node>, link: Link, session: &Arc<Session>) -> Result<(), Refused> {
    let before = node.sessions.accept(session).map_err(|later| stale(&later))?;
    // The two would compete for the peer's name, and the newer could lose.
    end(node, before).await;
    let ran = control::run(node, (link, Side::Accepted), session, || {}).await;
    node.sessions.dismiss(session);
    ran
}

/// Ends the session that a node had before, and waits until nothing is left of it.
async fn end(node: &Node, before: Option<Arc<Session>>) {
    let Some(before) = before else { return };
    before.close.cancel();
    let gone = before.closed.cancelled();
    drop(tokio::time::timeout(2 * node.settings.pace.handshake, gone).await);
}
