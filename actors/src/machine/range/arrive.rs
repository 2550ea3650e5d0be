//! A leg arrives: it opens a transaction, joins one, says something again, contradicts, or comes too late.

use proto::types::{Leg, TransactionKey};

use super::super::envelope::Envelope;
use super::super::ledger::Fate;
use super::super::mailbox::{Arrival, Said};
use super::super::tombstones::{Tombstone, Tombstones};
use super::Range;
use super::boxes::{Deciding, Held, Kept, size};
use crate::store::{Store, StoreError};

impl Range {
    /// A leg that has been counted finds its fate.
    pub(super) fn arrive(
        &mut self,
        key: TransactionKey,
        leg: Leg,
        envelope: &Envelope<'_>,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        // What the clock has already decided is decided before the leg counts.
        if self.boxes.bring(key, store)?.is_some() {
            self.look_at(key);
        }
        if self.boxes.held(key).is_some() {
            self.join(key, leg, envelope);
        } else if let Some(tombstone) = self.tombstones.get(key).copied() {
            self.come_after(leg, envelope, tombstone);
        } else {
            self.boxes.insert(key, Held::opened());
            self.pending.opened.push(key);
            self.join(key, leg, envelope);
        }
        Ok(())
    }

    /// A leg comes to a transaction that has a mailbox.
    fn join(&mut self, key: TransactionKey, leg: Leg, envelope: &Envelope<'_>) {
        let Some(held) = self.boxes.held(key) else { return };
        let ledger = &mut self.ledger;
        let entered = &mut ledger[envelope.partition.index()];
        match held.mailbox.weigh(leg, envelope) {
            Arrival::Duplicate => return entered.enter(Fate::Duplicate),
            Arrival::Loses => {
                entered.enter(Fate::Conflict);
                return self.contradicted(key, leg, envelope);
            }
            // What has been said stays said: the leg of a published result is not replaced.
            Arrival::Wins if held.mailbox.said.published().has(leg) => {
                entered.enter(Fate::Conflict);
                return self.contradicted(key, leg, envelope);
            }
            Arrival::Wins => {
                entered.enter(Fate::Open);
                self.replace(key, leg, envelope);
            }
            Arrival::New => {
                entered.enter(Fate::Open);
                let before = size(held);
                held.mailbox.put(leg, envelope);
                let after = size(held);
                self.boxes.resized(before, after);
            }
        }
        self.keep(key, envelope);
        self.decide_if_ready(key);
    }

    /// Keeps a leg durable: by reference while its transaction is young, else by value.
    fn keep(&mut self, key: TransactionKey, envelope: &Envelope<'_>) {
        let Some(held) = self.boxes.held(key) else { return };
        match held.kept {
            Kept::ByReference => self.pending.references.add(envelope.partition, envelope.offset),
            Kept::Dirty | Kept::ByValue { .. } => self.pending.keep_by_value(key, held),
        }
    }

    /// Activates a transaction that has its legs, or a leg that its last result lacks.
    pub(super) fn decide_if_ready(&mut self, key: TransactionKey) {
        let Some(held) = self.boxes.held(key) else { return };
        let is_ready = match held.mailbox.said {
            Said::Nothing => held.mailbox.legs.is_complete(),
            Said::Due { .. } => true,
            Said::Incomplete { legs, .. } => held.mailbox.legs != legs,
        };
        if is_ready && held.deciding == Deciding::No {
            self.activate(key);
        }
    }

    /// The leg that came first takes the place of one that came later but was seen sooner.
    fn replace(&mut self, key: TransactionKey, leg: Leg, envelope: &Envelope<'_>) {
        let Some(held) = self.boxes.held(key) else { return };
        let Some(loser) = held.mailbox.leg(leg) else { return };
        self.ledger[loser.partition.index()].leave_open(Fate::Conflict);
        self.output.conflict(leg, Some(envelope), &loser, &self.rules);
        let before = size(held);
        held.mailbox.put(leg, envelope);
        let after = size(held);
        if held.deciding == Deciding::Under {
            held.deciding = Deciding::Stale;
        }
        self.boxes.resized(before, after);
    }

    fn contradicted(&mut self, key: TransactionKey, leg: Leg, rejected: &Envelope<'_>) {
        let Some(held) = self.boxes.held(key) else { return };
        let kept = held.mailbox.leg(leg);
        self.output.conflict(leg, kept.as_ref(), rejected, &self.rules);
    }

    /// A leg comes to a transaction that is done.
    fn come_after(&mut self, leg: Leg, envelope: &Envelope<'_>, tombstone: Tombstone) {
        let content = Tombstone::content(envelope.content);
        let counts = &mut self.ledger[envelope.partition.index()];
        if !tombstone.has(leg) {
            counts.enter(Fate::Late);
            self.output.late(leg, envelope, &self.rules);
        } else if tombstone.content[leg.index()] == content {
            counts.enter(Fate::Duplicate);
        } else {
            counts.enter(Fate::Conflict);
            self.output.conflict(leg, None, envelope, &self.rules);
        }
    }

    /// Remembers that the transaction is done, and closes its mailbox.
    pub(super) fn bury(&mut self, key: TransactionKey, keep_ms: u64) {
        let Some(held) = self.boxes.remove(key) else { return };
        let mut tombstone =
            Tombstone { commit: Tombstones::commit(self.commit + 1), ..Tombstone::default() };
        for leg in Leg::ALL {
            if let Some(envelope) = held.mailbox.leg(leg) {
                tombstone.content[leg.index()] = Tombstone::content(envelope.content);
            }
        }
        let deadline = held.mailbox.first.plus_ms(self.settings.deadline_ms);
        let until = deadline.max(self.positions.clock()).plus_ms(keep_ms);
        self.tombstones.add(key, tombstone, until);
        if held.kept != Kept::ByReference {
            self.deadlines.remove(key, self.settings.due(&held.mailbox));
            self.pending.removed.push(key);
        }
    }
}
