//! Who is not let in, and that nobody is held up by it (I15).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::types::NodeId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::harness::{Authority, CLUSTER, Ear, Stand, in_time, peer, settings, until};
use crate::peer::hello::{self, Key};
use crate::peer::link::Link;
use crate::peer::tls::{BULK, CONTROL, Certificates, Identity};
use crate::peer::{Address, Counts, Pace, Peers, Refusal, Settings, TlsFiles};
use crate::problem::Code;

/// A connection with these certificates, as far as the caller can see.
async fn connect(
    to: &Stand,
    files: TlsFiles,
    (cluster, node): (&str, &str),
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let me = Identity { cluster: cluster.to_owned(), node: NodeId::new(node).unwrap() };
    let certificates = Certificates::load(files, me).unwrap();
    let mut config = (*certificates.client(protocol)).clone();
    config.dangerous().set_certificate_verifier(Arc::new(trust::Anybody));
    let stream = TcpStream::connect(to.peers.address()).await?;
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A stranger doesn't care who it talks to.
mod trust {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Anybody;

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let algorithms = crate::peer::tls::provider().signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    }
}

/// Waits until the connection is closed; what came before that is of no matter.
async fn is_closed(mut stream: impl tokio::io::AsyncRead + Unpin) {
    let mut rest = Vec::new();
    // Closed is closed, with or without an error.
    drop(in_time(stream.read_to_end(&mut rest)).await);
}

/// The stand has refused exactly one connection, for that reason, and nobody has a session.
async fn check(stand: &mut Stand, reason: Refusal) {
    until(|| stand.peers.counts().refused(reason) == 1).await;
    let counts: Counts = stand.peers.counts();
    let all: u64 = counts.refused.iter().map(|it| it.1).sum();
    assert_eq!((all, counts.sessions), (1, 0), "{counts:?}");
    assert!(stand.heard.try_recv().is_err());
}

