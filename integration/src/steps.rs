//! The hot steps of the engine, one at a time, on real records: for counting the instructions that each takes.
//!
//! Instructions are counted by valgrind, and only within [`measured`]: the same program on the same machine gives the
//! same number each time, however busy the machine is. What a step waits for memory or for another core is not in it.

mod life;
mod pipeline;

use std::hint::black_box;

use actors::machine::partial::{Contribution, Partials, window_start};
use actors::machine::range::Outcome;
use actors::machine::tombstones::{Tombstone, Tombstones};
use actors::machine::transaction::decide;
use actors::store::Store as _;
use actors::store::rocks::{Limits, RocksShared, RocksStore};
use anyhow::Context as _;
use proto::types::{Leg, RecordTime, TransactionKey};

use self::pipeline::Pipeline;

/// A step of a transaction's way through a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A record's JSON is read: id, time, and the fields that anything looks at. Per record.
    Decode,
    /// The same, and the record is laid down for the range that owns its key. Per record.
    Route,
    /// A leg finds its fate in its range. Per record.
    Apply,
    /// A transaction with all its legs is decided about. Per transaction.
    Decide,
    /// The same as an actor's life: spawned, decides, reports, stops. Per transaction.
    Life,
    /// A range takes the report: result, figures, tombstone. Per transaction.
    Report,
    /// A commit is closed and packed. Per transaction.
    Commit,
    /// A commit goes to `RocksDB`. Per transaction.
    Store,
    /// Something is added to a cell. Per contribution.
    Fold,
    /// A tombstone is added, and packed for the commit. Per transaction.
    Bury,
    /// A leg of a transaction that is done is looked up. Per record.
    Remember,
}

impl Step {
    /// Every step, in the order of a transaction's way.
    pub const ALL: [Self; 11] = [
        Self::Decode,
        Self::Route,
        Self::Apply,
        Self::Decide,
        Self::Life,
        Self::Report,
        Self::Commit,
        Self::Store,
        Self::Fold,
        Self::Bury,
        Self::Remember,
    ];

    /// Its name, as on the command line.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The step of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Prepares so many transactions, takes the step with all of them, and says how often it was taken.
    ///
    /// # Errors
    ///
    /// Where the step cannot be prepared.
    pub fn take(self, transactions: u64) -> anyhow::Result<u64> {
        let mut pipeline = Pipeline::new(transactions)?;
        match self {
            Self::Decode => pipeline.decode(),
            Self::Route => pipeline.route(),
            Self::Apply => pipeline.apply(),
            Self::Decide => decisions(&mut pipeline),
            Self::Life => life::lives(&mut pipeline),
            Self::Report => reports(&mut pipeline),
            Self::Commit => commits(&mut pipeline),
            Self::Store => stores(&mut pipeline),
            Self::Fold => Ok(folds(&pipeline)),
            Self::Bury => Ok(burials(transactions)),
            Self::Remember => Ok(looks(transactions)),
        }
    }
}

/// What is counted: everything that is called from here, in this thread.
#[inline(never)]
pub fn measured(step: &mut dyn FnMut()) {
    step();
    // Not a tail call: it has to be seen to return.
    black_box(());
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn decisions(pipeline: &mut Pipeline) -> anyhow::Result<u64> {
    let activations = pipeline.activations()?;
    measured(&mut || {
        for activation in &activations {
            black_box(decide(activation, &pipeline.rules));
        }
    });
    Ok(count(activations.len()))
}

fn reports(pipeline: &mut Pipeline) -> anyhow::Result<u64> {
    let mut decided = pipeline.decided()?;
    let reports = count(decided.len());
    measured(&mut || {
        for (key, decision) in decided.drain(..) {
            pipeline.range.decided(key, Outcome::Decided(decision));
        }
    });
    Ok(reports)
}

fn commits(pipeline: &mut Pipeline) -> anyhow::Result<u64> {
    let reports = pipeline.report()?;
    let mut packed = None;
    measured(&mut || packed = pipeline.commit());
    packed.context("there was nothing to commit")?;
    Ok(reports)
}

fn stores(pipeline: &mut Pipeline) -> anyhow::Result<u64> {
    let reports = pipeline.report()?;
    let (block, _) = pipeline.commit().context("there was nothing to commit")?;
    let folder = tempfile::tempdir().context("make a folder for the store")?;
    let shared = RocksShared::new(Limits::default())?;
    let mut store = RocksStore::open(&shared, folder.path())?;
    let mut applied = Ok(());
    measured(&mut || applied = store.apply(&block.changes(&pipeline.place())));
    applied?;
    Ok(reports)
}

/// Windows of a minute, with two hundred values: what a day's hour looks like.
fn folds(pipeline: &Pipeline) -> u64 {
    const CONTRIBUTIONS: u64 = 10_000;
    let mut partials = Partials::new(std::sync::Arc::clone(&pipeline.layout));
    let values: Vec<_> = (0..200).map(|value| format!("value {value:03}")).collect();
    measured(&mut || {
        for number in 0..CONTRIBUTIONS {
            let value = usize::try_from(number % 200).unwrap_or(0);
            let start = i64::try_from(number / 200).unwrap_or(0) * 1_000;
            black_box(partials.add(&Contribution {
                scenario: 0,
                window_ms: 60_000,
                dimension: 0,
                start: window_start(proto::types::EventTime(start), 60_000),
                value: &values[value],
                populations: 3,
                duration_ms: number * 7_919 % 10_000,
            }));
        }
    });
    CONTRIBUTIONS
}

fn burials(transactions: u64) -> u64 {
    let mut tombstones = Tombstones::new(900_000);
    measured(&mut || {
        for number in 0..transactions {
            tombstones.add(key(number), tombstone(), RecordTime(number));
        }
        black_box(tombstones.take_fresh());
    });
    transactions
}

/// Every other transaction is known.
fn looks(transactions: u64) -> u64 {
    let mut tombstones = Tombstones::new(900_000);
    for number in 0..transactions {
        tombstones.add(key(number * 2), tombstone(), RecordTime(number));
    }
    measured(&mut || {
        for number in 0..transactions {
            black_box(tombstones.get(key(number)));
        }
    });
    transactions
}

fn key(number: u64) -> TransactionKey {
    TransactionKey::of(&number.to_be_bytes())
}

fn tombstone() -> Tombstone {
    Tombstone { content: Leg::ALL.map(|leg| leg as u32 + 1), commit: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_taken_with_every_transaction() {
        for step in Step::ALL {
            assert_eq!(Step::from_name(&step.name()), Some(step));
            let taken = step.take(150).unwrap();
            let expected = match step {
                Step::Decode | Step::Route | Step::Apply => 450,
                Step::Fold => 10_000,
                Step::Decide | Step::Life | Step::Report | Step::Commit | Step::Store => 150,
                Step::Bury | Step::Remember => 150,
            };
            assert_eq!(taken, expected, "{step:?}");
        }
    }
}
