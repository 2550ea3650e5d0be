//! How a process leads, and whether it does.

use crate::machine::health::{self, HEARTBEAT_MS};
use crate::machine::pace::Limits;

/// After how much silence of who leads others ask to, in milliseconds; and who leads is silent where the
/// store has not answered it for as long.
pub const PATIENCE_MS: u64 = 2_000;
/// How a process leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Whether it ever asks to lead.
    pub is_candidate: bool,
    /// How often who leads says so, in milliseconds.
    pub beat_ms: u64,
    /// After how much silence of who leads others ask to, in milliseconds.
    pub patience_ms: u64,
    /// When nodes are held dead.
    pub health: health::Settings,
    /// How much may move at once.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_candidate: true,
            beat_ms: HEARTBEAT_MS,
            patience_ms: PATIENCE_MS,
            health: health::Settings::default(),
            limits: Limits::default(),
        }
    }
}
