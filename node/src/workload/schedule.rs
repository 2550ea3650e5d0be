//! All records of a workload in the order of their arrival, with little in memory.

use std::collections::BTreeMap;

use proto::types::Leg;

use super::broken;
use super::model::{Fate, Model, Transaction};

/// How many transactions are drawn up at a time.
const STEP: u64 = 4_096;

/// A record's place in the workload. They are in order of arrival; ties are broken by what follows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// The record time.
    pub arrival_ms: u64,
    /// What the record is.
    pub what: What,
}

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum What {
    /// A leg of that transaction; first or second copy makes no difference.
    Leg(u64, Leg),
    /// A leg of that transaction again, with other content.
    Contradiction(u64, Leg),
    /// A record that can't be understood, by its number.
    Broken(u64),
}

/// The records of a workload in order of arrival.
///
/// A record never arrives before its transaction begins, and transactions are in order of their
/// beginning: so all seconds before the next one's beginning are complete. Only stragglers are held.
#[derive(Debug)]
pub struct Schedule<'a> {
    model: &'a Model,
    next_transaction: u64,
    next_broken: u64,
    seconds: BTreeMap<u64, Vec<Entry>>,
    /// The second that is being handed out, last record first.
    current: Vec<Entry>,
}

impl<'a> Schedule<'a> {
    /// All records of `model`.
    #[must_use]
    pub const fn new(model: &'a Model) -> Self {
        let seconds = BTreeMap::new();
        Self { model, next_transaction: 0, next_broken: 0, seconds, current: Vec::new() }
    }

    /// Takes the first second, if nothing can be added to it any more.
    fn take_second(&mut self) -> bool {
        let params = self.model.params();
        let Some(first) = self.seconds.first_entry() else { return false };
        let all_drawn = self.next_transaction == params.transactions;
        if !all_drawn && *first.key() >= params.start_ms(self.next_transaction) / 1_000 {
            return false;
        }
        self.current = first.remove();
        self.current.sort_unstable_by(|a, b| b.cmp(a));
        true
    }

    fn draw_up(&mut self) {
        let params = self.model.params();
        let until = params.transactions.min(self.next_transaction + STEP);
        for index in self.next_transaction..until {
            self.add_transaction(&self.model.transaction(index));
        }
        self.next_transaction = until;
        let broken_count = params.broken_count();
        while self.next_broken < broken_count {
            let arrival_ms = broken::broken(self.model, self.next_broken).arrival_ms;
            if until < params.transactions && arrival_ms >= params.start_ms(until) {
                break;
            }
            self.add(arrival_ms, What::Broken(self.next_broken));
            self.next_broken += 1;
        }
    }

    fn add_transaction(&mut self, transaction: &Transaction) {
        let index = transaction.index;
        for leg in Leg::ALL {
            if transaction.fate != Fate::Missing(leg) {
                self.add(transaction.arrival_ms[leg.index()], What::Leg(index, leg));
            }
        }
        if let Some((leg, arrival_ms)) = transaction.duplicate {
            self.add(arrival_ms, What::Leg(index, leg));
        }
        if let Fate::Conflict(leg, arrival_ms) = transaction.fate {
            self.add(arrival_ms, What::Contradiction(index, leg));
        }
    }

    fn add(&mut self, arrival_ms: u64, what: What) {
        self.seconds.entry(arrival_ms / 1_000).or_default().push(Entry { arrival_ms, what });
    }
}

impl Iterator for Schedule<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.current.pop() {
                return Some(entry);
            }
            if self.take_second() {
                continue;
            }
            if self.next_transaction == self.model.params().transactions {
                return None;
            }
            self.draw_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::params::Params;

    fn model(rate: u64) -> Model {
        let mut params = Params::of(20_000);
        params.rate = rate;
        params.oddities.malformed = "1%".parse().unwrap();
        params.oddities.conflicts = "1%".parse().unwrap();
        params.check(8).unwrap();
        Model::new(params)
    }

    /// The obvious way: all of them, sorted.
    fn sorted(model: &Model) -> Vec<Entry> {
        let mut all = Schedule::new(model);
        for index in 0..20_000 {
            all.add_transaction(&model.transaction(index));
        }
        for number in 0..model.params().broken_count() {
            all.add(broken::broken(model, number).arrival_ms, What::Broken(number));
        }
        let mut entries: Vec<Entry> = all.seconds.into_values().flatten().collect();
        entries.sort_unstable();
        entries
    }

    #[test]
    fn the_order_is_that_of_all_records_sorted() {
        for rate in [7, 1_000, 20_000] {
            let model = model(rate);
            assert!(Schedule::new(&model).eq(sorted(&model)), "rate {rate}");
        }
    }

    #[test]
    fn only_stragglers_are_held() {
        let mut params = Params::of(200_000);
        params.rate = 1_000;
        let model = Model::new(params);
        let mut schedule = Schedule::new(&model);
        let mut most = 0;
        while schedule.next().is_some() {
            let held: usize = schedule.seconds.values().map(Vec::len).sum();
            most = most.max(held);
        }
        // 0.5 % of 600,000 records for up to an hour, some seconds of the rest, and a step ahead.
        assert!(most < 45_000, "{most} entries held at most");
    }
}
