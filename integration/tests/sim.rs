//! One node, simulated: seeded histories with faults, an exact oracle, and bugs that must be found.

#![expect(clippy::print_stderr, reason = "a test says by which history each planted bug was found")]

use integration::sim::{Plant, run};

/// Histories of the test; `make sim` runs more.
const HISTORIES: u64 = 10_000;

#[test]
fn every_history_ends_as_planned_whatever_goes_wrong() {
    let wrong: Vec<_> = (0..HISTORIES)
        .filter_map(|seed| Some(format!("seed {seed}: {:#}", run(seed, None).err()?)))
        .collect();
    let first = wrong.first().map_or("", |it| it);
    assert!(
        wrong.is_empty(),
        "{} histories are wrong; make sim SEED=n runs one again\n{first}",
        wrong.len()
    );
}

#[test]
fn a_seed_is_a_history() {
    for seed in 0..100 {
        let (first, second) = (run(seed, None).unwrap(), run(seed, None).unwrap());
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn every_planted_bug_is_found() {
    for plant in Plant::ALL {
        let found = (0..HISTORIES).find_map(|seed| Some((seed, run(seed, Some(plant)).err()?)));
        let (seed, error) = found.unwrap_or_else(|| panic!("{plant} is not found"));
        let text = format!("{error:#}");
        let what = text.lines().last().unwrap_or_default();
        eprintln!("{plant:>16}  seed {seed:>5}  {what}");
    }
}
