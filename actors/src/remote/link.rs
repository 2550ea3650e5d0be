//! The readers' side of a connection: it keeps one to a node for as long as ranges there are to be fed, finds out how
//! they stand, and has the readers feed them from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::types::{Epoch, KeyRange, NodeId, PartitionIndex, RangeId};
use ractor::{Actor, ActorId, ActorRef, SpawnErr};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::Duplex;
use super::proxy::Proxy;
use crate::engine::{Links, Setup};
use crate::machine::frame::{FrameError, ToOwner, ToReader};
use crate::machine::positions::{Position, Receipt};
use crate::reader::Target;
use crate::{range, reader};

/// How often ranges that are not there yet are asked for again, and the other side hears record clocks.
const TICK: Duration = Duration::from_millis(100);
/// So many ticks without a word from the other side, which speaks several times a second, and the connection is given
/// up: a node that is frozen must not use up the credit of its ranges, and with it hold all others back.
const SILENT_TICKS: u32 = 30;
/// The pause before a lost connection is opened again, at first; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is to be fed over a link, and by whom: at any time the whole of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The ranges.
    pub(crate) ranges: BTreeMap<RangeId, (KeyRange, Epoch)>,
    /// The readers of this node.
    pub(crate) readers: BTreeMap<PartitionIndex, ActorRef<reader::Message>>,
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
    #[error("nothing is to be fed there any more")]
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
        while link.wanted.wait_for(|wanted| !wanted.ranges.is_empty()).await.is_ok() {
            match (link.setup.dial)(&link.node).await {
                Ok(duplex) => {
                    let (over, heard) = link.talk(duplex).await;
                    if matches!(over, Over::Done) {
                        continue;
                    }
                    warn!(node = %link.node, why = %over, "connection lost, its ranges wait");
                    if heard {
                        pause = FIRST_PAUSE;
                    }
                }
                Err(error) => warn!(%error, "not connected, trying again"),
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
    /// Talks until the connection ends; says why, and whether anything was heard.
    async fn talk(&mut self, mut duplex: Duplex) -> (Over, bool) {
        let links = Arc::clone(&self.links);
        let mut talk = Talk::new(links, duplex.outgoing);
        if let Err(over) = talk.want(&self.wanted.borrow_and_update().clone()) {
            return (over, false);
        }
        info!(node = %self.node, ranges = talk.sessions.len(), "connected");
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

/// How a range on the other side is known.
enum Standing {
    /// It is asked for, or not there yet, and is not fed: nobody waits for it.
    Away,
    /// It is fed, by these readers, through that proxy.
    Fed(ActorRef<range::Message>, BTreeMap<PartitionIndex, ActorId>),
}

struct Session {
    keys: KeyRange,
    epoch: Epoch,
    standing: Standing,
}

/// The state of a conversation. What it ends with is forgotten: on the next connection every range is asked again how
/// it stands.
struct Talk {
    links: Arc<Links>,
    outgoing: UnboundedSender<Bytes>,
    sessions: BTreeMap<RangeId, Session>,
    readers: BTreeMap<PartitionIndex, ActorRef<reader::Message>>,
}

impl Talk {
    const fn new(links: Arc<Links>, outgoing: UnboundedSender<Bytes>) -> Self {
        Self { links, outgoing, sessions: BTreeMap::new(), readers: BTreeMap::new() }
    }

    /// Whether anybody listens is told by the other queue.
    fn say(&self, frame: &ToOwner) {
        drop(self.outgoing.send(frame.encode()));
    }

    /// The map has changed, or the readers have.
    fn want(&mut self, wanted: &Wanted) -> Result<(), Over> {
        if wanted.ranges.is_empty() {
            return Err(Over::Done);
        }
        self.readers.clone_from(&wanted.readers);
        let sessions = std::mem::take(&mut self.sessions);
        for (range, session) in sessions {
            if wanted.ranges.get(&range) == Some(&(session.keys, session.epoch)) {
                self.sessions.insert(range, session);
            } else {
                self.lose(range, session);
            }
        }
        for (&range, &(keys, epoch)) in &wanted.ranges {
            let new = || Session { keys, epoch, standing: Standing::Away };
            let session = self.sessions.entry(range).or_insert_with(new);
            let is_fed_by_all = match &session.standing {
                Standing::Away => false,
                Standing::Fed(_, fed) => self.readers.iter().all(|it| is_in(fed, it)),
            };
            if !is_fed_by_all {
                self.say(&ToOwner::Open(range, epoch));
            }
        }
        Ok(())
    }

    async fn hear(&mut self, frame: &Bytes) -> Result<(), Over> {
        match ToReader::decode(frame)? {
            ToReader::Positions(range, epoch, positions) => {
                self.feed(range, epoch, &positions).await?;
            }
            ToReader::NotHere(range, epoch) => self.not_here(range, epoch),
            ToReader::Receipt(receipt) => self.receipt(receipt),
            ToReader::Committed(range, epoch, positions) => {
                if self.has(range, epoch) {
                    self.links.note_committed(range, positions);
                }
            }
            ToReader::Clocks(all) => self.links.alignment().hear(&all),
        }
        Ok(())
    }

    fn has(&self, range: RangeId, epoch: Epoch) -> bool {
        self.sessions.get(&range).is_some_and(|session| session.epoch == epoch)
    }

    /// The range stands so: every reader that does not feed it yet does so from there.
    async fn feed(
        &mut self,
        range: RangeId,
        epoch: Epoch,
        positions: &[Position],
    ) -> Result<(), Over> {
        let Some(session) = self.sessions.get_mut(&range).filter(|it| it.epoch == epoch) else {
            return Ok(());
        };
        if matches!(session.standing, Standing::Away) {
            let arguments = (range, epoch, self.outgoing.clone());
            let (proxy, _) = Actor::spawn(None, Proxy, arguments).await?;
            session.standing = Standing::Fed(proxy, BTreeMap::new());
        }
        let Standing::Fed(proxy, fed) = &mut session.standing else { return Ok(()) };
        for (&partition, reader) in &self.readers {
            if is_in(fed, (&partition, reader)) {
                continue;
            }
            fed.insert(partition, reader.get_id());
            let actor = proxy.clone();
            let target = Target { range, keys: session.keys, epoch, actor };
            let from = positions.get(partition.index()).copied().unwrap_or_default();
            // A reader that has gone is not wanted any more, as will be heard soon.
            drop(reader.cast(reader::Message::Feed(target, from)));
        }
        Ok(())
    }

    fn not_here(&mut self, range: RangeId, epoch: Epoch) {
        let Some(session) = self.sessions.get_mut(&range).filter(|it| it.epoch == epoch) else {
            return;
        };
        let standing = std::mem::replace(&mut session.standing, Standing::Away);
        let lost = Session { keys: session.keys, epoch, standing };
        self.lose(range, lost);
    }

    fn receipt(&self, receipt: Receipt) {
        if !self.has(receipt.range, receipt.epoch) {
            return;
        }
        if let Some(reader) = self.readers.get(&receipt.partition) {
            drop(reader.cast(reader::Message::Receipt(receipt)));
        }
    }

    /// A range is not fed over this connection any more. The others go on.
    fn lose(&self, range: RangeId, session: Session) {
        let Standing::Fed(proxy, _) = session.standing else { return };
        for reader in self.readers.values() {
            drop(reader.cast(reader::Message::Lost(range, session.epoch)));
        }
        proxy.stop(None);
    }

    fn tick(&self) {
        self.say(&ToOwner::Clocks(self.links.alignment().told()));
        for (&range, session) in &self.sessions {
            if matches!(session.standing, Standing::Away) {
                self.say(&ToOwner::Open(range, session.epoch));
            }
        }
    }

    fn end(&mut self) {
        for (range, session) in std::mem::take(&mut self.sessions) {
            self.lose(range, session);
        }
    }
}

fn is_in(
    fed: &BTreeMap<PartitionIndex, ActorId>,
    (partition, reader): (&PartitionIndex, &ActorRef<reader::Message>),
) -> bool {
    fed.get(partition) == Some(&reader.get_id())
}
