//! How many ranges may be on the move at once: a pure function of what should move and what does.
//!
//! It holds back planned moves only. A range whose owner is dead is assigned at once, by
//! [`super::reconcile`].

use std::collections::BTreeMap;

use proto::types::{NodeId, RangeId};

/// How much state may be on its way at once in the whole cluster, in bytes.
pub const MAX_BYTES_IN_FLIGHT: u64 = 1 << 30;
/// How many ranges a node may give and take at once.
pub const MAX_MOVES_PER_NODE: usize = 2;
/// How large a range is taken to be that has not said how large it is, in bytes.
pub const ASSUMED_BYTES: u64 = 64 << 20;

/// How much may move at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// In the whole cluster, in bytes. A range that is larger moves alone.
    pub bytes_in_flight: u64,
    /// From and to one node, taken together.
    pub moves_per_node: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_in_flight: MAX_BYTES_IN_FLIGHT, moves_per_node: MAX_MOVES_PER_NODE }
    }
}

/// A range on its way, or one that should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Move {
    /// The range.
    pub range: RangeId,
    /// The node that owns it.
    pub from: NodeId,
    /// The node that is to own it.
    pub to: NodeId,
    /// How much state goes with it, in bytes.
    pub state_bytes: u64,
}

/// Those of `wanted` that may begin now, the first ones first.
#[must_use]
pub fn pace<'a>(
    wanted: impl IntoIterator<Item = Move>,
    in_flight: impl IntoIterator<Item = &'a Move>,
    limits: &Limits,
) -> Vec<Move> {
    let mut traffic = Traffic::default();
    in_flight.into_iter().for_each(|moving| traffic.add(moving));
    let mut allowed = Vec::new();
    for moving in wanted {
        if traffic.has_room(&moving, limits) {
            traffic.add(&moving);
            allowed.push(moving);
        }
    }
    allowed
}

#[derive(Debug, Default)]
struct Traffic {
    bytes: u64,
    moves: BTreeMap<NodeId, usize>,
}

impl Traffic {
    fn add(&mut self, moving: &Move) {
        self.bytes = self.bytes.saturating_add(moving.state_bytes);
        for node in [&moving.from, &moving.to] {
            *self.moves.entry(node.clone()).or_default() += 1;
        }
    }

    fn has_room(&self, moving: &Move, limits: &Limits) -> bool {
        let is_free =
            |node| self.moves.get(node).is_none_or(|&moves| moves < limits.moves_per_node);
        let bytes = self.bytes.saturating_add(moving.state_bytes);
        let fits = bytes <= limits.bytes_in_flight || self.moves.is_empty();
        fits && is_free(&moving.from) && is_free(&moving.to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::node;

    fn moving(range: u16, from: &str, to: &str, state_bytes: u64) -> Move {
        Move { range: RangeId(range), from: node(from), to: node(to), state_bytes }
    }

    /// With at most 100 bytes and 2 moves a node, these of `wanted` may begin.
    fn check(in_flight: &[Move], wanted: &[Move], allowed: &[u16]) {
        let limits = Limits { bytes_in_flight: 100, moves_per_node: 2 };
        let ranges = pace(wanted.to_vec(), in_flight, &limits).into_iter().map(|it| it.range.0);
        assert_eq!(ranges.collect::<Vec<_>>(), allowed);
    }

    #[test]
    fn the_bytes_in_flight_have_a_limit() {
        let wanted = [moving(1, "a", "b", 60), moving(2, "c", "d", 60), moving(3, "e", "f", 40)];
        check(&[], &wanted, &[1, 3]);
        check(&[moving(9, "x", "y", 50)], &wanted, &[3]);
        check(&[moving(9, "x", "y", 100)], &wanted, &[]);
    }

    #[test]
    fn a_range_beyond_the_limit_moves_alone() {
        let wanted = [moving(1, "a", "b", 1_000), moving(2, "c", "d", 1)];
        check(&[], &wanted, &[1]);
        check(&[moving(9, "x", "y", 1)], &wanted, &[2]);
    }

    #[test]
    fn a_node_gives_and_takes_few_at_once() {
        let wanted = [1, 2, 3, 4].map(|range| moving(range, "a", &format!("to-{range}"), 1));
        check(&[], &wanted, &[1, 2]);
        check(&[moving(9, "x", "a", 1)], &wanted, &[1]);
        check(&[], &[1, 2, 3].map(|range| moving(range, &format!("of-{range}"), "a", 1)), &[1, 2]);
        check(&[moving(9, "a", "x", 1)], &[moving(1, "b", "x", 1), moving(2, "c", "x", 1)], &[1]);
    }

    fn any_move() -> impl Strategy<Value = Move> {
        (any::<u16>(), 0..6, 0..6, 0..150_u64).prop_map(|(range, from, to, bytes)| {
            moving(range, &format!("n{from}"), &format!("n{}", (from + to) % 6), bytes)
        })
    }

    proptest! {
        #[test]
        fn as_long_as_moves_end_each_one_begins_at_last(
            mut wanted in prop::collection::vec(any_move(), 0..40),
        ) {
            let limits = Limits { bytes_in_flight: 100, moves_per_node: 2 };
            let mut rounds = 0;
            while !wanted.is_empty() {
                let allowed = pace(wanted.clone(), &[], &limits);
                let bytes: u64 = allowed.iter().map(|it| it.state_bytes).sum();
                prop_assert!(bytes <= 100 || allowed.len() == 1);
                prop_assert!(allowed.contains(&wanted[0]), "the first is never passed over");
                wanted.retain(|it| !allowed.contains(it));
                rounds += 1;
            }
            prop_assert!(rounds <= 40);
        }
    }
}
