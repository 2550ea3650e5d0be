//! A clock that goes as time does, and follows the wall's slowly where that was set.

use std::time::Duration;

/// Of the time that has gone by, what it may be faster than time: little, as deadlines would come early.
const FASTER: u32 = 100;
/// What it may be slower: deadlines that come late are no harm.
const SLOWER: u32 = 2;
/// How often it looks at the wall.
const LOOK: Duration = Duration::from_millis(10);
/// So far from the wall it is said to be off, and so near right again: more than what a network's time steers by.
const OFF: Duration = Duration::from_secs(2);
const RIGHT: Duration = Duration::from_millis(100);

/// What has become of the wall's clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// It was set, so far ahead.
    Off { ahead_ms: i64 },
    /// It is followed again.
    Right,
}

/// The clock. All times but `up` are since the Unix epoch.
#[derive(Debug)]
pub(super) struct Steering {
    /// When it last looked at the wall, in time since it began.
    looked: Duration,
    /// Its own time then.
    then: Duration,
    /// The newest time that it has told.
    told: Duration,
    is_off: bool,
}

impl Steering {
    /// A clock that begins at the wall's time.
    pub(super) const fn new(wall: Duration) -> Self {
        Self { looked: Duration::ZERO, then: wall, told: wall, is_off: false }
    }

    /// The time, `up` after it began; the newest record that was seen is of the time `seen`.
    pub(super) fn now(
        &mut self,
        up: Duration,
        wall: Duration,
        seen: Duration,
    ) -> (Duration, Option<Change>) {
        let gone = up.saturating_sub(self.looked);
        let mut own = self.then + gone;
        let mut change = None;
        if gone >= LOOK {
            let ahead = wall.saturating_sub(own).min(gone / FASTER);
            let behind = own.saturating_sub(wall).min(gone / SLOWER);
            // Two that say so are right.
            own = (own + ahead - behind).max(seen.min(wall));
            (self.looked, self.then) = (up, own);
            change = self.compare(wall, own);
        }
        self.told = self.told.max(own);
        (self.told, change)
    }

    fn compare(&mut self, wall: Duration, own: Duration) -> Option<Change> {
        let apart = wall.abs_diff(own);
        if self.is_off && apart <= RIGHT {
            self.is_off = false;
            return Some(Change::Right);
        }
        if self.is_off || apart < OFF {
            return None;
        }
        self.is_off = true;
        let apart_ms = i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
        Some(Change::Off { ahead_ms: if wall > own { apart_ms } else { -apart_ms } })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGUN: u64 = 1_000_000;
    const HOUR: u64 = 3_600;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The time at the last look of a [`run`] up to the second `to`, where it is right.
    fn last_look(to: u64) -> Duration {
        s(to) - Duration::from_millis(100)
    }

    /// Looks each tenth of a second from the second `from` to the second `to`. The wall is at `wall` when it begins, and
    /// records, where there are any, are as new as `seen` then. The time at the end, and all that was said.
    fn run(
        clock: &mut Steering,
        (from, to): (u64, u64),
        wall: u64,
        seen: Option<u64>,
    ) -> (Duration, Vec<Change>) {
        let (mut now, mut changes) = (Duration::ZERO, Vec::new());
        for tenth in 0..(to - from) * 10 {
            let gone = Duration::from_millis(tenth * 100);
            let seen = seen.map_or(Duration::ZERO, |seen| s(seen) + gone);
            let (told, change) = clock.now(s(from) + gone, s(wall) + gone, seen);
            changes.extend(change);
            now = told;
        }
        (now, changes)
    }

    #[test]
    fn it_is_the_walls_time_while_nobody_sets_that() {
        let mut clock = Steering::new(s(BEGUN));
        let (now, changes) = run(&mut clock, (0, 100), BEGUN, None);
        assert_eq!((now, changes), (last_look(BEGUN + 100), vec![]));
    }

    #[test]
    fn a_wall_that_jumps_ahead_and_back_does_not_take_it_along() {
        let mut clock = Steering::new(s(BEGUN));
        run(&mut clock, (0, 10), BEGUN, Some(BEGUN));
        let (now, changes) = run(&mut clock, (10, 20), BEGUN + 10 + HOUR, Some(BEGUN + 10));
        let most = s(BEGUN + 20) + s(10) / FASTER;
        assert!((s(BEGUN + 19)..most).contains(&now), "{now:?}");
        assert_eq!(changes.len(), 1);
        assert!(matches!(changes[0], Change::Off { ahead_ms: 3_590_000..=3_600_000 }));
        let (now, changes) = run(&mut clock, (20, 30), BEGUN + 20, Some(BEGUN + 20));
        assert_eq!((now, changes), (last_look(BEGUN + 30), vec![Change::Right]));
    }

    #[test]
    fn a_wall_that_is_set_back_slows_it_down_until_records_say_that_it_is_right_again() {
        let mut clock = Steering::new(s(BEGUN));
        run(&mut clock, (0, 10), BEGUN, None);
        let (now, _) = run(&mut clock, (10, 30), BEGUN + 10 - HOUR, Some(BEGUN + 10));
        let half = s(BEGUN + 10) + s(20) / SLOWER;
        assert!(now.abs_diff(half) < s(1), "{now:?}");
        let (now, changes) = run(&mut clock, (30, 31), BEGUN + 30, Some(BEGUN + 30));
        assert_eq!((now, changes), (last_look(BEGUN + 31), vec![Change::Right]));
    }

    /// Time since it began stands still while a machine sleeps.
    #[test]
    fn who_slept_or_began_behind_is_right_with_the_first_record() {
        let mut clock = Steering::new(s(BEGUN));
        run(&mut clock, (0, 10), BEGUN, Some(BEGUN));
        let (now, changes) = run(&mut clock, (10, 11), BEGUN + 10 + HOUR, Some(BEGUN + 10 + HOUR));
        assert_eq!(now, last_look(BEGUN + 11 + HOUR));
        assert_eq!(changes, []);
    }

    proptest! {
        /// Whatever is done to the wall, and however often it is looked at.
        #[test]
        fn it_never_goes_back_and_never_gains_more_than_it_may(
            looks in prop::collection::vec((0..200_000_u64, -5_000..5_000_i64), 1..200),
        ) {
            let mut clock = Steering::new(s(BEGUN));
            let (mut up, mut last) = (Duration::ZERO, s(BEGUN));
            for (micros, off_s) in looks {
                up += Duration::from_micros(micros);
                let wall = s(BEGUN.checked_add_signed(off_s).unwrap_or_default()) + up;
                let (now, _) = clock.now(up, wall, Duration::ZERO);
                prop_assert!(now >= last, "{now:?} after {last:?}");
                prop_assert!(now <= s(BEGUN) + up + up / FASTER);
                prop_assert!(now >= s(BEGUN) + up - up / SLOWER);
                last = now;
            }
        }
    }
}
