//! Letters to other nodes: who was written to lately is kept in touch with.

use std::collections::BTreeMap;
use std::time::Duration;

use actors::clock::Clock;
use bytes::Bytes;
use parking_lot::Mutex;
use tracing::debug;

use crate::cluster::post;
use crate::peer::{Address, AddressError, AskError, Peers};

/// How long after its last letter a session is kept up.
const KEPT_MS: u64 = 30_000;

/// How soon a node is asked again to which there is no session yet.
const AGAIN: Duration = Duration::from_millis(25);

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// The transport, as letters need it.
pub(super) struct Carry {
    peers: Peers,
    clock: Clock,
    /// When each was last written to.
    written: Mutex<BTreeMap<Address, u64>>,
}

impl Carry {
    pub(super) fn new(peers: Peers, clock: Clock) -> Self {
        Self { peers, clock, written: Mutex::default() }
    }

    /// Asks a node, also one to which there is no session yet, and waits for its answer.
    pub(super) async fn ask(
        &self,
        address: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Unanswered> {
        let to = Address::new(address)?;
        self.note(&to);
        let asking = async {
            loop {
                match self.peers.ask(&to, body.clone(), patience).await {
                    // It was noted: a session is on its way.
                    Err(AskError::NoSession(_)) => tokio::time::sleep(AGAIN).await,
                    answered => return answered,
                }
            }
        };
        let answered = tokio::time::timeout(patience, asking).await;
        Ok(answered.unwrap_or_else(|_| Err(AskError::TimedOut(to.clone())))?)
    }

    /// Notes a letter; a session that is new or that nobody wrote to for long makes the transport think again.
    fn note(&self, to: &Address) {
        let now_ms = (self.clock)();
        let mut written = self.written.lock();
        let is_new = written.insert(to.clone(), now_ms).is_none();
        let before = written.len();
        // Where the wall was set back, nobody is forgotten before it has caught up.
        written.retain(|_, at| at.saturating_add(KEPT_MS) >= now_ms);
        if is_new || written.len() < before {
            self.peers.keep(written.keys().cloned().collect());
        }
    }
}

impl std::fmt::Debug for Carry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carry").field("peers", &self.peers).finish_non_exhaustive()
    }
}

impl post::Carrier for Carry {
    fn tell(&self, address: &str, bytes: Bytes) {
        match Address::new(address) {
            Ok(to) => {
                self.note(&to);
                self.peers.tell(&to, bytes);
            }
            Err(error) => debug!(%error, "a letter has nowhere to go"),
        }
    }
}
