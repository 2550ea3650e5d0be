//! The fencing number of a key range's owner.

use std::fmt;

/// How many times a key range has changed owner.
///
/// Each new owner gets a higher epoch. A write that carries a lower one comes from an owner that
/// has not yet heard that it lost the range (I1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of a range that nobody has owned yet.
    pub const NONE: Self = Self(0);

    /// The epoch with this number, as read from durable state.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, for writing it down.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of the next owner.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Whether a write made under `writer` must be refused by an owner at this epoch.
    #[must_use]
    pub fn fences(self, writer: Self) -> bool {
        writer < self
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_owner_fences_the_old_one_and_not_itself() {
        let old = Epoch::NONE.next();
        let new = old.next();

        assert!(new.fences(old));
        assert!(!new.fences(new));
        assert!(!old.fences(new));
    }
}
