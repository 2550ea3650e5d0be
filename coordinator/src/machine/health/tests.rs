//! Silence makes suspect, then dead; absence of the observer, or the start of one, proves nothing.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{dead, fold, joined, lead, member, table};

/// A detector that ticks each 100 ms, and its table of the nodes `a` and `b`.
struct Watch {
    table: Table,
    detector: Detector,
    now_ms: u64,
}

impl Watch {
    fn new() -> Self {
        let table = table(&[lead("a"), joined("a", 1), joined("b", 1)]);
        let mut detector = Detector::new(Settings::default(), 1_000);
        detector.tick(&table, 1_000);
        Self { table, detector, now_ms: 1_000 }
    }

    /// `ms` pass, in which those of `heard` send a heartbeat at each tick.
    fn pass(&mut self, ms: u64, heard: &[&Member]) {
        for _ in 0..ms / 100 {
            self.now_ms += 100;
            heard.iter().for_each(|member| self.detector.heard(member, self.now_ms));
            self.detector.tick(&self.table, self.now_ms);
        }
    }

    /// `ms` pass in which the observer does nothing.
    fn freeze(&mut self, ms: u64) {
        self.now_ms += ms;
        self.detector.tick(&self.table, self.now_ms);
    }

    fn health(&self, name: &str) -> Health {
        self.detector.health(&member(name, 1))
    }

    #[track_caller]
    fn check(&self, a: Health, b: Health) {
        assert_eq!((self.health("a"), self.health("b")), (a, b), "at {} ms", self.now_ms);
    }
}

#[test]
fn silence_makes_suspect_and_then_dead_and_a_heartbeat_makes_alive() {
    let a = member("a", 1);
    let mut watch = Watch::new();
    watch.pass(SUSPECT_MS - 100, &[&a]);
    watch.check(Health::Alive, Health::Alive);
    watch.pass(100, &[&a]);
    watch.check(Health::Alive, Health::Suspect);
    watch.pass(100, &[&a, &member("b", 1)]);
    watch.check(Health::Alive, Health::Alive);
    watch.pass(DEAD_MS - 100, &[&a]);
    watch.check(Health::Alive, Health::Suspect);
    watch.pass(100, &[&a]);
    watch.check(Health::Alive, Health::Dead);
    assert_eq!(watch.detector.held_dead(), BTreeSet::from([member("b", 1)]));
}

#[test]
fn who_is_dead_stays_dead_whatever_it_says_and_however_long_the_observer_was_away() {
    let (a, b) = (member("a", 1), member("b", 1));
    let mut watch = Watch::new();
    watch.pass(DEAD_MS, &[&a]);
    watch.pass(1_000, &[&a, &b]);
    watch.check(Health::Alive, Health::Dead);
    watch.freeze(60_000);
    watch.pass(1_000, &[&a, &b]);
    watch.check(Health::Alive, Health::Dead);
}

#[test]
fn a_new_life_ends_the_one_before_at_once_and_begins_with_the_full_time() {
    let mut watch = Watch::new();
    watch.pass(DEAD_MS - 100, &[&member("a", 1)]);
    fold(&mut watch.table, joined("b", 2)).unwrap();
    watch.pass(100, &[&member("a", 1), &member("b", 1)]);
    watch.check(Health::Alive, Health::Dead);
    let second = member("b", 2);
    assert_eq!(watch.detector.health(&second), Health::Alive);
    watch.pass(DEAD_MS - 100, &[&member("a", 1)]);
    assert_eq!(watch.detector.health(&second), Health::Suspect);
}

#[test]
fn who_is_not_in_the_table_is_not_observed() {
    let mut watch = Watch::new();
    let stranger = member("c", 1);
    watch.pass(SUSPECT_MS - 200, &[&stranger]);
    assert_eq!(watch.detector.health(&stranger), Health::Dead);
    fold(&mut watch.table, dead("b", 1, 1)).unwrap();
    watch.pass(100, &[&member("b", 1)]);
    watch.check(Health::Alive, Health::Dead);
    assert_eq!(watch.detector.held_dead(), BTreeSet::new());
}

/// A leader that was stopped and goes on must not fence the whole cluster.
#[test]
fn what_passed_while_the_observer_was_away_was_no_silence() {
    for away in [2 * HEARTBEAT_MS, DEAD_MS, 3_600_000] {
        let mut watch = Watch::new();
        watch.pass(DEAD_MS - 100, &[&member("a", 1)]);
        watch.freeze(away);
        watch.check(Health::Alive, Health::Alive);
        watch.pass(DEAD_MS - 100, &[]);
        watch.check(Health::Suspect, Health::Suspect);
        watch.pass(100, &[]);
        watch.check(Health::Dead, Health::Dead);
    }
}

#[test]
fn who_begins_to_observe_gives_everybody_the_full_time() {
    let mut watch = Watch::new();
    watch.pass(DEAD_MS - 100, &[]);
    watch.detector = Detector::new(Settings::default(), watch.now_ms);
    watch.pass(DEAD_MS, &[]);
    watch.check(Health::Suspect, Health::Suspect);
    watch.pass(100, &[]);
    watch.check(Health::Dead, Health::Dead);
}

