//! Processes that start at the same time, on a store that loses answers, and die anywhere.
//!
//! A history is a seed: it decides who runs next, what fails and who dies. Whatever happens, no
//! term and no epoch is given twice (I1), and what a new owner restores can grow no more.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::*;
use crate::claim::{Claim, claim};
use crate::fixtures::{cut, node};
use crate::machine::entry::{Assignment, Entry};
use crate::machine::fence::is_fence;
use crate::testing::dice;
use crate::testing::memory_log::{Fault, Faults, MemoryLog};

const HISTORIES: u64 = 2_000;
const RANGES: u16 = 3;
const PROCESSES: usize = 3;
const LIVES: u32 = 4;

/// The store that all processes share, and what they say of themselves.
#[derive(Debug)]
struct World {
    seed: u64,
    control: Arc<MemoryLog>,
    journals: Mutex<BTreeMap<Member, Arc<MemoryLog>>>,
    /// For each membership: what it gave, and how many commits its past had then.
    memberships: Mutex<Vec<(Member, Vec<Holding>, usize)>>,
    outrun: Mutex<u32>,
}

impl Journals for World {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        self.open(&Member { node: node.clone(), incarnation })
    }
}

impl World {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            control: Arc::new(MemoryLog::with_faults("control", faults(seed))),
            journals: Mutex::default(),
            memberships: Mutex::default(),
            outrun: Mutex::default(),
        })
    }

    fn open(&self, member: &Member) -> Arc<MemoryLog> {
        let mut journals = self.journals.lock().unwrap();
        let faults = faults(self.seed ^ (journals.len() as u64 + 1));
        let journal = || Arc::new(MemoryLog::with_faults(&member.to_string(), faults));
        Arc::clone(journals.entry(member.clone()).or_insert_with(journal))
    }

    /// The commits in a journal, without its fence.
    fn commits(&self, member: &Member) -> Vec<Slot> {
        let content = self.open(member).content();
        let commits = content.into_iter().filter(|(_, object)| !is_fence(object));
        commits.map(|(slot, _)| slot).collect()
    }

    /// How many commits there are of the lives that joined before `member`.
    fn past(&self, member: &Member) -> usize {
        let joined = |entry: Entry| match entry.change {
            Change::Joined { member, .. } => Some(member),
            Change::Leader { .. }
            | Change::Dead { .. }
            | Change::Divided { .. }
            | Change::Assigned { .. }
            | Change::Released { .. }
            | Change::Intended { .. }
            | Change::Leaving { .. }
            | Change::Moved { .. }
            | Change::Split { .. }
            | Change::Merged { .. } => None,
        };
        let joined = self.entries().into_iter().filter_map(joined);
        joined.take_while(|other| other != member).map(|other| self.commits(&other).len()).sum()
    }

    fn entries(&self) -> Vec<Entry> {
        self.control.content().values().map(|object| Entry::open(object).unwrap()).collect()
    }

    fn heal(&self) {
        self.control.fail(Box::new(|_| Fault::None));
        for journal in self.journals.lock().unwrap().values() {
            journal.fail(Box::new(|_| Fault::None));
        }
    }
}

/// One operation in five fails, in one of the ways.
fn faults(seed: u64) -> Faults {
    let mut dice = dice(seed.rotate_left(17));
    Box::new(move |_| match dice() % 25 {
        0 => Fault::Refused,
        1 => Fault::AnswerLost,
        2 => Fault::Late,
        3 => Fault::SentTwice,
        4 => Fault::Phantom,
        _ => Fault::None,
    })
}

/// One life of a process: it joins, commits until it is fenced or has done enough, and stops.
async fn live(world: Arc<World>, name: &'static str, seed: u64) {
    let mut nonces = dice(seed);
    let Ok(control) = ControlLog::open(Arc::<MemoryLog>::clone(&world.control)).await else {
        return;
    };
    let mut coordinator = Coordinator::new(control, Arc::<World>::clone(&world));
    let cut = cut(NonZeroU16::new(RANGES).unwrap());
    let joining = Joining { node: node(name), address: String::new(), cut };
    let membership = match coordinator.join(&joining, &mut nonces).await {
        Ok(membership) => membership,
        Err(JoinError::Outrun { .. }) => return *world.outrun.lock().unwrap() += 1,
        Err(JoinError::Control(ControlError::Unclear(_) | ControlError::Store(_))) => return,
        Err(JoinError::Fencing {
            source: FencingError::Unclear(_) | FencingError::Store(_),
            ..
        }) => {
            return;
        }
        Err(error) => panic!("{error:?}"),
    };
    let member = Member { node: node(name), incarnation: membership.incarnation };
    let past = world.past(&member);
    world.memberships.lock().unwrap().push((member.clone(), membership.holdings, past));

    let journal = world.open(&member);
    for slot in 1..=nonces() % 12 {
        let commit = Bytes::from(format!("TLJC {}", nonces()));
        if !matches!(claim(&*journal, Slot(slot), &commit).await, Ok(Claim::Ours)) {
            return;
        }
    }
}

