//! Ranges and aggregators on other nodes: the map of who has what, and the connections that go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::types::{Epoch, KeyRange, NodeId, PartitionIndex, RangeId};
use ractor::ActorRef;
use tokio::sync::watch;

use super::aggregators::look;
use super::reads::Readers;
use super::start::Engine;
use crate::reader;
use crate::remote::{Duplex, Link, Serving, Wanted, keep, serve};

/// Where a range is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The range.
    pub range: RangeId,
    /// Its keys.
    pub keys: KeyRange,
    /// The epoch of its owner.
    pub epoch: Epoch,
    /// Who that is.
    pub at: Place,
}

/// One of the nodes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// This one.
    Here,
    /// Another one.
    There(NodeId),
}

/// Who is read for, and by whom.
#[derive(Debug, Default)]
pub(super) struct Feeding {
    pub(super) readers: Readers,
    /// The newest map that was heard of.
    version: u64,
    /// The ranges in it.
    mapped: BTreeSet<RangeId>,
    /// Those of other nodes, by node.
    there: BTreeMap<NodeId, BTreeMap<RangeId, (KeyRange, Epoch)>>,
    /// The dimensions that other nodes sum up, by node; `None` before a map of them was heard of.
    summed: Option<BTreeMap<NodeId, BTreeSet<String>>>,
    /// The links to other nodes. One that has nothing to do any more stays, without a connection: so there are never
    /// two to one node.
    ways: BTreeMap<NodeId, watch::Sender<Wanted>>,
}

impl Feeding {
    /// Only these partitions are read any more; answers with the readers that are to end.
    pub(super) fn keep(
        &mut self,
        partitions: &BTreeSet<PartitionIndex>,
    ) -> Vec<ActorRef<reader::Message>> {
        let gone = self.readers.keys().copied().filter(|it| !partitions.contains(it));
        let gone: Vec<_> = gone.collect();
        let gone = gone.iter().filter_map(|index| self.readers.remove(index)).collect();
        self.tell();
        gone
    }

    /// Further partitions are read.
    pub(super) fn add(&mut self, new: Readers) {
        self.readers.extend(new);
        self.tell();
    }

    /// The links hear who reads.
    fn tell(&self) {
        for way in self.ways.values() {
            way.send_modify(|wanted| wanted.readers.clone_from(&self.readers));
        }
    }

    /// Whether a range is in the map, whoever owns it.
    pub(super) fn is_mapped(&self, range: RangeId) -> bool {
        self.mapped.contains(&range)
    }
}

impl Engine {
    /// The map of all ranges, as the control log had it at `version`: readers feed all of them. May come late
    /// or twice; an older one than was heard of is ignored. A range here is fed once it is adopted, whatever the
    /// map says; one on another node once that node has said how it stands, and until then nobody waits for it.
    pub fn route(&self, version: u64, routes: &[Route]) {
        let mut feeding = self.feeding.lock();
        if version < feeding.version {
            return;
        }
        let feeding = &mut *feeding;
        feeding.version = version;
        feeding.mapped = routes.iter().map(|route| route.range).collect();
        self.links.expect_all(&feeding.mapped);
        let mut there: BTreeMap<NodeId, BTreeMap<_, _>> = BTreeMap::new();
        for Route { range, keys, epoch, at } in routes {
            match at {
                Place::There(node) if node != self.node() => {
                    there.entry(node.clone()).or_default().insert(*range, (*keys, *epoch));
                }
                Place::There(_) | Place::Here => {}
            }
        }
        feeding.there = there;
        self.connect(feeding);
    }

    /// Where each dimension is summed up, as the control log had it at `version`; the ranges of the map
    /// ([`Engine::route`]) are, all of them. May come late or twice; an older map than was heard of is ignored. Before
    /// the first each node sums up what it owns.
    pub fn aggregate(&self, version: u64, mut places: BTreeMap<String, Place>) {
        for place in places.values_mut() {
            if matches!(place, Place::There(node) if node == self.node()) {
                *place = Place::Here;
            }
        }
        let mut feeding = self.feeding.lock();
        if !self.links.aggregators().place(version, places.clone()) {
            return;
        }
        let mut summed: BTreeMap<NodeId, BTreeSet<String>> = BTreeMap::new();
        for (dimension, place) in places {
            if let Place::There(node) = place {
                summed.entry(node).or_default().insert(dimension);
            }
        }
        if feeding.summed.replace(summed).is_none() {
            drop(self.links.tasks().spawn(look(Arc::clone(&self.links))));
        }
        self.connect(&mut feeding);
    }

    /// There is a link to each node that has ranges or sums something up.
    fn connect(&self, feeding: &mut Feeding) {
        let none = BTreeMap::new();
        let summed = feeding.summed.as_ref().unwrap_or(&none);
        for (node, way) in &feeding.ways {
            let ranges = feeding.there.get(node).cloned().unwrap_or_default();
            let dimensions = summed.get(node).cloned().unwrap_or_default();
            way.send_if_modified(|wanted| {
                let is_new = wanted.ranges != ranges || wanted.dimensions != dimensions;
                (wanted.ranges, wanted.dimensions) = (ranges, dimensions);
                is_new
            });
        }
        let nodes: BTreeSet<_> = feeding.there.keys().chain(summed.keys()).cloned().collect();
        for node in nodes {
            if feeding.ways.contains_key(&node) {
                continue;
            }
            let ranges = feeding.there.get(&node).cloned().unwrap_or_default();
            let dimensions = summed.get(&node).cloned().unwrap_or_default();
            let readers = feeding.readers.clone();
            let (way, wanted) = watch::channel(Wanted { ranges, readers, dimensions });
            feeding.ways.insert(node.clone(), way);
            let (links, setup) = (Arc::clone(&self.links), Arc::clone(&self.setup));
            drop(self.links.tasks().spawn(keep(Link { links, setup, node, wanted })));
        }
    }

    /// Serves another node, which has readers for ranges here, until it goes.
    pub fn accept(&self, from: NodeId, duplex: Duplex) {
        let links = Arc::clone(&self.links);
        drop(self.links.tasks().spawn(serve(Serving { links, from, duplex })));
    }
}
