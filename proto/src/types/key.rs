//! A transaction's identity, as the engine compares it.

use std::fmt;

use twox_hash::XxHash3_128;

/// The 128-bit hash of a transaction id: what is routed by, compared and remembered.
///
/// XXH3-128 (Collet, xxHash 0.8) of the id's bytes. Two ids with the same hash are taken as one; at
/// 300 billion transactions the odds of one such pair are below 10^-15.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TransactionKey(pub u128);

impl TransactionKey {
    /// The key of the transaction with this id.
    #[must_use]
    pub fn of(id: &[u8]) -> Self {
        Self(XxHash3_128::oneshot(id))
    }

    /// The 64 bits that say which range owns the transaction.
    #[must_use]
    pub const fn hash(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl fmt::Display for TransactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
