//! The one clock of this crate: it serves speed, never safety (I12).

use std::sync::Arc;

use tokio::time::Instant;

/// What tells the time, in milliseconds since some moment. It never goes back.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The time since now, whatever is done to the wall's clock. In a runtime whose time a test turns by
/// hand it goes as that does.
#[must_use]
pub fn monotonic() -> Clock {
    let begun = Instant::now();
    Arc::new(move || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
}
