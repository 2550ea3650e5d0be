//! The readers' side of connections to other nodes, and the owner's side. Imitates `actors::remote`.

use std::collections::BTreeMap;

use actors::machine::frame::{ToOwner, ToReader};
use actors::machine::positions::Position;
use bytes::Bytes;
use proto::types::{Epoch, KeyRange, PartitionIndex, RangeId};

use super::net::{Net, What};
use crate::sim::outside::Outside;
use crate::sim::reader::Target;

/// How often ranges that are not there yet are asked for again, and the other side hears record clocks.
pub(super) const TICK_MS: u64 = 60;
/// After how long a silence a connection is given up.
pub(super) const SILENT_MS: u64 = 400;
/// The pause before a lost connection is opened again.
const PAUSE_MS: u64 = 60;

/// The readers of a node, by partition: each has a number of its own.
pub(super) type Numbers = BTreeMap<PartitionIndex, u64>;

/// A range of the other side.
#[derive(Debug)]
struct Session {
    keys: KeyRange,
    epoch: Epoch,
    /// Which readers feed it; `None` where it is asked for, or not there yet.
    fed: Option<Numbers>,
}

/// What readers are to do.
#[derive(Debug)]
pub(super) enum Feed {
    /// Feed a range from there on.
    From(PartitionIndex, Target, Position),
    /// Feed it no more by that connection.
    Lost(RangeId, u64),
}

/// The way to another node.
#[derive(Debug)]
pub(super) struct Link {
    here: usize,
    there: usize,
    /// The connection, and when anything was heard on it; `None` where there is none.
    over: Option<(u64, u64)>,
    again_ms: u64,
    sessions: BTreeMap<RangeId, Session>,
}

impl Link {
    pub(super) const fn new(here: usize, there: usize) -> Self {
        Self { here, there, over: None, again_ms: 0, sessions: BTreeMap::new() }
    }

    pub(super) fn is_over(&self, connection: u64) -> bool {
        self.over.is_some_and(|it| it.0 == connection)
    }

    /// The node that it leads to, and the connection.
    pub(super) fn connection(&self) -> Option<(usize, u64)> {
        self.over.map(|it| (self.there, it.0))
    }

    fn say(&self, frame: &ToOwner, net: &mut Net, out: &mut Outside) {
        if let Some((over, _)) = self.over {
            net.send((self.here, self.there), What::ToOwner(over, frame.encode()), out);
        }
    }

    /// The map has changed, or the readers have.
    pub(super) fn want(
        &mut self,
        wanted: &BTreeMap<RangeId, (KeyRange, Epoch)>,
        readers: &Numbers,
        net: &mut Net,
        out: &mut Outside,
    ) -> Vec<Feed> {
        if wanted.is_empty() {
            let lost = self.end(net, out);
            self.sessions.clear();
            return lost;
        }
        let mut lost = Vec::new();
        let connection = self.over.map_or(0, |it| it.0);
        let stays = |range: &RangeId, it: &Session| wanted.get(range) == Some(&(it.keys, it.epoch));
        self.sessions.retain(|range, session| {
            let stays = stays(range, session);
            if !stays && session.fed.is_some() {
                lost.push(Feed::Lost(*range, connection));
            }
            stays
        });
        for (&range, &(keys, epoch)) in wanted {
            let session = self.sessions.entry(range).or_insert(Session { keys, epoch, fed: None });
            let is_fed_by_all =
                session.fed.as_ref().is_some_and(|fed| readers.iter().all(|it| is_in(fed, it)));
            if !is_fed_by_all {
                self.say(&ToOwner::Open(range, epoch), net, out);
            }
        }
        lost
    }

