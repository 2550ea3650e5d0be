//! Which transactions are due when, on the record clock: one wheel for a range, no timer for a transaction.

use std::collections::BTreeMap;

use proto::types::{RecordTime, TransactionKey};

/// How finely due times are told apart. A transaction is due up to this much after its deadline.
const TICK_MS: u64 = 100;

/// Due times of transactions. An entry is a hint: who takes it looks whether it is really due.
#[derive(Debug, Default)]
pub struct Deadlines {
    ticks: BTreeMap<u64, Vec<TransactionKey>>,
}

impl Deadlines {
    /// Notes that `key` has to be looked at once the clock has reached `at`.
    pub fn add(&mut self, key: TransactionKey, at: RecordTime) {
        self.ticks.entry(at.0.div_ceil(TICK_MS)).or_default().push(key);
    }

    /// Takes a transaction that is due at `now`; `None` where nobody is.
    pub fn pop(&mut self, now: RecordTime) -> Option<TransactionKey> {
        loop {
            let mut first = self.ticks.first_entry()?;
            if *first.key() > now.0 / TICK_MS {
                return None;
            }
            if let Some(key) = first.get_mut().pop() {
                return Some(key);
            }
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_due_before_the_deadline_and_everybody_once_after() {
        let mut deadlines = Deadlines::default();
        for key in 0..10 {
            deadlines.add(TransactionKey(key), RecordTime(950));
        }
        assert_eq!(deadlines.pop(RecordTime(949)), None);
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop(RecordTime(1_000))).collect();
        assert_eq!(due.len(), 10);
        assert_eq!(deadlines.pop(RecordTime(9_999)), None);
    }
}
