//! Keeps source partitions together in record time, over all nodes: three topics drain at different speeds, and
//! without this the open set explodes.

use std::sync::atomic::{AtomicU64, Ordering};

use proto::types::{PartitionIndex, RecordTime};

use crate::clock::Clock;
use crate::machine::frame::{Heard, Pass};

/// What a partition says that holds nobody back.
const RELEASED: u64 = u64::MAX;
/// Of a partition that is read here nothing needs to be heard.
const HERE: u64 = u64::MAX;

/// The record clocks of all partitions, whoever reads them.
///
/// A partition that is read elsewhere is as far as was heard last, **and from then on it moves with the wall**.
/// So a node that goes away holds nobody back for ever, and live traffic not at all; but while nobody reads its
/// partitions, those who drain a backlog may go on by no more than the wall does, instead of running away.
/// What was never heard of holds nobody back.
pub struct Alignment {
    marks: Vec<[Mark; 2]>,
    ahead_ms: u64,
    wall: Clock,
}

/// How far one pass over a partition has come.
#[derive(Debug)]
struct Mark {
    clock: AtomicU64,
    /// The wall when the clock was heard; 0 where it never was, [`HERE`] where it is read here.
    heard: AtomicU64,
}

impl std::fmt::Debug for Alignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alignment").field("marks", &self.marks).finish_non_exhaustive()
    }
}

impl Alignment {
    /// So many partitions, of which nothing was heard yet, and that may be `ahead_ms` ahead of the slowest.
    #[must_use]
    pub fn new(partitions: usize, ahead_ms: u64, wall: Clock) -> Self {
        let mark = || Mark { clock: AtomicU64::new(RELEASED), heard: AtomicU64::new(0) };
        let marks = (0..partitions).map(|_| [mark(), mark()]).collect();
        Self { marks, ahead_ms, wall }
    }

    /// A partition is read here from now on; it holds nobody back until it is [`set`](Self::set).
    pub fn begin(&self, partition: PartitionIndex) {
        for mark in self.marks.get(partition.index()).into_iter().flatten() {
            mark.clock.store(RELEASED, Ordering::Relaxed);
            mark.heard.store(HERE, Ordering::Relaxed);
        }
    }

    /// A partition is not read here any more.
    pub fn end(&self, partition: PartitionIndex) {
        for mark in self.marks.get(partition.index()).into_iter().flatten() {
            mark.heard.store((self.wall)(), Ordering::Relaxed);
        }
    }

    /// Whether a partition is read here.
    #[must_use]
    pub fn is_here(&self, partition: PartitionIndex) -> bool {
        self.mark(partition, Pass::Front)
            .is_some_and(|mark| mark.heard.load(Ordering::Relaxed) == HERE)
    }

    /// A partition has been read up to `clock`, here.
    pub fn set(&self, (partition, pass): (PartitionIndex, Pass), clock: RecordTime) {
        if let Some(mark) = self.mark(partition, pass) {
            mark.clock.store(clock.0, Ordering::Relaxed);
        }
    }

    /// A partition has nothing more for now, here.
    pub fn release(&self, of: (PartitionIndex, Pass)) {
        self.set(of, RecordTime(RELEASED));
    }

    /// What is known here, for the other nodes.
    #[must_use]
    pub fn told(&self) -> Vec<Heard> {
        let now = (self.wall)();
        let told = |partition, pass: Pass, mark: &Mark| {
            let heard = mark.heard.load(Ordering::Relaxed);
            let age_ms = if heard == HERE { 0 } else { now.saturating_sub(heard) };
            let clock = RecordTime(mark.clock.load(Ordering::Relaxed));
            (heard > 0).then_some(Heard { partition, pass, clock, age_ms })
        };
        let marks = (0..).map(PartitionIndex).zip(&self.marks);
        let passes = |(partition, marks): (PartitionIndex, &'_ [Mark; 2])| {
            let [front, behind] = marks;
            [told(partition, Pass::Front, front), told(partition, Pass::Behind, behind)]
        };
        marks.flat_map(passes).flatten().collect()
    }

    /// What another node knows, of its own partitions and by hearsay: the newest counts.
    pub fn hear(&self, all: &[Heard]) {
        let now = (self.wall)();
        for heard in all {
            let at = now.saturating_sub(heard.age_ms).max(1);
            let Some(mark) = self.mark(heard.partition, heard.pass) else { continue };
            if at >= mark.heard.load(Ordering::Relaxed) {
                mark.clock.store(heard.clock.0, Ordering::Relaxed);
                mark.heard.store(at, Ordering::Relaxed);
            }
        }
    }

    fn mark(&self, partition: PartitionIndex, pass: Pass) -> Option<&Mark> {
        self.marks.get(partition.index()).map(|marks| &marks[pass as usize])
    }

    /// How far a pass over a partition may go: records beyond wait until the slowest has come closer.
    #[must_use]
    pub fn horizon(&self, (partition, pass): (PartitionIndex, Pass)) -> RecordTime {
        let now = (self.wall)();
        let others = self.marks.iter().enumerate().filter(|(it, _)| *it != partition.index());
        let slowest = others.map(|(_, marks)| marks[pass as usize].now(now)).min();
        RecordTime(slowest.unwrap_or(RELEASED).saturating_add(self.ahead_ms))
    }

