//! One node and several, simulated: seeded histories with faults, an exact oracle, and bugs that must be found.

#![expect(clippy::print_stderr, reason = "a test says by which history each planted bug was found")]

use integration::sim::{Kind, Plant, run};

/// Histories of each test; `make sim` runs more.
const HISTORIES: u64 = 10_000;

fn every_history_ends_as_planned(kind: Kind) {
    let wrong: Vec<_> = (0..HISTORIES)
        .filter_map(|seed| Some(format!("seed {seed}: {:#}", run(kind, seed, None).err()?)))
        .collect();
    let first = wrong.first().map_or("", |it| it);
    assert!(
        wrong.is_empty(),
        "{} histories are wrong; make sim KIND={kind} SEED=n runs one again\n{first}",
        wrong.len()
    );
}

fn a_seed_is_a_history(kind: Kind) {
    let told = |seed| run(kind, seed, None).map_err(|error| format!("{error:#}"));
    for seed in 0..100 {
        let (first, second) = (told(seed), told(seed));
        assert!(first.is_ok(), "seed {seed}: {first:?}");
        assert_eq!(first, second, "seed {seed}");
    }
}

fn every_planted_bug_is_found(kind: Kind) {
    for plant in Plant::ALL.into_iter().filter(|it| it.is_found_in(kind)) {
        let found =
            (0..HISTORIES).find_map(|seed| Some((seed, run(kind, seed, Some(plant)).err()?)));
        assert!(found.is_some(), "{plant} is not found");
        let Some((seed, error)) = found else { continue };
        let text = format!("{error:#}");
        let what = text.lines().last().unwrap_or_default();
        let what: String = what.chars().take(160).collect();
        eprintln!("{plant:>18}  seed {seed:>5}  {what}");
    }
}

#[test]
fn every_history_of_one_node_ends_as_planned_whatever_goes_wrong() {
    every_history_ends_as_planned(Kind::Alone);
}

#[test]
fn every_history_of_several_nodes_ends_as_planned_whatever_goes_wrong() {
    every_history_ends_as_planned(Kind::Together);
}

#[test]
fn a_seed_is_a_history_of_one_node() {
    a_seed_is_a_history(Kind::Alone);
}

#[test]
fn a_seed_is_a_history_of_several_nodes() {
    a_seed_is_a_history(Kind::Together);
}

#[test]
fn every_planted_bug_is_found_with_one_node() {
    every_planted_bug_is_found(Kind::Alone);
}

#[test]
fn every_planted_bug_is_found_with_several_nodes() {
    every_planted_bug_is_found(Kind::Together);
}

/// What a failure looked like before its cause was put right, by the seed that found it.
#[test]
fn what_was_found_once_stays_right() {
    // Ranges that nobody could restore any more, since their owner had trimmed its journal before it got them.
    for seed in [308, 440, 699, 780, 3_259, 3_463, 5_112] {
        run(Kind::Together, seed, None).unwrap();
    }
    // A slot that was trimmed, written late, and taken for where the range had begun.
    run(Kind::Together, 80_687, None).unwrap();
    // A node whose clock was ahead, and a message that came before the deadline that it had seen pass.
    run(Kind::Together, 1_282_808, None).unwrap();
    // Nodes that joined, and told each other of a leader that led no more.
    for seed in [4_588, 5_434] {
        run(Kind::Together, seed, None).unwrap();
    }
}