#[test]
fn a_clock_that_stands_or_goes_back_harms_nobody() {
    let mut watch = Watch::new();
    watch.pass(SUSPECT_MS / 2, &[]);
    watch.detector.tick(&watch.table, 0);
    watch.check(Health::Alive, Health::Alive);
    watch.detector.heard(&member("a", 1), 0);
    watch.pass(SUSPECT_MS / 2, &[]);
    watch.check(Health::Suspect, Health::Suspect);
}

#[test]
fn times_that_leave_no_room_are_refused() {
    assert_eq!(Settings::new(0, 2_000, 5_000), Err(SettingsError::Suspect));
    assert_eq!(Settings::new(700, 2_000, 5_000), Err(SettingsError::Suspect));
    assert_eq!(Settings::new(500, 2_000, 2_000), Err(SettingsError::Dead));
    let plain = Settings::new(HEARTBEAT_MS, SUSPECT_MS, DEAD_MS).unwrap();
    assert_eq!(plain.when_lost(LOST_MS), Ok(Settings::default()));
    assert_eq!(plain.when_lost(SUSPECT_MS - 1), Err(SettingsError::Lost));
    assert_eq!(plain.when_lost(DEAD_MS + 1), Err(SettingsError::Lost));
}

#[test]
fn a_broken_connection_shortens_the_patience_until_the_next_heartbeat() {
    let (a, b) = (member("a", 1), member("b", 1));
    let mut watch = Watch::new();
    watch.detector.lost(&b);
    watch.check(Health::Alive, Health::Alive);
    watch.pass(LOST_MS - 100, &[&a]);
    watch.check(Health::Alive, Health::Alive);
    watch.pass(100, &[&a]);
    watch.check(Health::Alive, Health::Dead);

    let mut watch = Watch::new();
    watch.detector.lost(&b);
    watch.pass(100, &[&a, &b]);
    watch.pass(DEAD_MS - 100, &[&a]);
    watch.check(Health::Alive, Health::Suspect);
}

#[test]
fn a_hint_about_the_dead_or_unknown_or_from_an_absent_observer_says_nothing() {
    let mut watch = Watch::new();
    watch.pass(LOST_MS - 100, &[]);
    watch.detector.lost(&member("b", 1));
    watch.detector.lost(&member("c", 1));
    watch.freeze(60_000);
    watch.pass(DEAD_MS - 100, &[]);
    watch.check(Health::Suspect, Health::Suspect);
    watch.pass(100, &[]);
    watch.detector.lost(&member("b", 1));
    watch.pass(100, &[&member("b", 1)]);
    watch.check(Health::Dead, Health::Dead);
}

/// A leader that is cut off, but not from the store, must not fence everybody before others lead.
#[test]
fn where_most_connections_break_at_once_it_is_rather_the_observer_that_is_cut_off() {
    let mut watch = Watch::new();
    fold(&mut watch.table, joined("c", 1)).unwrap();
    watch.pass(100, &[]);
    let (a, b, c) = (member("a", 1), member("b", 1), member("c", 1));
    for member in [&b, &c] {
        watch.detector.lost(member);
    }
    watch.pass(DEAD_MS - 200, &[&a]);
    watch.check(Health::Alive, Health::Suspect);
    watch.pass(200, &[&a]);
    watch.check(Health::Alive, Health::Dead);
}

#[test]
fn who_was_missed_before_the_observer_judged_is_not_waited_for_again() {
    let mut watch = Watch::new();
    watch.detector = Detector::new(Settings::default(), watch.now_ms);
    watch.detector.missed(member("a", 1), watch.now_ms.saturating_sub(SUSPECT_MS));
    watch.pass(100, &[]);
    watch.check(Health::Suspect, Health::Alive);
    watch.detector.lost(&member("a", 1));
    watch.pass(100, &[]);
    watch.check(Health::Dead, Health::Alive);
}

proptest! {
    /// Ticks each 50 ms: nothing changes before the moment that was named, and then it does.
    #[test]
    fn the_next_change_comes_when_it_was_said_to_come(
        heartbeats in prop::collection::vec((any::<bool>(), 0..400_u64), 0..40),
    ) {
        let mut watch = Watch::new();
        let mut heartbeats = heartbeats.into_iter();
        let mut next = heartbeats.next();
        while watch.detector.next_change_ms().is_some() {
            let due = watch.detector.next_change_ms().unwrap();
            let before = (watch.health("a"), watch.health("b"));
            let heard = next.filter(|(_, after)| after % 8 == watch.now_ms / 50 % 8);
            watch.now_ms += 50;
            if let Some((first, _)) = heard {
                watch.detector.heard(&member(if first { "a" } else { "b" }, 1), watch.now_ms);
                next = heartbeats.next();
            } else if watch.now_ms > 40_000 {
                next = None;
            }
            watch.detector.tick(&watch.table, watch.now_ms);
            let after = (watch.health("a"), watch.health("b"));
            if heard.is_none() {
                prop_assert_eq!(after != before, watch.now_ms >= due, "{} {}", watch.now_ms, due);
            }
        }
        watch.check(Health::Dead, Health::Dead);
    }
}
