//! A deterministic simulation of one node: the real machines, driven a step at a time, while things go wrong.
//!
//! ```text
//!            ┌──────────── a process: imitates the actors' shells ────────────┐
//!   source ──│─▶ reader ─▶ range: Range, Outbox ─▶ committer: Commit ─▶ publisher │──▶ sink ─▶ its reader
//!            └───────────────│ ▲──────────────────────────│───────────────────┘
//!                            ▼ │ Standing, refill         ▼
//!                        local stores                 journals ─▶ watch: what must hold at every commit
//! ```
//!
//! A seed draws everything: the transactions, what goes wrong and how often, and each step. When the
//! faults end, all must come to rest, and the oracle compares what was said with what had been planned.

mod bank;
mod committer;
mod fault;
mod objects;
mod oracle;
mod outside;
mod owned;
mod plant;
mod process;
mod publisher;
mod random;
mod reader;
mod restart;
mod rules;
mod shape;
mod sink;
mod source;
mod trace;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::anyhow;

pub use fault::Fault;
pub use plant::Plant;

use world::World;

/// What a history was like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Everything that happened, as one number.
    pub trace: u64,
    /// Objects that became durable.
    pub commits: u64,
    /// Messages that were in the source.
    pub messages: u64,
    /// Rows that were published.
    pub rows: u64,
    /// Milliseconds that passed in it.
    pub simulated_ms: u64,
    /// How often each fault struck, as in [`Fault::ALL`].
    pub faults: [u64; Fault::ALL.len()],
}

impl Report {
    /// Adds another history's numbers; the traces are mixed.
    pub fn add(&mut self, other: &Self) {
        self.trace = self.trace.rotate_left(1) ^ other.trace;
        self.commits += other.commits;
        self.messages += other.messages;
        self.rows += other.rows;
        self.simulated_ms += other.simulated_ms;
        for (mine, its) in self.faults.iter_mut().zip(other.faults) {
            *mine += its;
        }
    }
}

/// Runs the history of `seed`, with a planted bug or without.
///
/// # Errors
///
/// What broke: a promise, or the code.
pub fn run(seed: u64, plant: Option<Plant>) -> anyhow::Result<Report> {
    // A panic is a find like any other; nothing of the history is used after it.
    match catch_unwind(AssertUnwindSafe(|| history(seed, plant))) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(anyhow!("the code panicked: {}", text.unwrap_or_default()))
        }
    }
}

fn history(seed: u64, plant: Option<Plant>) -> anyhow::Result<Report> {
    let mut world = World::new(seed, plant);
    world.run()?;
    oracle::judge(&world)?;
    if !world.out.shape.durable.is_trimmed {
        world.begin_from_nothing()?;
        oracle::judge(&world)?;
    }
    let out = &world.out;
    Ok(Report {
        trace: out.trace.hash(),
        commits: out.watch.commits(),
        messages: oracle::messages(&world.bank) as u64,
        rows: out.watch.row_count() as u64,
        simulated_ms: out.now_ms - bank::START_MS,
        faults: out.faults.happened(),
    })
}
