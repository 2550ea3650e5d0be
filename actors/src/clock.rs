//! The one place that reads the wall clock. Everybody else is told the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What tells the time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The wall's time.
#[must_use]
pub fn wall() -> Clock {
    Arc::new(now_ms)
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Measures how long something takes, whatever is done to the wall's clock meanwhile. Never for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// One that runs from now on.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A number that nobody else has, for telling attempts apart. Not for secrets.
#[must_use]
pub fn nonce() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(now_ms())
}
