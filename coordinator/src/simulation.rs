//! Whole clusters: several processes that would lead, nodes that obey late, twice or never, a store
//! that loses answers, and whoever dies or stands still at any point.
//!
//! A history is a seed. First all that can go wrong does, then nothing more; at the end the store must
//! show that the rules held, and the cluster must have come to rest with every range served.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use proto::types::RangeId;

use crate::machine::entry::{Change, Entry, Intent};
use crate::machine::letter::{Ask, Letter};
use crate::machine::wish::Request;
use crate::testing::dice;
use node::Node;
use world::{COORDINATORS, NODES, RANGES, ROUND_MS, World, names};

mod leader;
mod node;
mod verify;
mod world;

const HISTORIES: u64 = 2_000;
/// How long things go wrong, in rounds.
const TROUBLE: u64 = 100;
/// Within how many rounds after that the cluster must have come to rest.
const RECOVERY: u64 = 240;
/// How many rounds without an order are rest.
const REST: u64 = 12;
/// How often a coordinator goes on within a round. A store's answer takes two or three.
const POLLS: usize = 60;

type Life = Pin<Box<dyn Future<Output = ()>>>;

/// A process that would lead.
struct Coordinator {
    life: Life,
    frozen_until: u64,
}

struct Cluster {
    world: Arc<World>,
    coordinators: Vec<Coordinator>,
    nodes: Vec<Node>,
    dice: Box<dyn FnMut() -> u64 + Send>,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let mut dice: Box<dyn FnMut() -> u64 + Send> = Box::new(dice(seed.rotate_left(32)));
        let coordinator = |which| {
            let life: Life = Box::pin(leader::live(Arc::clone(&world), which, dice()));
            Coordinator { life, frozen_until: 0 }
        };
        let coordinators = (0..COORDINATORS).map(coordinator).collect();
        let nodes = names().map(Node::new).collect();
        Self { world, coordinators, nodes, dice }
    }

    /// One thing in `n`.
    fn chance(&mut self, n: u64) -> bool {
        (self.dice)().is_multiple_of(n)
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from((self.dice)() % count as u64).unwrap()
    }

    /// Everybody goes on for a while.
    fn round(&mut self) {
        let round = self.world.next_round();
        let mut context = Context::from_waker(Waker::noop());
        self.nodes.iter_mut().for_each(|node| node.tick(&self.world, round));
        for _ in 0..POLLS {
            for (which, coordinator) in self.coordinators.iter_mut().enumerate() {
                if coordinator.frozen_until <= round && !self.world.is_idle(which) {
                    assert!(coordinator.life.as_mut().poll(&mut context).is_pending());
                }
            }
        }
    }

    /// Something goes wrong, or an operator wants something.
    fn disturb(&mut self) {
        let round = self.world.round();
        if self.chance(12) {
            let which = self.pick(COORDINATORS);
            self.world.contest(which);
        }
        if self.chance(25) {
            let which = self.pick(COORDINATORS);
            self.restart(which);
        }
        if self.chance(25) {
            let which = self.pick(COORDINATORS);
            self.coordinators[which].frozen_until = round + (self.dice)() % 60;
        }
        if self.chance(15) {
            let (which, until) = (self.pick(NODES), round + (self.dice)() % 50);
            match (self.dice)() % 3 {
                0 => self.nodes[which].crash(until),
                1 => self.nodes[which].freeze(until),
                _ => self.nodes[which].cut_off(until),
            }
        }
        if self.chance(40) {
            let which = self.pick(NODES);
            self.nodes[which].leave();
        }
        if self.chance(20) {
            let intents = [Intent::Serve, Intent::Cordon, Intent::Drain];
            let (node, intent) = (self.pick(NODES), intents[self.pick(3)]);
            self.intend(node, intent);
        }
    }

    fn intend(&self, which: usize, intent: Intent) {
        let node = self.nodes[which].id();
        let address = format!("{node}:7700");
        let request = Request::Intend { node: node.clone(), intent };
        self.world.tell_leaders(&Letter::Ask(Ask { node, address, ticket: 0, request }));
    }

    fn restart(&mut self, which: usize) {
        self.world.forget(which);
        let seed = (self.dice)();
        let life = Box::pin(leader::live(Arc::clone(&self.world), which, seed));
        self.coordinators[which] = Coordinator { life, frozen_until: 0 };
    }

    /// From now on nothing goes wrong, one process leads, and one node at least serves.
    fn heal(&mut self) {
        self.world.heal();
        let round = self.world.round();
        self.coordinators.iter_mut().for_each(|it| it.frozen_until = round);
        self.nodes.iter_mut().for_each(|node| node.wake(round));
    }

    /// Runs until there has been rest for a while, and says for how long it ran.
    fn settle(&mut self, most: u64) -> u64 {
        let begun = self.world.round();
        let mut asked = false;
        while self.world.quiet_for() < REST || !asked {
            self.round();
            let passed = self.world.round() - begun;
            assert!(passed < most, "no rest in {most} rounds: {:#?}", self.world.last_orders());
            if passed == 20 {
                self.intend(0, Intent::Serve);
                asked = true;
            }
        }
        self.world.round() - begun
    }
}

