//! The ledger: where every record went (I9).

use proto::types::SourcePartition;

/// Where the records of one source partition, or of all, went (I9).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Read and committed.
    pub consumed: u64,
    /// Part of a result.
    pub in_results: u64,
    /// Held in open transactions.
    pub open: u64,
    /// The same leg again, same content.
    pub duplicates: u64,
    /// The same leg again, other content.
    pub conflicts: u64,
    /// After the time in which a result is corrected.
    pub late: u64,
    /// In the dead letters.
    pub dead: u64,
    /// Left out by configuration.
    pub filtered: u64,
}

impl Counts {
    /// Consumed less all places where records can be: above 0 lost, below 0 counted twice.
    #[must_use]
    pub fn imbalance(&self) -> i64 {
        let placed = self.in_results
            + self.open
            + self.duplicates
            + self.conflicts
            + self.late
            + self.dead
            + self.filtered;
        i64::try_from(i128::from(self.consumed) - i128::from(placed)).unwrap_or(i64::MAX)
    }

    /// I9: whether every record is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.imbalance() == 0
    }

    /// The two together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            consumed: self.consumed + other.consumed,
            in_results: self.in_results + other.in_results,
            open: self.open + other.open,
            duplicates: self.duplicates + other.duplicates,
            conflicts: self.conflicts + other.conflicts,
            late: self.late + other.late,
            dead: self.dead + other.dead,
            filtered: self.filtered + other.filtered,
        }
    }
}

/// Where every record went, by source partition.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    /// One row a source partition, in their configured order.
    pub rows: Vec<(SourcePartition, Counts)>,
}

impl Ledger {
    /// All source partitions together.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.rows.iter().fold(Counts::default(), |sum, (_, counts)| sum.plus(*counts))
    }

    /// I9: whether each partition balances. A sum could hide a loss in one behind a gain in another.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.rows.iter().all(|(_, counts)| counts.is_balanced())
    }
}

#[cfg(test)]
mod tests {
    use proto::types::Leg;

    use super::*;

    fn row(partition: i32, consumed: u64, open: u64) -> (SourcePartition, Counts) {
        let source = SourcePartition { topic: "bank.trace".into(), partition, leg: Leg::Trace };
        (source, Counts { consumed, open, ..Counts::default() })
    }

    #[test]
    fn a_loss_in_one_partition_is_not_hidden_by_a_gain_in_another() {
        let ledger = Ledger { rows: vec![row(0, 10, 9), row(1, 10, 11)] };
        assert!(ledger.total().is_balanced());
        assert!(!ledger.is_balanced());
        assert_eq!(ledger.rows[0].1.imbalance(), 1);
        assert_eq!(ledger.rows[1].1.imbalance(), -1);
    }

    #[test]
    fn every_place_of_a_record_counts_in_the_balance() {
        let counts = Counts {
            consumed: 127,
            in_results: 1,
            open: 2,
            duplicates: 4,
            conflicts: 8,
            late: 16,
            dead: 32,
            filtered: 64,
        };
        assert!(counts.is_balanced());
        assert!(counts.plus(counts).is_balanced());
        assert_eq!(counts.plus(counts).filtered, 128);
    }
}
