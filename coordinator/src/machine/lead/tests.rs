//! What a leader orders, fact by fact. Orders that came to nothing come again.

use proto::types::{Epoch, Slot};

use super::*;
use crate::fixtures::{assigned, dead, divided, fold, intended, joined, lead, member, table};
use crate::machine::entry::{Change, Intent};
use crate::machine::health::{DEAD_MS, HEARTBEAT_MS, SUSPECT_MS};
use crate::machine::moves::WARM_PATIENCE_MS;
use crate::machine::order::changes;
use crate::machine::plan::Load;
use crate::machine::report::Copy;

mod scale;
mod wishes;

/// A leader, what it reads, and when.
struct Desk {
    table: Table,
    lead: Lead,
    now_ms: u64,
    said: u64,
}

impl Desk {
    /// `a` owns these ranges at epoch 1, and serves them; `b` has just joined.
    fn new(ranges: u16) -> Self {
        let all: Vec<_> = (0..ranges).map(|range| (range, member("a", 1), 1)).collect();
        let joined = [lead("a"), joined("a", 1), joined("b", 1), divided(ranges), assigned(&all)];
        let mut desk = Self { table: table(&joined), lead: leads(0), now_ms: 0, said: 0 };
        desk.step();
        desk.says("a", &(0..ranges).map(|id| (id, 1, Stage::Serving)).collect::<Vec<_>>(), &[]);
        desk.says("b", &[], &[]);
        desk
    }

    fn step(&mut self) -> Vec<Order> {
        self.lead.step(&self.table, self.now_ms)
    }

    /// A heartbeat with holdings (range, epoch, stage) and copies (range, epoch, is ready).
    fn says(&mut self, name: &str, holdings: &[(u16, u64, Stage)], copies: &[(u16, u64, bool)]) {
        self.said += 1;
        let holding = |&(range, epoch, stage)| Holding {
            range: RangeId(range),
            epoch: Epoch::new(epoch),
            stage,
            load: None,
        };
        let copy = |&(range, epoch, is_ready)| Copy {
            range: RangeId(range),
            epoch: Epoch::new(epoch),
            is_ready,
        };
        let report = Report {
            member: member(name, 1),
            number: self.said,
            holdings: holdings.iter().map(holding).collect(),
            copies: copies.iter().map(copy).collect(),
            is_leaving: false,
        };
        self.lead.heard(report, self.now_ms);
    }

    /// Time passes in which only `a` is heard.
    fn pass(&mut self, ms: u64) -> Vec<Order> {
        let mut orders = Vec::new();
        for _ in 0..ms / HEARTBEAT_MS {
            self.now_ms += HEARTBEAT_MS;
            self.lead.detector.heard(&member("a", 1), self.now_ms);
            orders = self.step();
        }
        orders
    }

    /// `b` serves range 1 at epoch 1, and was asked to stop.
    fn leaves(&mut self) {
        self.said += 1;
        let (range, epoch) = (RangeId(1), Epoch::new(1));
        let held = Holding { range, epoch, stage: Stage::Serving, load: None };
        let (member, number) = (member("b", 1), self.said);
        let (holdings, copies) = (vec![held], vec![]);
        let report = Report { member, number, holdings, copies, is_leaving: true };
        self.lead.heard(report, self.now_ms);
    }

    fn fold(&mut self, change: Change) {
        fold(&mut self.table, change).unwrap();
    }
}

fn leads(now_ms: u64) -> Lead {
    Lead::new(Settings::default(), Limits::default(), now_ms)
}

fn warm(range: u16) -> Order {
    Order::Warm { range: RangeId(range), member: member("b", 1), epoch: Epoch::new(1) }
}

fn serve(range: u16, name: &str, epoch: u64) -> Order {
    Order::Serve { range: RangeId(range), member: member(name, 1), epoch: Epoch::new(epoch) }
}

fn release(range: u16) -> Order {
    Order::Release { range: RangeId(range), member: member("a", 1), epoch: Epoch::new(1) }
}

fn moves(range: u16, to: u64, next: &str) -> Order {
    let (range, member, next) = (RangeId(range), member("a", 1), member(next, 1));
    Order::Move { range, member, to: Slot(to), next, epoch: Epoch::new(2) }
}

const CLOSED: Stage = Stage::Closed { to: Slot(9) };

#[test]
fn a_range_moves_step_by_step_and_each_order_is_repeated_until_it_is_known_as_done() {
    let mut desk = Desk::new(2);
    assert_eq!(desk.step(), [warm(1)]);
    assert_eq!(desk.step(), [warm(1)]);
    desk.says("b", &[], &[(1, 1, false)]);
    assert_eq!(desk.step(), []);
    desk.says("b", &[], &[(1, 1, true)]);
    assert_eq!(desk.step(), [release(1)]);
    assert_eq!(desk.step(), [release(1)]);
    desk.says("a", &[(0, 1, Stage::Serving), (1, 1, CLOSED)], &[]);
    assert_eq!(desk.step(), [moves(1, 9, "b")]);
    let moved = changes(&desk.step());
    moved.into_iter().for_each(|change| desk.fold(change));
    assert_eq!(desk.step(), [serve(1, "b", 2)]);
    desk.says("b", &[(1, 2, Stage::Restoring)], &[]);
    assert_eq!(desk.step(), []);
}

