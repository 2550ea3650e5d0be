//! The largest cluster: 10,000 ranges on 500 nodes. Each step does what it should, and says how long it
//! took where that is asked for.

use super::*;
use crate::machine::plan::plan;

const NODES: u64 = 500;
const RANGES: u16 = 10_000;

/// All nodes have joined, and the ranges are theirs as a plan would have it.
struct Large {
    table: Table,
    lead: Lead,
    /// The unit in which ranges have loads; `None` where loads are not known.
    load: Option<u64>,
    said: u64,
}

fn name(which: u64) -> String {
    format!("node-{which:03}")
}

impl Large {
    fn new(load: Option<u64>) -> Self {
        let mut changes = vec![lead("node-000")];
        changes.extend((0..NODES).map(|which| joined(&name(which), 1)));
        changes.push(divided(RANGES));
        let mut large = Self { table: table(&changes), lead: leads(0), load, said: 0 };
        let assigned = self::changes(&large.lead.step(&large.table, 0));
        assigned.into_iter().for_each(|change| fold(&mut large.table, change).unwrap());
        large.step();
        large.report();
        large
    }

    /// Every node reports that it serves what it owns.
    fn report(&mut self) {
        self.said += 1;
        let mut reports: BTreeMap<Member, Vec<Holding>> = BTreeMap::new();
        self.table.alive().for_each(|member| drop(reports.insert(member.clone(), vec![])));
        for (id, range) in self.table.ranges() {
            let weight = |unit| unit * u64::from(50 + id.0.wrapping_mul(37) % 100);
            let load = self.load.map(weight);
            let load = load.map(|it| Load { state_bytes: it, records_per_s: it / 1_000 });
            let held = Holding { range: id, epoch: range.epoch, stage: Stage::Serving, load };
            range
                .owner()
                .and_then(|it| reports.get_mut(it))
                .into_iter()
                .for_each(|it| it.push(held));
        }
        for (member, holdings) in reports {
            let report =
                Report { member, number: self.said, holdings, copies: vec![], is_leaving: false };
            self.lead.heard(report, 0);
        }
    }

    /// Ranges cost the more the higher their numbers are.
    fn skew(&mut self) {
        let skewed = |number| Load { state_bytes: number, records_per_s: number };
        let ranges = self.table.ranges();
        self.lead.loads = ranges.map(|(id, _)| (id, skewed(u64::from(id.0) * 100_000))).collect();
    }

    fn step(&mut self) -> Vec<Order> {
        self.lead.step(&self.table, 0)
    }
}

/// A quiet step, one after a node came, and one after a node died.
fn run(load: Option<u64>, mut took: impl FnMut(&str)) {
    let mut large = Large::new(load);
    took("joining, the first plan and its reports");
    // By load, the first placement is made level in the plans that follow: all by load are known then.
    let begun = large.step().len();
    took("a first step");
    let warming = |orders: &[Order]| {
        orders.iter().filter(|order| matches!(order, Order::Warm { .. })).count()
    };
    assert!(begun <= 16 && large.lead.moves().iter().count() == begun);

    fold(&mut large.table, joined("node-new", 1)).unwrap();
    large.step();
    large.report();
    took("a fold and its reports");
    let orders = large.step();
    took("a step after a node came");
    assert!((2..=16).contains(&warming(&orders)), "{}", warming(&orders));

    fold(&mut large.table, dead("node-007", 1, 1)).unwrap();
    let owned = large.table.ranges().filter(|(_, range)| range.owner().is_none()).count();
    took("a fold");
    let orders = large.step();
    took("a step after a node died");
    let assigned = orders.iter().filter(|order| matches!(order, Order::Assign { .. })).count();
    assert!(assigned == owned && owned >= 15, "{assigned} of {owned}");
}

#[test]
fn ten_thousand_ranges_on_five_hundred_nodes_are_led() {
    run(None, |_| ());
    run(Some(1_000_000), |_| ());
}

/// By load from a placement by number: many ranges should move.
#[test]
fn what_should_move_in_a_large_cluster_is_paced() {
    let mut large = Large::new(None);
    large.skew();
    let observed = Observed { table: &large.table, held_dead: &BTreeSet::new() };
    let facts = large.lead.facts(&observed);
    let moves = plan(&facts).into_iter().filter(|(id, to)| facts.homes[id].as_ref() != Some(to));
    assert!(moves.count() > 1_000);
    let orders = large.step();
    let mut busy: BTreeMap<&NodeId, usize> = BTreeMap::new();
    for (_, transfer) in large.lead.moves().iter() {
        *busy.entry(&transfer.owner.node).or_default() += 1;
        *busy.entry(&transfer.next.node).or_default() += 1;
    }
    assert!(!orders.is_empty() && busy.values().all(|&moves| moves <= 2));
}

/// What this thread has used of a processor.
fn cpu_ns() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Prints milliseconds of processor time for each step:
/// `cargo test --release -p coordinator so_many_milliseconds -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a rule"]
#[expect(clippy::print_stdout, reason = "what it measures is its result")]
fn a_step_takes_so_many_milliseconds() {
    for (load, what) in [(None, "by number"), (Some(1_000_000), "by load")] {
        let mut began = cpu_ns();
        run(load, |doing| {
            let now = cpu_ns();
            println!("{what}: {doing}: {:.1} ms", (now - began) as f64 / 1e6);
            began = cpu_ns();
        });
    }
    let mut large = Large::new(None);
    large.skew();
    let began = cpu_ns();
    let orders = large.step();
    println!(
        "a step that would move most: {:.1} ms, {}",
        (cpu_ns() - began) as f64 / 1e6,
        orders.len()
    );
}
