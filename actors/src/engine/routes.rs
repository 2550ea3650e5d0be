//! Ranges on other nodes: the map of who owns what, and the connections that go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::types::{Epoch, KeyRange, NodeId, PartitionIndex, RangeId};
use ractor::ActorRef;
use tokio::sync::watch;

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
        let mut there: BTreeMap<&NodeId, BTreeMap<_, _>> = BTreeMap::new();
        for Route { range, keys, epoch, at } in routes {
            match at {
                Place::There(node) if node != self.node() => {
                    there.entry(node).or_default().insert(*range, (*keys, *epoch));
                }
                Place::There(_) | Place::Here => {}
            }
        }
        for (node, way) in &feeding.ways {
            let ranges = there.remove(node).unwrap_or_default();
            way.send_if_modified(|wanted| {
                let is_new = wanted.ranges != ranges;
                wanted.ranges = ranges;
                is_new
            });
        }
        for (node, ranges) in there {
            let readers = feeding.readers.clone();
            let (way, wanted) = watch::channel(Wanted { ranges, readers });
            feeding.ways.insert(node.clone(), way);
            let (links, setup) = (Arc::clone(&self.links), Arc::clone(&self.setup));
            let link = Link { links, setup, node: node.clone(), wanted };
            drop(self.links.tasks().spawn(keep(link)));
        }
    }

    /// Serves another node, which has readers for ranges here, until it goes.
    pub fn accept(&self, from: NodeId, duplex: Duplex) {
        let links = Arc::clone(&self.links);
        drop(self.links.tasks().spawn(serve(Serving { links, from, duplex })));
    }
}