    /// Something was heard from there.
    pub(super) fn hear(&mut self, frame: &ToReader, readers: &Numbers, now_ms: u64) -> Vec<Feed> {
        let Some((connection, heard_ms)) = &mut self.over else { return Vec::new() };
        *heard_ms = now_ms;
        let connection = *connection;
        match frame {
            ToReader::Positions(range, epoch, positions) => {
                self.feed((*range, *epoch), positions, readers, connection)
            }
            ToReader::NotHere(range, epoch) => {
                let session = self.sessions.get_mut(range).filter(|it| it.epoch == *epoch);
                let was_fed = session.is_some_and(|it| it.fed.take().is_some());
                if was_fed { vec![Feed::Lost(*range, connection)] } else { Vec::new() }
            }
            ToReader::Receipt(_)
            | ToReader::Committed(..)
            | ToReader::Clocks(_)
            | ToReader::Wanting(..)
            | ToReader::Cells(..)
            | ToReader::Answered(..)
            | ToReader::NotAnswered(_) => Vec::new(),
        }
    }

    /// Whether a range is asked for there under that epoch.
    pub(super) fn has(&self, range: RangeId, epoch: Epoch) -> bool {
        self.sessions.get(&range).is_some_and(|session| session.epoch == epoch)
    }

    fn feed(
        &mut self,
        (range, epoch): (RangeId, Epoch),
        positions: &[Position],
        readers: &Numbers,
        connection: u64,
    ) -> Vec<Feed> {
        let session = self.sessions.get_mut(&range).filter(|it| it.epoch == epoch);
        let Some(session) = session else { return Vec::new() };
        let fed = session.fed.get_or_insert_default();
        let mut feeds = Vec::new();
        for (&partition, &number) in readers {
            if is_in(fed, (&partition, &number)) {
                continue;
            }
            fed.insert(partition, number);
            let target = Target { range, epoch, keys: session.keys, over: Some(connection) };
            let from = positions.get(partition.index()).copied().unwrap_or_default();
            feeds.push(Feed::From(partition, target, from));
        }
        feeds
    }

    /// Time passes: asks again, connects again, or gives a silent connection up.
    pub(super) fn tick(&mut self, clocks: &ToOwner, net: &mut Net, out: &mut Outside) -> Vec<Feed> {
        match self.over {
            Some((_, heard_ms)) if out.now_ms > heard_ms + SILENT_MS => self.end(net, out),
            Some(_) => {
                self.say(clocks, net, out);
                let away = self.sessions.iter().filter(|(_, session)| session.fed.is_none());
                let away: Vec<_> = away.map(|(&range, session)| (range, session.epoch)).collect();
                for (range, epoch) in away {
                    self.say(&ToOwner::Open(range, epoch), net, out);
                }
                Vec::new()
            }
            None if out.now_ms >= self.again_ms && !self.sessions.is_empty() => {
                let connection = net.connection();
                self.over = Some((connection, out.now_ms));
                net.send((self.here, self.there), What::Hello(connection), out);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// The connection is given up.
    pub(super) fn end(&mut self, net: &mut Net, out: &mut Outside) -> Vec<Feed> {
        if let Some((connection, _)) = self.over {
            net.send((self.here, self.there), What::Broken(connection), out);
        }
        self.ended(out.now_ms)
    }

    /// The connection has ended: on the next every range is asked again how it stands.
    pub(super) fn ended(&mut self, now_ms: u64) -> Vec<Feed> {
        let Some((connection, _)) = self.over.take() else { return Vec::new() };
        self.again_ms = now_ms + PAUSE_MS;
        let fed = self.sessions.iter_mut().filter_map(|(&range, session)| {
            session.fed.take().map(|_| Feed::Lost(range, connection))
        });
        fed.collect()
    }
}

fn is_in(fed: &Numbers, (partition, number): (&PartitionIndex, &u64)) -> bool {
    fed.get(partition) == Some(number)
}

/// A connection that another node has opened.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) from: usize,
    pub(super) heard_ms: u64,
}

/// What is said to the readers of another node.
pub(super) fn answer(
    (here, there, over): (usize, usize, u64),
    frame: &ToReader,
    net: &mut Net,
    out: &mut Outside,
) {
    let bytes: Bytes = frame.encode();
    net.send((here, there), What::ToReader(over, bytes), out);
}
