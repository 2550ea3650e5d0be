//! One process's part in leading: it follows who leads, takes the lead where nobody does, and leads.
//!
//! | state | what it does | it ends |
//! |---|---|---|
//! | following | hears the leader's beats | by [`Job::Lead`], where it has heard none for long enough |
//! | asking | waits for the store's answer | leading where the slot was won, else following |
//! | leading | steps, beats, and writes what it decided | following, where another won a slot or an answer stayed unclear |
//!
//! It acts by [`Effect`]s: letters, and one [`Job`] for the store at a time. While the store is slow,
//! time goes on here: or a leader would take its own waiting for the silence of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::types::{NodeId, Slot};

use super::lead::Lead;
use super::letter::{Ask, Joining, Leading, Letter};
use super::member::{Member, Term};
use super::order::Order;
use super::table::{Standing, Table};
use super::wish::{Denied, Request};

mod effect;
mod follow;
mod lead;
mod queue;
mod settings;

pub use effect::{Effect, Job, Outcome};
use queue::Queue;
pub use settings::{PATIENCE_MS, Settings};

/// Who leads, as a process knows it that does not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Watch {
    leader: Option<Leading>,
    /// When it was heard last, or began to be listened for.
    heard_ms: u64,
    /// Whether its connection has broken since.
    is_lost: bool,
}

/// What a process does about leading.
#[derive(Debug)]
enum Role {
    Following,
    Asking,
    Leading(Box<Leadership>),
}

/// What a leader knows, as long as it leads.
#[derive(Debug)]
struct Leadership {
    lead: Lead,
    queue: Queue,
    /// Whether there is something to decide that should not wait for the next tick.
    is_due: bool,
    beat_ms: u64,
    /// When the store answered last.
    answered_ms: u64,
    others: Others,
}

/// What a leader has heard of other nodes.
#[derive(Debug)]
enum Others {
    /// Nothing: it may be the one that is cut off.
    Unheard {
        /// Who led before and whose connection broke, and when it was heard last.
        former: Option<(Member, u64)>,
    },
    /// Something.
    Heard,
}

/// How long a process that does not lead waits for who does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Haste {
    /// As its settings say.
    Patient,
    /// It asks at the next tick, whoever leads.
    AtOnce,
}

/// One process's part in leading.
#[derive(Debug)]
pub struct Office {
    me: NodeId,
    address: String,
    settings: Settings,
    role: Role,
    watch: Watch,
    ticked_ms: u64,
    /// What is known of the control log, and up to which slot; `None` before it was read.
    table: Option<Arc<Table>>,
    read: Slot,
    /// Up to which slot it has told others that the control log goes.
    told: Slot,
    /// Whether the store is at work for it.
    is_busy: bool,
    /// Where nodes were last known to be reached, also such as are dead.
    addresses: BTreeMap<NodeId, String>,
    haste: Haste,
    /// How often in a row it has led without hearing another node: it asks less and less often.
    isolations: u32,
}

impl Office {
    /// A process that has just started, on the node `me`, which others reach at `address`.
    #[must_use]
    pub fn new(me: NodeId, address: String, settings: Settings, now_ms: u64) -> Self {
        let watch = Watch { heard_ms: now_ms, ..Watch::default() };
        Self {
            me,
            address,
            settings,
            role: Role::Following,
            watch,
            ticked_ms: now_ms,
            table: None,
            read: Slot(0),
            told: Slot(0),
            is_busy: false,
            addresses: BTreeMap::new(),
            haste: Haste::Patient,
            isolations: 0,
        }
    }

    /// The leadership that this process holds, as far as it knows.
    #[must_use]
    pub fn leading(&self) -> Option<Term> {
        let table = self.table.as_ref().filter(|_| matches!(self.role, Role::Leading(_)));
        table.map(|table| table.term())
    }

    /// What is known of the control log; `None` before it was read.
    #[must_use]
    pub const fn table(&self) -> Option<&Arc<Table>> {
        self.table.as_ref()
    }

    /// Asks to lead at the next tick, whoever does.
    pub const fn contend(&mut self) {
        self.haste = Haste::AtOnce;
    }

    /// Time has passed. Comes twice a beat, also while the store is at work.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Effect> {
        let was_absent = now_ms.saturating_sub(self.ticked_ms) >= self.settings.health.absent_ms();
        self.ticked_ms = self.ticked_ms.max(now_ms);
        if was_absent {
            // What it was not there to hear was not silence.
            (self.watch.heard_ms, self.watch.is_lost) = (now_ms, false);
        }
        match self.role {
            Role::Leading(_) => self.go_on(now_ms),
            Role::Following if !self.is_busy => self.wait(now_ms),
            Role::Following | Role::Asking => Vec::new(),
        }
    }

    /// A letter came.
    pub fn hear(&mut self, letter: Letter, now_ms: u64) -> Vec<Effect> {
        self.heard_from(&letter);
        match letter {
            Letter::Leading(beat) => {
                self.heard_leader(beat, now_ms);
                Vec::new()
            }
            Letter::Join(joining) => self.asked_to_join(&joining, now_ms),
            Letter::Ask(ask) => self.asked(&ask, now_ms),
            Letter::Report(report) => {
                let Role::Leading(leads) = &mut self.role else { return Vec::new() };
                leads.is_due |= leads.lead.heard(report, now_ms);
                self.step_if_due(now_ms)
            }
            // Said to nodes.
            Letter::Joined { .. } | Letter::Obey { .. } | Letter::Answer { .. } => Vec::new(),
        }
    }

    /// The connection to who is reached at `address` has broken: a hint, which makes impatient.
    pub fn lost(&mut self, address: &str) {
        let leader = self.watch.leader.as_ref();
        self.watch.is_lost |= leader.is_some_and(|leader| leader.address == address);
        let (Role::Leading(leads), Some(table)) = (&mut self.role, &self.table) else { return };
        for (member, standing) in table.members() {
            if matches!(standing, Standing::Alive { address: at } if at == address) {
                leads.lead.lost(member);
            }
        }
    }

    /// The store has done its job, and the control log is known up to `read` by now.
    pub fn done(
        &mut self,
        outcome: Outcome,
        (table, read): (Option<Arc<Table>>, Slot),
        now_ms: u64,
    ) -> Vec<Effect> {
        self.is_busy = false;
        if let Some(table) = table {
            let alive = table.members().filter_map(|(member, standing)| match standing {
                Standing::Alive { address } => Some((member.node.clone(), address.clone())),
                Standing::Dead { .. } => None,
            });
            self.addresses.extend(alive);
            (self.table, self.read) = (Some(table), read);
        }
        match outcome {
            Outcome::Done => self.worked(now_ms),
            Outcome::Led => self.begin(now_ms),
            Outcome::Outrun => {
                let was_alone = matches!(&self.role, Role::Leading(leads)
                    if matches!(leads.others, Others::Unheard { .. }));
                self.isolations += u32::from(was_alone);
                self.role = Role::Following;
                self.watch = Watch { heard_ms: now_ms, ..Watch::default() };
                Vec::new()
            }
            Outcome::Unreached if matches!(self.role, Role::Leading(_)) => self.settle(now_ms),
            Outcome::Unreached | Outcome::Failed => {
                self.role = Role::Following;
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
