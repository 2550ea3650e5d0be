//! Counters of all nodes together: each begins anew with a start of its node, or with the next owner of its range.

use std::collections::BTreeMap;

use proto::types::{Epoch, RangeId};

use crate::api::backend::Pulse;

/// What was counted so far. What a node counts between the last look at it and its death is missing.
#[derive(Debug, Default)]
pub(super) struct Tally {
    emitted: BTreeMap<RangeId, Emitted>,
    /// Bytes read, by the starts that run.
    bytes: BTreeMap<u64, u64>,
    /// The same of all starts before.
    bytes_before: u64,
}

/// Results of a range: complete, incomplete, corrected.
#[derive(Debug, Default)]
struct Emitted {
    epoch: Epoch,
    now: [u64; 3],
    /// Under all epochs before.
    before: [u64; 3],
}

impl Tally {
    /// Only these starts of nodes still run.
    pub(super) fn keep(&mut self, starts: &[u64]) {
        let before = &mut self.bytes_before;
        self.bytes.retain(|start, bytes| {
            let runs = starts.contains(start);
            *before += if runs { 0 } else { *bytes };
            runs
        });
    }

    /// What one of them says.
    pub(super) fn take(&mut self, start: u64, pulse: &Pulse) {
        self.bytes.insert(start, pulse.bytes);
        for ((range, epoch), counts) in &pulse.emitted {
            self.emitted.entry(*range).or_default().take(*epoch, *counts);
        }
    }

    /// The sums, in the place of what one node has counted.
    pub(super) fn put_into(&self, pulse: &mut Pulse) {
        let sum = |state: usize| self.emitted.values().map(|it| it.sum(state)).sum();
        (pulse.complete, pulse.incomplete, pulse.corrected) = (sum(0), sum(1), sum(2));
        pulse.bytes = self.bytes_before + self.bytes.values().sum::<u64>();
    }
}

impl Emitted {
    fn take(&mut self, epoch: Epoch, counts: [u64; 3]) {
        if epoch < self.epoch {
            return;
        }
        if epoch > self.epoch {
            let now = std::mem::take(&mut self.now);
            self.before.iter_mut().zip(now).for_each(|(before, now)| *before += now);
            self.epoch = epoch;
        }
        self.now = counts;
    }

    const fn sum(&self, state: usize) -> u64 {
        self.now[state] + self.before[state]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_stays_when_its_range_changes_owners_or_its_node_dies() {
        let mut tally = Tally::default();
        let mut check = |starts: &[u64], said: &[(u64, u64, u64, u64)], expected: (u64, u64)| {
            tally.keep(starts);
            for (start, epoch, complete, bytes) in said {
                let key = (RangeId(1), Epoch::new(*epoch));
                let emitted = BTreeMap::from([(key, [*complete, 0, 0])]);
                tally.take(*start, &Pulse { emitted, bytes: *bytes, ..Pulse::default() });
            }
            let mut sum = Pulse::default();
            tally.put_into(&mut sum);
            assert_eq!((sum.complete, sum.bytes), expected, "{said:?}");
        };
        check(&[0, 1], &[(0, 1, 10, 100)], (10, 100));
        check(&[0, 1], &[(0, 1, 15, 150), (1, 2, 3, 30)], (18, 180));
        // Who had it before speaks once more.
        check(&[0, 1], &[(1, 2, 4, 40), (0, 1, 16, 160)], (19, 200));
        check(&[1], &[(1, 2, 5, 50)], (20, 210));
        check(&[1, 2], &[(2, 3, 1, 1)], (21, 211));
    }
}