#[test]
fn the_next_leader_finishes_what_the_one_before_began() {
    let mut desk = Desk::new(2);
    desk.step();
    desk.says("b", &[], &[(1, 1, true)]);
    desk.step();

    desk.lead = leads(desk.now_ms);
    desk.step();
    desk.says("a", &[(0, 1, Stage::Serving), (1, 1, Stage::Serving)], &[]);
    desk.says("b", &[], &[(1, 1, true)]);
    assert_eq!(desk.step(), [release(1)]);

    desk.lead = leads(desk.now_ms);
    desk.step();
    desk.says("b", &[], &[(1, 1, true)]);
    desk.says("a", &[(0, 1, Stage::Serving), (1, 1, CLOSED)], &[]);
    assert!(desk.step().contains(&moves(1, 9, "b")));
}

#[test]
fn a_closed_range_that_has_nowhere_to_go_comes_back_at_the_next_epoch() {
    let mut desk = Desk::new(2);
    desk.step();
    desk.says("b", &[], &[(1, 1, true)]);
    desk.step();
    desk.fold(dead("b", 1, 1));
    desk.step();
    desk.says("a", &[(0, 1, Stage::Serving), (1, 1, CLOSED)], &[]);
    assert_eq!(desk.step(), [moves(1, 9, "a")]);
    desk.fold(intended("a", Intent::Drain));
    assert_eq!(desk.step(), [moves(1, 9, "a")]);
}

#[test]
fn what_is_said_of_an_epoch_that_has_passed_changes_nothing() {
    let mut desk = Desk::new(1);
    let moved = changes(&[moves(0, 9, "b")]);
    moved.into_iter().for_each(|change| desk.fold(change));
    desk.says("a", &[(0, 1, CLOSED)], &[]);
    desk.says("b", &[(0, 1, CLOSED)], &[]);
    assert_eq!(desk.step(), [serve(0, "b", 2)]);
    desk.says("b", &[(0, 1, CLOSED), (0, 2, Stage::Serving)], &[]);
    assert_eq!(desk.step(), []);
}

#[test]
fn a_report_that_was_overtaken_says_nothing_new() {
    let mut desk = Desk::new(2);
    desk.step();
    desk.says("b", &[], &[(1, 1, true)]);
    desk.said = 0;
    desk.says("b", &[], &[]);
    assert_eq!(desk.step(), [release(1)]);
}

#[test]
fn nothing_begins_to_move_before_everybody_was_heard() {
    let mut desk = Desk::new(2);
    desk.lead = leads(0);
    desk.step();
    desk.says("a", &[(0, 1, Stage::Serving), (1, 1, Stage::Serving)], &[]);
    assert_eq!(desk.step(), []);
    desk.says("b", &[], &[]);
    assert_eq!(desk.step(), [warm(1)]);
}

#[test]
fn what_a_range_costs_is_remembered_when_its_owner_is_gone() {
    let mut desk = Desk::new(2);
    let load = Load { state_bytes: 60, records_per_s: 5 };
    let (range, epoch, stage) = (RangeId(0), Epoch::new(1), Stage::Serving);
    let holdings = vec![Holding { range, epoch, stage, load: Some(load) }];
    let report =
        Report { member: member("a", 1), number: 100, holdings, copies: vec![], is_leaving: false };
    desk.lead.heard(report, 0);
    desk.fold(dead("a", 1, 9));
    desk.step();
    assert_eq!(desk.lead.loads, BTreeMap::from([(range, load)]));
}

#[test]
fn a_copy_that_nobody_wants_is_dropped() {
    let mut desk = Desk::new(2);
    desk.says("b", &[], &[(0, 1, true), (1, 1, false)]);
    let cool = Order::Cool { range: RangeId(0), member: member("b", 1) };
    assert_eq!(desk.step(), [cool]);
    desk.fold(intended("b", Intent::Cordon));
    let cool = |range| Order::Cool { range: RangeId(range), member: member("b", 1) };
    assert_eq!(desk.step(), [cool(0), cool(1)]);
}

#[test]
fn what_a_dead_owner_had_goes_to_the_copy_at_once_and_is_not_paced() {
    let mut desk = Desk::new(40);
    let warming = desk.step();
    assert_eq!(warming, [warm(20), warm(21)], "a node takes two at once");
    desk.says("b", &[], &[(20, 1, true), (21, 1, true)]);
    desk.fold(joined("c", 1));
    desk.fold(dead("a", 1, 9));
    let mut orders = desk.step();
    assert_eq!(orders.pop(), Some(Order::Rejoin { member: member("a", 1) }));
    assert_eq!(orders.len(), 40);
    let to_copy = |range| Order::Assign { range, member: member("b", 1), epoch: Epoch::new(2) };
    assert!([20, 21].into_iter().all(|range| orders.contains(&to_copy(RangeId(range)))));
    let changes = changes(&orders);
    assert!(matches!(&changes[..], [Change::Assigned { assignments }] if assignments.len() == 40));
}