    /// Whether a pass over a partition whose clock is `clock` may go on.
    #[must_use]
    pub fn allows(&self, of: (PartitionIndex, Pass), clock: RecordTime) -> bool {
        clock <= self.horizon(of)
    }
}

impl Mark {
    fn now(&self, wall: u64) -> u64 {
        let clock = self.clock.load(Ordering::Relaxed);
        match self.heard.load(Ordering::Relaxed) {
            HERE => clock,
            heard => clock.saturating_add(wall.saturating_sub(heard)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FAST: PartitionIndex = PartitionIndex(0);
    const SLOW: PartitionIndex = PartitionIndex(1);
    const AHEAD: u64 = 100;

    /// An alignment of two partitions, and its wall.
    fn alignment() -> (Alignment, Arc<AtomicU64>) {
        let wall = Arc::new(AtomicU64::new(1_000));
        let clock = Arc::clone(&wall);
        (Alignment::new(2, AHEAD, Arc::new(move || clock.load(Ordering::Relaxed))), wall)
    }

    fn begin(alignment: &Alignment, partition: PartitionIndex, clock: u64) {
        alignment.begin(partition);
        alignment.set((partition, Pass::Front), RecordTime(clock));
    }

    fn heard(partition: PartitionIndex, clock: u64, age_ms: u64) -> [Heard; 1] {
        [Heard { partition, pass: Pass::Front, clock: RecordTime(clock), age_ms }]
    }

    fn horizon(alignment: &Alignment, partition: PartitionIndex) -> u64 {
        alignment.horizon((partition, Pass::Front)).0
    }

    #[test]
    fn who_is_too_far_ahead_of_the_slowest_waits_and_the_slowest_never_does() {
        let (alignment, _) = alignment();
        begin(&alignment, FAST, 0);
        begin(&alignment, SLOW, 0);
        let fast = (FAST, Pass::Front);
        assert!(alignment.allows(fast, RecordTime(100)));
        assert!(!alignment.allows(fast, RecordTime(101)));
        alignment.set(fast, RecordTime(101));
        assert!(alignment.allows((SLOW, Pass::Front), RecordTime(0)));
        alignment.set((SLOW, Pass::Front), RecordTime(50));
        assert!(alignment.allows(fast, RecordTime(101)));
    }

    #[test]
    fn who_has_nothing_more_holds_nobody_back() {
        let (alignment, _) = alignment();
        begin(&alignment, FAST, 0);
        begin(&alignment, SLOW, 0);
        alignment.release((SLOW, Pass::Front));
        assert!(alignment.allows((FAST, Pass::Front), RecordTime(1_000_000)));
    }

    #[test]
    fn a_partition_that_is_read_elsewhere_holds_back_too_and_moves_with_the_wall_once_it_is_silent()
    {
        let (alignment, wall) = alignment();
        begin(&alignment, FAST, 0);
        assert_eq!(horizon(&alignment, FAST), u64::MAX, "never heard of");
        alignment.hear(&heard(SLOW, 400, 30));
        assert_eq!(horizon(&alignment, FAST), 430 + AHEAD);
        alignment.hear(&heard(SLOW, 300, 50));
        assert_eq!(horizon(&alignment, FAST), 430 + AHEAD, "what is older says nothing");
        wall.store(6_000, Ordering::Relaxed);
        assert_eq!(horizon(&alignment, FAST), 5_430 + AHEAD, "its node is gone");
        alignment.hear(&heard(SLOW, 500, 0));
        assert_eq!(horizon(&alignment, FAST), 500 + AHEAD, "another goes on with it");
        alignment.hear(&heard(SLOW, RELEASED, 0));
        assert_eq!(horizon(&alignment, FAST), RELEASED);
    }

    #[test]
    fn what_is_read_here_is_known_here_best_until_it_is_not_read_here_any_more() {
        let (alignment, wall) = alignment();
        begin(&alignment, SLOW, 10);
        alignment.hear(&heard(SLOW, 900, 0));
        wall.store(2_000, Ordering::Relaxed);
        assert_eq!((horizon(&alignment, FAST), alignment.is_here(SLOW)), (10 + AHEAD, true));
        alignment.end(SLOW);
        wall.store(2_005, Ordering::Relaxed);
        assert_eq!((horizon(&alignment, FAST), alignment.is_here(SLOW)), (15 + AHEAD, false));
        alignment.hear(&heard(SLOW, 900, 0));
        assert_eq!(horizon(&alignment, FAST), 900 + AHEAD);
    }

    #[test]
    fn what_was_heard_is_passed_on_with_its_age_and_who_catches_up_is_held_back_by_others_who_do() {
        let (alignment, wall) = alignment();
        alignment.hear(&heard(SLOW, 400, 30));
        wall.store(1_020, Ordering::Relaxed);
        assert_eq!(alignment.told(), heard(SLOW, 400, 50));
        begin(&alignment, FAST, 7);
        alignment.set((FAST, Pass::Behind), RecordTime(3));
        assert_eq!(alignment.horizon((SLOW, Pass::Behind)), RecordTime(3 + AHEAD));
        let mine = [heard(FAST, 7, 0)[0], Heard { pass: Pass::Behind, ..heard(FAST, 3, 0)[0] }];
        assert_eq!(alignment.told()[..2], mine);
    }
}
