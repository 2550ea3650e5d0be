//! Where each dimension is summed up: what the map says, who is connected, and what is missing here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::types::{NodeId, RangeId};
use ractor::rpc::CallResult;
use tokio::sync::mpsc::UnboundedSender;

use super::{Aggregators, Connection};
use crate::aggregator::{Answer, Message, Query};
use crate::engine::Links;
use crate::engine::routes::Place;
use crate::range;

/// How often it is looked what is missing.
const LOOK: Duration = Duration::from_millis(500);
/// How long an aggregator is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the dimensions are summed up.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// The newest that was heard of; `None` before the first, and then each is summed up here.
    version: Option<u64>,
    /// One that is not in it is summed up nowhere.
    places: BTreeMap<String, Place>,
    /// All ranges that there are.
    ranges: BTreeSet<RangeId>,
    connected: BTreeMap<NodeId, Arc<Connection>>,
    /// By dimension that is summed up here: the ranges that are to tell their whole share.
    wanting: BTreeMap<String, BTreeSet<RangeId>>,
}

impl Map {
    pub(super) const fn is_heard(&self) -> bool {
        self.version.is_some()
    }

    pub(super) fn place(&self, dimension: &str) -> Option<&Place> {
        self.places.get(dimension)
    }

    pub(super) fn connection(&self, node: &NodeId) -> Option<Arc<Connection>> {
        self.connected.get(node).cloned()
    }

    fn is_here(&self, dimension: &str) -> bool {
        self.place(dimension) == Some(&Place::Here)
    }
}

impl Aggregators {
    /// The map says, at `version`, where the dimensions are summed up; `false` where a newer one has been heard of.
    ///
    /// Whoever gets a dimension begins with nothing: every range is missing, is asked and tells its whole share, and then
    /// every cell is pushed, again and again at growing distances ([`Again`](crate::machine::aggregate::Again)):
    /// so a sum that is too low, of one who still thinks that the dimension is its own, is not what is left.
    pub(in crate::engine) fn place(&self, version: u64, places: BTreeMap<String, Place>) -> bool {
        let mut map = self.map.lock();
        if map.version.is_some_and(|known| version < known) {
            return false;
        }
        let is_first = map.version.replace(version).is_none();
        let before = std::mem::replace(&mut map.places, places);
        for (name, actor) in &self.actors {
            let is_here = map.is_here(name);
            if !is_first && is_here == (before.get(name) == Some(&Place::Here)) {
                continue;
            }
            let ranges = map.ranges.clone();
            // One that has died fails the ranges here, and with them the node.
            drop(actor.cast(if is_here { Message::Take(ranges) } else { Message::Yield }));
        }
        true
    }

    /// These are all ranges that there are, here and elsewhere.
    pub(in crate::engine) fn expect_all(&self, ranges: &BTreeSet<RangeId>) {
        let mut map = self.map.lock();
        map.ranges.clone_from(ranges);
        for (name, actor) in &self.actors {
            if map.is_here(name) {
                drop(actor.cast(Message::Expect(ranges.clone())));
            }
        }
    }

    /// A node is connected.
    pub(crate) fn connect(
        &self,
        node: &NodeId,
        outgoing: UnboundedSender<Bytes>,
    ) -> Arc<Connection> {
        let connection = Arc::new(Connection::new(outgoing));
        self.map.lock().connected.insert(node.clone(), Arc::clone(&connection));
        connection
    }

    /// It is not any more.
    pub(crate) fn disconnect(&self, node: &NodeId) {
        if let Some(connection) = self.map.lock().connected.remove(node) {
            connection.end();
        }
    }

    /// By dimension that is summed up here: the ranges that are to tell their whole share, as of the last look.
    pub(crate) fn wanting(&self) -> BTreeMap<String, BTreeSet<RangeId>> {
        self.map.lock().wanting.clone()
    }

    /// The cells that `query` asks for, of whoever sums the dimension up; `None` where that is not known at the
    /// moment, or it is not reached.
    pub(in crate::engine) async fn ask(&self, dimension: &str, query: Query) -> Option<Answer> {
        let connection = {
            let map = self.map.lock();
            match map.place(dimension) {
                None if map.is_heard() => return None,
                Some(Place::There(node)) => Some(map.connection(node)?),
                None | Some(Place::Here) => None,
            }
        };
        match connection {
            Some(connection) => connection.ask(dimension, query).await,
            None => self.ask_here(dimension, query).await,
        }
    }

    /// The same, where it is summed up here; `None` where it is not.
    pub(crate) async fn ask_here(&self, dimension: &str, query: Query) -> Option<Answer> {
        let actor = self.of(dimension)?;
        let is_mapped = {
            let map = self.map.lock();
            if map.is_heard() && !map.is_here(dimension) {
                return None;
            }
            map.is_heard()
        };
        match actor.call(|port| Message::Query(query, port), Some(PATIENCE)).await {
            // One that has yielded expects nobody. Its answer must not be taken for a whole one without cells.
            Ok(CallResult::Success(answer)) if is_mapped && answer.as_of.ranges.is_empty() => None,
            Ok(CallResult::Success(answer)) => Some(answer),
            Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => None,
        }
    }

    /// What the aggregators here are missing, by dimension.
    async fn missing(&self) -> BTreeMap<String, BTreeSet<RangeId>> {
        let mut all = BTreeMap::new();
        for (name, actor) in &self.actors {
            if !self.map.lock().is_here(name) {
                continue;
            }
            let Ok(CallResult::Success(as_of)) = actor.call(Message::AsOf, Some(PATIENCE)).await
            else {
                continue;
            };
            let ranges: BTreeSet<_> = as_of.wanting().collect();
            if !ranges.is_empty() {
                all.insert(name.clone(), ranges);
            }
        }
        all
    }
}

/// Looks what the aggregators here are missing, has the ranges here tell it, and notes it for those elsewhere.
pub(in crate::engine) async fn look(links: Arc<Links>) {
    let stopping = links.stopping().clone();
    let looks = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let missing = links.aggregators().missing().await;
            links.aggregators().map.lock().wanting.clone_from(&missing);
            ask_ranges(&links, &missing);
        }
    };
    tokio::select! {
        () = looks => {}
        () = stopping.cancelled() => {}
    }
}

/// The ranges here tell their whole share of what it is missing in.
fn ask_ranges(links: &Links, missing: &BTreeMap<String, BTreeSet<RangeId>>) {
    for target in links.served().all() {
        let of = missing.iter().filter(|(_, ranges)| ranges.contains(&target.range));
        let dimensions: BTreeSet<_> = of.map(|(name, _)| name.clone()).collect();
        if !dimensions.is_empty() {
            // A range that has ended meanwhile is another's to tell.
            drop(target.actor.cast(range::Message::Tell(dimensions)));
        }
    }
}
