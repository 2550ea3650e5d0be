//! What an entry of the control log must obey, given all entries before it.

use proto::types::{Epoch, Incarnation, KeyRange, RangeId, Slot};

use super::{Range, Standing, Table};
use crate::machine::entry::{Assignment, Change, Division, Entry, Release};
use crate::machine::member::{Member, Term};

/// Why an entry cannot follow the entries before it. In a log that was read back it means that some
/// process broke the rules, or that slots were altered: nothing after it may be trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Written by who did not lead.
    #[error("take an entry of term {found} where the term is {expected}")]
    Term {
        /// The entry's term.
        found: Term,
        /// The one that it needs.
        expected: Term,
    },
    /// A life of a node that is not its next.
    #[error("join {member}: the node's next life is {next}")]
    Incarnation {
        /// The life.
        member: Member,
        /// The one that was due.
        next: Incarnation,
    },
    /// A life that never joined or is over.
    #[error("let {0} act: it is not alive")]
    NotAlive(Member),
    /// A slot that no journal has, or that lies before what is known to be in the journal.
    #[error("end {member} at slot {to} of its journal: it has slots up to {least} at least")]
    TooEarly {
        /// Whose journal.
        member: Member,
        /// Where it should end.
        to: Slot,
        /// The least end that can be true.
        least: Slot,
    },
    /// Ranges exist already.
    #[error("divide the key space: it is divided already")]
    Divided,
    /// A key that no range has, or that two have.
    #[error("divide the key space at {0}: the ranges must cover each key once, in order")]
    Uncovered(RangeId),
    /// Named twice, or out of order.
    #[error("take {0} where the ranges named must ascend")]
    Unordered(RangeId),
    /// No such range.
    #[error("take {0}: there is no such range")]
    Unknown(RangeId),
    /// A range whose owner has neither died nor given it up.
    #[error("assign {range}: {owner} owns it")]
    Owned {
        /// The range.
        range: RangeId,
        /// Its owner.
        owner: Member,
    },
    /// A range that the member does not own.
    #[error("release {range}: {member} does not own it")]
    NotOwner {
        /// The range.
        range: RangeId,
        /// Who is none of its owners.
        member: Member,
    },
    /// An epoch that is not the one due (I1).
    #[error("take {range} at epoch {found}, where {expected} is due")]
    Epoch {
        /// The range.
        range: RangeId,
        /// The entry's epoch.
        found: Epoch,
        /// The one that it needs.
        expected: Epoch,
    },
}

impl Table {
    /// Whether `entry` can be the next.
    ///
    /// # Errors
    ///
    /// [`Refused`] where it cannot.
    pub fn check(&self, entry: &Entry) -> Result<(), Refused> {
        self.check_term(entry)?;
        match &entry.change {
            Change::Leader { .. } => Ok(()),
            Change::Joined { member, .. } => self.check_joined(member),
            Change::Dead { member, fenced_at } => self.check_dead(member, *fenced_at),
            Change::Divided { ranges } => self.check_divided(ranges),
            Change::Assigned { assignments } => self.check_assigned(assignments),
            Change::Released { member, releases } => self.check_released(member, releases),
        }
    }

    fn check_term(&self, entry: &Entry) -> Result<(), Refused> {
        let expected = match entry.change {
            Change::Leader { .. } => self.term().next(),
            Change::Joined { .. }
            | Change::Dead { .. }
            | Change::Divided { .. }
            | Change::Assigned { .. }
            | Change::Released { .. } => self.term(),
        };
        // Without a leader nothing but a leader can be written.
        if entry.term != expected || expected == Term::NONE {
            return Err(Refused::Term { found: entry.term, expected });
        }
        Ok(())
    }

    fn check_joined(&self, member: &Member) -> Result<(), Refused> {
        let next = self.next_incarnation(&member.node);
        if member.incarnation != next {
            return Err(Refused::Incarnation { member: member.clone(), next });
        }
        Ok(())
    }

    fn check_dead(&self, member: &Member, fenced_at: Slot) -> Result<(), Refused> {
        self.check_alive(member)?;
        let spans = self.ranges.values().flat_map(|range| &range.lineage);
        let known = spans.filter(|span| span.member == *member).map(|span| span.to);
        let least = known.max().unwrap_or(Slot(1));
        if fenced_at < least {
            return Err(Refused::TooEarly { member: member.clone(), to: fenced_at, least });
        }
        Ok(())
    }

    fn check_divided(&self, divisions: &[Division]) -> Result<(), Refused> {
        if !self.ranges.is_empty() {
            return Err(Refused::Divided);
        }
        check_ascending(divisions.iter().map(|division| division.range))?;
        let mut start = Some(KeyRange::FULL.start());
        for division in divisions {
            if start != Some(division.keys.start()) {
                return Err(Refused::Uncovered(division.range));
            }
            start = Some(division.keys.end()).filter(|&end| end != KeyRange::FULL.end());
        }
        let last = divisions.last().map_or(RangeId(0), |last| last.range);
        start.map_or(Ok(()), |_| Err(Refused::Uncovered(last)))
    }

    fn check_assigned(&self, assignments: &[Assignment]) -> Result<(), Refused> {
        check_ascending(assignments.iter().map(|assignment| assignment.range))?;
        for Assignment { range: id, member, epoch } in assignments {
            self.check_alive(member)?;
            let range = self.known(*id)?;
            if let Some(owner) = range.owner() {
                return Err(Refused::Owned { range: *id, owner: owner.clone() });
            }
            check_epoch(*id, *epoch, range.epoch.next())?;
        }
        Ok(())
    }

    fn check_released(&self, member: &Member, releases: &[Release]) -> Result<(), Refused> {
        check_ascending(releases.iter().map(|release| release.range))?;
        for &Release { range: id, epoch, to } in releases {
            let range = self.known(id)?;
            if range.owner() != Some(member) {
                return Err(Refused::NotOwner { range: id, member: member.clone() });
            }
            check_epoch(id, epoch, range.epoch)?;
            let least = range.since(member);
            if to < least {
                return Err(Refused::TooEarly { member: member.clone(), to, least });
            }
        }
        Ok(())
    }

    fn check_alive(&self, member: &Member) -> Result<(), Refused> {
        let alive = self.standing(member).is_some_and(Standing::is_alive);
        if alive { Ok(()) } else { Err(Refused::NotAlive(member.clone())) }
    }

    fn known(&self, range: RangeId) -> Result<&Range, Refused> {
        self.ranges.get(&range).ok_or(Refused::Unknown(range))
    }
}

fn check_ascending(ranges: impl Iterator<Item = RangeId>) -> Result<(), Refused> {
    let mut last = None;
    for range in ranges {
        if last >= Some(range) {
            return Err(Refused::Unordered(range));
        }
        last = Some(range);
    }
    Ok(())
}

/// I1: an epoch is given once, and the next owner's is the next.
fn check_epoch(range: RangeId, found: Epoch, expected: Epoch) -> Result<(), Refused> {
    if found == expected { Ok(()) } else { Err(Refused::Epoch { range, found, expected }) }
}
