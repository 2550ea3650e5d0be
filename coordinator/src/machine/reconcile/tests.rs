//! Orders follow from the difference, are safe in any order, and come to an end.

use proptest::prelude::*;
use proto::types::{Epoch, Slot};

use super::*;
use crate::fixtures::{
    assigned, dead, divided, fold, intended, joined, lead, member, node, released, table,
};
use crate::machine::entry::Change;
use crate::machine::plan::plan;

/// With everything of `placement` wanted and `held_dead` held dead, `orders` are to be done.
fn check(changes: &[Change], held_dead: &[Member], placement: &[(u16, &str)], orders: &[Order]) {
    let (table, held_dead) = (table(changes), held_dead.iter().cloned().collect());
    let observed = Observed { table: &table, held_dead: &held_dead };
    let desired = placement.iter().map(|&(id, name)| (RangeId(id), node(name))).collect();
    assert_eq!(reconcile(&desired, &observed), orders);
}

fn fence(member: Member) -> Order {
    Order::Fence { member }
}

fn assign(range: u16, member: Member, epoch: u64) -> Order {
    Order::Assign { range: RangeId(range), member, epoch: Epoch::new(epoch) }
}

fn release(range: u16, member: Member, epoch: u64) -> Order {
    Order::Release { range: RangeId(range), member, epoch: Epoch::new(epoch) }
}

/// Two nodes, of which `a` owns both ranges.
fn two_nodes() -> Vec<Change> {
    let a = member("a", 1);
    let both = assigned(&[(0, a.clone(), 1), (1, a, 1)]);
    vec![lead("a"), joined("a", 1), joined("b", 1), divided(2), both]
}

#[test]
fn new_ranges_are_assigned_at_their_first_epoch() {
    let changes = [lead("a"), joined("a", 1), divided(2)];
    let orders = [assign(0, member("a", 1), 1), assign(1, member("a", 1), 1)];
    check(&changes, &[], &[(0, "a"), (1, "a")], &orders);
}

#[test]
fn where_all_is_as_it_should_be_nothing_is_ordered() {
    check(&two_nodes(), &[], &[(0, "a"), (1, "a")], &[]);
}

#[test]
fn a_living_owner_is_asked_before_its_range_is_given_on() {
    let a = member("a", 1);
    check(&two_nodes(), &[], &[(0, "a"), (1, "b")], &[release(1, a.clone(), 1)]);
    let mut changes = two_nodes();
    changes.push(released(a, &[(1, 1, 4)]));
    check(&changes, &[], &[(0, "a"), (1, "b")], &[assign(1, member("b", 1), 2)]);
}

#[test]
fn who_is_held_dead_is_fenced_before_its_ranges_are_given_on() {
    let (a, b) = (member("a", 1), member("b", 1));
    let wanted = [(0, "b"), (1, "b")];
    check(&two_nodes(), std::slice::from_ref(&a), &wanted, &[fence(a.clone())]);
    let mut changes = two_nodes();
    changes.push(dead("a", 1, 4));
    check(&changes, &[], &wanted, &[assign(0, b.clone(), 2), assign(1, b, 2)]);
}

#[test]
fn a_life_that_was_followed_by_another_is_fenced() {
    let mut changes = two_nodes();
    changes.push(joined("a", 2));
    check(&changes, &[], &[(0, "a"), (1, "a")], &[fence(member("a", 1))]);
    changes.push(dead("a", 1, 4));
    let orders = [assign(0, member("a", 2), 2), assign(1, member("a", 2), 2)];
    check(&changes, &[], &[(0, "a"), (1, "a")], &orders);
}

#[test]
fn a_range_that_has_nowhere_to_go_stays() {
    check(&two_nodes(), &[], &[], &[]);
    check(&two_nodes(), &[], &[(0, "c"), (9, "a")], &[]);
    let b = member("b", 1);
    check(&two_nodes(), std::slice::from_ref(&b), &[(0, "b")], &[fence(b.clone())]);
}

/// What happens to a cluster from outside.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A node starts, also where its last life has not been declared dead.
    Starts(u8),
    /// A node's last life goes silent.
    Silent(u8),
    /// As many orders as this are carried out, then the coordinator is another.
    Carried(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0..6_u8).prop_map(Event::Starts),
        2 => (0..6_u8).prop_map(Event::Silent),
        3 => (0..12_u8).prop_map(Event::Carried),
    ]
}

