//! What a node's transport is told at its start, and the limits that hold for every message (I13).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Peer;

/// A message or an answer has at most so many bytes; what is larger goes through a stream.
pub const MESSAGE_BYTES: usize = 8 << 20;
/// What the control protocol adds around a message, with room to spare.
pub(super) const ENVELOPE_BYTES: u64 = 64 << 10;
/// What may be under way to one peer, sent and not yet taken. More is dropped: its queues have no bound of their own.
pub(super) const UNDER_WAY_BYTES: u64 = 64 << 20;
/// Questions of one peer that may be worked on at once.
pub(super) const ASKS: usize = 1_024;
/// No answer is worked on for longer, whatever the asker's patience.
pub(super) const LONGEST_ASK: Duration = Duration::from_secs(60);
/// One item of a stream has at most so many bytes; a larger one ends the stream.
pub(super) const FRAME_BYTES: usize = 16 << 20;
/// How much of a stream may be under way unread, and of all streams of a connection.
pub(super) const STREAM_WINDOW: u32 = 8 << 20;
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;
/// Connections that may be under handshake at once. Beyond, new ones wait in the kernel for those to meet their deadline.
pub(super) const HANDSHAKES: usize = 4_096;

/// How a node's transport is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster's name: others are refused.
    pub cluster: String,
    /// This node, in this life.
    pub me: Peer,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How nodes prove who they are. Without it only the loopback interface is used.
    pub tls: Option<TlsFiles>,
    /// How fast things are noticed.
    pub pace: Pace,
}

/// The files that nodes prove themselves with, all in PEM. Read again when they change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The node's certificate, then those between it and the authority. Its only URI must be `spiffe://<cluster>/node/<node>`.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that nodes' certificates are signed by.
    pub ca: PathBuf,
}

/// How fast things are noticed. The defaults are what a node runs with; tests of the slow things are quicker with others.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often each side of a session says that it lives.
    pub beat: Duration,
    /// A session that brought nothing for so long is closed: its peer is frozen or cut off.
    pub silence: Duration,
    /// A connection that has not said who it is by then is closed.
    pub handshake: Duration,
    /// After a failure, the next try comes after this, then after twice as long, and so on …
    pub least_pause: Duration,
    /// … up to this. A session that lasted so long makes the next pause the least again.
    pub most_pause: Duration,
    /// How often the certificates' files are looked at.
    pub reload: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(500),
            silence: Duration::from_secs(3),
            handshake: Duration::from_secs(3),
            least_pause: Duration::from_millis(100),
            most_pause: Duration::from_secs(5),
            reload: Duration::from_secs(10),
        }
    }
}
