//! Snapshots, and what a check of one found.

/// How a snapshot stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SnapshotState {
    /// Being taken.
    Running,
    /// Whole.
    Done,
    /// Given up.
    Failed,
}

/// What the cluster can be restored from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// How long that took; `None` where it was not taken by this life of the node.
    pub took_ms: Option<u64>,
    /// Its size.
    pub bytes: u64,
    /// Of these, what earlier ones did not have.
    pub new_bytes: u64,
    /// How many ranges it holds.
    pub ranges: u32,
    /// The node that took it, and owned these; `None` where that is not known.
    pub node: Option<String>,
    /// How it stands.
    pub state: SnapshotState,
    /// Whether a check of it has passed.
    pub verified: bool,
}

/// What a check of a snapshot found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What is wrong with it; none when it can be restored.
    pub faults: Vec<Fault>,
}

/// Something wrong in a snapshot (I11).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The object.
    pub object: String,
    /// What is wrong with it.
    pub problem: String,
}

/// How snapshots, and what goes behind them, went since the process started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Upkeep {
    /// The newest snapshot's name, and the bytes that the one before did not have; `None` before the first.
    pub newest: Option<(String, u64)>,
    /// How long the newest took; `None` before the first.
    pub took_ms: Option<u64>,
    /// The longest that it kept one range from its work; `None` before the first.
    pub held_ms: Option<u64>,
    /// How often a snapshot could not be taken, or journals not be trimmed.
    pub failures: u64,
    /// Slots of journals that have gone.
    pub trimmed_slots: u64,
    /// What is wrong at the moment; `None` where nothing is.
    pub trouble: Option<String>,
}
