//! What happened, as one number: two runs of a seed that differ anywhere have different ones.

/// A running hash of everything that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    /// Notes a number.
    pub(super) const fn note(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Notes bytes.
    pub(super) fn note_bytes(&mut self, bytes: &[u8]) {
        self.note(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.note(u64::from_le_bytes(word));
        }
    }

    /// The number.
    #[must_use]
    pub(super) const fn hash(self) -> u64 {
        self.0
    }
}
