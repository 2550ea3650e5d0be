//! The protocol, explored: every order of steps within bounds keeps every promise, and each rule is missed
//! where it is taken away.
//!
//! Two models, since one would explode: `model/routing.rs` is how records come to ranges, `model/ownership.rs`
//! who may commit for a range and what the sink gets. They say what the code does, each rule with its place in
//! `model/rule.rs`; where the code can be asked, `model/code.rs` asks it. No clock is in them: whoever is held
//! dead may live (I12).

#![expect(
    clippy::print_stderr,
    reason = "a test says how much it explored, and what each rule prevents"
)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail their test")]

mod model {
    pub(crate) mod code;
    pub(crate) mod explore;
    pub(crate) mod ownership;
    pub(crate) mod routing;
    pub(crate) mod rule;
    pub(crate) mod worlds;
}

use model::explore::Found;
use model::rule::{Rule, Rules};
use model::{code, worlds};

/// The least that the exploration with all rules must cover, so that a bound that became too narrow is seen.
const STATES: usize = 1_500_000;

/// Explores with all rules; none may break, and all that should be reachable must be.
fn check_all(worlds: Vec<worlds::World>) -> usize {
    let mut states = 0;
    for world in worlds {
        let found = world.explore();
        eprintln!("{:>22}  {:>9} states  {}", world.name, found.states, found.told());
        assert_eq!(found.broken, None, "{}", world.name);
        states += found.states;
    }
    states
}

#[test]
fn with_all_rules_every_promise_holds_in_every_state() {
    let states = check_all(worlds::wide(Rules::ALL));
    assert!(states >= STATES, "only {states} states");
}

/// Each rule guards something: without it a promise breaks, or another rule is named that holds it too.
#[test]
fn each_rule_is_missed_where_it_is_taken_away() {
    let mut wrong = Vec::new();
    for &rule in Rule::ALL {
        let mut all = Found::default();
        for world in worlds::narrow(rule) {
            all.add(world.explore(), world.name);
            if all.broken.is_some() {
                break;
            }
        }
        let held = rule.second_lock().map(|why| format!("holds without it: {why}"));
        eprintln!("{rule:>22}  {:>9} states  {}", all.states, held.clone().unwrap_or(all.told()));
        if all.broken.is_some() == held.is_some() {
            wrong.push(rule);
        }
    }
    assert!(wrong.is_empty(), "not as said: {wrong:?}");
}

#[test]
fn the_model_reads_the_control_log_as_the_code_does() {
    let (logs, offered) = code::check_control_log(&worlds::of_control());
    eprintln!("{logs} control logs, {offered} entries offered");
    assert!(logs > 50, "only {logs} logs");
}

#[test]
fn i3_the_model_takes_batches_as_the_code_does() {
    code::check_positions(&worlds::of_batches());
}

/// `make model`, with bounds from its environment.
#[test]
#[ignore = "takes minutes: make model"]
fn with_all_rules_every_promise_holds_within_wider_bounds() {
    let states = check_all(worlds::asked());
    eprintln!("{states} states");
}
