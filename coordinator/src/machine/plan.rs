//! Which node should own which range: a pure function of who serves and of where the ranges are.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proto::types::{NodeId, RangeId};

/// What a plan is made from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The nodes. One that is not among them is as good as dead.
    pub nodes: BTreeMap<NodeId, Condition>,
    /// Each range's home: the node that owns it or was the last to; `None` where none ever did.
    pub homes: BTreeMap<RangeId, Option<NodeId>>,
}

/// What a node is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It may own ranges.
    Serving,
    /// It works, but is to own nothing, since it will be stopped.
    Draining,
    /// It is held dead.
    Dead,
}

/// Who should own each range. Empty where no node serves; otherwise every range has an owner.
pub type Placement = BTreeMap<RangeId, NodeId>;

/// The placement that spreads the ranges evenly (to one) over the nodes that serve, with the fewest
/// moves from where they are.
#[must_use]
pub fn plan(facts: &Facts) -> Placement {
    let mut room = shares(facts);
    let mut placement = Placement::new();
    let mut homeless = Vec::new();
    for (&range, home) in &facts.homes {
        match home.as_ref().and_then(|home| Some((home, room.get_mut(home)?))) {
            Some((home, places)) if *places > 0 => {
                *places -= 1;
                placement.insert(range, home.clone());
            }
            Some(_) | None => homeless.push(range),
        }
    }
    // The shares add up to the ranges: as many are homeless as there are places left.
    let places = room.into_iter().flat_map(|(node, places)| std::iter::repeat_n(node, places));
    placement.extend(homeless.into_iter().zip(places.cloned()));
    placement
}

/// How many ranges each serving node should own. Where they don't divide evenly, those that own
/// most already own one more: so nothing moves only to change who has the remainder.
fn shares(facts: &Facts) -> BTreeMap<&NodeId, usize> {
    let serving = facts.nodes.iter().filter(|&(_, &condition)| condition == Condition::Serving);
    let mut owned: BTreeMap<&NodeId, usize> = serving.map(|(node, _)| (node, 0)).collect();
    for home in facts.homes.values().flatten() {
        owned.entry(home).and_modify(|ranges| *ranges += 1);
    }
    let mut nodes: Vec<_> = owned.into_iter().collect();
    nodes.sort_by_key(|&(_, ranges)| Reverse(ranges));

    let count = nodes.len().max(1);
    let (each, remainder) = (facts.homes.len() / count, facts.homes.len() % count);
    let share = |place| each + usize::from(place < remainder);
    nodes.into_iter().enumerate().map(|(place, (node, _))| (node, share(place))).collect()
}

#[cfg(test)]
mod tests;
