//! Named failure drills: each breaks something under load, heals it, and then every record must have counted once.

mod catalogue;
mod clocks;
mod kill;
mod needs;
mod network;
pub mod pauses;
pub mod play;
pub mod report;
mod restart;
mod results;
pub mod shelf;
mod stage;
mod storage;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::LocalBoxFuture;

pub use self::catalogue::{DRILLS, find};
pub use self::needs::Needs;
pub use self::stage::Stage;
use crate::view::View;

/// A failure that can be had on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is done, in a sentence.
    pub title: &'static str,
    /// What must hold beside the oracle's word, or what is measured.
    pub promise: &'static str,
    /// What it needs of the cluster.
    pub needs: Needs,
    /// How long one round takes at most, under load.
    pub round_s: u64,
    /// Breaks and heals it once.
    pub inject: Inject,
}

/// Breaks something and heals it, given how the cluster stands; ends when it is healed. The number of the round chooses
/// the victim.
pub type Inject =
    for<'a> fn(&'a mut Stage, View, usize) -> LocalBoxFuture<'a, anyhow::Result<Fault>>;

/// A fault that was had.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// When it began.
    pub began_ms: u64,
    /// The ranges that it hit: those whose results could not but pause.
    pub hit: BTreeSet<u64>,
    /// The ranges that are no more.
    pub gone: BTreeSet<u64>,
    /// Whether the ranges that it hit got another owner: then they are back with its first result.
    pub is_moved: bool,
    /// Of which epoch the last result was of each range, before.
    pub before: BTreeMap<u64, u64>,
    /// What happened when.
    pub marks: Vec<(String, u64)>,
}

/// Why a drill cannot be had on this machine. It is told, and never counted as passed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Skipped(pub String);
