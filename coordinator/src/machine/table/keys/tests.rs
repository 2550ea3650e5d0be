//! Splits and merges: every key keeps one range, every range its whole past, and no number comes back.

use proptest::prelude::*;
use proto::types::{Epoch, Keying, Slot};

use crate::fixtures::{assigned, dead, divided, fold, joined, lead, member, moved, part, table};
use crate::machine::entry::{Change, Division};
use crate::machine::member::Member;
use crate::machine::table::{Refused, Span, Table};

use super::*;

const HALF: u64 = 1 << 63;

/// Two nodes, of which `a` owns ranges 0 (lower half) and 1 (upper half).
fn halves() -> Vec<Change> {
    let a = member("a", 1);
    let both = assigned(&[(0, a.clone(), 1), (1, a, 1)]);
    vec![lead("a"), joined("a", 1), joined("b", 1), divided(2), both]
}

fn split(name: &str, range: u16, to: u64, epoch: u64, children: &[(u16, u64, u64)]) -> Change {
    Change::Split {
        member: member(name, 1),
        range: RangeId(range),
        to: Slot(to),
        epoch: Epoch::new(epoch),
        children: children.iter().copied().map(part).collect(),
    }
}

fn merged(name: &str, pair: (u16, u16), to: u64, epoch: u64, child: (u16, u64, u64)) -> Change {
    Change::Merged {
        member: member(name, 1),
        left: RangeId(pair.0),
        right: RangeId(pair.1),
        to: Slot(to),
        epoch: Epoch::new(epoch),
        child: part(child),
    }
}

fn check_refused(before: &[Change], change: Change, reason: Refused) {
    let mut folded = table(before);
    assert_eq!(fold(&mut folded, change), Err(reason));
    assert_eq!(folded, table(before));
}

/// A range's past as (range, epoch, from, to).
fn past(table: &Table, range: u16) -> Vec<(u16, u64, u64, u64)> {
    let span = |span: &Span| (span.range.0, span.epoch.get(), span.from.0, span.to.0);
    table.lineage(RangeId(range)).iter().map(span).collect()
}

#[test]
fn children_have_the_keys_the_owner_and_the_past_of_what_was_split() {
    let mut changes = halves();
    changes.push(split("a", 0, 9, 2, &[(2, 0, 5), (3, 5, 70), (4, 70, HALF)]));
    let table = table(&changes);
    assert_eq!(table.range(RangeId(0)), None);
    assert_eq!(table.next_range(), Some(RangeId(5)));
    for (id, start, end) in [(2, 0, 5), (3, 5, 70), (4, 70, HALF)] {
        let range = table.range(RangeId(id)).unwrap();
        assert_eq!(range.keys, part((id, start, end)).keys);
        assert_eq!(range.owner(), Some(&member("a", 1)));
        assert_eq!(range.epoch, Epoch::new(2));
        assert_eq!(past(&table, id), [(0, 1, 1, 9)]);
    }
}

#[test]
fn what_a_child_commits_is_its_own_past_and_stands_after_its_parents() {
    let mut changes = halves();
    changes.push(split("a", 0, 9, 2, &[(2, 0, 5), (3, 5, HALF)]));
    changes.push(moved(member("a", 1), &[(2, 12, member("b", 1), 3)]));
    changes.push(dead("a", 1, 20));
    let table = table(&changes);
    assert_eq!(past(&table, 2), [(0, 1, 1, 9), (2, 2, 9, 12)]);
    assert_eq!(past(&table, 3), [(0, 1, 1, 9), (3, 2, 9, 20)]);
}

#[test]
fn a_merged_range_has_both_pasts_and_what_they_share_once() {
    let mut changes = halves();
    changes.push(split("a", 0, 9, 2, &[(2, 0, 5), (3, 5, HALF)]));
    changes.push(moved(member("a", 1), &[(3, 11, member("a", 1), 3)]));
    changes.push(merged("a", (2, 3), 15, 4, (4, 0, HALF)));
    changes.push(merged("a", (4, 1), 18, 5, (5, 0, 0)));
    let table = table(&changes);
    assert_eq!(table.ranges().map(|(id, _)| id).collect::<Vec<_>>(), [RangeId(5)]);
    let whole =
        [(0, 1, 1, 9), (1, 1, 1, 18), (2, 2, 9, 15), (3, 2, 9, 11), (3, 3, 11, 15), (4, 4, 15, 18)];
    assert_eq!(past(&table, 5), whole);
    let range = table.range(RangeId(5)).unwrap();
    assert_eq!((range.epoch, range.owner()), (Epoch::new(5), Some(&member("a", 1))));
}

#[test]
fn a_split_covers_the_keys_exactly_and_with_new_numbers() {
    let check = |children: &[(u16, u64, u64)], reason| {
        check_refused(&halves(), split("a", 0, 9, 2, children), reason);
    };
    check(&[], Refused::Whole(RangeId(0)));
    check(&[(2, 0, HALF)], Refused::Whole(RangeId(0)));
    check(&[(2, 0, 5), (3, 6, HALF)], Refused::Uncovered(RangeId(3)));
    check(&[(2, 1, 5), (3, 5, HALF)], Refused::Uncovered(RangeId(2)));
    check(&[(2, 0, 5), (3, 5, HALF - 1)], Refused::Uncovered(RangeId(3)));
    check(&[(2, 0, 5), (3, 5, HALF + 1)], Refused::Uncovered(RangeId(3)));
    check(&[(2, 0, 5), (3, 5, HALF), (4, HALF, 0)], Refused::Uncovered(RangeId(4)));
    check(&[(3, 0, 5), (2, 5, HALF)], Refused::Unordered(RangeId(2)));
    check(&[(0, 0, 5), (2, 5, HALF)], Refused::Reused(RangeId(0)));
    check(&[(1, 0, 5), (2, 5, HALF)], Refused::Reused(RangeId(1)));
}

