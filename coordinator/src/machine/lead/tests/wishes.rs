//! What operators ask for: ranges elsewhere, or split; and what they are denied.

use proto::types::{Epoch, NodeId};

use super::*;
use crate::fixtures::{node, part};
use crate::machine::wish::{Denied, Request};

impl Desk {
    fn ask(&mut self, request: &Request) -> Result<(), Denied> {
        self.lead.ask(request, &self.table)
    }

    fn carry_out(&mut self, orders: &[Order]) {
        changes(orders).into_iter().for_each(|change| self.fold(change));
    }

    fn home(&self, range: u16) -> Option<NodeId> {
        self.table.range(RangeId(range)).unwrap().home().cloned()
    }

    /// Range `range` goes from `a` to `b` as nodes would have it.
    fn move_to_b(&mut self, range: u16) {
        self.says("b", &[], &[(range, 1, true)]);
        assert!(self.step().contains(&release(range)));
        let all = self.table.ranges().map(|(id, _)| id.0).collect::<Vec<_>>();
        let stage = |id: u16| if id == range { CLOSED } else { Stage::Serving };
        self.says("a", &all.iter().map(|&id| (id, 1, stage(id))).collect::<Vec<_>>(), &[]);
        let orders = self.step();
        self.carry_out(&orders);
        assert_eq!(self.home(range), Some(node("b")));
    }
}

fn to_b(range: u16) -> Request {
    Request::Move { range: RangeId(range), to: node("b") }
}

#[test]
fn a_range_goes_where_it_is_wished_and_the_plan_leaves_it_there() {
    let mut desk = Desk::new(2);
    desk.ask(&to_b(0)).unwrap();
    assert_eq!(desk.step(), [warm(0)], "another than the plan would have chosen");
    desk.move_to_b(0);
    desk.says("a", &[(1, 1, Stage::Serving)], &[]);
    desk.says("b", &[(0, 2, Stage::Serving)], &[]);
    assert_eq!(desk.step(), []);
}

#[test]
fn what_was_wished_is_forgotten_where_the_node_may_not_have_it_and_when_all_is_levelled() {
    let mut desk = Desk::new(2);
    desk.ask(&to_b(0)).unwrap();
    desk.fold(intended("b", Intent::Cordon));
    assert_eq!(desk.step(), []);
    desk.fold(intended("b", Intent::Serve));
    assert_eq!(desk.step(), [warm(1)], "the plan's own choice");

    let mut desk = Desk::new(2);
    desk.ask(&to_b(0)).unwrap();
    desk.ask(&Request::Rebalance).unwrap();
    assert_eq!(desk.step(), [warm(1)]);
}

#[test]
fn a_range_is_split_when_its_owner_has_closed_it_and_one_at_a_time() {
    let mut desk = Desk::new(2);
    desk.fold(intended("b", Intent::Cordon));
    for range in [0, 1] {
        desk.ask(&Request::Split { range: RangeId(range), at: None }).unwrap();
    }
    assert_eq!(desk.step(), [release(0), release(1)]);
    desk.says("a", &[(0, 1, CLOSED), (1, 1, CLOSED)], &[]);
    let split = |range, children: [(u16, u64, u64); 2]| Order::Split {
        range: RangeId(range),
        member: member("a", 1),
        to: Slot(9),
        epoch: Epoch::new(2),
        children: children.map(part).to_vec(),
    };
    let orders = desk.step();
    let quarter = 1 << 62;
    assert_eq!(orders, [split(0, [(2, 0, quarter), (3, quarter, 2 * quarter)])]);
    desk.carry_out(&orders);
    let orders = desk.step();
    let second = split(1, [(4, 2 * quarter, 3 * quarter), (5, 3 * quarter, 0)]);
    assert!(orders.contains(&second), "{orders:?}");
    desk.carry_out(&orders);
    let served: Vec<_> = (2..6).map(|id| serve(id, "a", 2)).collect();
    assert_eq!(desk.step(), served);
}

#[test]
fn a_range_that_is_to_be_split_is_not_moved_first() {
    let mut desk = Desk::new(2);
    assert_eq!(desk.step(), [warm(1)]);
    desk.ask(&Request::Split { range: RangeId(1), at: None }).unwrap();
    assert_eq!(desk.step(), [release(1)]);
    assert!(desk.lead.moves().get(RangeId(1)).is_none());
}

#[test]
fn what_cannot_be_is_denied() {
    let mut desk = Desk::new(2);
    let (r0, r9) = (RangeId(0), RangeId(9));
    let split = |range, at| Request::Split { range, at };
    assert_eq!(desk.ask(&to_b(9)), Err(Denied::NoRange(r9)));
    let nowhere = Request::Move { range: r0, to: node("x") };
    assert_eq!(desk.ask(&nowhere), Err(Denied::NoNode(node("x"))));
    assert_eq!(desk.ask(&split(r9, None)), Err(Denied::NoRange(r9)));
    for at in [0, 1 << 63, u64::MAX] {
        let denied = Err(Denied::NoCut { range: r0, at });
        assert_eq!(desk.ask(&split(r0, Some(at))), denied);
    }
    desk.fold(intended("b", Intent::Drain));
    assert_eq!(desk.ask(&to_b(0)), Err(Denied::Closed(node("b"))));
    desk.fold(dead("b", 1, 1));
    assert_eq!(desk.ask(&to_b(0)), Err(Denied::NotAlive(node("b"))));
    let merge = Request::Merge { left: r0, right: RangeId(1) };
    let denied = Err(Denied::CannotAlign { left: r0, right: RangeId(1) });
    assert_eq!(desk.ask(&merge), denied);
}
