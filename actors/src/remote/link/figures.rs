//! The figures of the ranges here, on their way to the aggregators of the node that a link leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proto::types::{Epoch, NodeId, RangeId};
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::{Connection, Links};
use crate::machine::frame::{FrameError, ToReader};
use crate::range;
use crate::reader::Target;

/// Which ranges have told what over one connection. On the next each tells its whole share again: what was under way may be
/// lost.
pub(super) struct Telling {
    links: Arc<Links>,
    node: NodeId,
    connection: Arc<Connection>,
    /// What is summed up there.
    dimensions: BTreeSet<String>,
    told: BTreeMap<RangeId, (Epoch, BTreeSet<String>)>,
}

impl Telling {
    pub(super) fn new(links: Arc<Links>, node: NodeId, outgoing: UnboundedSender<Bytes>) -> Self {
        let connection = links.aggregators().connect(&node, outgoing);
        let (dimensions, told) = (BTreeSet::new(), BTreeMap::new());
        Self { links, node, connection, dimensions, told }
    }

    /// These dimensions are summed up there.
    pub(super) fn want(&mut self, dimensions: &BTreeSet<String>) {
        self.dimensions.clone_from(dimensions);
        // One that comes back is begun anew there.
        self.told.values_mut().for_each(|(_, told)| told.retain(|it| dimensions.contains(it)));
    }

    /// Each range here that has not told its whole share does so now: it is new here, or the dimension is there.
    pub(super) fn tick(&mut self) {
        let served = self.links.served().all();
        self.told.retain(|range, _| served.iter().any(|target| target.range == *range));
        for target in served {
            let (epoch, told) =
                self.told.entry(target.range).or_insert_with(|| (target.epoch, BTreeSet::new()));
            if *epoch != target.epoch {
                (*epoch, *told) = (target.epoch, BTreeSet::new());
            }
            let new: BTreeSet<_> = self.dimensions.difference(told).cloned().collect();
            if !new.is_empty() {
                told.extend(new.iter().cloned());
                tell(&target, new);
            }
        }
    }

    /// An answer, or a question about ranges here; the others are others' to tell.
    pub(super) fn hear(&self, frame: ToReader) -> Result<(), FrameError> {
        match frame {
            ToReader::Wanting(dimension, ranges) if self.dimensions.contains(&dimension) => {
                let served = self.links.served().all().into_iter();
                for target in served.filter(|target| ranges.contains(&target.range)) {
                    tell(&target, [dimension.clone()].into());
                }
            }
            ToReader::Cells(number, rows) => self.connection.cells(number, rows),
            ToReader::Answered(number, as_of, is_cut) => {
                self.connection.answered(number, as_of, is_cut)?;
            }
            ToReader::NotAnswered(number) => self.connection.not_answered(number),
            // Their map is another than ours; the newer of the two will be heard of on the other side too.
            ToReader::Wanting(..)
            | ToReader::Positions(..)
            | ToReader::NotHere(..)
            | ToReader::Receipt(_)
            | ToReader::Committed(..)
            | ToReader::Clocks(_) => {}
        }
        Ok(())
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.links.aggregators().disconnect(&self.node);
    }
}

fn tell(target: &Target, dimensions: BTreeSet<String>) {
    // A range that has ended meanwhile is another's to tell.
    drop(target.actor.cast(range::Message::Tell(dimensions)));
}
