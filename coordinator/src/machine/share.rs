//! What every node works out alike from the control log: who owns which keys, who reads what, who sums up
//! what. Nobody is told; two nodes that have read as far say the same.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{Epoch, KeyRange, NodeId, PartitionIndex, RangeId};

use super::entry::Intent;
use super::member::Member;
use super::table::{Standing, Table};

/// Where the legs of some keys go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// The range.
    pub range: RangeId,
    /// Its keys.
    pub keys: KeyRange,
    /// The owner's epoch.
    pub epoch: Epoch,
    /// The owner.
    pub owner: Member,
    /// Where it is reached.
    pub address: String,
}

/// A route for each range that has an owner, ascending by key. Keys without a route wait.
#[must_use]
pub fn routes(table: &Table) -> Vec<Route> {
    let route = |(range, it): (RangeId, &super::table::Range)| {
        let owner = it.owner()?.clone();
        let Some(Standing::Alive { address }) = table.standing(&owner) else { return None };
        let (keys, epoch, address) = (it.keys, it.epoch, address.clone());
        Some(Route { range, keys, epoch, owner, address })
    };
    let mut routes: Vec<_> = table.ranges().filter_map(route).collect();
    routes.sort_by_key(|route| route.keys.start());
    routes
}

/// Which member reads which source partition, given with its number within its topic. Where a member comes or goes, no
/// partition changes its reader but those that it gets or had. Two readers of one partition do no harm (I3).
///
/// Where keys say which partition a transaction is in, it is read by whoever owns the first of its keys: all of them, where
/// there are no more ranges than partitions.
#[must_use]
pub fn readers(
    table: &Table,
    partitions: impl IntoIterator<Item = (PartitionIndex, i32)>,
) -> BTreeMap<PartitionIndex, Member> {
    let workers = workers(table);
    let read = |(index, number): (PartitionIndex, i32)| {
        let keys = table.keying().keys(number);
        let range = keys.and_then(|keys| table.range_of(keys.start()));
        let owner = range.and_then(|(_, range)| range.owner());
        let near = owner.filter(|owner| workers.contains(owner));
        let reader = near.or_else(|| chosen(&workers, &index.0.to_be_bytes()))?;
        Some((index, reader.clone()))
    };
    partitions.into_iter().filter_map(read).collect()
}

/// Which member sums up the figures of which dimension, spread in the same way.
#[must_use]
pub fn aggregators<'a>(
    table: &Table,
    dimensions: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, Member> {
    let workers = workers(table);
    let sum = |it: &str| Some((it.to_owned(), chosen(&workers, it.as_bytes())?.clone()));
    dimensions.into_iter().filter_map(sum).collect()
}

/// Whether another node than `node` could take ranges over: it lives, and is neither cordoned nor drained
/// nor about to stop.
#[must_use]
pub fn others_serve(table: &Table, node: &NodeId) -> bool {
    let serves = |it: &Member| !table.drains(it) && table.intent(&it.node) == Intent::Serve;
    table.alive().any(|it| it.node != *node && serves(it))
}

/// The last life of each node that lives, but for those that drain or will be stopped, unless all do.
fn workers(table: &Table) -> BTreeSet<&Member> {
    // Ascending, so that a node's last life is what stays.
    let lives: BTreeMap<_, _> = table.alive().map(|member| (&member.node, member)).collect();
    let staying: BTreeSet<_> =
        lives.values().copied().filter(|member| !table.drains(member)).collect();
    if staying.is_empty() { lives.into_values().collect() } else { staying }
}

/// Rendezvous: whose score for the item is the highest. It hangs on the node, not on its life, so that a
/// restart moves nothing.
fn chosen<'a>(workers: &BTreeSet<&'a Member>, item: &[u8]) -> Option<&'a Member> {
    workers.iter().copied().max_by_key(|member| score(member.node.as_str().as_bytes(), item))
}

