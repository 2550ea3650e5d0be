//! Where records come from.

use std::fmt;
use std::sync::Arc;

use super::Leg;

/// A record's place in its source partition. Kafka's offsets have gaps; ours may too.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Offset(pub u64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A source partition's number in this cluster: its place in the list of source partitions.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PartitionIndex(pub u16);

impl PartitionIndex {
    /// The number as a place in a list.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One partition of a topic (or one file), all of whose records are the same leg.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SourcePartition {
    /// The topic's name; for a file its name.
    pub topic: Arc<str>,
    /// Kafka's partition number; 0 for a file.
    pub partition: i32,
    /// What its records are.
    pub leg: Leg,
}

impl fmt::Display for SourcePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}
