//! One life of a node, and the number of a leadership.

use std::fmt;

use proto::types::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};

use super::entry::wire;

/// One life of a node: what owns ranges and writes one journal.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Member {
    /// The node.
    #[serde(with = "wire::node")]
    pub node: NodeId,
    /// Which of its lives.
    #[serde(with = "wire::incarnation")]
    pub incarnation: Incarnation,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.incarnation)
    }
}

/// The how-manieth leadership this is. Each entry of the control log says under which it was written.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Term(pub u64);

impl Term {
    /// Before anybody has led.
    pub const NONE: Self = Self(0);

    /// The term of the next leader.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}