#[test]
fn a_range_that_cannot_be_warmed_lets_others_have_their_turn() {
    let mut desk = Desk::new(6);
    assert_eq!(desk.step(), [warm(3), warm(4)]);
    for _ in 0..=WARM_PATIENCE_MS / HEARTBEAT_MS {
        desk.says("b", &[], &[]);
        desk.pass(HEARTBEAT_MS);
    }
    assert_eq!(desk.step(), [warm(5)]);
}

#[test]
fn a_large_range_waits_until_there_is_room_for_its_bytes() {
    let mut desk = Desk::new(4);
    desk.lead.limits.bytes_in_flight = 100;
    let (range, epoch, stage) = (RangeId(0), Epoch::new(1), Stage::Serving);
    let load = |bytes| Some(Load { state_bytes: bytes, records_per_s: 0 });
    let holding = |id, bytes| Holding { range: RangeId(id), epoch, stage, load: load(bytes) };
    let holdings = (range.0..4).map(|id| holding(id, 60)).collect();
    let report =
        Report { member: member("a", 1), number: 100, holdings, copies: vec![], is_leaving: false };
    desk.lead.heard(report, 0);
    assert_eq!(desk.step().len(), 1);
    assert_eq!(desk.lead.moves().in_flight()[0].state_bytes, 60);
}

#[test]
fn who_is_suspect_gets_nothing_new_and_who_is_dead_is_fenced() {
    let mut desk = Desk::new(2);
    assert_eq!(desk.pass(SUSPECT_MS - HEARTBEAT_MS), [warm(1)]);
    let mut desk = Desk::new(2);
    assert_eq!(desk.pass(SUSPECT_MS), [], "nothing begins");
    let fence = Order::Fence { member: member("b", 1) };
    assert_eq!(desk.pass(DEAD_MS - SUSPECT_MS), [fence]);
}

#[test]
fn a_dead_life_that_speaks_is_told_so_each_time() {
    let mut desk = Desk::new(1);
    desk.fold(dead("b", 1, 1));
    let rejoin = Order::Rejoin { member: member("b", 1) };
    assert_eq!(desk.step(), std::slice::from_ref(&rejoin));
    assert_eq!(desk.step(), []);
    desk.says("b", &[], &[]);
    assert_eq!(desk.step(), [rejoin]);
}

/// Its partitions are read elsewhere as soon as that is written; its ranges go as in any other move.
#[test]
fn who_says_that_it_leaves_gives_its_ranges_away_and_is_then_fenced_without_any() {
    let owned = [(0, member("a", 1), 1), (1, member("b", 1), 1)];
    let joined = [lead("a"), joined("a", 1), joined("b", 1), divided(2), assigned(&owned)];
    let mut desk = Desk { table: table(&joined), lead: leads(0), now_ms: 0, said: 0 };
    desk.step();
    desk.says("a", &[(0, 1, Stage::Serving)], &[]);
    desk.says("b", &[(1, 1, Stage::Serving)], &[]);
    assert_eq!(desk.step(), []);
    desk.leaves();
    assert_eq!(desk.step(), [Order::Leave { member: member("b", 1) }]);
    assert_eq!(changes(&desk.step()), [Change::Leaving { member: member("b", 1) }]);
    desk.fold(Change::Leaving { member: member("b", 1) });
    let (range, epoch) = (RangeId(1), Epoch::new(1));
    assert_eq!(desk.step(), [Order::Warm { range, member: member("a", 1), epoch }]);
    desk.says("a", &[(0, 1, Stage::Serving)], &[(1, 1, true)]);
    assert_eq!(desk.step(), [Order::Release { range, member: member("b", 1), epoch }]);
    let moved = crate::fixtures::moved(member("b", 1), &[(1, 9, member("a", 1), 2)]);
    desk.fold(moved);
    let orders = desk.step();
    assert!(orders.contains(&Order::Fence { member: member("b", 1) }), "{orders:?}");
    desk.fold(dead("b", 1, 9));
    assert_eq!(desk.table.leaving().count(), 0);
    desk.fold(crate::fixtures::joined("b", 2));
    assert!(!desk.table.drains(&member("b", 2)), "its next life is not meant");
}

#[test]
fn where_nobody_else_serves_who_leaves_keeps_its_ranges() {
    let owned = [(0, member("a", 1), 1), (1, member("b", 1), 1)];
    let mut changes = vec![lead("a"), joined("a", 1), joined("b", 1), divided(2), assigned(&owned)];
    changes.extend(["a", "b"].map(|name| Change::Leaving { member: member(name, 1) }));
    let mut desk = Desk { table: table(&changes), lead: leads(0), now_ms: 0, said: 0 };
    desk.step();
    desk.says("a", &[(0, 1, Stage::Serving)], &[]);
    desk.says("b", &[(1, 1, Stage::Serving)], &[]);
    assert_eq!(desk.step(), []);
}
