//! A conversation with a node about its ranges: which are asked for, which are fed, by whom and through what.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proto::types::{Epoch, KeyRange, NodeId, PartitionIndex, RangeId};
use ractor::{Actor, ActorId, ActorRef};
use tokio::sync::mpsc::UnboundedSender;

use super::super::proxy::Proxy;
use super::figures::Telling;
use super::{Over, Wanted};
use crate::engine::Links;
use crate::machine::frame::{ToOwner, ToReader};
use crate::machine::positions::{Position, Receipt};
use crate::reader::Target;
use crate::{range, reader};

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

/// The readers' side of a conversation. What it ends with is forgotten: on the next connection every range is asked again how
/// it stands.
pub(super) struct Talk {
    links: Arc<Links>,
    outgoing: UnboundedSender<Bytes>,
    sessions: BTreeMap<RangeId, Session>,
    readers: BTreeMap<PartitionIndex, ActorRef<reader::Message>>,
    figures: Telling,
}

impl Talk {
    pub(super) fn new(links: Arc<Links>, node: &NodeId, outgoing: UnboundedSender<Bytes>) -> Self {
        let figures = Telling::new(Arc::clone(&links), node.clone(), outgoing.clone());
        Self { links, outgoing, sessions: BTreeMap::new(), readers: BTreeMap::new(), figures }
    }

    /// Whether anybody listens is told by the other queue.
    fn say(&self, frame: &ToOwner) {
        drop(self.outgoing.send(frame.encode()));
    }

    /// The map has changed, or the readers have.
    pub(super) fn want(&mut self, wanted: &Wanted) -> Result<(), Over> {
        if wanted.is_empty() {
            return Err(Over::Done);
        }
        self.figures.want(&wanted.dimensions);
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

    pub(super) async fn hear(&mut self, frame: &Bytes) -> Result<(), Over> {
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
            frame @ (ToReader::Wanting(..)
            | ToReader::Cells(..)
            | ToReader::Answered(..)
            | ToReader::NotAnswered(_)) => self.figures.hear(frame)?,
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

    pub(super) fn tick(&mut self) {
        self.figures.tick();
        self.say(&ToOwner::Clocks(self.links.alignment().told()));
        for (&range, session) in &self.sessions {
            if matches!(session.standing, Standing::Away) {
                self.say(&ToOwner::Open(range, session.epoch));
            }
        }
    }

    pub(super) fn end(&mut self) {
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
