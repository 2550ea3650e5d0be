//! Whatever happened, and whatever went: every range can be restored exactly, and no row is lost (I10).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::*;
use crate::machine::reach::At;

/// What happens; the numbers choose by whom and to what.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A life commits something of those of its ranges that the bits name.
    Commit(u8, u8),
    /// The sink has more of a range's rows.
    Acknowledge(u8, u8),
    /// A range is closed, and is another life's.
    Move(u8, u8),
    /// A life is fenced, and the node begins another.
    Fence(u8),
    /// A range of nobody gets an owner.
    Assign(u8, u8),
    /// A life takes a snapshot, and has not named it yet.
    Checkpoint(u8),
    /// It names it, also when it has been fenced meanwhile.
    Publish(u8),
    /// A life lists the journals.
    List(u8),
    /// It looks at the control log, reads the snapshots, and decides how many to keep.
    Decide(u8, u8),
    /// It deletes, also when it has been fenced meanwhile.
    Delete(u8),
}

#[derive(Clone, Debug, Default)]
struct Life {
    is_over: bool,
    /// Where its journal ends.
    end: Slot,
    checkpoint: Option<BTreeMap<RangeId, Place>>,
    listed: Option<BTreeMap<u8, Vec<Slot>>>,
    decided: Option<(Vec<u64>, Vec<InJournal>)>,
}

/// A journal, and a slot of it.
type InJournal = (u8, Slot);

#[derive(Clone, Debug, Default)]
struct Owned {
    epoch: u64,
    owner: Option<u8>,
    lineage: Vec<Span<u8>>,
    /// Its commits, each with a row: where they are, and in whose journal.
    commits: Vec<(At, u8)>,
    /// How many of the rows the sink has.
    delivered: usize,
    /// How many of them the last commit knew of.
    known: usize,
}

#[derive(Clone, Debug)]
struct World {
    lives: Vec<Life>,
    there: BTreeMap<u8, BTreeSet<Slot>>,
    ranges: Vec<Owned>,
    snapshots: BTreeMap<u64, BTreeMap<RangeId, Place>>,
    next: u64,
}

impl Owned {
    /// The first slot of a life's journal that may have something of it, as far as the control log knows.
    fn since(&self, life: u8) -> Slot {
        let ended = self.lineage.iter().filter(|span| span.journal == life);
        ended.filter_map(|span| span.to).max().unwrap_or(Slot(1))
    }

    fn ends(&mut self, to: Slot) {
        let Some(journal) = self.owner.take() else { return };
        let (epoch, from) = (Epoch::new(self.epoch), self.since(journal));
        if from < to {
            self.lineage.push(Span { journal, epoch, from, to: Some(to) });
        }
    }

    fn begins(&mut self, life: u8) {
        self.epoch += 1;
        self.owner = Some(life);
    }

    fn past(&self) -> Vec<Span<u8>> {
        let mut past = self.lineage.clone();
        past.extend(self.owner.map(|journal| Span {
            journal,
            epoch: Epoch::new(self.epoch),
            from: self.since(journal),
            to: None,
        }));
        past
    }

    fn place(&self) -> Option<Place> {
        let &((epoch, slot), _) = self.commits.last()?;
        let outbox = self.commits.get(self.known).map_or((epoch, slot.next()), |it| it.0);
        Some(Place { at: (epoch, slot), outbox })
    }
}

impl World {
    /// Three nodes; the ranges are the first one's, and have been in a snapshot.
    fn new(ranges: usize) -> Self {
        let ranges = vec![Owned { epoch: 1, owner: Some(0), ..Owned::default() }; ranges];
        let lives = vec![Life::default(); 3];
        let (there, snapshots) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { lives, there, ranges, snapshots, next: 1 };
        for step in [Step::Commit(0, 0xff), Step::Checkpoint(0), Step::Publish(0)] {
            world.step(step);
        }
        world
    }

    fn life(&self, choice: u8) -> u8 {
        choice % u8::try_from(self.lives.len()).unwrap()
    }