/// A number that looks random and is the same everywhere (FNV-1a, then a finalizer that spreads its bits).
pub(super) fn score(node: &[u8], item: &[u8]) -> u64 {
    let bytes = node.iter().chain(&[0xff]).chain(item);
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;
    use proto::types::Keying;

    use super::*;
    use crate::fixtures::{assigned, dead, divided, fold, intended, joined, lead, member, table};
    use crate::machine::entry::{Change, Division};

    fn nodes(names: &[String]) -> Table {
        let joined = names.iter().map(|name| joined(name, 1));
        table(&std::iter::once(lead("x")).chain(joined).collect::<Vec<_>>())
    }

    fn partitions(count: u16) -> impl Iterator<Item = (PartitionIndex, i32)> {
        (0..count).map(|index| (PartitionIndex(index), i32::from(index)))
    }

    proptest! {
        #[test]
        fn who_comes_or_goes_changes_only_what_it_gets_or_had(
            names in prop::collection::btree_set("[a-z]{1,8}", 2..12), count in 0..200_u16,
        ) {
            let names: Vec<_> = names.into_iter().collect();
            let (all, fewer) = (nodes(&names), nodes(&names[1..]));
            let (before, after) =
                (readers(&fewer, partitions(count)), readers(&all, partitions(count)));
            prop_assert_eq!(after.len(), usize::from(count), "each has one reader");
            for (partition, reader) in &after {
                let is_new = reader.node.as_str() == names[0];
                prop_assert!(is_new || before[partition] == *reader);
            }
            let mut gone = all;
            fold(&mut gone, dead(&names[0], 1, 1)).unwrap();
            prop_assert_eq!(readers(&gone, partitions(count)), before);
        }

        #[test]
        fn each_gets_about_its_share(nodes_count in 1..10_usize, salt in "[a-z]{4}") {
            let names: Vec<_> = (0..nodes_count).map(|it| format!("{salt}-{it}")).collect();
            let shares = readers(&nodes(&names), partitions(5_000));
            for name in names {
                let share = shares.values().filter(|it| it.node.as_str() == name).count();
                let fair = 5_000 / nodes_count;
                prop_assert!(share.abs_diff(fair) <= fair / 4 + 50, "{share} of {fair}");
            }
        }
    }

    #[test]
    fn a_restart_moves_no_reader_and_a_drain_moves_only_its_own() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut table = nodes(&names);
        let before = readers(&table, partitions(50));
        fold(&mut table, joined("b", 2)).unwrap();
        let after = readers(&table, partitions(50));
        let node = |it: &BTreeMap<_, Member>| {
            it.values().map(|member| member.node.clone()).collect::<Vec<_>>()
        };
        assert_eq!(node(&before), node(&after));
        assert!(after.values().any(|it| *it == member("b", 2)));
        assert!(!after.values().any(|it| *it == member("b", 1)), "the life before is over");
        fold(&mut table, intended("b", Intent::Drain)).unwrap();
        let drained = readers(&table, partitions(50));
        assert!(drained.values().all(|it| it.node.as_str() != "b"));
        for (partition, reader) in after.iter().filter(|(_, it)| it.node.as_str() != "b") {
            assert_eq!(&drained[partition], reader);
        }
        for name in ["a", "c"] {
            fold(&mut table, intended(name, Intent::Drain)).unwrap();
        }
        assert_eq!(readers(&table, partitions(50)), after, "somebody has to");
    }

    /// Whose ranges they feed; and whoever else reads, where that node is about to stop or there is none.
    #[test]
    fn where_keys_say_so_partitions_are_read_where_their_ranges_are() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut table = nodes(&names);
        let four = NonZeroU16::new(4).unwrap();
        let ranges = KeyRange::divide(four).zip(0..);
        let ranges = ranges.map(|(keys, id)| Division { range: RangeId(id), keys }).collect();
        fold(&mut table, Change::Divided { ranges, keying: Keying::by(four) }).unwrap();
        let owners = ["a", "b", "b", "c"];
        let owned: Vec<_> =
            (0..).zip(owners).map(|(range, name)| (range, member(name, 1), 1)).collect();
        fold(&mut table, assigned(&owned)).unwrap();
        // Two topics of four partitions; a fifth of a third, of which keys say nothing.
        let all = || (0..9).map(|index| (PartitionIndex(index), i32::from(index % 4)));
        let named = |table: &Table| -> Vec<_> {
            readers(table, all()).into_values().map(|it| it.node.to_string()).collect()
        };
        assert_eq!(named(&table)[..8], [owners, owners].concat());
        fold(&mut table, intended("b", Intent::Drain)).unwrap();
        let drained = named(&table);
        assert!(!drained.iter().any(|it| it == "b"));
        assert_eq!((&drained[0], &drained[3]), (&"a".to_owned(), &"c".to_owned()));
        let other = readers(&table, [(PartitionIndex(0), 7)]);
        assert_eq!(
            other,
            readers(&nodes(&["a", "c"].map(str::to_owned)), [(PartitionIndex(0), 7)])
        );
    }

    #[test]
    fn a_dimension_has_one_aggregator_and_without_nodes_none() {
        let table = nodes(&["a", "b"].map(str::to_owned));
        let chosen = aggregators(&table, ["channel", "product"]);
        assert_eq!(chosen.keys().collect::<Vec<_>>(), ["channel", "product"]);
        assert_eq!(chosen, aggregators(&table, ["product", "channel"]));
        assert!(aggregators(&nodes(&[]), ["channel"]).is_empty());
    }

    #[test]
    fn ranges_with_a_living_owner_have_routes_by_key() {
        let mut table = nodes(&["a", "b"].map(str::to_owned));
        fold(&mut table, divided(3)).unwrap();
        assert_eq!(routes(&table), []);
        let owned = assigned(&[(0, member("a", 1), 1), (2, member("b", 1), 1)]);
        fold(&mut table, owned).unwrap();
        let found: Vec<_> = routes(&table)
            .into_iter()
            .map(|it| (it.range.0, it.epoch.get(), it.owner, it.address))
            .collect();
        let a = (0, 1, member("a", 1), "a:7700".to_owned());
        assert_eq!(found, [a, (2, 1, member("b", 1), "b:7700".to_owned())]);
        fold(&mut table, dead("b", 1, 1)).unwrap();
        assert_eq!(routes(&table).len(), 1);
    }
}
