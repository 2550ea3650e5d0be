//! Where log events go: standard error, as text or JSON.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Begins to log. `is_quiet` where a live view has the terminal.
pub(super) fn begin(log: &Log, is_quiet: bool) -> anyhow::Result<()> {
    // An actor's span and events would cost more than a transaction's decision.
    // And ractor_cluster prints whole messages when it is asked for more: those are customers' data.
    let pinned = "ractor=warn,ractor_cluster=warn,ractor_cluster::net::session=warn";
    let filter = format!("{},{pinned}", if is_quiet { "error" } else { &log.filter });
    let filter = EnvFilter::try_new(filter).context("read the log filter")?;
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first one's log.
    drop(match log.format {
        LogFormat::Text => events.with_ansi(false).try_init(),
        LogFormat::Json => events.json().try_init(),
    });
    Ok(())
}