/// One history. Gives back how many rounds the recovery took, and what the control log says then.
fn run(seed: u64) -> (u64, Vec<Change>) {
    let mut cluster = Cluster::new(seed);
    for _ in 0..TROUBLE {
        cluster.disturb();
        cluster.round();
    }
    cluster.heal();
    let rounds = cluster.settle(RECOVERY);
    verify::safety(&cluster.world);
    verify::service(&cluster.world, &cluster.nodes);
    (rounds, verify::entries(&cluster.world).into_iter().map(|entry| entry.change).collect())
}

fn histories(seeds: impl Iterator<Item = u64>) {
    let [mut deaths, mut moves, mut returns] = [0, 0, 0];
    let mut longest = 0;
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        let (rounds, changes) = outcome.unwrap_or_else(|_| panic!("history {seed} fails"));
        longest = longest.max(rounds);
        for change in &changes {
            match change {
                Change::Dead { .. } => deaths += 1,
                Change::Moved { member, handovers } => {
                    moves += handovers.len();
                    returns += handovers.iter().filter(|it| it.next == *member).count();
                }
                Change::Leader { .. }
                | Change::Joined { .. }
                | Change::Divided { .. }
                | Change::Assigned { .. }
                | Change::Released { .. }
                | Change::Intended { .. }
                | Change::Leaving { .. }
                | Change::Split { .. }
                | Change::Merged { .. } => {}
            }
        }
    }
    // What never happens proves nothing.
    assert!(
        deaths > 100 && moves > 100 && returns > 0,
        "{deaths} deaths, {moves} moves, {returns}"
    );
    assert!(longest > REST + 20, "{longest}");
}

#[test]
fn whatever_goes_wrong_the_rules_hold_and_every_range_is_served_in_the_end() {
    histories(0..HISTORIES);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}

/// A leader that stands still hears nobody. Back again, it must not take that for silence.
#[test]
fn a_leader_that_was_frozen_fences_nobody() {
    for rounds in [4, 8, 20, 21, 22, 23, 24, 60, 400] {
        let mut cluster = Cluster::new(rounds);
        cluster.heal();
        cluster.settle(RECOVERY);
        cluster.coordinators[0].frozen_until = cluster.world.round() + rounds;
        (1..rounds).for_each(|_| cluster.round());
        // Nobody kept for it what it could not take.
        cluster.world.forget(0);
        (0..60).for_each(|_| cluster.round());
        let dead = |change: &Change| matches!(change, Change::Dead { .. });
        let entries = verify::entries(&cluster.world);
        assert!(!entries.iter().any(|entry| dead(&entry.change)), "after {rounds} rounds");
    }
}

/// While nobody leads, nodes go on as they are; the next leader finds nothing to do.
#[test]
fn a_change_of_leader_moves_nothing() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        cluster.heal();
        cluster.settle(RECOVERY);
        let before = verify::entries(&cluster.world).len();
        for which in [1, 2, 0, 1] {
            cluster.world.contest(which);
            (0..60).for_each(|_| cluster.round());
        }
        let after = verify::entries(&cluster.world);
        let led = |entry: &Entry| matches!(entry.change, Change::Leader { .. });
        assert!(after.len() > before && after[before..].iter().all(led), "seed {seed}");
    }
}

/// A drained node has nothing left, and its ranges were never without a warm next owner.
#[test]
fn a_drain_moves_every_range_and_ends_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.heal();
    cluster.settle(RECOVERY);
    cluster.intend(1, Intent::Drain);
    (0..10).for_each(|_| cluster.round());
    cluster.settle(RECOVERY);
    verify::service(&cluster.world, &cluster.nodes);
    assert_eq!(cluster.nodes[1].served().count(), 0);
    assert!(
        cluster.nodes.iter().all(Node::was_always_warm),
        "each move was to a copy that was ready"
    );
    let ranges: usize = cluster.nodes.iter().map(|node| node.served().count()).sum();
    assert_eq!(ranges, usize::from(RANGES));
    assert_eq!(cluster.world.now_ms(), cluster.world.round() * ROUND_MS);
    assert!(cluster.nodes[0].served().all(|range| range < RangeId(RANGES)));
}
