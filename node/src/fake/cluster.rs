//! The fake bank's nodes and ranges, and who may do what with them.

use std::num::NonZeroU16;

use coordinator::machine::wish::Request;
use proto::types::{Epoch, KeyRange, NodeId, RangeId, Sequence};

use super::Fake;
use crate::api::backend::{
    Change, Cluster, Granted, Health, Node, NodeState, Range, RangeState, Reply,
};
use crate::problem::{Code, Problem};

impl Fake {
    pub(super) fn cluster_now(&self) -> Cluster {
        let degraded = !self.reasons.is_empty();
        Cluster {
            name: "bank-test".to_owned(),
            health: if degraded { Health::Degraded } else { Health::Healthy },
            reasons: self.reasons.clone(),
            nodes: 1 + u32::from(self.others),
            ranges: 4,
            version: "0.1.0".to_owned(),
            leader: (self.others > 0).then(|| node_id(1)),
        }
    }

    pub(super) fn nodes_now(&self) -> Vec<Node> {
        let last = self.others + 1;
        let node = |number: u16| Node {
            id: node_id(number),
            state: NodeState::Alive,
            version: "0.1.0".to_owned(),
            ranges: if self.others == 0 { 4 } else { u32::from(number < last) },
            memory_bytes: 96 << 20,
            memory_limit_bytes: None,
            records_per_second: 6000.0,
            copies: if number == last && last > 1 { vec![RangeId(1)] } else { Vec::new() },
        };
        (1..=last).map(node).collect()
    }

    /// The ranges when so many overviews had been given.
    pub(super) fn ranges_now(&self, turn: u16) -> Vec<Range> {
        let count = self.ranges.unwrap_or(NonZeroU16::new(4).unwrap());
        let owner = |id: u16| match (id, self.others) {
            (3, _) => None,
            (_, 0) => Some(node_id(1)),
            (0, others) => Some(node_id(1 + turn % others)),
            (id, others) => Some(node_id(1 + id % others)),
        };
        let range = |(id, keys): (u16, KeyRange)| Range {
            id: RangeId(id),
            keys,
            owner: owner(id),
            epoch: Epoch::new(7),
            state: if id == 3 { RangeState::Unowned } else { RangeState::Serving },
            open: 152,
            state_bytes: 4 << 20,
            lag_ms: 800,
            sequence: Sequence(5850),
            records_per_second: 1500.0,
        };
        (0..).zip(KeyRange::divide(count)).map(range).collect()
    }

    /// What becomes of what is asked: see [`Backend::change`](crate::api::backend::Backend::change) of this one.
    pub(super) fn granted(&self, change: Change) -> Reply<'_, Granted> {
        let unknown = node_id(9);
        match &change.request {
            Request::Intend { node, .. } | Request::Move { to: node, .. } if *node == unknown => {
                let why = "node node-9 never joined this cluster";
                Self::refuse(
                    Problem::new(Code::NodeNotFound, "it is not granted", why)
                        .remedy("throughline node list"),
                )
            }
            Request::Split { range: RangeId(9), .. } => {
                let why = "the nodes of this version cannot do that yet";
                Self::refuse(Problem::new(Code::Denied, "node-1 does not grant it", why))
            }
            Request::Intend { .. }
            | Request::Move { .. }
            | Request::Rebalance
            | Request::Split { .. }
            | Request::Merge { .. } => self.reply(Granted { change, leader: Some(node_id(1)) }),
        }
    }
}

fn node_id(number: u16) -> NodeId {
    NodeId::new(&format!("node-{number}")).unwrap()
}
