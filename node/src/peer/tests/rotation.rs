//! Certificates are replaced while everything runs.

use std::time::Duration;

use bytes::Bytes;

use super::harness::{Authority, CLUSTER, Stand, peer, settings};
use crate::peer::{Pace, Settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_certificates_are_for_new_sessions_and_old_sessions_go_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let start = |node: &str| {
        let pace = Pace { reload: Duration::from_millis(20), ..Pace::default() };
        let files = old.issue(node);
        let folder = files.cert.parent().unwrap().to_owned();
        (Settings { pace, ..settings(peer(node, 1), Some(files)) }, folder)
    };
    let ((a, in_a), (b, in_b)) = (start("a"), start("b"));
    let (a, mut b) = (Stand::with(a).await, Stand::with(b).await);
    a.meet(&b.address()).await;
    // Half of it is not taken over: the key of one, the certificate of the other.
    let other = new.issue("a");
    std::fs::copy(&other.key, in_a.join("tls.key")).unwrap();
    for (folder, node) in [(&in_a, "a"), (&in_b, "b")] {
        new.issue_into(folder, CLUSTER, node, 2_096);
    }
    let c = Stand::start("c", Some(new.issue("c"))).await;
    c.keep(&[&a.address(), &b.address()]);
    c.reach(&a.address()).await;
    c.reach(&b.address()).await;
    assert!(b.heard.try_recv().is_err(), "nobody was lost");
    a.peers.tell(&b.address(), Bytes::from_static(b"still"));
    assert_eq!(b.hears_told().await, (peer("a", 1), Bytes::from_static(b"still")));
    // And a new session between the two is by the new ones.
    b.meet(&a.address()).await;
}
