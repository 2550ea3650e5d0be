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

/// The placement that spreads the ranges evenly (to one) over the nodes that serve, with the fewest
/// moves from where they are.
#[must_use]
pub fn plan(facts: &Facts) -> Placement {
    let (mut placement, free) = facts.divided();
    let mut room = shares(facts, &free);
    let mut homeless = Vec::new();
    for (range, home) in free {
        match home.and_then(|home| Some((home, room.get_mut(home)?))) {
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

/// How many of the ranges each serving node should own. Where they don't divide evenly, those that
/// own most already own one more: so nothing moves only to change who has the remainder.
fn shares<'a>(facts: &'a Facts, free: &Free<'a>) -> BTreeMap<&'a NodeId, usize> {
    let mut owned: BTreeMap<&NodeId, usize> = facts.serving().map(|node| (node, 0)).collect();
    for home in free.iter().filter_map(|&(_, home)| home) {
        owned.entry(home).and_modify(|ranges| *ranges += 1);
    }
    let mut nodes: Vec<_> = owned.into_iter().collect();
    nodes.sort_by_key(|&(_, ranges)| Reverse(ranges));

    let count = nodes.len().max(1);
    let (each, remainder) = (free.len() / count, free.len() % count);
    let share = |place| each + usize::from(place < remainder);
    nodes.into_iter().enumerate().map(|(place, (node, _))| (node, share(place))).collect()
}

#[cfg(test)]
mod tests;
