//! `commit`, `snapshots` and `log`: what the node does beside the join.

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::rules::{duration_in, number};
use super::section::Section;

/// How often the node commits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Commit {
    /// The least time from one commit to the next.
    pub interval: Duration,
}

/// When snapshots are taken, and how many are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Snapshots {
    /// The time from one snapshot to the next, where there was anything to commit.
    pub every: Duration,
    /// How many are kept; the journals are trimmed behind them.
    pub keep: u16,
}

/// What is logged, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged, in the form of `tracing`'s filters.
    pub filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Commit {
    pub(super) fn read(root: &Section<'_>, is_remote: bool) -> Self {
        let section = root.section("commit");
        let rule = duration_in(Duration::from_millis(1), Duration::from_secs(10));
        // A remote store asks money for each request, and takes longer for one than a disk does.
        let default = if is_remote { "100ms" } else { "20ms" };
        let interval = section.read("interval", default, rule);
        section.finish();
        Self { interval }
    }
}

impl Snapshots {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section("snapshots");
        let rule = duration_in(Duration::from_millis(100), Duration::from_secs(86_400));
        let every = section.read("every", "1m", rule);
        let keep = section.read("keep", "3", number(1, 1000));
        section
            .later("store", "this version keeps snapshots with the journals, in storage.objects");
        section.finish();
        Self { every, keep }
    }
}

impl Log {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section("log");
        let format = section.read("format", "text", format);
        let filter = section.read("filter", "info,ractor=warn,object_store=warn", filter);
        section.finish();
        Self { format, filter }
    }
}

fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("it must be text or json".to_owned()),
    }
}

fn filter(text: &str) -> Result<String, String> {
    let wrong = "a filter is level or module=level, as in info,actors=debug";
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| wrong.to_owned())
}
