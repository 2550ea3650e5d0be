//! Keeps sessions up: dials the addresses that are to be kept, again and again, slower after each failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Address;
use super::control::{self, Side};
use super::count::Refusal;
use super::hello::{self, Key, Refused};
use super::net::Node;
use super::session::Session;
use super::tls::CONTROL;
use super::{Pace, dial};

/// The addresses that are kept, each with what ends that.
pub(super) struct Kept {
    node: Arc<Node>,
    kept: Mutex<BTreeMap<Address, CancellationToken>>,
}

impl Kept {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node, kept: Mutex::default() }
    }

    /// From now on these, and no others.
    pub(super) fn keep(&self, addresses: BTreeSet<Address>) {
        let mut kept = self.kept.lock();
        kept.retain(|address, end| {
            let stays = addresses.contains(address);
            if !stays {
                end.cancel();
            }
            stays
        });
        for address in addresses {
            kept.entry(address).or_insert_with_key(|address| {
                let end = self.node.stop.child_token();
                let keeper = keep(Arc::clone(&self.node), address.clone(), end.clone());
                self.node.tasks.spawn(keeper);
                end
            });
        }
    }
}

/// Keeps a session to `to` up until it is not to be kept any more.
async fn keep(node: Arc<Node>, to: Address, end: CancellationToken) {
    let Pace { least_pause, most_pause, .. } = node.settings.pace;
    let mut pause = least_pause;
    // What has been said already: it is the same at each try.
    let mut said = None;
    while !end.is_cancelled() {
        let mut lasting = std::pin::pin!(tokio::time::sleep(most_pause));
        let tried = once(&node, &to, &end);
        tokio::pin!(tried);
        let tried = tokio::select! {
            tried = &mut tried => tried,
            () = &mut lasting => {
                pause = least_pause;
                tried.await
            }
        };
        match tried {
            Ok(()) => said = None,
            Err(_) if end.is_cancelled() => return,
            Err(refused) => {
                node.tally.refuse(refused.reason);
                if said.as_ref() != Some(&refused) {
                    warn!(%to, reason = refused.reason.label(), why = refused.why, "no session");
                    said = Some(refused);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = next(pause, most_pause),
            () = end.cancelled() => return,
        }
    }
}

fn next(pause: Duration, most: Duration) -> Duration {
    (2 * pause).min(most)
}

/// Dials once, and stays until the session has ended.
async fn once(node: &Arc<Node>, to: &Address, end: &CancellationToken) -> Result<(), Refused> {
    let (mut link, proven) = tokio::select! {
        dialled = dial::connect(node, to, CONTROL) => dialled?,
        () = end.cancelled() => return Ok(()),
    };
    let key = Key::fresh().ok_or_else(|| Refused::new(Refusal::Protocol, "no randomness"))?;
    let ours = hello::of(&node.settings, Some((&node.control.mailbox_name, key)));
    let greet = async {
        hello::say(&mut link, &ours).await?;
        hello::hear(&mut link).await
    };
    let patience = node.settings.pace.handshake;
    let heard = tokio::select! {
        heard = tokio::time::timeout(patience, greet) => heard,
        () = end.cancelled() => return Ok(()),
    };
    let late = |_| Refused::new(Refusal::Silent, "it did not say who it is");
    let heard = heard.map_err(late)?;
    let greeting = hello::greeting(&heard?, &node.settings, proven.as_ref())?;
    let session = Session::new(greeting, key, end.child_token());
    let ready = || {
        info!(peer = %session.peer, %to, "session open");
        node.sessions.ready(to.clone(), &session);
    };
    let ran = control::run(node, (link, Side::Dialled), &session, ready).await;
    node.sessions.hang_up(to);
    ran
}
