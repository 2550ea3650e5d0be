//! Which transactions are due when, on the record clock: one wheel for a range, no timer for a transaction.

use std::collections::BTreeMap;

use proto::types::{RecordTime, TransactionKey};

/// How finely due times are told apart. A transaction is due up to this much after its deadline.
const TICK_MS: u64 = 100;

/// Due times of transactions. An entry is a hint: who takes it looks whether it is really due.
#[derive(Debug, Default)]
pub struct Deadlines {
    ticks: BTreeMap<u64, Vec<TransactionKey>>,
    entries: usize,
}

/// An entry is searched for only in a tick with no more than this: where a million is due at once, a search
/// each would cost more than the entries.
const SEARCH: usize = 2_048;

impl Deadlines {
    /// Notes that `key` has to be looked at once the clock has reached `at`.
    pub fn add(&mut self, key: TransactionKey, at: RecordTime) {
        let keys = self.ticks.entry(tick(at)).or_default();
        // Twice the room, as a vector takes by itself, would be most of what millions of entries take.
        if keys.len() == keys.capacity() {
            keys.reserve_exact((keys.len() / 4).max(4));
        }
        keys.push(key);
        self.entries += 1;
    }

    /// Forgets `key`, which was to be looked at `at` that time. An entry that is not found stays: a hint.
    pub fn remove(&mut self, key: TransactionKey, at: RecordTime) {
        let tick = tick(at);
        let Some(keys) = self.ticks.get_mut(&tick).filter(|keys| keys.len() <= SEARCH) else {
            return;
        };
        let Some(place) = keys.iter().position(|it| *it == key) else { return };
        keys.swap_remove(place);
        self.entries -= 1;
        if keys.is_empty() {
            self.ticks.remove(&tick);
        } else if keys.len() < keys.capacity() / 4 {
            keys.shrink_to(keys.len() * 2);
        }
    }

    /// Bytes of memory that the entries take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries * (size_of::<TransactionKey>() * 9 / 8) + self.ticks.len() * 64
    }

    /// Takes a transaction that is due at `now`; `None` where nobody is.
    pub fn pop(&mut self, now: RecordTime) -> Option<TransactionKey> {
        loop {
            let mut first = self.ticks.first_entry()?;
            if *first.key() > now.0 / TICK_MS {
                return None;
            }
            if let Some(key) = first.get_mut().pop() {
                self.entries -= 1;
                return Some(key);
            }
            first.remove();
        }
    }
}

/// The tick at which a time has passed.
const fn tick(at: RecordTime) -> u64 {
    at.0.div_ceil(TICK_MS)
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

    #[test]
    fn who_is_done_before_its_time_leaves_nothing_behind() {
        let mut deadlines = Deadlines::default();
        for i in 0..100_000 {
            deadlines.add(TransactionKey(u128::from(i)), RecordTime(i));
        }
        assert!(deadlines.bytes() < 100_000 * 20, "{} bytes", deadlines.bytes());
        for i in (0..100_000).rev() {
            deadlines.remove(TransactionKey(u128::from(i)), RecordTime(i));
        }
        assert_eq!((deadlines.bytes(), deadlines.pop(RecordTime(u64::MAX))), (0, None));
    }

    #[test]
    fn an_entry_is_removed_at_its_own_time_only() {
        let (key, at) = (TransactionKey(7), RecordTime(1_000));
        let mut deadlines = Deadlines::default();
        deadlines.add(key, at);
        deadlines.remove(key, RecordTime(2_000));
        deadlines.remove(TransactionKey(8), at);
        assert_eq!(deadlines.pop(at), Some(key));
    }
}
