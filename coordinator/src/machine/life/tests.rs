//! What a life does, fact by fact, and that whatever comes twice changes nothing.

use super::*;
use crate::fixtures::{assigned, dead, divided, fold, joined, lead, member, moved, table};

const R0: RangeId = RangeId(0);
const R1: RangeId = RangeId(1);

/// `a` owns range 0 and `b` range 1, both at epoch 1; the life is `a`'s.
fn start() -> (Life, Table) {
    let owners = assigned(&[(0, member("a", 1), 1), (1, member("b", 1), 1)]);
    let table = table(&[lead("a"), joined("a", 1), joined("b", 1), divided(2), owners]);
    (Life::new(member("a", 1)), table)
}

fn serve(epoch: u64) -> Deed {
    Deed::Serve { range: R0, epoch: Epoch::new(epoch) }
}

const CLOSE: Deed = Deed::Release { range: R0, epoch: Epoch::new(1) };

fn release(name: &str, epoch: u64) -> Order {
    Order::Release { range: R0, member: member(name, 1), epoch: Epoch::new(epoch) }
}

fn warm(range: RangeId, epoch: u64) -> Order {
    Order::Warm { range, member: member("a", 1), epoch: Epoch::new(epoch) }
}

fn stages(life: &mut Life) -> Vec<(u16, u64, Stage)> {
    let report = life.report(vec![], &BTreeMap::new());
    report.holdings.iter().map(|it| (it.range.0, it.epoch.get(), it.stage)).collect()
}

#[test]
fn what_the_control_log_gives_is_served_once_and_without_an_order() {
    let (mut life, table) = start();
    assert_eq!(life.follow(&table), [serve(1)]);
    assert_eq!(life.follow(&table), []);
    assert_eq!(stages(&mut life), [(0, 1, Stage::Restoring)]);
    assert_eq!(life.served(R0, Epoch::new(1), true), None);
    assert_eq!(stages(&mut life), [(0, 1, Stage::Serving)]);
    assert_eq!(life.served(R0, Epoch::new(1), false), None);
    assert_eq!(life.serving().collect::<Vec<_>>(), [(R0, Epoch::new(1))]);
}

#[test]
fn what_could_not_be_brought_up_is_tried_again() {
    let (mut life, table) = start();
    life.follow(&table);
    life.served(R0, Epoch::new(1), false);
    assert_eq!(stages(&mut life), [(0, 1, Stage::Restoring)]);
    assert_eq!((life.follow(&table), life.retry(), life.retry()), (vec![], vec![serve(1)], vec![]));
}

/// I1: a closed range is never opened again under its epoch, whatever is said.
#[test]
fn what_is_closed_stays_closed_until_the_control_log_gives_it_anew() {
    let (mut life, mut table) = start();
    life.follow(&table);
    life.served(R0, Epoch::new(1), true);
    assert_eq!(life.obey(&release("a", 1), &table), Some(CLOSE));
    assert_eq!(life.obey(&release("a", 1), &table), None, "it is at it");
    life.released(R0, Epoch::new(1), Some(Slot(7)));
    life.released(R0, Epoch::new(1), None);
    assert_eq!(life.served(R0, Epoch::new(1), true), None);
    assert_eq!(life.follow(&table), []);
    assert_eq!(life.retry(), []);
    assert_eq!(life.obey(&release("a", 1), &table), None);
    let closed = [(0, 1, Stage::Closed { to: Slot(7) })];
    assert_eq!(stages(&mut life), closed);

    fold(&mut table, moved(member("a", 1), &[(0, 7, member("a", 1), 2)])).unwrap();
    assert_eq!(life.follow(&table), [serve(2)]);
    assert_eq!(life.obey(&release("a", 1), &table), None, "an order from the past");
}

#[test]
fn a_closed_range_is_reported_until_another_has_it() {
    let (mut life, mut table) = start();
    life.follow(&table);
    life.served(R0, Epoch::new(1), true);
    life.obey(&release("a", 1), &table);
    life.released(R0, Epoch::new(1), Some(Slot(7)));
    fold(&mut table, moved(member("a", 1), &[(0, 7, member("b", 1), 2)])).unwrap();
    assert_eq!(life.follow(&table), []);
    assert_eq!(stages(&mut life), []);
}

#[test]
fn a_release_waits_for_what_is_being_brought_up_and_comes_to_nothing_where_that_fails() {
    let (mut life, table) = start();
    assert_eq!(life.obey(&release("a", 1), &table), None, "it does not know of it yet");
    life.follow(&table);
    assert_eq!(life.obey(&release("a", 1), &table), None);
    assert_eq!(life.served(R0, Epoch::new(1), true), Some(CLOSE));
    life.released(R0, Epoch::new(1), None);
    assert_eq!(stages(&mut life), [(0, 1, Stage::Serving)], "it could not be closed");

    let (mut life, table) = start();
    life.follow(&table);
    life.obey(&release("a", 1), &table);
    assert_eq!(life.served(R0, Epoch::new(1), false), None);
    assert_eq!(life.obey(&release("a", 1), &table), None, "nothing runs that would close it");
    assert_eq!(life.retry(), [serve(1)]);
}

#[test]
fn only_what_another_owns_now_is_copied_and_once() {
    let (mut life, table) = start();
    let copy = Deed::Warm { range: R1, epoch: Epoch::new(1) };
    assert_eq!(life.obey(&warm(R1, 2), &table), None, "not yet");
    assert_eq!(life.obey(&warm(R0, 1), &table), None, "its own");
    assert_eq!(life.obey(&warm(R1, 1), &table), Some(copy));
    assert_eq!(life.obey(&warm(R1, 1), &table), None);
    life.cold(R1, Epoch::new(1));
    assert_eq!(life.obey(&warm(R1, 1), &table), Some(copy));
    let cool = Order::Cool { range: R1, member: member("a", 1) };
    assert_eq!(life.obey(&cool, &table), Some(Deed::Cool { range: R1 }));
    assert_eq!(life.obey(&warm(R1, 1), &table), Some(copy));
}

#[test]
fn orders_to_others_do_nothing() {
    let (mut life, table) = start();
    life.follow(&table);
    life.served(R0, Epoch::new(1), true);
    assert_eq!(life.obey(&release("b", 1), &table), None);
    let rejoin = |life| Order::Rejoin { member: member("a", life) };
    assert_eq!(life.obey(&rejoin(2), &table), None);
    assert!(!life.is_over());
}

#[test]
fn who_is_dead_does_nothing_more() {
    let (mut life, mut table) = start();
    life.follow(&table);
    life.served(R0, Epoch::new(1), true);
    fold(&mut table, dead("a", 1, 9)).unwrap();
    assert_eq!(life.follow(&table), []);
    assert!(life.is_over());
    assert_eq!(life.obey(&release("a", 1), &table), None);

    let (mut life, table) = start();
    life.obey(&Order::Rejoin { member: member("a", 1) }, &table);
    assert!(life.is_over());
    assert_eq!(life.follow(&table), []);
}

#[test]
fn loads_are_told_of_what_is_served_only() {
    let (mut life, table) = start();
    life.follow(&table);
    let load = Load { state_bytes: 5, records_per_s: 1 };
    let loads = BTreeMap::from([(R0, load)]);
    assert_eq!(life.report(vec![], &loads).holdings[0].load, None);
    life.served(R0, Epoch::new(1), true);
    let report = life.report(vec![], &loads);
    assert_eq!((report.holdings[0].load, report.number), (Some(load), 2));
}
