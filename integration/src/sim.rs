//! A deterministic simulation: the real machines, driven a step at a time, while things go wrong. Of one node here; of
//! several, with who leads them and what is between them, in [`cluster`].
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
mod cluster;
mod committer;
mod fault;
mod gates;
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

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::anyhow;

pub use fault::Fault;
pub use plant::Plant;

use cluster::Cluster;
use oracle::Case;
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

/// What a history is about.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// One node, and all that can go wrong within it.
    #[default]
    Alone,
    /// Several nodes, who leads them, and what is between them.
    Together,
}

impl Kind {
    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Alone, Self::Together].into_iter().find(|it| it.to_string() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alone => "alone",
            Self::Together => "together",
        })
    }
}

/// Runs the history of `seed`, with a planted bug or without.
///
/// # Errors
///
/// What broke: a promise, or the code.
pub fn run(kind: Kind, seed: u64, plant: Option<Plant>) -> anyhow::Result<Report> {
    let history = || match kind {
        Kind::Alone => alone(seed, plant),
        Kind::Together => together(seed, plant),
    };
    // A panic is a find like any other; nothing of the history is used after it.
    match catch_unwind(AssertUnwindSafe(history)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(anyhow!("the code panicked: {}", text.unwrap_or_default()))
        }
    }
}

fn alone(seed: u64, plant: Option<Plant>) -> anyhow::Result<Report> {
    let mut world = World::new(seed, plant);
    world.run()?;
    oracle::judge(&world.case())?;
    if !world.out.shape.durable.is_trimmed {
        world.begin_from_nothing()?;
        oracle::judge(&world.case())?;
    }
    Ok(report(&world.case()))
}

fn together(seed: u64, plant: Option<Plant>) -> anyhow::Result<Report> {
    let mut cluster = Cluster::new(seed, plant);
    cluster.run()?;
    oracle::judge(&cluster.case())?;
    if seed.is_multiple_of(4) {
        cluster.begin_from_nothing()?;
        oracle::judge(&cluster.case())?;
    }
    let mut report = report(&cluster.case());
    report.faults[Fault::Store as usize] = cluster.store_faults();
    Ok(report)
}

fn report(case: &Case<'_>) -> Report {
    let out = case.out;
    Report {
        trace: out.trace.hash(),
        commits: out.watch.commits(),
        messages: oracle::messages(case.bank) as u64,
        rows: out.watch.row_count() as u64,
        simulated_ms: out.now_ms - bank::START_MS,
        faults: out.faults.happened(),
    }
}
