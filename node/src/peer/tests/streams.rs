//! Bulk data: in order, intact, bounded, and ended with the connection.

use std::time::Duration;

use bytes::Bytes;

use super::harness::{Authority, Proxy, Stand, in_time, peer};
use crate::peer::{Duplex, TlsFiles};

const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 200 * 16;
/// What may be under way, in chunks: the credit that a reader gives.
const CREDIT: usize = 64;

fn chunk(number: usize) -> Bytes {
    let seed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = vec![0; CHUNK];
    for (word, i) in bytes.chunks_exact_mut(8).zip(0_u64..) {
        word.copy_from_slice(&(seed ^ i.wrapping_mul(seed | 1)).to_be_bytes());
    }
    bytes.into()
}

async fn open(from: &Stand, to: &mut Stand, tls: bool) -> (Duplex, Duplex) {
    let ours = from.peers.stream(&to.address()).await.unwrap();
    let (who, theirs) = to.hears_streamed().await;
    assert_eq!(who, peer("a", 1), "tls: {tls}");
    (ours, theirs)
}

async fn check_intact(tls: impl Fn(&str) -> Option<TlsFiles>) {
    let a = Stand::start("a", tls("a")).await;
    let mut b = Stand::start("b", tls("b")).await;
    let (mut ours, mut theirs) = open(&a, &mut b, tls("a").is_some()).await;
    let write = async move {
        let mut credit = CREDIT;
        for number in 0..CHUNKS {
            if credit == 0 {
                ours.incoming.recv().await.unwrap();
                credit += 1;
            }
            credit -= 1;
            ours.outgoing.send(chunk(number)).unwrap();
        }
        // Ended by dropping it: all of it has to arrive nevertheless.
        drop(ours.outgoing);
        while ours.incoming.recv().await.is_some() {}
    };
    let read = async move {
        let mut most = 0;
        for number in 0..CHUNKS {
            most = most.max(theirs.incoming.len());
            if number % 500 == 0 {
                // A slow reader: everything that may come does come before it reads on.
                while theirs.incoming.len() < CREDIT.min(CHUNKS - number) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            assert!(theirs.incoming.recv().await.unwrap() == chunk(number), "chunk {number}");
            // I13: who reads says that there is room again.
            drop(theirs.outgoing.send(Bytes::from_static(b"+")));
        }
        assert_eq!(theirs.incoming.recv().await, None);
        assert!(most <= CREDIT, "{most} chunks were waiting");
    };
    in_time(async { tokio::join!(write, read) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_arrive_in_order_within_the_readers_credit() {
    check_intact(|_| None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_arrive_in_order_under_tls() {
    let authority = Authority::new();
    check_intact(|node| Some(authority.issue(node))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_share_a_connection_and_do_not_hold_each_other_up() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(open(&a, &mut b, false).await);
    }
    for (number, (ours, theirs)) in streams.iter_mut().enumerate().rev() {
        ours.outgoing.send(chunk(number)).unwrap();
        assert!(in_time(theirs.incoming.recv()).await.unwrap() == chunk(number));
        theirs.outgoing.send(chunk(number)).unwrap();
        assert!(in_time(ours.incoming.recv()).await.unwrap() == chunk(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_its_reader_drops_ends_for_its_writer() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let (mut ours, theirs) = open(&a, &mut b, false).await;
    drop(theirs);
    assert_eq!(in_time(ours.incoming.recv()).await, None);
    in_time(ours.outgoing.closed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_beyond_the_limit_ends_its_stream_and_no_other() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let (ours, mut theirs) = open(&a, &mut b, false).await;
    let (other, mut others) = open(&a, &mut b, false).await;
    ours.outgoing.send(vec![0; (16 << 20) + 1].into()).unwrap();
    assert_eq!(in_time(theirs.incoming.recv()).await, None);
    other.outgoing.send(chunk(1)).unwrap();
    assert!(in_time(others.incoming.recv()).await.unwrap() == chunk(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_a_frozen_peer_ends_and_a_new_one_is_over_a_new_connection() {
    let authority = Authority::new();
    let a = Stand::start("a", Some(authority.issue("a"))).await;
    let mut b = Stand::start("b", Some(authority.issue("b"))).await;
    let proxy = Proxy::before(b.peers.address()).await;
    let mut ours = a.peers.stream(&proxy.address).await.unwrap();
    let (_, mut theirs) = b.hears_streamed().await;
    proxy.freeze();
    assert_eq!(in_time(ours.incoming.recv()).await, None);
    assert_eq!(in_time(theirs.incoming.recv()).await, None);
    assert!(a.peers.stream(&proxy.address).await.is_err());
    proxy.thaw();
    a.peers.stream(&proxy.address).await.unwrap();
    b.hears_streamed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_to_a_peer_that_came_back_is_over_a_new_connection() {
    let a = Stand::start("a", None).await;
    let mut b = Stand::start("b", None).await;
    let (mut ours, _theirs) = open(&a, &mut b, false).await;
    let to = b.address();
    b.end().await;
    assert_eq!(in_time(ours.incoming.recv()).await, None);
    let listen = to.as_str().parse().unwrap();
    let again = super::harness::settings(peer("b", 2), None);
    b = Stand::with(crate::peer::Settings { listen, ..again }).await;
    open(&a, &mut b, false).await;
}