struct Cluster {
    table: Table,
    held_dead: BTreeSet<Member>,
    /// Grows, as journals do.
    slot: u64,
}

impl Cluster {
    fn observed(&self) -> Observed<'_> {
        Observed { table: &self.table, held_dead: &self.held_dead }
    }

    fn orders(&self) -> Vec<Order> {
        reconcile(&plan(&self.observed().facts()), &self.observed())
    }

    /// Does the first of the orders, as the actors and the coordinator would.
    fn carry_out(&mut self, orders: usize) {
        for order in self.orders().into_iter().take(orders) {
            self.slot += 1;
            let change = match order {
                Order::Fence { member } => Change::Dead { member, fenced_at: Slot(self.slot) },
                Order::Release { range, member, epoch } => {
                    released(member, &[(range.0, epoch.get(), self.slot)])
                }
                Order::Assign { range, member, epoch } => {
                    assigned(&[(range.0, member, epoch.get())])
                }
                Order::Move { .. }
                | Order::Serve { .. }
                | Order::Warm { .. }
                | Order::Leave { .. }
                | Order::Rejoin { .. }
                | Order::Split { .. }
                | Order::Cool { .. } => unreachable!("{order:?} needs to know more"),
            };
            fold(&mut self.table, change).expect("an order obeys the control log's rules");
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Starts(which) => {
                let name = format!("node-{which}");
                let life = self.table.next_incarnation(&node(&name)).0;
                fold(&mut self.table, joined(&name, life)).unwrap();
            }
            Event::Silent(which) => {
                let name = node(&format!("node-{which}"));
                let last = self.table.alive().filter(|member| member.node == name).last();
                self.held_dead.extend(last.cloned());
            }
            Event::Carried(orders) => {
                self.carry_out(orders.into());
                fold(&mut self.table, lead("node-0")).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_orders_come_to_an_end_and_reach_the_plan(
        events in prop::collection::vec(event(), 0..40), ranges in 1..20_u16,
    ) {
        let table = table(&[lead("node-0"), joined("node-0", 1), divided(ranges)]);
        let mut cluster = Cluster { table, held_dead: BTreeSet::new(), slot: 1 };
        for event in events {
            cluster.happen(event);
        }
        // Fence, then assign; then release what is too much, and assign that.
        for _ in 0..4 {
            cluster.carry_out(usize::MAX);
        }
        prop_assert_eq!(cluster.orders(), []);
        let owned = cluster.table.ranges().filter_map(|(id, range)| Some((id, range.owner()?)));
        let owned: Placement = owned.map(|(id, owner)| (id, owner.node.clone())).collect();
        prop_assert_eq!(owned, plan(&cluster.observed().facts()));
        for (_, range) in cluster.table.ranges() {
            prop_assert!(range.lineage.is_sorted_by_key(|span| span.epoch));
            let dead = range.owner().is_some_and(|owner| cluster.held_dead.contains(owner));
            prop_assert!(!dead);
        }
    }
}

#[test]
fn what_an_operator_wants_of_a_node_decides_what_the_plan_knows_of_it() {
    let conditions = |changes: &[Change]| {
        let (table, held_dead) = (table(changes), BTreeSet::from([member("d", 1)]));
        let facts = Observed { table: &table, held_dead: &held_dead }.facts();
        facts.nodes.into_values().collect::<Vec<_>>()
    };
    let mut changes = vec![lead("a")];
    changes.extend(["a", "b", "c", "d"].map(|name| joined(name, 1)));
    let [serving, dead] = [Condition::Serving, Condition::Dead];
    assert_eq!(conditions(&changes), [serving, serving, serving, dead]);
    changes.extend(
        [("b", Intent::Cordon), ("c", Intent::Drain), ("d", Intent::Drain)]
            .map(|(name, intent)| intended(name, intent)),
    );
    let wanted = [serving, Condition::Cordoned, Condition::Draining, dead];
    assert_eq!(conditions(&changes), wanted);
    changes.push(intended("c", Intent::Serve));
    assert_eq!(conditions(&changes), [serving, Condition::Cordoned, serving, dead]);
}
