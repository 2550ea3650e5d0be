//! What a history looks like: how many of everything, how long things are kept, what goes wrong.

use std::num::NonZeroU16;

use actors::machine::range::Settings;
use proto::types::{KeyRange, Leg};

use super::fault::{Fault, Faults};
use super::random::Random;

/// A record comes into its partition this long after its timestamp at most.
pub(super) const DELAY_MS: u64 = 50;

/// The shape of one history.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// The keys of each range.
    pub(super) ranges: Vec<KeyRange>,
    /// What the records of each source partition are.
    pub(super) partitions: Vec<Leg>,
    /// How many transactions there are.
    pub(super) transactions: u64,
    /// What ranges keep, and for how long.
    pub(super) settings: Settings,
    /// Whether an incomplete transaction can be corrected for good, else only for a moment.
    pub(super) is_correctable: bool,
    /// The time over which transactions begin.
    pub(super) span_ms: u64,
    /// How much of it has passed when the history begins.
    pub(super) head_start_ms: u64,
    /// How much time a step takes at most.
    pub(super) pace_ms: u64,
    /// How far source partitions may be apart.
    pub(super) ahead_ms: u64,
    /// Steps before the faults end.
    pub(super) steps: u64,
    /// What goes wrong.
    pub(super) faults: Faults,
    /// What the sink and the journal are like.
    pub(super) durable: Durable,
    /// How many snapshots are kept of each range.
    pub(super) keep: usize,
    /// For how long a reader that has nothing more does not say so again.
    pub(super) quiet_ms: u64,
}

/// What the things outside the process are like.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(super) struct Durable {
    /// Whether rows and marker are one transaction of the sink.
    pub(super) is_exactly_once: bool,
    /// Whether slots that nobody needs are trimmed.
    pub(super) is_trimmed: bool,
    /// Batches that a crash may take from a local store.
    pub(super) unsynced: usize,
    /// The least time between two commits.
    pub(super) interval_ms: u64,
}

impl Shape {
    /// The next shape.
    ///
    /// # Panics
    ///
    /// Never: there is at least one range.
    pub(super) fn draw(random: &mut Random) -> Self {
        let faults = Faults::draw(Fault::ALONE.iter().copied(), random);
        let ranges = u16::try_from(random.within(1, 4)).expect("it is small");
        let ranges = KeyRange::divide(NonZeroU16::new(ranges).expect("it is not 0")).collect();
        let is_correctable = random.chance(500);
        let settings = settings(random, is_correctable);
        let (span_ms, steps) = (random.within(500, 8_000), random.within(300, 1_500));
        let head_start_ms = if random.chance(400) { random.below(2 * span_ms) } else { 0 };
        let whole_ms = span_ms + 3 * settings.deadline_ms + settings.duplicates_ms;
        let durable = Durable {
            is_exactly_once: random.chance(400),
            // A store that is lost as a whole needs every slot.
            is_trimmed: !faults.has(Fault::LoseStore) && random.chance(700),
            unsynced: random.pick(&[1, 2, 5, 20]),
            interval_ms: random.pick(&[1, 20, 100]),
        };
        Self {
            ranges,
            partitions: partitions(random),
            transactions: random.within(30, 150),
            settings,
            is_correctable,
            span_ms,
            head_start_ms,
            pace_ms: 1 + 3 * whole_ms / steps,
            ahead_ms: random.pick(&[50, 500, 5_000, u64::MAX]),
            steps,
            faults,
            durable,
            keep: 1,
            quiet_ms: 0,
        }
    }

    /// The next shape of several nodes: a small one, since there is more to do for each record.
    ///
    /// # Panics
    ///
    /// Never: there is at least one range.
    pub(super) fn draw_together(random: &mut Random) -> Self {
        let faults = Faults::draw(Fault::together(), random);
        let ranges = u16::try_from(random.within(1, 4)).expect("it is small");
        let ranges = KeyRange::divide(NonZeroU16::new(ranges).expect("it is not 0")).collect();
        let is_correctable = random.chance(500);
        let mut settings = settings(random, is_correctable);
        // Clocks differ by a part of it, and no leg may be late for that.
        settings.deadline_ms += 400;
        let (span_ms, steps) = (random.within(1_000, 8_000), random.within(200, 700));
        let whole_ms = span_ms + 3 * settings.deadline_ms + settings.duplicates_ms;
        let durable = Durable {
            is_exactly_once: random.chance(500),
            is_trimmed: random.chance(500),
            unsynced: random.pick(&[1, 2, 5, 20]),
            interval_ms: random.pick(&[1, 20, 100]),
        };
        Self {
            ranges,
            partitions: partitions(random),
            transactions: random.within(10, 50),
            settings,
            is_correctable,
            span_ms,
            head_start_ms: 0,
            pace_ms: 1 + 3 * whole_ms / steps / 2,
            ahead_ms: random.pick(&[50, 500, 5_000, u64::MAX]),
            steps,
            faults,
            durable,
            keep: random.pick(&[1, 2, 3]),
            quiet_ms: 30,
        }
    }
}

fn settings(random: &mut Random, is_correctable: bool) -> Settings {
    const FOR_GOOD_MS: u64 = 1_000_000_000;
    Settings {
        deadline_ms: random.within(400, 3_000),
        correction_ms: if is_correctable { FOR_GOOD_MS } else { random.within(200, 2_000) },
        duplicates_ms: random.within(400, 2_000),
        late_ms: FOR_GOOD_MS,
        young_ms: random.pick(&[0, 50, 400, 2_000, 10_000]),
        figures_ms: 365 * 86_400_000,
        held_bytes: random.pick(&[0, 10_000, 60_000, 1 << 20]),
        expiries: random.pick(&[1, 4, 1_000]),
    }
}

/// Three partitions at least, one a leg; the others are of any.
fn partitions(random: &mut Random) -> Vec<Leg> {
    let mut legs = Leg::ALL.to_vec();
    for _ in 0..random.below(4) {
        legs.push(random.pick(&Leg::ALL));
    }
    legs.sort_unstable();
    legs
}
