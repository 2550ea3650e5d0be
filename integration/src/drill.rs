//! The drill: a node is killed at random moments until its work is done; then every record must have counted once.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use node::workload::params::Params;
use node::workload::verify::{Difference, Report};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;

use crate::drain::{Delivery, Drain};
use crate::journal::Journal;
use crate::process::Node;
use crate::standing::Standing;

/// How long a node may take to reach a point, or to finish.
const PATIENCE: Duration = Duration::from_secs(300);
/// A kill while the node starts comes at most so much later than the start.
const EARLY_MS: u64 = 1_500;
/// A kill in the middle comes at most so much later than the record that it waited for.
const LATER_MS: u64 = 60;
/// Partitions are kept so close together where a node is to be slow: some seconds for all.
const SLOW_S: u64 = 3;
/// So often a snapshot is taken, so that what was removed comes back from there and journals are trimmed.
const SNAPSHOT_MS: u64 = 200;
/// Each so many kills, one doesn't wait for progress and meets a node that starts and restores.
const EARLY_EVERY: u32 = 3;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// The workload.
    pub params: Params,
    /// How results are delivered.
    pub delivery: Delivery,
    /// How often the node is killed.
    pub kills: u32,
    /// What the moments are drawn from.
    pub seed: u64,
}

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    /// How results were delivered.
    pub delivery: Delivery,
    /// How many records were consumed at each kill; `None` where the node had not begun to serve.
    pub kills: Vec<Option<u64>>,
    /// How many records there were.
    pub records: u64,
    /// How the node stood in the end.
    pub standing: Standing,
    /// What its journals have and have had.
    pub journal: Journal,
    /// Ranges that came back from a snapshot.
    pub restored: usize,
    /// What came out, compared with what must.
    pub report: Report,
}

impl Drill {
    /// Fills topics called after `name`, and kills and starts the node until all is through. Local state is
    /// left and removed by turns.
    ///
    /// # Errors
    ///
    /// Where the node does not come back, or does not finish. What is wrong with results is in the outcome.
    pub async fn run(self, bootstrap: &str, name: &str) -> anyhow::Result<Outcome> {
        self.run_on(Drain::prepare(bootstrap, name, self.params, self.delivery).await?).await
    }

    /// The same with topics that are filled already, for example with objects in a bucket: then everything
    /// local is removed.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn run_on(self, drain: Drain) -> anyhow::Result<Outcome> {
        let drain = drain.with_snapshots(SNAPSHOT_MS);
        let records = drain.expected().record_count();
        let mut random = SmallRng::seed_from_u64(self.seed);
        let mut kills = Vec::new();
        for turn in 0..self.kills {
            let kill = self.kill(&drain, turn, &mut random);
            kills.push(kill.await.with_context(|| format!("kill number {}", turn + 1))?);
            if turn % 2 == 1 {
                std::fs::remove_dir_all(drain.local()).context("remove the local state")?;
            }
        }
        let mut node = drain.start()?;
        let standing = drain.through(&mut node, PATIENCE).await?;
        let restored = node.process().log().matches("range restored from a snapshot").count();
        drain.stop(node).await?;
        let report = drain.verify().await?;
        let journal = Journal::read(&*drain.store()?).await?;
        let delivery = self.delivery;
        Ok(Outcome { delivery, kills, records, standing, journal, restored, report })
    }

    /// Starts the node and kills it: soon, or when it has come as far as this turn's share of the records.
    async fn kill(
        &self,
        drain: &Drain,
        turn: u32,
        random: &mut SmallRng,
    ) -> anyhow::Result<Option<u64>> {
        // By turns at full speed, and slowly enough to be met anywhere.
        let is_slow = turn.is_multiple_of(2);
        let mut node: Node = if is_slow { drain.start_paced(SLOW_S)? } else { drain.start()? };
        let consumed = if turn % EARLY_EVERY == EARLY_EVERY - 1 {
            sleep(Duration::from_millis(random.random_range(0..EARLY_MS))).await;
            None
        } else {
            let share = drain.expected().record_count() / u64::from(self.kills + 1);
            let goal = share * u64::from(turn) + random.random_range(1..=share);
            let consumed = drain.consumed(&mut node, goal, PATIENCE).await?;
            sleep(Duration::from_millis(random.random_range(0..LATER_MS))).await;
            Some(consumed)
        };
        node.kill9()?;
        Ok(consumed)
    }
}

impl Outcome {
    /// Kills that met a node in the middle of its work.
    #[must_use]
    pub fn in_the_middle(&self) -> usize {
        self.kills.iter().flatten().filter(|consumed| **consumed < self.records).count()
    }

    /// Whether nothing is lost, doubled or wrong, and every record is accounted for.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.report.is_right()
            && self.standing.is_through(self.records)
            && self.standing.imbalance == 0
    }

    fn count(&self, kinds: &[Difference]) -> u64 {
        let found = kinds.iter().filter_map(|kind| self.report.differences.get(kind));
        found.map(|it| it.count).sum()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Difference as D;
        let starting = self.kills.iter().filter(|it| it.is_none()).count();
        let lost = self.count(&[D::Lost, D::ConflictLost, D::DeadLetterLost]);
        let doubled =
            self.count(&[D::Doubled, D::Resent, D::ConflictDoubled, D::DeadLetterDoubled]);
        let cells = self.count(&[D::CellLost, D::CellWrong, D::CellForeign]);
        let other = self.report.differences.values().map(|it| it.count).sum::<u64>();
        let other = other - lost - doubled - cells;
        write!(
            f,
            "{}: {} records, {} kills ({} in the middle, {starting} while it started), lost {lost}, doubled \
             {doubled}, otherwise wrong {other}, figures {}, ledger {}, delivered again {}, {} of {} slots \
             trimmed, {} times a range restored from a snapshot",
            self.delivery.name(),
            self.records,
            self.kills.len(),
            self.in_the_middle(),
            if cells == 0 { "equal" } else { "DIFFERENT" },
            if self.standing.imbalance == 0 { "balanced" } else { "NOT BALANCED" },
            self.report.counts.resent,
            self.journal.trimmed(),
            self.journal.written,
            self.restored,
        )
    }
}
