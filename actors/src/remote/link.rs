//! The readers' side of a connection: it keeps one to a node for as long as ranges there are to be fed or figures are
//! summed up there, finds out how the ranges stand, and has the readers feed them from there.

mod figures;
mod talk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proto::types::{Epoch, KeyRange, NodeId, PartitionIndex, RangeId};
use ractor::{ActorRef, SpawnErr};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use self::talk::Talk;
use super::Duplex;
use crate::engine::{Links, Setup};
use crate::machine::frame::FrameError;
use crate::reader;

/// How often ranges that are not there yet are asked for again, and the other side hears record clocks.
const TICK: Duration = Duration::from_millis(100);
/// So many ticks without a word from the other side, which speaks several times a second, and the connection is given
/// up: a node that is frozen must not use up the credit of its ranges, and with it hold all others back.
const SILENT_TICKS: u32 = 30;
/// The pause before a lost connection is opened again, at first; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is to be fed over a link, and by whom, and what is summed up there: at any time the whole of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The ranges.
    pub(crate) ranges: BTreeMap<RangeId, (KeyRange, Epoch)>,
    /// The readers of this node.
    pub(crate) readers: BTreeMap<PartitionIndex, ActorRef<reader::Message>>,
    /// The dimensions that are summed up there.
    pub(crate) dimensions: BTreeSet<String>,
}

impl Wanted {
    /// Whether nothing is to be said there.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.dimensions.is_empty()
    }
}

/// The way to another node.
pub(crate) struct Link {
    pub(crate) links: Arc<Links>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) node: NodeId,
    /// Ends when the node is not in the map any more.
    pub(crate) wanted: watch::Receiver<Wanted>,
}

/// Why a conversation was over.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("nothing is to be said there any more")]
    Done,
    #[error("the other side has closed it")]
    Closed,
    #[error("the other side was silent for {:?}", TICK * SILENT_TICKS)]
    Silent,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("start a proxy")]
    Spawn(#[from] SpawnErr),
}

/// Keeps the connection for as long as it is wanted.
pub(crate) async fn keep(mut link: Link) {
    let mut pause = FIRST_PAUSE;
    let stopping = link.links.stopping().clone();
    let fed = async {
        while link.wanted.wait_for(|wanted| !wanted.is_empty()).await.is_ok() {
            let Some(heard) = link.connect().await else { continue };
            if heard {
                pause = FIRST_PAUSE;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        () = fed => {}
        () = stopping.cancelled() => {}
    }
}

impl Link {
    /// Connects, and talks until the connection ends; says whether anything was heard, `None` where nothing is to
    /// be fed there any more.
    async fn connect(&mut self) -> Option<bool> {
        match (self.setup.dial)(&self.node).await {
            Ok(duplex) => {
                let (over, heard) = self.talk(duplex).await;
                if matches!(over, Over::Done) {
                    return None;
                }
                warn!(node = %self.node, why = %over, "connection lost, its ranges wait");
                Some(heard)
            }
            Err(error) => {
                warn!(%error, "not connected, trying again");
                Some(false)
            }
        }
    }

    /// Talks until the connection ends; says why, and whether anything was heard.
    async fn talk(&mut self, mut duplex: Duplex) -> (Over, bool) {
        let links = Arc::clone(&self.links);
        let mut talk = Talk::new(links, &self.node, duplex.outgoing);
        if let Err(over) = talk.want(&self.wanted.borrow_and_update().clone()) {
            return (over, false);
        }
        info!(node = %self.node, ranges = self.wanted.borrow().ranges.len(), "connected");
        let mut tick = tokio::time::interval(TICK);
        let mut heard = None;
        let over = loop {
            let went_on = tokio::select! {
                frame = duplex.incoming.recv() => match frame {
                    None => Err(Over::Closed),
                    Some(frame) => {
                        heard = Some(0);
                        talk.hear(&frame).await
                    }
                },
                changed = self.wanted.changed() => match changed {
                    Err(_) => Err(Over::Done),
                    Ok(()) => talk.want(&self.wanted.borrow_and_update().clone()),
                },
                _ = tick.tick() => {
                    let silent = heard.get_or_insert(0);
                    *silent += 1;
                    talk.tick();
                    if *silent > SILENT_TICKS { Err(Over::Silent) } else { Ok(()) }
                }
            };
            if let Err(over) = went_on {
                break over;
            }
        };
        talk.end();
        (over, heard.is_some())
    }
}
