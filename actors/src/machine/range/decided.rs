//! A transaction's actor reports: its result becomes output and figures, and the transaction is done or waits.

use proto::types::TransactionKey;

use super::super::envelope::Kind;
use super::super::ledger::Fate;
use super::super::mailbox::{Legs, Said};
use super::super::transaction::Decision;
use super::Range;
use super::boxes::Deciding;

/// What a transaction's actor reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It has decided.
    Decided(Decision),
    /// Its rules panicked: it costs this one transaction.
    Panicked(String),
}

impl Range {
    /// Reports about these transactions follow: what they need is read ahead.
    pub fn read_ahead(&self, keys: impl Iterator<Item = TransactionKey>) {
        self.boxes.read_ahead(keys);
    }

    /// Takes an actor's report. A report about a transaction that is not under decision is ignored.
    pub fn decided(&mut self, key: TransactionKey, outcome: Outcome) {
        let Some(held) = self.boxes.held(key) else { return };
        let deciding = std::mem::replace(&mut held.deciding, Deciding::No);
        if deciding == Deciding::No {
            return;
        }
        self.boxes.end_decision();
        self.pending.is_touched = true;
        match outcome {
            _ if deciding == Deciding::Stale => self.activate(key),
            Outcome::Decided(decision) => self.publish(key, decision),
            Outcome::Panicked(reason) => self.give_up(key, &reason),
        }
    }

    fn publish(&mut self, key: TransactionKey, decision: Decision) {
        self.settle(key, decision.legs, Fate::Joined);
        self.figures.add(decision.contributions.packed(), &self.rules.scenarios);
        let (legs, version) = (decision.legs, decision.version);
        self.output.result(decision);
        if legs.is_complete() {
            return self.bury(key, self.settings.duplicates_ms);
        }
        let Some(held) = self.boxes.held(key) else { return };
        let is_first = held.said_version().is_none();
        held.mailbox.said = Said::Incomplete { version, legs };
        self.pending.keep_by_value(key, held);
        self.deadlines.add(key, self.settings.due(&held.mailbox));
        if is_first {
            self.boxes.became_correctable();
        }
        self.decide_if_ready(key);
    }

    /// The records that are behind a result for the first time leave the open ones.
    fn settle(&mut self, key: TransactionKey, legs: Legs, fate: Fate) {
        let Some(held) = self.boxes.held(key) else { return };
        let said = held.mailbox.said.published();
        for envelope in held.mailbox.envelopes() {
            let Kind::Leg(leg) = envelope.kind else { continue };
            if legs.has(leg) && !said.has(leg) {
                self.ledger[envelope.partition.index()].leave_open(fate);
            }
        }
    }

    /// The transaction's legs go to the dead letters with the reason; the range goes on.
    fn give_up(&mut self, key: TransactionKey, reason: &str) {
        let Some(held) = self.boxes.held(key) else { return };
        for envelope in held.mailbox.envelopes() {
            self.output.panicked(&envelope, reason, &self.rules);
        }
        self.settle(key, Legs::ALL, Fate::Dead);
        self.bury(key, self.settings.duplicates_ms);
    }
}
