//! The control log of the model: its entries, their fold, and a process that may lead.

use super::super::rule::{Rule, Rules};

/// A life of a node: a process with a journal of its own.
pub(crate) type Life = u8;
/// The number of an ownership.
pub(crate) type Epoch = u8;
/// A slot of a journal; the first is 1.
pub(crate) type Slot = u8;

/// What an entry changes: `coordinator/src/machine/entry.rs`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Change {
    /// A process leads.
    Leader(u8),
    /// A life is over; its journal has its fence in that slot.
    Dead(Life, Slot),
    /// The range, which nobody owned, has an owner.
    Assigned(Life, Epoch),
    /// The owner closed the range before that slot, and another owns it.
    Moved { from: Life, to: Slot, next: Life, epoch: Epoch },
}

/// One slot of the control log.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Entry {
    /// Under which leadership it was written.
    pub(crate) term: u8,
    /// What it says.
    pub(crate) change: Change,
}

/// Where an owner's commits are: `coordinator/src/machine/table/range.rs`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Span {
    /// Whose journal.
    pub(crate) life: Life,
    /// Under which epoch.
    pub(crate) epoch: Epoch,
    /// The first slot.
    pub(crate) from: Slot,
    /// One past the last.
    pub(crate) to: Slot,
}

/// The fold of the control log: `coordinator/src/machine/table.rs`, for one range.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Table {
    /// The present leadership.
    pub(crate) term: u8,
    /// The present or last ownership.
    pub(crate) epoch: Epoch,
    /// Who owns the range.
    pub(crate) owner: Option<Life>,
    /// Lives that are over, ascending.
    pub(crate) dead: Vec<Life>,
    /// Where the range's past is.
    pub(crate) lineage: Vec<Span>,
}

impl Table {
    /// Whether the entry may follow: `coordinator/src/machine/table/check.rs`.
    pub(crate) fn allows(&self, entry: Entry, rules: Rules) -> bool {
        let is_next = |epoch| epoch == self.epoch + u8::from(rules.has(Rule::EpochRises));
        let is_alive = |life: Life| !self.dead.contains(&life);
        if let Change::Leader(_) = entry.change {
            return entry.term == self.term + 1;
        }
        let is_leaders = entry.term == self.term || !rules.has(Rule::LeaderDecides);
        is_leaders
            && match entry.change {
                Change::Leader(_) => true,
                Change::Dead(life, _) => is_alive(life),
                Change::Assigned(life, epoch) => {
                    let is_free = self.owner.is_none() || !rules.has(Rule::AssignOnlyUnowned);
                    is_free && is_alive(life) && is_next(epoch)
                }
                Change::Moved { from, to, next, epoch } => {
                    let is_owners = self.owner == Some(from) && self.since(from) <= to;
                    is_owners && is_alive(next) && is_next(epoch)
                }
            }
    }

    /// Takes an entry that was allowed.
    pub(crate) fn apply(&mut self, entry: Entry) {
        match entry.change {
            Change::Leader(_) => self.term = entry.term,
            Change::Dead(life, at) => {
                self.dead.push(life);
                self.dead.sort_unstable();
                if self.owner == Some(life) {
                    self.end(life, at);
                }
            }
            Change::Assigned(life, epoch) => {
                (self.owner, self.epoch) = (Some(life), epoch);
            }
            Change::Moved { from, to, next, epoch } => {
                self.end(from, to);
                (self.owner, self.epoch) = (Some(next), epoch);
            }
        }
    }

    /// The first slot that can hold a commit under the present epoch: `Range::since`.
    pub(crate) fn since(&self, life: Life) -> Slot {
        let ended = self.lineage.iter().filter(|span| span.life == life);
        ended.map(|span| span.to).max().unwrap_or(1)
    }

    /// `Range::end`: who committed nothing leaves nothing.
    fn end(&mut self, life: Life, to: Slot) {
        let (epoch, from) = (self.epoch, self.since(life));
        if from < to {
            self.lineage.push(Span { life, epoch, from, to });
        }
        self.owner = None;
    }
}

/// How far a fence has come: `coordinator/src/fencing.rs`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Fencing {
    /// No journal is being ended.
    Not,
    /// That slot is to be claimed next.
    At(Life, Slot),
    /// The fence stands in that slot.
    Stands(Life, Slot),
}

/// A process that may lead: `coordinator/src/control_log.rs` and `coordinator/carry_out.rs`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Coordinator {
    /// How many slots it has folded.
    pub(crate) next: u8,
    /// What they say.
    pub(crate) table: Table,
    /// The leadership that it has won; 0 where it knows of none.
    pub(crate) won: u8,
    /// The journal that it ends.
    pub(crate) fencing: Fencing,
}

impl Coordinator {
    /// Folds what others have written: `ControlLog::catch_up`.
    pub(crate) fn catch_up(&mut self, log: &[Entry]) {
        for &entry in &log[usize::from(self.next).min(log.len())..] {
            self.table.apply(entry);
        }
        self.next = u8::try_from(log.len()).expect("a short log");
    }

    /// `ControlLog::leading`.
    pub(crate) fn leads(&self, rules: Rules) -> bool {
        self.won > 0 && (self.won == self.table.term || !rules.has(Rule::LeaderDecides))
    }

    /// Steps down: `Append::Lost`, or an answer that stays unclear.
    pub(crate) fn step_down(&mut self, log: &[Entry]) {
        (self.won, self.fencing) = (0, Fencing::Not);
        self.catch_up(log);
    }
}
