//! Moves stand while their range and their next owner do, and can be called off until a release.

use super::*;
use crate::fixtures::{assigned, dead, divided, fold, joined, lead, member, released, table};

const RANGE: RangeId = RangeId(0);

/// `a` owns the only range; it moves to `b`, and has since 1,000 ms.
fn moving() -> (Table, Moves) {
    let owned = assigned(&[(0, member("a", 1), 1)]);
    let table = table(&[lead("a"), joined("a", 1), joined("b", 1), divided(1), owned]);
    let (owner, next) = (member("a", 1), member("b", 1));
    let step = Step::Warming { since_ms: 1_000 };
    let mut moves = Moves::default();
    moves.begin(RANGE, Transfer { owner, epoch: Epoch::new(1), next, state_bytes: 7, step });
    (table, moves)
}

fn step(moves: &Moves) -> Option<Step> {
    moves.get(RANGE).map(|transfer| transfer.step)
}

#[test]
fn a_move_is_in_flight_once() {
    let (_, moves) = moving();
    assert!(!moves.may_begin(RANGE) && moves.may_begin(RangeId(1)));
    let in_flight = moves.in_flight();
    assert_eq!((in_flight.len(), in_flight[0].state_bytes), (1, 7));
    assert_eq!((in_flight[0].from.as_str(), in_flight[0].to.as_str()), ("a", "b"));
}

#[test]
fn a_move_can_be_called_off_until_the_owner_closes_the_range() {
    let (_, mut moves) = moving();
    moves.call_off(RangeId(1));
    assert!(step(&moves).is_some());
    moves.call_off(RANGE);
    assert_eq!(step(&moves), None);

    let (_, mut moves) = moving();
    moves.warmed(RANGE);
    moves.call_off(RANGE);
    assert_eq!(step(&moves), Some(Step::Releasing));
}

#[test]
fn a_move_ends_when_its_next_owner_does() {
    let (table, mut moves) = moving();
    moves.observe(&table, |member| member.node.as_str() == "b", 1_000);
    assert!(step(&moves).is_some());
    moves.observe(&table, |member| member.node.as_str() == "a", 1_000);
    assert_eq!(step(&moves), None);
}

#[test]
fn a_move_outlives_its_owner_until_somebody_else_has_the_range() {
    for ended in [dead("a", 1, 5), released(member("a", 1), &[(0, 1, 5)])] {
        let (mut table, mut moves) = moving();
        fold(&mut table, ended).unwrap();
        moves.observe(&table, |_| true, 1_000);
        assert!(step(&moves).is_some(), "the copy is still the best place");
        fold(&mut table, assigned(&[(0, member("b", 1), 2)])).unwrap();
        moves.observe(&table, |_| true, 1_000);
        assert_eq!(step(&moves), None);
    }
}

#[test]
fn a_copy_that_takes_too_long_is_given_up_and_tried_again_later() {
    let (table, mut moves) = moving();
    moves.observe(&table, |_| true, 1_000 + WARM_PATIENCE_MS);
    assert!(step(&moves).is_some());
    let late = 1_001 + WARM_PATIENCE_MS;
    moves.observe(&table, |_| true, late);
    assert!(step(&moves).is_none() && !moves.may_begin(RANGE));
    moves.observe(&table, |_| true, late + WARM_PATIENCE_MS - 1);
    assert!(!moves.may_begin(RANGE));
    moves.observe(&table, |_| true, late + WARM_PATIENCE_MS);
    assert!(moves.may_begin(RANGE));
}

#[test]
fn a_release_is_waited_for_however_long_it_takes() {
    let (table, mut moves) = moving();
    moves.warmed(RANGE);
    moves.observe(&table, |_| true, u64::MAX);
    assert_eq!(step(&moves), Some(Step::Releasing));
}
