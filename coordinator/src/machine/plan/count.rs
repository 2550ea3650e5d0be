//! Ranges spread by their number: for want of loads, one is as good as another.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proto::types::NodeId;

use super::{Facts, Free, Placement};

/// A placement of the `free` ranges in which no serving node has two more than another, with the
/// fewest moves.
pub(super) fn spread(facts: &Facts, free: &Free<'_>) -> Placement {
    let mut placement = Placement::new();
    let mut room = shares(facts, free);
    let mut homeless = Vec::new();
    for &(range, home) in free {
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
