//! What is due on the record clock: transactions that lack a leg, and those that can no longer be corrected.

use proto::types::{RecordTime, TransactionKey};

use super::super::mailbox::{Mailbox, Said};
use super::boxes::Deciding;
use super::{Range, Settings};
use crate::store::{Store, StoreError};

impl Settings {
    /// When there is something to do about a mailbox though no leg comes.
    pub(super) const fn due(&self, mailbox: &Mailbox) -> RecordTime {
        let deadline = mailbox.first.plus_ms(self.deadline_ms);
        match mailbox.said {
            Said::Nothing | Said::Due { .. } => deadline,
            Said::Incomplete { .. } => deadline.plus_ms(self.correction_ms),
        }
    }
}

impl Range {
    /// Looks at what is due, a limited number at a time: a long outage must not end in one enormous
    /// commit. What is left is looked at with the next batch, tick or decision.
    pub(super) fn expire(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let clock = self.positions.clock();
        let mut looked_at = 0;
        while self.boxes.deciding() < self.settings.expiries && looked_at < self.settings.expiries {
            let Some(key) = self.deadlines.pop(clock) else { break };
            if self.boxes.bring(key, store)?.is_some() {
                self.look_at(key);
                self.wait_again(key);
            }
            looked_at += 1;
        }
        // While references are young, a restore must know of everybody who was done after them.
        let oldest = self.young.front().map_or(self.closed_clock, |generation| generation.clock);
        self.tombstones.drop_before(oldest.min(clock));
        Ok(())
    }

    /// Decides what the clock says about a transaction whose mailbox is in memory.
    pub(super) fn look_at(&mut self, key: TransactionKey) {
        let clock = self.positions.clock();
        let settings = &self.settings;
        let Some(held) = self.boxes.held(key) else { return };
        let deadline = held.mailbox.first.plus_ms(settings.deadline_ms);
        if held.deciding != Deciding::No || clock < deadline {
            return;
        }
        match held.mailbox.said {
            Said::Nothing => {
                // A decision that the clock led to is state, in the same commit as the position.
                held.mailbox.said = Said::Due { legs: held.mailbox.legs };
                self.pending.keep_by_value(key, held);
                self.activate(key);
            }
            Said::Due { .. } => self.activate(key),
            Said::Incomplete { .. } if clock >= deadline.plus_ms(settings.correction_ms) => {
                self.bury(key, settings.correction_ms.saturating_add(settings.late_ms));
                self.pending.is_touched = true;
            }
            Said::Incomplete { .. } => {}
        }
    }

    /// A mailbox that is still there and under no decision waits for its next due time.
    fn wait_again(&mut self, key: TransactionKey) {
        let Some(held) = self.boxes.held(key) else { return };
        if held.deciding == Deciding::No {
            self.deadlines.add(key, self.settings.due(&held.mailbox));
        }
    }
}