type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the processes, one step of one of them at a time, until all lives are over.
fn run(world: &Arc<World>) {
    let mut dice = dice(world.seed);
    let start = move |process: usize, seed: u64| -> Life {
        // The first two processes are of one node: a copy that should not run.
        Box::pin(live(Arc::clone(world), ["a", "a", "b"][process], seed))
    };
    let mut lives: Vec<(Life, u32)> =
        (0..PROCESSES).map(|process| (start(process, dice()), LIVES)).collect();
    let mut context = Context::from_waker(Waker::noop());
    while lives.iter().any(|(_, left)| *left > 0) {
        let process = usize::try_from(dice() % PROCESSES as u64).unwrap();
        let (life, left) = &mut lives[process];
        if *left == 0 {
            continue;
        }
        let dies = dice().is_multiple_of(200);
        if dies || life.as_mut().poll(&mut context) == Poll::Ready(()) {
            *life = start(process, dice());
            *left -= 1;
        }
    }
}

/// The rules, read from the store itself and not through the table.
fn verify(world: &World) {
    let entries = world.entries();
    let mut terms = BTreeSet::new();
    let mut given = BTreeMap::new();
    let mut fences = BTreeMap::new();
    for entry in &entries {
        match &entry.change {
            Change::Leader { .. } => {
                assert!(terms.last() < Some(&entry.term), "terms rise");
                terms.insert(entry.term);
            }
            Change::Assigned { assignments } => {
                for Assignment { range, member, epoch } in assignments {
                    let other = given.insert((*range, *epoch), member.clone());
                    assert_eq!(other, None, "{range} {epoch} is given once");
                }
            }
            Change::Dead { member, fenced_at } => {
                fences.insert(member.clone(), *fenced_at);
            }
            Change::Joined { .. }
            | Change::Divided { .. }
            | Change::Released { .. }
            | Change::Intended { .. }
            | Change::Leaving { .. }
            | Change::Moved { .. }
            | Change::Split { .. }
            | Change::Merged { .. } => {}
        }
        assert_eq!(terms.last(), Some(&entry.term), "who leads writes");
    }
    for (member, fenced_at) in &fences {
        let commits = world.commits(member);
        assert!(commits.iter().all(|slot| slot < fenced_at), "{member} committed behind its fence");
    }
    for (member, holdings, past) in world.memberships.lock().unwrap().iter() {
        assert_eq!(holdings.len(), usize::from(RANGES));
        for Holding { range, epoch, lineage, .. } in holdings {
            assert_eq!(given.get(&(*range, *epoch)), Some(member), "who owns is in the log");
            let restored: usize = lineage.iter().map(|span| (span.from.0..span.to.0).count()).sum();
            assert_eq!(restored, *past, "the lineage of {member} is all that was committed");
        }
        assert_eq!(world.past(member), *past, "the past of {member} grew");
    }
}

#[test]
fn whatever_fails_no_term_and_no_epoch_is_given_twice_and_the_past_is_fixed() {
    let (mut memberships, mut outrun, mut unfinished) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let world = World::new(seed);
        run(&world);
        let history = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| verify(&world)));
        assert!(history.is_ok(), "history {seed} breaks a rule");
        let joined = world.memberships.lock().unwrap().len();
        memberships += joined;
        outrun += *world.outrun.lock().unwrap();
        unfinished += usize::from(joined == 0);

        // However it went: a node that starts on a healthy store gets everything.
        world.heal();
        futures::executor::block_on(live(Arc::clone(&world), "b", seed + 1));
        assert_eq!(world.memberships.lock().unwrap().len(), joined + 1, "history {seed} is stuck");
        verify(&world);
    }
    // The histories are worth something only if nodes join, collide and fail in them.
    let lives = HISTORIES * PROCESSES as u64 * u64::from(LIVES);
    assert!(memberships as u64 > lives / 10, "{memberships} of {lives} lives joined");
    assert!(u64::from(outrun) > lives / 20, "{outrun} of {lives} lives were outrun");
    assert!(unfinished as u64 > 0, "in every history somebody joined");
}
