//! The bank workload: a generator, the outcome that must come of it, and a checker of what came.
//!
//! ```text
//!   seed, index ──▶ Model ──▶ Transaction ──▶ record bytes ──▶ generate ──▶ Kafka, files
//!                     │            │
//!                     │            └────────▶ Expected ──▶ <prefix>.expected.json
//!                     └── index_of(id) ──▶ verify ◀── what the engine published
//! ```
//!
//! Everything about transaction *i* is a function of the seed and *i*, in whole numbers only, so it is
//! the same on every machine. It shares no code with the engine: just the formats of records and results,
//! written down here a second time on purpose. Only [`live`] knows the engine's contract for a source.

pub mod base64;
pub mod broken;
pub mod expected;
pub mod files;
pub mod generate;
pub mod kafka;
pub mod live;
pub mod model;
pub mod murmur;
pub mod names;
pub mod params;
pub mod random;
pub mod record;
pub mod schedule;
pub mod transaction;
pub mod verify;

use crate::problem::{Code, Problem};

/// What was asked for is impossible; `why` names what has to change, and how.
fn refused(why: impl Into<String>) -> Problem {
    Problem::new(Code::BadArgument, "this cannot be done as asked", why)
}

/// Neither brokers nor a folder were named.
fn nowhere(why: &str) -> Problem {
    Problem::new(Code::Usage, "neither Kafka nor a folder is named", why)
}
