//! Where every record went: the fates, counted for each source partition (I9).

use super::codec::{Malformed, Reader, put_varint};

/// What became of a record. Every record that a range has consumed has exactly one of these fates.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Fate {
    /// It waits in a mailbox for the other legs of its transaction.
    Open = 0,
    /// It is part of a published result.
    Joined = 1,
    /// It says again what another record said before.
    Duplicate = 2,
    /// It contradicts another record that came first.
    Conflict = 3,
    /// It came when its transaction could no longer be corrected.
    Late = 4,
    /// It could not be understood, or its transaction's rules failed.
    Dead = 5,
}

impl Fate {
    /// All fates, in the order of the ledger's columns.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Joined, Self::Duplicate, Self::Conflict, Self::Late, Self::Dead];

    /// The fate's name on screens and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Joined => "joined",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Late => "late",
            Self::Dead => "dead",
        }
    }
}

/// The counts of one source partition, or a sum of several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Records consumed, counted as they came.
    pub consumed: u64,
    fates: [u64; Fate::ALL.len()],
}

impl Counts {
    /// Counts a record that has come.
    pub const fn consume(&mut self) {
        self.consumed += 1;
    }

    /// Counts a record into its first fate.
    pub const fn enter(&mut self, fate: Fate) {
        self.fates[fate as usize] += 1;
    }

    /// Counts a record that waited into its final fate.
    ///
    /// # Panics
    ///
    /// Where none waited: the count would lie, and a ledger that lies must stop the range.
    pub const fn leave_open(&mut self, fate: Fate) {
        self.fates[Fate::Open as usize] -= 1;
        self.fates[fate as usize] += 1;
    }

    /// How many records have `fate`.
    #[must_use]
    pub const fn of(&self, fate: Fate) -> u64 {
        self.fates[fate as usize]
    }

    /// I9: whether every consumed record has a fate, and no other has.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.consumed == self.fates.iter().sum::<u64>()
    }

    /// Takes out `records` that wait: from now on another range counts them.
    ///
    /// # Panics
    ///
    /// Where fewer wait.
    pub const fn give_open(&mut self, records: u64) {
        self.consumed -= records;
        self.fates[Fate::Open as usize] -= records;
    }

    /// Takes over `records` that wait.
    pub const fn take_open(&mut self, records: u64) {
        self.consumed += records;
        self.fates[Fate::Open as usize] += records;
    }

    /// Adds `other`'s counts.
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        for (mine, its) in self.fates.iter_mut().zip(other.fates) {
            *mine += its;
        }
    }

    /// Appends the counts to `out`, as varints.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.consumed);
        for fate in self.fates {
            put_varint(out, fate);
        }
    }

    /// The counts at the front of `reader`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where there are none.
    pub fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut counts = Self { consumed: reader.varint()?, ..Self::default() };
        for fate in &mut counts.fates {
            *fate = reader.varint()?;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_balances_while_every_record_has_one_fate() {
        let mut counts = Counts::default();
        counts.consume();
        assert!(!counts.balances(), "consumed, but without a fate");
        counts.enter(Fate::Open);
        assert!(counts.balances());
        counts.leave_open(Fate::Joined);
        assert!(counts.balances());
        counts.enter(Fate::Duplicate);
        assert!(!counts.balances(), "a fate without a record");
    }

    #[test]
    fn counts_are_read_as_they_were_written() {
        let mut counts = Counts::default();
        for fate in Fate::ALL {
            counts.consume();
            counts.enter(fate);
        }
        let mut out = Vec::new();
        counts.put(&mut out);
        assert_eq!(Counts::take(&mut Reader::new(&out)), Ok(counts));
    }
}