    fn write(&mut self, life: u8) -> Slot {
        let end = &mut self.lives[usize::from(life)].end;
        *end = end.next();
        self.there.entry(life).or_default().insert(*end);
        *end
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Commit(life, bits) => self.commit(self.life(life), bits),
            Step::Acknowledge(range, more) => {
                let range = self.range(range);
                range.delivered = range.commits.len().min(range.delivered + usize::from(more));
            }
            Step::Move(range, life) => self.move_to(range, self.life(life)),
            Step::Fence(life) => self.fence(self.life(life)),
            Step::Assign(range, life) => {
                let life = self.life(life);
                let is_over = self.lives[usize::from(life)].is_over;
                let range = self.range(range);
                if range.owner.is_none() && !is_over {
                    range.begins(life);
                }
            }
            Step::Checkpoint(life) => self.checkpoint(self.life(life)),
            Step::Publish(life) => {
                let life = self.life(life);
                if let Some(places) = self.lives[usize::from(life)].checkpoint.take() {
                    self.snapshots.insert(self.next, places);
                    self.next += 1;
                }
            }
            Step::List(life) => {
                let (life, listed) = (self.life(life), self.listed());
                self.lives[usize::from(life)].listed = Some(listed);
            }
            Step::Decide(life, keep) => self.decide(self.life(life), keep),
            Step::Delete(life) => self.delete(self.life(life)),
        }
    }

    fn range(&mut self, choice: u8) -> &mut Owned {
        let range = usize::from(choice) % self.ranges.len();
        &mut self.ranges[range]
    }

    fn commit(&mut self, life: u8, bits: u8) {
        if self.lives[usize::from(life)].is_over {
            return;
        }
        let slot = self.write(life);
        for (bit, range) in self.ranges.iter_mut().enumerate() {
            if range.owner == Some(life) && bits & (1 << bit) != 0 {
                range.commits.push(((Epoch::new(range.epoch), slot), life));
                range.known = range.delivered;
            }
        }
    }

    fn move_to(&mut self, range: u8, life: u8) {
        let Some(owner) = self.range(range).owner else { return };
        if owner == life || self.lives[usize::from(life)].is_over {
            return;
        }
        let to = self.lives[usize::from(owner)].end.next();
        let range = self.range(range);
        range.delivered = range.commits.len();
        range.ends(to);
        range.begins(life);
    }

    fn fence(&mut self, life: u8) {
        if self.lives.len() > 8 || self.lives[usize::from(life)].is_over {
            return;
        }
        let fence = self.write(life);
        self.lives[usize::from(life)].is_over = true;
        let owned = self.ranges.iter_mut().filter(|range| range.owner == Some(life));
        owned.for_each(|range| range.ends(fence));
        self.lives.push(Life::default());
    }

    fn checkpoint(&mut self, life: u8) {
        let owned = (0..).zip(&self.ranges).filter(|(_, it)| it.owner == Some(life));
        let places: BTreeMap<_, _> =
            owned.filter_map(|(id, it)| Some((RangeId(id), it.place()?))).collect();
        self.lives[usize::from(life)].checkpoint = Some(places).filter(|it| !it.is_empty());
    }

    fn facts(&self, there: BTreeMap<u8, Vec<Slot>>) -> Facts<u8> {
        let ranges = (0..).zip(&self.ranges).map(|(id, it)| existing(RangeId(id), it.past()));
        let taken = self.snapshots.iter().map(|(&name, places)| Taken {
            name,
            places: Some(places.clone()),
            is_whole: true,
        });
        Facts { there, ranges: ranges.collect(), taken: taken.collect() }
    }

    fn listed(&self) -> BTreeMap<u8, Vec<Slot>> {
        self.there.iter().map(|(&life, slots)| (life, slots.iter().copied().collect())).collect()
    }

    /// What goes of its own journal and of those of the dead.
    fn decide(&mut self, life: u8, keep: u8) {
        let me = &mut self.lives[usize::from(life)];
        let Some(listed) = me.listed.take().filter(|_| !me.is_over) else { return };
        let stored: Vec<_> = listed
            .iter()
            .filter(|(of, _)| **of == life || self.lives[usize::from(**of)].is_over)
            .flat_map(|(&of, slots)| slots.iter().map(move |&slot| (of, slot)))
            .map(|at| Stored { at, bytes: 1, created_ms: 0 })
            .collect();
        let decision = self.facts(listed).decide(usize::from(keep));
        let slots = decision.needed.map(|needed| trimmable(&stored, &needed, NOTHING, 1));
        let slots = slots.unwrap_or_default();
        self.lives[usize::from(life)].decided = Some((decision.deletable, slots));
    }

    fn delete(&mut self, life: u8) {
        let decided = self.lives[usize::from(life)].decided.take();
        let (names, slots) = decided.unwrap_or_default();
        for name in names {
            self.snapshots.remove(&name);
        }
        for (life, slot) in slots {
            self.there.get_mut(&life).unwrap().remove(&slot);
        }
    }

    /// Every range comes back, and out of whichever snapshot can be used: with all its commits, and
    /// with all rows that the sink lacks.
    fn check(&self) -> TestCaseResult {
        let facts = self.facts(self.listed());
        for (range, existing) in self.ranges.iter().zip(&facts.ranges) {
            let judged = facts.judge(existing);
            prop_assert!(!judged.good.is_empty(), "{:?} cannot be restored", existing.range);
            for (_, name) in judged.good.keys() {
                let place = self.snapshots[name][&existing.range];
                let waiting = range.commits.iter().skip(range.delivered);
                let behind = range.commits.iter().filter(|(at, _)| *at > place.at);
                for &(at, life) in waiting.chain(behind) {
                    prop_assert!(at >= place.needed_from(), "{name} does not read {at:?}");
                    prop_assert!(self.there[&life].contains(&at.1), "{name} misses {at:?}");
                }
            }
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..=u8::MAX;
    prop_oneof![
        6 => (number(), number()).prop_map(|(life, bits)| Step::Commit(life, bits)),
        3 => (number(), 0..4_u8).prop_map(|(range, more)| Step::Acknowledge(range, more)),
        2 => (number(), number()).prop_map(|(range, life)| Step::Move(range, life)),
        1 => number().prop_map(Step::Fence),
        2 => (number(), number()).prop_map(|(range, life)| Step::Assign(range, life)),
        3 => number().prop_map(Step::Checkpoint),
        3 => number().prop_map(Step::Publish),
        3 => number().prop_map(Step::List),
        3 => (number(), 1..3_u8).prop_map(|(life, keep)| Step::Decide(life, keep)),
        3 => number().prop_map(Step::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn i10_whatever_goes_every_range_can_be_restored_exactly(
        ranges in 1..4_usize,
        steps in vec(step(), 1..120),
    ) {
        let mut world = World::new(ranges);
        for step in steps {
            world.step(step);
            world.check()?;
        }
    }
}
