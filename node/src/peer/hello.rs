//! How two nodes begin: each says who it is, and checks what the other says against its certificate.

use bytes::Bytes;
use prost::Message as _;
use proto::peer::v1::Hello;
use proto::types::{Incarnation, NodeId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::count::Refusal;
use super::link::Link;
use super::tls::Identity;
use super::{Peer, Settings};

/// The version of what nodes say to each other (I14).
const VERSION: u32 = 1;
/// A hello is far shorter. Its length is sent first, and cannot begin like HTTP/2 does.
const MOST_BYTES: u16 = 2_048;

/// What a control message must show to belong to a session. Known to both of its ends and nobody else.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// A key that nobody can guess; `None` where the system has no randomness.
    pub(super) fn fresh() -> Option<Self> {
        let mut bytes = [0; 16];
        super::tls::provider().secure_random.fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Keys are secrets: they don't show.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    pub(super) reason: Refusal,
    pub(super) why: String,
}

impl Refused {
    pub(super) fn new(reason: Refusal, why: impl Into<String>) -> Self {
        Self { reason, why: why.into() }
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::new(Refusal::HungUp, error.to_string())
    }
}

/// The other side of a control connection, checked.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    pub(super) peer: Peer,
    pub(super) mailbox: String,
    pub(super) key: Key,
}

/// What this node says of itself; `mailbox` and key where there is to be a session.
pub(super) fn of(settings: &Settings, session: Option<(&str, Key)>) -> Hello {
    let (mailbox, key) = session.map_or((String::new(), Vec::new()), |(mailbox, key)| {
        (mailbox.to_owned(), key.bytes().to_vec())
    });
    Hello {
        version: VERSION,
        cluster: settings.cluster.clone(),
        node: settings.me.node.to_string(),
        incarnation: settings.me.incarnation.0,
        mailbox,
        key,
        refused: String::new(),
    }
}

/// Tells the other side why there will be no session.
pub(super) fn refusal(settings: &Settings, why: &str) -> Hello {
    Hello { refused: why.to_owned(), ..of(settings, None) }
}

/// I15: who speaks, if that is a node of our cluster, and the one that its certificate names.
pub(super) fn check(
    hello: &Hello,
    settings: &Settings,
    identity: Option<&Identity>,
) -> Result<Peer, Refused> {
    if !hello.refused.is_empty() {
        return Err(Refused::new(Refusal::ByPeer, hello.refused.clone()));
    }
    if hello.version != VERSION {
        let why = format!("it speaks version {}, and we speak {VERSION}", hello.version);
        return Err(Refused::new(Refusal::Protocol, why));
    }
    let cluster = identity.map_or(&hello.cluster, |it| &it.cluster);
    for cluster in [cluster, &hello.cluster] {
        if *cluster != settings.cluster {
            let why = format!("it is of cluster {cluster:?}, not {:?}", settings.cluster);
            return Err(Refused::new(Refusal::Cluster, why));
        }
    }
    let node =
        NodeId::new(&hello.node).map_err(|why| Refused::new(Refusal::Protocol, why.to_string()))?;
    if let Some(identity) = identity.filter(|it| it.node != node) {
        let why = format!("it says it is {node}, and its certificate is for {identity}");
        return Err(Refused::new(Refusal::Name, why));
    }
    Ok(Peer { node, incarnation: Incarnation(hello.incarnation) })
}

/// As [`check`], of a hello that opens a session.
pub(super) fn greeting(
    hello: &Hello,
    settings: &Settings,
    identity: Option<&Identity>,
) -> Result<Greeting, Refused> {
    let peer = check(hello, settings, identity)?;
    let key = Key::of(&hello.key).filter(|_| !hello.mailbox.is_empty());
    let Some(key) = key else {
        return Err(Refused::new(Refusal::Protocol, "its hello has no mailbox and key"));
    };
    Ok(Greeting { peer, mailbox: hello.mailbox.clone(), key })
}

/// Sends a hello as the first thing of a control connection.
pub(super) async fn say(link: &mut Link, hello: &Hello) -> std::io::Result<()> {
    let body = hello.encode_to_vec();
    let length = u16::try_from(body.len()).ok().filter(|it| *it <= MOST_BYTES);
    let length = length.ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&body);
    link.write_all(&bytes).await?;
    link.flush().await
}

/// Waits for the other side's hello.
pub(super) async fn hear(link: &mut Link) -> Result<Hello, Refused> {
    let length = link.read_u16().await?;
    if length > MOST_BYTES {
        return Err(Refused::new(Refusal::Protocol, "it doesn't begin with a hello"));
    }
    let mut bytes = vec![0; usize::from(length)];
    link.read_exact(&mut bytes).await?;
    Hello::decode(Bytes::from(bytes))
        .map_err(|_| Refused::new(Refusal::Protocol, "its hello cannot be read"))
}
