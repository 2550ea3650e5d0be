//! What operators ask of who leads, besides what they want of nodes: ranges elsewhere, split, or levelled.

use std::collections::BTreeMap;

use proto::types::{NodeId, RangeId};

use super::entry::{Division, Intent};
use super::plan::{Condition, Facts, Placement};
use super::table::{Range, Table};

/// One thing that an operator asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// A node is to be used for this from now on. It goes into the control log.
    Intend {
        /// The node.
        node: NodeId,
        /// What for.
        intent: Intent,
    },
    /// A range is to be at home on this node. It stays there as long as this leader leads and the
    /// node serves, or until [`Request::Rebalance`]: a plan would else move it back at once.
    Move {
        /// The range.
        range: RangeId,
        /// The node.
        to: NodeId,
    },
    /// Ranges that were moved by hand may be moved by the plan again.
    Rebalance,
    /// A range is to become two.
    Split {
        /// The range.
        range: RangeId,
        /// The first key of the second; `None` for the middle.
        at: Option<u64>,
    },
    /// Two neighbours are to become one.
    Merge {
        /// The range with the lower keys.
        left: RangeId,
        /// The range with the upper keys.
        right: RangeId,
    },
}

/// Why a request was denied: what is so, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// Another process leads, or none does.
    #[error("this node does not lead: {}", leads(.0.as_ref()))]
    NotLeading(Option<NodeId>),
    /// Too much was asked for.
    #[error("too many requests wait for the store: try again")]
    Busy,
    /// No such range.
    #[error("there is no range {0}: look at the list of ranges")]
    NoRange(RangeId),
    /// No such node.
    #[error("node {0} never joined this cluster: look at the list of nodes")]
    NoNode(NodeId),
    /// A node that cannot take a range.
    #[error("node {0} is not alive: start it, or choose another")]
    NotAlive(NodeId),
    /// A node that is not to take ranges.
    #[error("node {0} is cordoned or drained: let it serve first, or choose another")]
    Closed(NodeId),
    /// A key that doesn't cut the range into two.
    #[error("key {at:016x} does not lie inside of {range}, behind its first key")]
    NoCut {
        /// The range.
        range: RangeId,
        /// The key.
        at: u64,
    },
    /// All numbers of ranges have been used.
    #[error("split {0}: all numbers of ranges have been used")]
    NoNumber(RangeId),
    /// The owner cannot close both at equal positions.
    #[error(
        "merge {left} and {right}: ranges merge only at equal positions, and the nodes of this \
         version cannot close two there yet"
    )]
    CannotAlign {
        /// The range with the lower keys.
        left: RangeId,
        /// The range with the upper keys.
        right: RangeId,
    },
}

fn leads(leader: Option<&NodeId>) -> String {
    leader.map_or_else(
        || "no node is known to, try again".to_owned(),
        |leader| format!("ask node {leader}"),
    )
}

/// What one leader was asked for and has not come to forget. Its successor has to be asked again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wishes {
    homes: BTreeMap<RangeId, NodeId>,
    /// Where to cut.
    splits: BTreeMap<RangeId, u64>,
}

impl Wishes {
    /// Takes note of what an operator asks for. `facts` are what the plan is made from.
    /// A [`Request::Intend`] needs no note: it goes into the control log.
    ///
    /// # Errors
    ///
    /// [`Denied`], with what to do.
    pub fn ask(&mut self, request: &Request, table: &Table, facts: &Facts) -> Result<(), Denied> {
        match request {
            Request::Intend { node, .. } if !facts.nodes.contains_key(node) => {
                Err(Denied::NoNode(node.clone()))
            }
            Request::Intend { .. } => Ok(()),
            Request::Move { range, to } => {
                known(table, *range)?;
                may_take(facts, to)?;
                self.homes.insert(*range, to.clone());
                Ok(())
            }
            Request::Rebalance => {
                self.homes.clear();
                Ok(())
            }
            Request::Split { range, at } => {
                let at = cut(*range, known(table, *range)?, *at)?;
                numbers(table).ok_or(Denied::NoNumber(*range))?;
                self.splits.insert(*range, at);
                Ok(())
            }
            Request::Merge { left, right } => {
                known(table, *left)?;
                known(table, *right)?;
                Err(Denied::CannotAlign { left: *left, right: *right })
            }
        }
    }

    /// Forgets what can no longer be: ranges that are no more, nodes that may not have any.
    pub fn observe(&mut self, table: &Table, facts: &Facts) {
        self.splits.retain(|&range, _| table.range(range).is_some());
        self.homes.retain(|&range, to| table.range(range).is_some() && may_take(facts, to).is_ok());
    }

    /// Has ranges count as being where they are wished.
    pub fn place(&self, homes: &mut BTreeMap<RangeId, Option<NodeId>>) {
        homes.extend(self.homes.iter().map(|(&range, to)| (range, Some(to.clone()))));
    }

    /// Puts ranges where they are wished, wherever the plan would have them.
    pub fn pin(&self, desired: &mut Placement) {
        desired.extend(self.homes.iter().map(|(&range, to)| (range, to.clone())));
    }

    /// Whether the range is to be split.
    #[must_use]
    pub fn is_split(&self, range: RangeId) -> bool {
        self.splits.contains_key(&range)
    }

    /// What the range becomes; `None` where it is not to be split, or cannot.
    #[must_use]
    pub fn children(&self, id: RangeId, table: &Table) -> Option<Vec<Division>> {
        let (below, above) = table.range(id)?.keys.split(*self.splits.get(&id)?)?;
        let (first, second) = numbers(table)?;
        let divided = [(first, below), (second, above)];
        Some(divided.map(|(range, keys)| Division { range, keys }).to_vec())
    }
}

fn known(table: &Table, range: RangeId) -> Result<&Range, Denied> {
    table.range(range).ok_or(Denied::NoRange(range))
}

fn may_take(facts: &Facts, node: &NodeId) -> Result<(), Denied> {
    match facts.nodes.get(node) {
        Some(Condition::Serving) => Ok(()),
        Some(Condition::Cordoned | Condition::Draining) => Err(Denied::Closed(node.clone())),
        Some(Condition::Dead) => Err(Denied::NotAlive(node.clone())),
        None => Err(Denied::NoNode(node.clone())),
    }
}

fn cut(id: RangeId, range: &Range, at: Option<u64>) -> Result<u64, Denied> {
    let (start, end) = (range.keys.start(), range.keys.end());
    // 2^64 - start, where the end is 2^64; a range of all keys wraps to 0, and so does its half.
    let size = end.wrapping_sub(start);
    let half = if size == 0 { 1 << 63 } else { size / 2 };
    let at = at.unwrap_or(start + half);
    range.keys.split(at).map(|_| at).ok_or(Denied::NoCut { range: id, at })
}

/// The numbers of two new ranges; `None` where there are none.
fn numbers(table: &Table) -> Option<(RangeId, RangeId)> {
    let first = table.next_range()?;
    Some((first, RangeId(first.0.checked_add(1)?)))
}
