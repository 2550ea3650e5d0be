//! Messages: from whom they are, that they are in order, and what becomes of a session that fails.

use std::time::Duration;

use bytes::Bytes;

use super::harness::{Authority, Proxy, SILENCE, Stand, TOO_MUCH, in_time, peer, settings, until};
use crate::peer::{AskError, Dropped, MESSAGE_BYTES, Pace, Refusal, TlsFiles};

async fn check_order(tls: impl Fn(&str) -> Option<TlsFiles>) {
    let mut a = Stand::start("a", tls("a")).await;
    let mut b = Stand::start("b", tls("b")).await;
    let (to_a, to_b) = (a.address(), b.address());
    a.meet(&to_b).await;
    b.meet(&to_a).await;
    for number in 0..1_000_u32 {
        a.peers.tell(&to_b, Bytes::copy_from_slice(&number.to_be_bytes()));
        b.peers.tell(&to_a, Bytes::copy_from_slice(&number.to_be_bytes()));
    }
    for number in 0..1_000_u32 {
        let body = Bytes::copy_from_slice(&number.to_be_bytes());
        assert_eq!(b.hears_told().await, (peer("a", 1), body.clone()));
        assert_eq!(a.hears_told().await, (peer("b", 1), body));
    }
    assert_eq!(a.reach(&to_b).await, "a/i1 asked ?");
    assert_eq!(b.reach(&to_a).await, "b/i1 asked ?");
    assert_eq!(a.peers.counts().sessions, 2, "one each way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_in_order_from_a_known_sender() {
    check_order(|_| None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_in_order_from_a_sender_that_its_certificate_names() {
    let authority = Authority::new();
    check_order(|node| Some(authority.issue(node))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_one_process_do_not_take_each_others_messages() {
    let mut stands = Vec::new();
    for node in ["a", "b", "c", "d"] {
        stands.push(Stand::start(node, None).await);
    }
    let addresses: Vec<_> = stands.iter().map(Stand::address).collect();
    for stand in &stands {
        stand.keep(&addresses.iter().collect::<Vec<_>>());
        for to in &addresses {
            stand.reach(to).await;
        }
    }
    for (i, from) in stands.iter().enumerate() {
        from.peers.tell(&addresses[(i + 1) % 4], Bytes::from(format!("from {i}")));
    }
    for (i, name) in ["d", "a", "b", "c"].into_iter().enumerate() {
        let expected = Bytes::from(format!("from {}", (i + 3) % 4));
        assert_eq!(stands[i].hears_told().await, (peer(name, 1), expected));
        assert!(stands[i].heard.try_recv().is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_session_a_message_is_dropped_and_counted() {
    let a = Stand::start("a", None).await;
    let nowhere = crate::peer::Address::new("127.0.0.1:1").unwrap();
    a.keep(&[&nowhere]);
    a.peers.tell(&nowhere, Bytes::from_static(b"x"));
    assert_eq!(a.peers.counts().dropped(Dropped::NoSession), 1);
    let asked = a.peers.ask(&nowhere, Bytes::new(), Duration::from_secs(1)).await;
    assert_eq!(asked, Err(AskError::NoSession(nowhere)));
    until(|| a.peers.counts().refused(Refusal::Unreachable) > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_an_answer_ends_with_the_patience() {
    let (a, b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let to = b.address();
    a.meet(&to).await;
    let patience = Duration::from_millis(50);
    let asked = in_time(a.peers.ask(&to, Bytes::from_static(SILENCE), patience)).await;
    assert_eq!(asked, Err(AskError::TimedOut(to.clone())));
    assert_eq!(a.reach(&to).await, "a/i1 asked ?", "the session goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_has_a_largest_size() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let to = b.address();
    a.meet(&to).await;
    let largest = Bytes::from(vec![7; MESSAGE_BYTES]);
    let larger = Bytes::from(vec![7; MESSAGE_BYTES + 1]);
    a.peers.tell(&to, larger.clone());
    a.peers.tell(&to, largest.clone());
    assert_eq!(b.hears_told().await, (peer("a", 1), largest), "only what may be");
    assert_eq!(a.peers.counts().dropped(Dropped::TooLarge), 1);
    let asked = a.peers.ask(&to, larger, Duration::from_secs(1)).await;
    assert_eq!(asked, Err(AskError::TooLarge(MESSAGE_BYTES + 1)));
    let patience = Duration::from_millis(200);
    let asked = a.peers.ask(&to, Bytes::from_static(TOO_MUCH), patience).await;
    assert_eq!(asked, Err(AskError::TimedOut(to.clone())));
    assert_eq!(b.peers.counts().dropped(Dropped::TooLarge), 1, "an answer too");
    assert_eq!(a.reach(&to).await, "a/i1 asked ?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_to_a_frozen_peer_is_bounded() {
    let (a, b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let proxy = Proxy::before(b.peers.address()).await;
    a.meet(&proxy.address).await;
    proxy.freeze();
    let body = Bytes::from(vec![7; 1 << 20]);
    for _ in 0..100 {
        a.peers.tell(&proxy.address, body.clone());
    }
    // I13: 64 MiB, whether the session still stands or not.
    let dropped = a.peers.counts();
    assert!(dropped.dropped(Dropped::Full) + dropped.dropped(Dropped::NoSession) >= 36);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_conversation_is_not_held_up_by_that_bound() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let to = b.address();
    a.meet(&to).await;
    let body = Bytes::from(vec![7; 4 << 20]);
    let patience = Duration::from_secs(30);
    for _ in 0..40 {
        while a.peers.ask(&to, body.clone(), patience).await == Err(AskError::Full(to.clone())) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    a.peers.tell(&to, Bytes::from_static(b"end"));
    assert_eq!(b.hears_told().await, (peer("a", 1), Bytes::from_static(b"end")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_peer_is_lost_and_found_again() {
    let authority = Authority::new();
    let mut a = Stand::start("a", Some(authority.issue("a"))).await;
    let mut b = Stand::start("b", Some(authority.issue("b"))).await;
    let proxy = Proxy::before(b.peers.address()).await;
    a.meet(&proxy.address).await;
    proxy.freeze();
    assert_eq!(a.hears_lost().await, peer("b", 1));
    assert_eq!(b.hears_lost().await, peer("a", 1));
    let to = &proxy.address;
    let asked = a.peers.ask(to, Bytes::new(), Duration::from_millis(10)).await;
    // The session may be about to go still: nobody waits for an answer in either case.
    assert!(matches!(asked, Err(AskError::NoSession(_) | AskError::Lost(_))), "{asked:?}");
    proxy.thaw();
    a.reach(to).await;
    a.peers.tell(to, Bytes::from_static(b"again"));
    assert_eq!(b.hears_told().await, (peer("a", 1), Bytes::from_static(b"again")));
    assert_eq!(a.peers.counts().sessions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_under_way_ends_with_its_session() {
    let (a, b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    let to = b.address();
    a.meet(&to).await;
    let asking = a.peers.ask(&to, Bytes::from_static(SILENCE), Duration::from_secs(600));
    let (asked, ()) = tokio::join!(in_time(asking), b.end());
    assert_eq!(asked, Err(AskError::Lost(to)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_in_a_new_life_is_not_taken_for_the_old_one() {
    let mut a = Stand::start("a", None).await;
    let mut b = Stand::start("b", None).await;
    let (to_a, to_b) = (a.address(), b.address());
    a.meet(&to_b).await;
    b.meet(&to_a).await;
    b.peers.tell(&to_a, Bytes::from_static(b"old"));
    assert_eq!(a.hears_told().await.0, peer("b", 1));
    b.end().await;
    assert_eq!(a.hears_lost().await, peer("b", 1));
    let again = crate::peer::Settings {
        listen: to_b.as_str().parse().unwrap(),
        ..settings(peer("b", 2), None)
    };
    b = Stand::with(again).await;
    b.meet(&to_a).await;
    b.peers.tell(&to_a, Bytes::from_static(b"new"));
    assert_eq!(a.hears_told().await, (peer("b", 2), Bytes::from_static(b"new")));
    assert_eq!(a.reach(&to_b).await, "a/i1 asked ?", "dialled again by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_life_comes_in_while_the_old_one_hangs_and_the_old_one_never_again() {
    let patient = Pace { silence: Duration::from_secs(600), ..Pace::default() };
    let patient = |incarnation| crate::peer::Settings {
        pace: patient,
        ..settings(peer("b", incarnation), None)
    };
    let mut a = Stand::with(crate::peer::Settings { me: peer("a", 1), ..patient(1) }).await;
    let proxy = Proxy::before(a.peers.address()).await;
    let old = Stand::with(patient(1)).await;
    old.meet(&proxy.address).await;
    proxy.freeze();
    let new = Stand::with(patient(2)).await;
    new.meet(&a.address()).await;
    assert_eq!(a.hears_lost().await, peer("b", 1), "its session was ended for the new one");
    proxy.thaw();
    new.peers.tell(&a.address(), Bytes::from_static(b"new"));
    assert_eq!(a.hears_told().await.0, peer("b", 2));
    until(|| old.peers.counts().refused(Refusal::ByPeer) > 0).await;
    old.peers.tell(&proxy.address, Bytes::from_static(b"old"));
    assert!(a.heard.try_recv().is_err());
    assert!(a.peers.counts().refused(Refusal::Stale) > 0);
    assert_eq!(new.reach(&a.address()).await, "b/i2 asked ?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_kept_any_more_loses_its_session() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    a.meet(&b.address()).await;
    a.keep(&[]);
    assert_eq!(b.hears_lost().await, peer("a", 1));
    assert_eq!(b.peers.counts().sessions, 0);
}
