//! The one place that reads the wall clock. Everybody else is told the time.

mod steering;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tracing::{info, warn};

use self::steering::{Change, Steering};

/// What tells the time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What is told the newest times of records, in milliseconds since the Unix epoch.
pub type Witness = Arc<dyn Fn(u64) + Send + Sync>;

/// The wall's time.
#[must_use]
pub fn wall() -> Clock {
    Arc::new(|| ms(now()))
}

/// The wall's time as long as it goes as time does; where it is set, time goes on, and comes to it by and by. So
/// nothing that waits an hour is given up, and nothing stands still, because somebody set a clock. It never goes back.
///
/// What the witness is told proves that so much time has gone by, as far as the wall says so too: a machine that slept,
/// or whose clock was behind when the process began, comes right with the records that follow.
#[must_use]
pub fn steered() -> (Clock, Witness) {
    let uptime = Stopwatch::start();
    let seen_ms = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&seen_ms);
    let steering = Mutex::new(Steering::new(now()));
    let clock = move || {
        let seen = Duration::from_millis(seen_ms.load(Ordering::Relaxed));
        let (now, change) = steering.lock().now(uptime.elapsed(), now(), seen);
        match change {
            Some(Change::Off { ahead_ms }) => warn!(
                ahead_ms,
                "the machine's clock was set; the node goes on with its own, and follows slowly"
            ),
            Some(Change::Right) => info!("the machine's clock and the node's are one again"),
            None => {}
        }
        ms(now)
    };
    let witness = move |ms| {
        told.fetch_max(ms, Ordering::Relaxed);
    };
    (Arc::new(clock), Arc::new(witness))
}

/// The wall's time since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
    RandomState::new().hash_one(now())
}
