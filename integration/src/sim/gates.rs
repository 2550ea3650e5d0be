//! Messages that wait until something has been said about their transactions, or until that cannot be corrected any more.

use std::collections::BTreeSet;

use proto::types::{RangeId, RecordTime, TransactionKey};

use super::bank::{Bank, Kind};
use super::outside::Outside;
use super::source::Source;

/// Transactions with messages that wait, and those of them that have been said to be incomplete.
#[derive(Debug, Default)]
pub(super) struct Gates {
    waiting: BTreeSet<usize>,
    incomplete: BTreeSet<String>,
}

impl Gates {
    pub(super) fn new(bank: &Bank) -> Self {
        let waits = |at: &usize| bank.transactions[*at].sent.iter().any(|it| it.waits);
        let waiting = (0..bank.transactions.len()).filter(waits).collect();
        Self { waiting, incomplete: BTreeSet::new() }
    }

    /// Whether nothing waits any more.
    pub(super) fn are_open(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Messages are sent once what they wait for has been said, or committed; `of` says which range has a key, and its
    /// clock in memory, where that counts.
    pub(super) fn open(
        &mut self,
        bank: &mut Bank,
        out: &mut Outside,
        of: impl Fn(u64) -> (RangeId, Option<RecordTime>),
    ) {
        self.incomplete.extend(out.sink.take_incomplete());
        let waiting: Vec<_> = self.waiting.iter().copied().collect();
        for at in waiting {
            let transaction = &bank.transactions[at];
            let is_open = self.incomplete.contains(&transaction.id)
                && (transaction.kind == Kind::Corrected || is_over(at, bank, out, &of));
            if is_open {
                self.waiting.remove(&at);
                send(at, bank, out);
            }
        }
    }
}

/// Whether the clock of its range says for good that the transaction cannot be corrected any more:
/// the committed one, and without faults the one in memory.
fn is_over(
    at: usize,
    bank: &Bank,
    out: &Outside,
    of: &impl Fn(u64) -> (RangeId, Option<RecordTime>),
) -> bool {
    let settings = &out.shape.settings;
    let last = last_ms(bank, at, &out.source);
    let over_ms = last + settings.deadline_ms + settings.correction_ms + 200;
    let hash = TransactionKey::of(bank.transactions[at].id.as_bytes()).hash();
    let (range, held) = of(hash);
    let committed = out.watch.head(range).clock;
    let held = held.filter(|_| out.faults.are_over());
    committed.max(held.unwrap_or(committed)).0 >= over_ms
}

/// Where a node's clock is ahead, what it waits for may have been said before the deadline by the clock of the source. It comes
/// too late all the same, and no sooner than that.
fn send(at: usize, bank: &mut Bank, out: &mut Outside) {
    let first_ms = first_ms(bank, at, &out.source);
    let deadline_ms = first_ms.saturating_add(out.shape.settings.deadline_ms);
    let time_ms = out.now_ms.max(deadline_ms);
    for message in 0..bank.transactions[at].sent.len() {
        if bank.transactions[at].sent[message].waits {
            bank.transactions[at].sent[message].time_ms = time_ms;
            bank.send((at, message), out.now_ms, &mut out.source, &mut out.random);
        }
    }
}

/// The record clock at the transaction's earliest message of those that did not wait.
pub(super) fn first_ms(bank: &Bank, at: usize, source: &Source) -> u64 {
    record_times(bank, at, source).min().unwrap_or(u64::MAX)
}

/// The record clock at the last of them: which of equal messages counts, and with it when the deadline is,
/// is up to the order in which partitions are read.
fn last_ms(bank: &Bank, at: usize, source: &Source) -> u64 {
    record_times(bank, at, source).max().unwrap_or(u64::MAX)
}

fn record_times(bank: &Bank, at: usize, source: &Source) -> impl Iterator<Item = u64> {
    let sent = bank.transactions[at].sent.iter();
    sent.filter_map(|it| Some(source.record_ms(it.partition, it.offset?)))
}
