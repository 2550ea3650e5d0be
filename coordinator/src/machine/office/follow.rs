//! What a process does while it does not lead, and how it knows who does.

use super::{Effect, Haste, Job, Leading, Letter, Office, Others, Role, Watch};
use crate::machine::share::score;

/// How much longer some wait than others, so that they don't all ask at once, in milliseconds.
pub(super) const SPREAD_MS: u64 = 500;

/// How often the patience of a process that hears nobody doubles at most.
const MAX_DOUBLINGS: u32 = 5;

impl Office {
    /// Nobody leads, as far as this process knows, or somebody else does.
    pub(super) fn wait(&mut self, now_ms: u64) -> Vec<Effect> {
        let Some(table) = &self.table else {
            self.is_busy = true;
            return vec![Effect::Do(Job::Look)];
        };
        let heard = self.watch.leader.as_ref().map(|leader| leader.term);
        let seen = heard.max(Some(table.term())).unwrap_or_default();
        let is_due = self.haste == Haste::AtOnce
            || self.settings.is_candidate && self.is_patient_until() <= now_ms;
        if !is_due {
            return Vec::new();
        }
        (self.role, self.is_busy, self.haste) = (Role::Asking, true, Haste::Patient);
        vec![Effect::Do(Job::Lead { seen })]
    }

    /// When it asks to lead, if it hears nothing more of who does.
    fn is_patient_until(&self) -> u64 {
        // Not all at once. It does no harm where two ask, but who has just won would be followed.
        let delay = score(self.me.as_str().as_bytes(), b"patience") % SPREAD_MS;
        let leader = self.table.as_ref().and_then(|table| table.leader());
        let patience = match leader {
            // Nobody has ever led.
            None => delay / 4,
            Some(_) if self.isolations > 0 => {
                (self.settings.patience_ms + delay) << self.isolations.min(MAX_DOUBLINGS)
            }
            Some(_) if self.watch.is_lost => self.settings.health.lost_ms() + delay,
            // This node's own process before this one, or this one before its log failed.
            Some(leader) if leader.candidate == self.me && self.watch.leader.is_none() => 0,
            Some(_) => self.settings.patience_ms + delay,
        };
        self.watch.heard_ms.saturating_add(patience)
    }

    /// Another node speaks: this one is not cut off.
    pub(super) fn heard_from(&mut self, letter: &Letter) {
        let sender = match letter {
            Letter::Leading(beat) => &beat.leader,
            Letter::Join(joining) => &joining.node,
            Letter::Report(report) => &report.member.node,
            Letter::Ask(ask) => &ask.node,
            Letter::Joined { .. } | Letter::Obey { .. } | Letter::Answer { .. } => return,
        };
        if *sender == self.me {
            return;
        }
        self.isolations = 0;
        let Role::Leading(leads) = &mut self.role else { return };
        let before = std::mem::replace(&mut leads.others, Others::Heard);
        // Only now its silence means something, and not if it is itself that speaks.
        if let Others::Unheard { former: Some((former, heard_ms)) } = before
            && former.node != *sender
        {
            leads.lead.missed(former.clone(), heard_ms);
            leads.lead.lost(&former);
        }
    }

    pub(super) fn heard_leader(&mut self, beat: Leading, now_ms: u64) {
        let known = self.watch.leader.as_ref().map(|leader| leader.term);
        let folded = self.table.as_ref().map(|table| table.term());
        if beat.leader == self.me || known.max(folded) > Some(beat.term) {
            return;
        }
        if let Role::Leading(leads) = &mut self.role {
            // It may have been followed: the next look at the log shows it.
            leads.is_due = true;
            return;
        }
        // What was passed on is no sign of life but from then, and no new connection.
        let (heard_ms, is_passed_on) = (now_ms.saturating_sub(beat.age_ms), beat.age_ms > 0);
        let is_same = known == Some(beat.term);
        self.watch = Watch {
            heard_ms: if is_same { self.watch.heard_ms.max(heard_ms) } else { heard_ms },
            is_lost: self.watch.is_lost && is_same && is_passed_on,
            leader: Some(beat),
        };
    }

    /// Who leads, where that was heard lately, and how long ago that was.
    pub(super) fn leader(&self, now_ms: u64) -> Option<Leading> {
        let age_ms = now_ms.saturating_sub(self.watch.heard_ms);
        let leader = self.watch.leader.as_ref();
        let leader = leader.filter(|_| age_ms < self.settings.patience_ms)?;
        // One that was heard just now was not said by this process.
        Some(Leading { age_ms: age_ms.max(1), ..leader.clone() })
    }
}
