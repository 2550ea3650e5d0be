//! Names and numbers of nodes, ranges, log slots and results.

use std::fmt;
use std::sync::Arc;

/// A node's name, unique in the cluster and the same after a restart: `[a-z0-9-]`, 1 to 63 long.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(Arc<str>);

/// Why a node's name was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("node name `{0}` must be 1 to 63 of a-z, 0-9 and -")]
pub struct NodeIdError(String);

impl NodeId {
    /// The node of that name.
    ///
    /// # Errors
    ///
    /// [`NodeIdError`] where the name could not be part of an object's path.
    pub fn new(name: &str) -> Result<Self, NodeIdError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
            return Err(NodeIdError(name.to_owned()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub $inner);

        impl $name {
            /// The one that follows.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(
    /// One life of a node: each start of a process is a new one, numbered by the control log.
    Incarnation(u64), "i"
);
number!(
    /// A range's number, fixed for the range's life.
    RangeId(u16), "r"
);
number!(
    /// A numbered place in a create-only log. A slot has one content for ever (I1).
    Slot(u64), "s"
);
number!(
    /// A result's number within its range: from 1, without gaps, one content for ever (I6).
    Sequence(u64), "q"
);
number!(
    /// Which statement about a transaction this is: 1 for the first result, higher for corrections.
    Version(u32), "v"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_path_segment_is_refused() {
        for name in ["", "A", "a/b", "a b", &"x".repeat(64)] {
            assert!(NodeId::new(name).is_err(), "{name}");
        }
        assert_eq!(NodeId::new("node-1").unwrap().to_string(), "node-1");
    }
}
