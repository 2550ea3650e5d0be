//! What all share: the store, the wires, and the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use proto::log::Log;
use proto::types::{Incarnation, NodeId};

use crate::coordinator::Journals;
use crate::fixtures::node;
use crate::machine::letter::Letter;
use crate::machine::member::Member;
use crate::machine::order::Order;
use crate::testing::dice;
use crate::testing::memory_log::{Fault, Faults, MemoryLog};

pub(super) const COORDINATORS: usize = 3;
pub(super) const NODES: usize = 4;
pub(super) const RANGES: u16 = 6;
/// How much time a round is, in milliseconds.
pub(super) const ROUND_MS: u64 = 250;

pub(super) fn names() -> impl Iterator<Item = NodeId> {
    (0..NODES).map(|which| node(&format!("node-{which}")))
}

/// What is said to a node.
#[derive(Clone, Debug)]
pub(super) enum ToNode {
    Joined(Member, u64),
    Obey(Order),
}

pub(super) struct World {
    pub(super) control: Arc<MemoryLog>,
    journals: Mutex<BTreeMap<Member, Arc<MemoryLog>>>,
    shared: Mutex<Shared>,
}

struct Shared {
    seed: u64,
    round: u64,
    dice: Box<dyn FnMut() -> u64 + Send>,
    is_healed: bool,
    /// Which process would lead.
    contender: usize,
    /// In which round a process has nothing more to do.
    idle: [u64; COORDINATORS],
    to_leaders: [Vec<(u64, Letter)>; COORDINATORS],
    to_nodes: Vec<(u64, NodeId, ToNode)>,
    /// The last orders of any leader, and when they were given.
    orders: (u64, Vec<Order>),
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let control = Arc::new(MemoryLog::with_faults("control", faults(seed)));
        let shared = Shared {
            seed,
            round: 0,
            dice: Box::new(dice(seed ^ 0x5eed)),
            is_healed: false,
            contender: 0,
            idle: [0; COORDINATORS],
            to_leaders: Default::default(),
            to_nodes: Vec::new(),
            orders: (0, Vec::new()),
        };
        Arc::new(Self { control, journals: Mutex::default(), shared: Mutex::new(shared) })
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    pub(super) fn open(&self, member: &Member) -> Arc<MemoryLog> {
        let mut journals = self.journals.lock().unwrap();
        let (shared, count) = (self.shared(), journals.len() as u64);
        let journal = || {
            let faults: Faults = if shared.is_healed {
                Box::new(|_| Fault::None)
            } else {
                faults(shared.seed ^ (count + 1))
            };
            Arc::new(MemoryLog::with_faults(&member.to_string(), faults))
        };
        Arc::clone(journals.entry(member.clone()).or_insert_with(journal))
    }

    pub(super) fn journals(&self) -> BTreeMap<Member, Arc<MemoryLog>> {
        self.journals.lock().unwrap().clone()
    }

    pub(super) fn round(&self) -> u64 {
        self.shared().round
    }

    /// Whether nodes know what their ranges cost.
    pub(super) fn has_loads(&self) -> bool {
        self.shared().seed % 2 == 1
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.shared().round * ROUND_MS
    }

    pub(super) fn next_round(&self) -> u64 {
        let mut shared = self.shared();
        shared.round += 1;
        shared.round
    }

    pub(super) fn heal(&self) {
        self.control.fail(Box::new(|_| Fault::None));
        for journal in self.journals.lock().unwrap().values() {
            journal.fail(Box::new(|_| Fault::None));
        }
        let mut shared = self.shared();
        (shared.is_healed, shared.contender) = (true, 0);
    }

    pub(super) fn contest(&self, which: usize) {
        self.shared().contender = which;
    }

    pub(super) fn contends(&self, which: usize) -> bool {
        self.shared().contender == which
    }

    /// `which` has nothing more to do in this round.
    pub(super) fn rest(&self, which: usize) {
        let mut shared = self.shared();
        shared.idle[which] = shared.round;
    }

    pub(super) fn is_idle(&self, which: usize) -> bool {
        let shared = self.shared();
        shared.idle[which] == shared.round
    }

    /// A process dies, and what it had not read yet is gone.
    pub(super) fn forget(&self, which: usize) {
        self.shared().to_leaders[which].clear();
    }

    pub(super) fn tell_leaders(&self, message: &Letter) {
        for which in 0..COORDINATORS {
            let mut shared = self.shared();
            for due in shared.arrivals() {
                shared.to_leaders[which].push((due, message.clone()));
            }
        }
    }

    pub(super) fn tell_node(&self, node: &NodeId, message: &ToNode) {
        let mut shared = self.shared();
        for due in shared.arrivals() {
            shared.to_nodes.push((due, node.clone(), message.clone()));
        }
    }

    pub(super) fn take_for_leader(&self, which: usize) -> Vec<Letter> {
        let mut shared = self.shared();
        let round = shared.round;
        let due = shared.to_leaders[which].extract_if(.., |(due, _)| *due <= round);
        due.map(|(_, message)| message).collect()
    }

    pub(super) fn take_for_node(&self, node: &NodeId) -> Vec<ToNode> {
        let mut shared = self.shared();
        let round = shared.round;
        let due = shared.to_nodes.extract_if(.., |(due, to, _)| *due <= round && to == node);
        due.map(|(_, _, message)| message).collect()
    }

    pub(super) fn note(&self, orders: &[Order], are_written: bool) {
        let mut shared = self.shared();
        if !orders.is_empty() || are_written {
            shared.orders = (shared.round, orders.to_vec());
        }
    }

    pub(super) fn quiet_for(&self) -> u64 {
        let shared = self.shared();
        shared.round - shared.orders.0
    }

    pub(super) fn last_orders(&self) -> Vec<Order> {
        self.shared().orders.1.clone()
    }
}

impl Shared {
    /// When a message arrives: never, once or twice, soon or late.
    fn arrivals(&mut self) -> Vec<u64> {
        let soon = self.round + 1;
        if self.is_healed {
            return vec![soon];
        }
        let mut late =
            || soon + if (self.dice)().is_multiple_of(3) { (self.dice)() % 20 } else { 0 };
        let (first, second) = (late(), late());
        match (self.dice)() % 10 {
            0 => vec![],
            1 => vec![first, second],
            _ => vec![first],
        }
    }
}

impl Journals for World {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        self.open(&Member { node: node.clone(), incarnation })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// One operation in ten fails, in one of the ways.
fn faults(seed: u64) -> Faults {
    let mut dice = dice(seed.rotate_left(17));
    Box::new(move |_| match dice() % 50 {
        0 => Fault::Refused,
        1 => Fault::AnswerLost,
        2 => Fault::Late,
        3 => Fault::SentTwice,
        4 => Fault::Phantom,
        _ => Fault::None,
    })
}
