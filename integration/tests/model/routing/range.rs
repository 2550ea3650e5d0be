//! A range of the routing model: which legs it has, how far it is, and its account.

use super::{Health, PARTITIONS, State};

/// A range's state, as one commit has it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Range {
    /// The first offset of each partition that was not applied.
    pub(crate) positions: [u8; PARTITIONS],
    /// How often each record was applied.
    pub(crate) legs: [Vec<u8>; PARTITIONS],
    /// How many records of each partition were taken: `actors/src/machine/ledger.rs`.
    pub(crate) ledger: [u8; PARTITIONS],
}

/// Whether a record is of that range: both legs of a transaction are.
pub(crate) fn in_range(offset: u8, range: usize) -> bool {
    usize::from(offset) % 2 == range
}

/// All ranges, with their numbers: in memory and committed.
pub(crate) fn all(state: &State) -> impl Iterator<Item = (usize, &Range)> {
    let committed = state.committed.iter().enumerate().filter(|_| state.health != Health::Torn);
    state.memory.iter().enumerate().chain(committed)
}

impl Range {
    /// Nothing was applied.
    pub(crate) fn new(records: u8) -> Self {
        let legs = || vec![0; usize::from(records)];
        Self { positions: [0; 2], legs: [legs(), legs()], ledger: [0; 2] }
    }

    /// Applies the records of an interval, and stands at its end.
    pub(crate) fn apply(&mut self, range: usize, partition: usize, (first, to): (u8, u8)) {
        for offset in (first..to).filter(|&offset| in_range(offset, range)) {
            let count = &mut self.legs[partition][usize::from(offset)];
            *count = (*count + 1).min(2);
            self.ledger[partition] = (self.ledger[partition] + 1).min(9);
        }
        self.positions[partition] = to;
    }

    /// Legs whose transaction lacks the other: they are kept by reference to the source.
    pub(crate) fn young(&self, records: u8) -> Vec<(usize, u8)> {
        let count = |partition: usize, offset: u8| self.legs[partition][usize::from(offset)];
        let legs = (0..PARTITIONS).flat_map(|it| (0..records).map(move |offset| (it, offset)));
        legs.filter(|&(it, offset)| count(it, offset) > 0 && count(1 - it, offset) == 0).collect()
    }

    /// Whether it has exactly the records of its keys below its positions, each once.
    pub(crate) fn is_exact(&self, range: usize) -> bool {
        (0..PARTITIONS).all(|partition| {
            (0..).zip(&self.legs[partition]).all(|(offset, &count)| {
                let is_below = offset < self.positions[partition];
                count == u8::from(is_below && in_range(offset, range))
            })
        })
    }

    /// Whether what was taken is what is there.
    pub(crate) fn balances(&self) -> bool {
        self.legs.iter().zip(self.ledger).all(|(legs, taken)| legs.iter().sum::<u8>() == taken)
    }
}