/// A connection with these certificates says that it is `node`, in a hello or on a stream.
async fn knock(
    reason: Refusal,
    node: &str,
    named: (&str, &str),
    files: impl Fn(&Authority) -> TlsFiles,
) {
    let authority = Authority::new();
    let mut b = Stand::start("b", Some(authority.issue("b"))).await;
    let knocking = async {
        let stream = connect(&b, files(&authority), named, CONTROL).await?;
        let mut link = Link::Tls(Box::new(stream.into()));
        let ours = settings(peer(node, 1), None);
        let key = Key::fresh().unwrap();
        hello::say(&mut link, &hello::of(&ours, Some(("mailbox", key)))).await?;
        std::io::Result::Ok(hello::hear(&mut link).await)
    };
    // Told why, or cut off in the handshake.
    if let Ok(Ok(answer)) = in_time(knocking).await {
        assert!(!answer.refused.is_empty(), "{answer:?}");
    }
    check(&mut b, reason).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_is_refused() {
    let other = Authority::new();
    knock(Refusal::Certificate, "x", (CLUSTER, "x"), |_| other.issue("x")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_the_certificate_does_not_say_is_refused() {
    knock(Refusal::Name, "a", (CLUSTER, "x"), |authority| authority.issue("x")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_cluster_is_refused() {
    let named = ("other", "x");
    knock(Refusal::Cluster, "x", named, |it| it.issue_as("other", "x", 2_096)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_refused() {
    let named = (CLUSTER, "x");
    knock(Refusal::Expired, "x", named, |it| it.issue_as(CLUSTER, "x", 2_020)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_under_a_name_that_the_certificate_does_not_say_is_refused() {
    let authority = Authority::new();
    let mut b = Stand::start("b", Some(authority.issue("b"))).await;
    // A node whose settings say another name than its certificate does not even start; so by hand.
    let stream = connect(&b, authority.issue("x"), (CLUSTER, "x"), BULK).await.unwrap();
    let mut link = Some(hyper_util::rt::TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let link = link.take();
        async move { link.ok_or_else(|| std::io::Error::other("once")) }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://peer");
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    let hello = hello::of(&settings(peer("a", 1), None), None);
    let kind = Some(proto::peer::v1::frame::Kind::Hello(hello));
    let frames = futures::stream::iter([proto::peer::v1::Frame { kind }]);
    let mut client = proto::peer::v1::stream_client::StreamClient::new(channel);
    let refused = in_time(client.open(frames)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    check(&mut b, Refusal::Name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_does_not_speak_to_a_server_of_another_authority_or_cluster() {
    let (ours, other) = (Authority::new(), Authority::new());
    let a = Stand::start("a", Some(ours.issue("a"))).await;
    let wrong = Stand::start("b", Some(other.issue("b"))).await;
    a.keep(&[&wrong.address()]);
    until(|| a.peers.counts().refused(Refusal::Certificate) > 0).await;
    let cluster = "other".to_owned();
    let files = ours.issue_as("other", "b", 2_096);
    let wrong = Stand::with(Settings { cluster, ..settings(peer("b", 1), Some(files)) }).await;
    a.keep(&[&wrong.address()]);
    until(|| a.peers.counts().refused(Refusal::Cluster) > 0).await;
    assert!(a.peers.stream(&wrong.address()).await.is_err());
    assert_eq!(a.peers.counts().sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_is_refused_without_tls_too() {
    let a = Stand::start("a", None).await;
    let cluster = "other".to_owned();
    let b = Stand::with(Settings { cluster, ..settings(peer("b", 1), None) }).await;
    a.keep(&[&b.address()]);
    until(|| b.peers.counts().refused(Refusal::Cluster) > 0).await;
    until(|| a.peers.counts().refused(Refusal::ByPeer) > 0).await;
    assert_eq!(b.peers.counts().sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_text_is_refused_where_tls_must_be() {
    let authority = Authority::new();
    let mut b = Stand::start("b", Some(authority.issue("b"))).await;
    let mut stream = TcpStream::connect(b.peers.address()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    is_closed(stream).await;
    check(&mut b, Refusal::NotTls).await;
    let a = Stand::start("a", None).await;
    a.keep(&[&b.address()]);
    until(|| b.peers.counts().refused(Refusal::NotTls) > 1).await;
    assert_eq!(a.peers.counts().sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused_on_both_protocols_and_the_others_go_on() {
    let authority = Authority::new();
    let mut b = Stand::start("b", Some(authority.issue("b"))).await;
    let a = Stand::start("a", Some(authority.issue("a"))).await;
    a.meet(&b.address()).await;
    for protocol in [CONTROL, BULK] {
        let files = authority.issue("x");
        let mut stream = connect(&b, files, (CLUSTER, "x"), protocol).await.unwrap();
        stream.write_all(&[0xa5; 100_000]).await.ok();
        is_closed(stream).await;
    }
    // After a good hello, too.
    let stream = connect(&b, authority.issue("x"), (CLUSTER, "x"), CONTROL).await.unwrap();
    let mut link = Link::Tls(Box::new(stream.into()));
    let key = Key::fresh().unwrap();
    let ours = settings(peer("x", 1), None);
    hello::say(&mut link, &hello::of(&ours, Some(("mailbox", key)))).await.unwrap();
    hello::hear(&mut link).await.unwrap();
    link.write_all(&[0, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]).await.unwrap();
    is_closed(link).await;
    until(|| b.peers.counts().refused(Refusal::Protocol) == 2).await;
    a.peers.tell(&b.address(), Bytes::from_static(b"still"));
    assert_eq!(b.hears_told().await.1, "still");
    assert_eq!(b.peers.counts().sessions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused_without_tls_too() {
    let b = Stand::start("b", None).await;
    for first in
        [b"PRI * HTTP/1.9\r\n\r\n".as_slice(), b"\x00\x09not a hello", b"GET / HTTP/1.1\r\n"]
    {
        let mut stream = TcpStream::connect(b.peers.address()).await.unwrap();
        stream.write_all(first).await.unwrap();
        is_closed(stream).await;
    }
    let a = Stand::start("a", None).await;
    a.meet(&b.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_connections_hold_nobody_up_and_are_closed() {
    let authority = Authority::new();
    // Longer than usual, so that on a busy machine they are all there at once.
    let pace = Pace { handshake: Duration::from_secs(8), ..Pace::default() };
    let b = Settings { pace, ..settings(peer("b", 1), Some(authority.issue("b"))) };
    let b = Stand::with(b).await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(TcpStream::connect(b.peers.address()).await.unwrap());
    }
    let a = Stand::start("a", Some(authority.issue("a"))).await;
    a.meet(&b.address()).await;
    assert_eq!(b.peers.counts().refused(Refusal::Silent), 0, "all of them are still there");
    let mut byte = [0];
    assert!(silent.iter().all(|it| it.try_read(&mut byte).is_err()), "open, and nothing to read");
    for stream in silent {
        is_closed(stream).await;
    }
    until(|| b.peers.counts().refused(Refusal::Silent) == 1_000).await;
    a.reach(&b.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_shows_no_sessions_key_is_nobodys() {
    let (a, mut b) = (Stand::start("a", None).await, Stand::start("b", None).await);
    a.meet(&b.address()).await;
    let of_b =
        |it: &ractor::ActorCell| it.get_name().is_some_and(|it| it.starts_with("mailbox.b."));
    for cell in ractor::registry::pid_registry::get_all_pids().into_iter().filter(of_b) {
        let mail = crate::peer::mail::Mail::Told { key: Key::fresh().unwrap(), body: Bytes::new() };
        // Another test's node may just be stopping.
        drop(ractor::ActorRef::from(cell).cast(mail));
    }
    until(|| b.peers.counts().dropped(crate::peer::Dropped::Stranger) > 0).await;
    assert!(b.heard.try_recv().is_err());
}

async fn start(settings: Settings) -> Result<Peers, crate::problem::Problem> {
    let (ear, _) = tokio::sync::mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    Peers::start(settings, Arc::new(Ear(ear)), TaskTracker::new(), stop).await
}

#[tokio::test]
async fn without_tls_only_this_machine_is_listened_to_and_dialled() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let problem = start(Settings { listen, ..settings(peer("a", 1), None) }).await.unwrap_err();
    assert_eq!(problem.code, Code::PeerOpen);
    assert!(problem.remedy[0].contains("listen.peer.tls"), "{problem:?}");
    let a = Stand::start("a", None).await;
    a.keep(&[&Address::new("192.0.2.1:7401").unwrap()]);
    until(|| a.peers.counts().refused(Refusal::NotLoopback) > 0).await;
    let stream = a.peers.stream(&Address::new("192.0.2.1:7401").unwrap()).await;
    assert!(stream.unwrap_err().why.contains("there is no TLS"));
}

#[tokio::test]
async fn a_node_does_not_start_with_certificates_that_are_not_its_own() {
    let authority = Authority::new();
    let check = async |files: TlsFiles, why: &str| {
        let problem = start(settings(peer("a", 1), Some(files))).await.unwrap_err();
        assert_eq!(problem.code, Code::PeerTls);
        assert!(problem.why.contains(why), "{problem:?}");
    };
    check(authority.issue("b"), "is for spiffe://bank/node/b, and this node is").await;
    let good = authority.issue("a");
    check(
        TlsFiles { ca: "/nowhere/ca.crt".into(), ..good.clone() },
        "/nowhere/ca.crt cannot be read",
    )
    .await;
    check(TlsFiles { ca: good.key.clone(), ..good.clone() }, "has no certificate").await;
    check(TlsFiles { key: good.cert.clone(), ..good.clone() }, "has no private key").await;
    let other = authority.issue("b");
    check(TlsFiles { key: other.key, ..good }, "cannot be used together").await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_to_be() {
    let a = Stand::start("a", None).await;
    let listen = a.peers.address();
    let problem = start(Settings { listen, ..settings(peer("b", 1), None) }).await.unwrap_err();
    assert_eq!(problem.code, Code::AddressTaken);
    tokio::time::timeout(Duration::from_secs(60), a.end()).await.unwrap();
}
