//! Looks at a node while it drains a workload, and remembers the most that it saw.

use std::time::Duration;

use node::workload::expected::Expected;
use tokio::time::sleep;

use crate::drain::Drain;
use crate::measure::Usage;
use crate::process::{Node, Process};
use crate::standing::Standing;

const LOOK: Duration = Duration::from_millis(100);

/// The most that was seen; each at its own moment, but for what says otherwise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Most {
    /// Open transactions.
    pub open: u64,
    /// Resident memory when most were open.
    pub rss_then_bytes: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// What the ranges held in memory.
    pub held_bytes: u64,
    /// What they should hold at most.
    pub held_limit_bytes: u64,
}

/// How it stands at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// By its metrics.
    pub standing: Standing,
    /// By the operating system.
    pub usage: Usage,
}

/// Looks on until every record was consumed; `say` hears of each look.
///
/// # Errors
///
/// Where the node ends before, or `patience` runs out.
pub async fn watch(
    drain: &Drain,
    node: &mut Node,
    patience: Duration,
    mut say: impl FnMut(&Look),
) -> anyhow::Result<Most> {
    let records = Expected::record_count(drain.expected());
    let (port, mut most) = (drain.metrics(), Most::default());
    let look = async |process: &mut Process| {
        sleep(LOOK).await;
        let standing = Standing::read(port).await;
        let (Ok(standing), Ok(usage)) = (standing, Usage::of(process.pid())) else { return false };
        most.add(&standing, &usage);
        say(&Look { standing, usage });
        standing.consumed >= records
    };
    node.process().wait_until("all was consumed", patience, look).await?;
    Ok(most)
}

impl Most {
    fn add(&mut self, standing: &Standing, usage: &Usage) {
        if standing.open > self.open {
            (self.open, self.rss_then_bytes) = (standing.open, usage.rss_bytes);
        }
        self.rss_bytes = self.rss_bytes.max(usage.peak_rss_bytes);
        self.held_bytes = self.held_bytes.max(standing.held_bytes);
        self.held_limit_bytes = standing.held_limit_bytes;
    }
}
