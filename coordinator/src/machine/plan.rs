//! Which node should own which range: a pure function of who serves, of where the ranges are, and of
//! what they cost where that is known.

use std::collections::BTreeMap;

use proto::types::{NodeId, RangeId};

mod count;
mod load;

/// What a plan is made from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The nodes. One that is not among them is as good as dead.
    pub nodes: BTreeMap<NodeId, Condition>,
    /// Each range's home: the node that owns it or was the last to; `None` where none ever did.
    pub homes: BTreeMap<RangeId, Option<NodeId>>,
    /// What ranges cost. One that is absent is taken for an average one; where all are, ranges are
    /// counted.
    pub loads: BTreeMap<RangeId, Load>,
}

/// What a range costs the node that owns it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// How much it keeps, in bytes.
    pub state_bytes: u64,
    /// How many records it takes in, a second.
    pub records_per_s: u64,
}

/// What a node is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It may own ranges.
    Serving,
    /// It keeps the ranges that are at home on it and gets no others.
    Cordoned,
    /// It works, but is to own nothing, since it will be stopped.
    Draining,
    /// It is held dead.
    Dead,
}

/// Who should own each range. As soon as a node serves, every range has an owner; until then a range
/// is left out unless it is at home on a node that lives.
pub type Placement = BTreeMap<RangeId, NodeId>;

/// The placement that spreads the ranges evenly over the nodes that serve, with the fewest moves from
/// where they are: by number, to one, or by load, to a tolerance.
#[must_use]
pub fn plan(facts: &Facts) -> Placement {
    let (mut placement, free) = facts.divided();
    placement.extend(if facts.loads.is_empty() {
        count::spread(facts, &free)
    } else {
        load::spread(facts, &free)
    });
    placement
}

/// Ranges that may be placed anew, with their homes.
type Free<'a> = Vec<(RangeId, Option<&'a NodeId>)>;

impl Facts {
    /// The ranges that stay whatever else happens, and all others.
    fn divided(&self) -> (Placement, Free<'_>) {
        let somebody_serves = self.serving().next().is_some();
        let stays = |home: &NodeId| match self.nodes.get(home) {
            Some(Condition::Cordoned) => true,
            // Where nobody can take it over, it is better served there than nowhere.
            Some(Condition::Draining) => !somebody_serves,
            Some(Condition::Serving | Condition::Dead) | None => false,
        };
        let (mut staying, mut free) = (Placement::new(), Vec::new());
        for (&range, home) in &self.homes {
            match home.as_ref().filter(|&home| stays(home)) {
                Some(home) => drop(staying.insert(range, home.clone())),
                None => free.push((range, home.as_ref())),
            }
        }
        (staying, free)
    }

    fn serving(&self) -> impl Iterator<Item = &NodeId> {
        let serving = self.nodes.iter().filter(|&(_, is)| *is == Condition::Serving);
        serving.map(|(node, _)| node)
    }
}

#[cfg(test)]
mod tests;
