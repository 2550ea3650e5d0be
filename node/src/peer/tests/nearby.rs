//! The exchange of one process keeps the same promises, without sockets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::harness::{Ear, Heard, SILENCE, in_time, peer};
use crate::peer::local::Exchange;
use crate::peer::{Address, AskError, Peers};

struct Seat {
    peers: Peers,
    heard: mpsc::UnboundedReceiver<Heard>,
    stop: CancellationToken,
}

fn join(exchange: &Exchange, node: &str) -> Seat {
    let (ear, heard) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let inbox = Arc::new(Ear(ear));
    let peers = exchange.join(peer(node, 1), inbox, &TaskTracker::new(), stop.clone());
    Seat { peers, heard, stop }
}

#[tokio::test]
async fn nodes_of_an_exchange_tell_ask_stream_and_lose_each_other() {
    let exchange = Exchange::default();
    let (a, mut b) = (join(&exchange, "a"), join(&exchange, "b"));
    let to = Address::from(b.peers.address());
    let patience = Duration::from_millis(20);
    let asked = a.peers.ask(&to, Bytes::new(), patience).await;
    assert_eq!(asked, Err(AskError::NoSession(to.clone())), "it must be kept");

    a.peers.keep([to.clone()].into());
    a.peers.tell(&to, Bytes::from_static(b"1"));
    assert!(
        matches!(in_time(b.heard.recv()).await, Some(Heard::Told(from, _)) if from == peer("a", 1))
    );
    let asked = a.peers.ask(&to, Bytes::from_static(b"?"), Duration::from_secs(60)).await;
    assert_eq!(asked.unwrap(), "a/i1 asked ?");
    let asked = a.peers.ask(&to, Bytes::from_static(SILENCE), patience).await;
    assert_eq!(asked, Err(AskError::TimedOut(to.clone())));

    let mut ours = a.peers.stream(&to).await.unwrap();
    let Some(Heard::Streamed(_, mut theirs)) = in_time(b.heard.recv()).await else { panic!() };
    ours.outgoing.send(Bytes::from_static(b"there")).unwrap();
    theirs.outgoing.send(Bytes::from_static(b"back")).unwrap();
    assert_eq!(theirs.incoming.recv().await.unwrap(), "there");
    assert_eq!(ours.incoming.recv().await.unwrap(), "back");
    drop(ours);
    assert_eq!(theirs.incoming.recv().await, None);

    a.stop.cancel();
    assert!(
        matches!(in_time(b.heard.recv()).await, Some(Heard::Lost(gone)) if gone == peer("a", 1))
    );
    b.peers.keep([Address::from(a.peers.address())].into());
    b.peers.tell(&a.peers.address().into(), Bytes::new());
    assert_eq!(b.peers.counts().dropped(crate::peer::Dropped::NoSession), 1);
}

/// A node that is killed hears nothing more, answers nothing, and the others lose it at once.
#[test]
fn a_node_whose_runtime_ends_leaves_the_exchange_and_takes_its_streams_with_it() {
    let ours = tokio::runtime::Runtime::new().unwrap();
    let theirs = tokio::runtime::Runtime::new().unwrap();
    let exchange = Exchange::default();
    let mut a = ours.block_on(async { join(&exchange, "a") });
    let b = theirs.block_on(async { join(&exchange, "b") });
    let to = Address::from(b.peers.address());
    a.peers.keep([to.clone()].into());
    ours.block_on(async {
        let question = Bytes::from_static(SILENCE);
        let mut asking = Box::pin(a.peers.ask(&to, question, Duration::from_secs(60)));
        assert!(futures::poll!(&mut asking).is_pending());
        theirs.shutdown_background();
        assert_eq!(asking.await, Err(AskError::Lost(to.clone())));
        let lost = in_time(a.heard.recv()).await;
        assert!(matches!(lost, Some(Heard::Lost(gone)) if gone == peer("b", 1)));
        assert!(a.peers.stream(&to).await.is_err());
    });
}