#[test]
fn only_the_owner_splits_and_merges_and_only_under_the_next_epoch() {
    let children = [(2, 0, 5), (3, 5, HALF)];
    let not_owner = || Refused::NotOwner { range: RangeId(0), member: member("b", 1) };
    let (found, expected) = (Epoch::new(1), Epoch::new(2));
    let early = || Refused::TooEarly { member: member("a", 1), to: Slot(0), least: Slot(1) };
    check_refused(&halves(), split("b", 0, 9, 2, &children), not_owner());
    check_refused(&halves(), split("a", 0, 0, 2, &children), early());
    let refused = Refused::Epoch { range: RangeId(0), found, expected };
    check_refused(&halves(), split("a", 0, 9, 1, &children), refused);

    check_refused(&halves(), merged("b", (0, 1), 9, 2, (2, 0, 0)), not_owner());
    check_refused(&halves(), merged("a", (0, 1), 0, 2, (2, 0, 0)), early());
    let refused = Refused::Epoch { range: RangeId(2), found, expected };
    check_refused(&halves(), merged("a", (0, 1), 9, 1, (2, 0, 0)), refused);
    let mut apart = halves();
    apart.push(moved(member("a", 1), &[(1, 9, member("b", 1), 2)]));
    let refused = Refused::NotOwner { range: RangeId(1), member: member("a", 1) };
    check_refused(&apart, merged("a", (0, 1), 9, 3, (2, 0, 0)), refused);
}

#[test]
fn only_neighbours_merge_and_into_a_new_range() {
    let check = |pair: (u16, u16), child, reason| {
        check_refused(&halves(), merged("a", pair, 9, 2, child), reason);
    };
    let apart = |left, right| Refused::Apart { left: RangeId(left), right: RangeId(right) };
    check((1, 0), (2, 0, 0), apart(1, 0));
    check((0, 0), (2, 0, HALF), apart(0, 0));
    check((0, 1), (2, 0, HALF), apart(0, 1));
    check((0, 1), (1, 0, 0), Refused::Reused(RangeId(1)));
    check((0, 2), (3, 0, 0), Refused::Unknown(RangeId(2)));
}

#[test]
fn numbers_run_out_and_do_not_begin_again() {
    let mut changes = vec![lead("a"), joined("a", 1)];
    changes
        .push(Change::Divided { ranges: vec![part((u16::MAX, 0, 0))], keying: Keying::default() });
    assert_eq!(table(&changes).next_range(), None);
    assert_eq!(Table::default().next_range(), Some(RangeId(0)));
}

/// Splits and merges that can be written, each decided by two numbers.
fn reshape(table: &mut Table, (which, at): (usize, u64), to: u64) {
    let mut ranges: Vec<_> = table.ranges().map(|(id, range)| (range.keys, id)).collect();
    ranges.sort_by_key(|(keys, _)| keys.start());
    let (keys, id) = ranges[which % ranges.len()];
    let next = table.next_range().unwrap();
    let epoch = |id| table.range(id).unwrap().epoch;
    let (member, to) = (member("a", 1), Slot(to));
    let above = ranges.get(which % ranges.len() + 1).filter(|_| at.is_multiple_of(2));
    let change = match (above, keys.split(at)) {
        (Some(&(upper, right)), _) => Change::Merged {
            member,
            left: id,
            right,
            to,
            epoch: epoch(id).max(epoch(right)).next(),
            child: Division { range: next, keys: keys.join(upper).unwrap() },
        },
        (None, Some((lower, upper))) => {
            let children = [(next, lower), (next.next(), upper)];
            let child = |(range, keys)| Division { range, keys };
            let children = children.map(child).to_vec();
            Change::Split { member, range: id, to, epoch: epoch(id).next(), children }
        }
        (None, None) => return,
    };
    fold(table, change).unwrap();
}

proptest! {
    /// For each key, the commits of its ranges, in their order, are one chain without a gap: what
    /// its range would restore is exactly what was committed for it.
    #[test]
    fn each_key_has_one_range_and_an_unbroken_past(
        shapes in prop::collection::vec((any::<usize>(), any::<u64>()), 0..40), key in any::<u64>(),
    ) {
        let mut table = table(&halves());
        let mut ever: Vec<(RangeId, Epoch, KeyRange)> = Vec::new();
        for (shape, to) in shapes.into_iter().zip(2..) {
            ever.extend(table.ranges().map(|(id, range)| (id, range.epoch, range.keys)));
            reshape(&mut table, shape, to);
        }
        let all: Vec<_> = table.ranges().filter(|(_, range)| range.keys.contains(key)).collect();
        prop_assert_eq!(all.len(), 1);
        let holds = |span: &&Span| {
            ever.iter().any(|(id, epoch, keys)| {
                (*id, *epoch) == (span.range, span.epoch) && keys.contains(key)
            })
        };
        let past: Vec<_> = all[0].1.lineage.iter().filter(holds).collect();
        let owner: Member = member("a", 1);
        let end = past.iter().try_fold(Slot(1), |at, span| {
            (span.from == at && span.member == owner).then_some(span.to)
        });
        prop_assert_eq!(end, Some(all[0].1.since(&owner)), "{:?}", past);
        prop_assert!(past.is_sorted_by(|one, next| one.epoch < next.epoch));
    }
}
