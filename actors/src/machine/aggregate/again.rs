//! Giving everything out once more: for a sink in which another aggregator's older value may have come last.

use super::Aggregate;

/// After so many ticks everything is given out again, at first; then after twice as many, and so on.
const FIRST: u64 = 60;

/// When everything is to be given out again.
///
/// While a map is stale somewhere, two aggregators have the same dimension, and a compacted topic keeps what either of
/// them has pushed last. The one that takes over gives every cell out, but nothing before each range's owner has told it
/// its share, and from then on none tells the other: what that still pushes, too low, is what had waited in it or
/// before its sink. So everything is given out again, at growing distances: however long the other has taken, everything
/// has been given out again after about twice that time, and a dimension at rest costs less and less.
#[derive(Clone, Copy, Debug)]
pub struct Again {
    left: u64,
    next: u64,
}

impl Default for Again {
    fn default() -> Self {
        Self { left: FIRST, next: 2 * FIRST }
    }
}

impl Again {
    /// A tick has passed; whether it is time.
    pub const fn tick(&mut self) -> bool {
        self.left -= 1;
        if self.left > 0 {
            return false;
        }
        (self.left, self.next) = (self.next, self.next.saturating_mul(2));
        true
    }
}

impl Aggregate {
    /// Every cell is given out with the next changes, whether or not it has been before.
    pub fn give_again(&mut self) {
        for (key, cell) in &mut self.cells {
            cell.published = 0;
            self.changed.insert(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whenever_another_ceased_everything_is_given_out_again_after_twice_that_time_at_the_latest() {
        let mut again = Again::default();
        let given: Vec<u64> = (1..=100 * FIRST).filter(|_| again.tick()).collect();
        assert_eq!(given[..3], [FIRST, 3 * FIRST, 7 * FIRST]);
        for ceased in FIRST..=49 * FIRST {
            let next = given.iter().find(|it| **it >= ceased).unwrap();
            assert!(*next <= 2 * ceased + FIRST, "{ceased}: {next}");
        }
    }
}
