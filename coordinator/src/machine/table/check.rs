//! What an entry of the control log must obey, given all entries before it.

use proto::types::{Epoch, Incarnation, KeyRange, NodeId, RangeId, Slot};

use super::{Range, Refused, Standing, Table};
use crate::machine::entry::{Assignment, Change, Division, Entry, Handover, Release};
use crate::machine::member::{Member, Term};

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
            Change::Divided { ranges, .. } => self.check_divided(ranges),
            Change::Assigned { assignments } => self.check_assigned(assignments),
            Change::Released { member, releases } => self.check_released(member, releases),
            Change::Intended { node, .. } => self.check_known(node),
            Change::Leaving { member } => self.check_alive(member),
            Change::Moved { member, handovers } => self.check_moved(member, handovers),
            Change::Split { .. } => self.check_split(&entry.change),
            Change::Merged { .. } => self.check_merged(&entry.change),
        }
    }

    fn check_term(&self, entry: &Entry) -> Result<(), Refused> {
        let expected = match entry.change {
            Change::Leader { .. } => self.term().next(),
            Change::Joined { .. }
            | Change::Dead { .. }
            | Change::Divided { .. }
            | Change::Assigned { .. }
            | Change::Released { .. }
            | Change::Intended { .. }
            | Change::Leaving { .. }
            | Change::Moved { .. }
            | Change::Split { .. }
            | Change::Merged { .. } => self.term(),
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
        self.check_cover(KeyRange::FULL, divisions)
    }

    fn check_assigned(&self, assignments: &[Assignment]) -> Result<(), Refused> {
        check_ascending(assignments.iter().map(|assignment| assignment.range))?;
        for Assignment { range: id, member, epoch } in assignments {
            self.check_alive(member)?;
            let range = self.ranges.get(id).ok_or(Refused::Unknown(*id))?;
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
            let range = self.check_closed(id, member, to)?;
            check_epoch(id, epoch, range.epoch)?;
        }
        Ok(())
    }

    fn check_moved(&self, member: &Member, handovers: &[Handover]) -> Result<(), Refused> {
        check_ascending(handovers.iter().map(|handover| handover.range))?;
        for Handover { range: id, to, next, epoch } in handovers {
            self.check_alive(next)?;
            let range = self.check_closed(*id, member, *to)?;
            check_epoch(*id, *epoch, range.epoch.next())?;
        }
        Ok(())
    }

    /// Whether `member` owns the range and its commits can end at `to`.
    pub(super) fn check_closed(
        &self,
        id: RangeId,
        member: &Member,
        to: Slot,
    ) -> Result<&Range, Refused> {
        let range = self.ranges.get(&id).ok_or(Refused::Unknown(id))?;
        if range.owner() != Some(member) {
            return Err(Refused::NotOwner { range: id, member: member.clone() });
        }
        let least = range.since(member);
        if to < least {
            return Err(Refused::TooEarly { member: member.clone(), to, least });
        }
        Ok(range)
    }

    fn check_known(&self, node: &NodeId) -> Result<(), Refused> {
        let joined = self.next_incarnation(node) > Incarnation(1);
        if joined { Ok(()) } else { Err(Refused::Stranger(node.clone())) }
    }

    fn check_alive(&self, member: &Member) -> Result<(), Refused> {
        let alive = self.standing(member).is_some_and(Standing::is_alive);
        if alive { Ok(()) } else { Err(Refused::NotAlive(member.clone())) }
    }
}

pub(super) fn check_ascending(ranges: impl Iterator<Item = RangeId>) -> Result<(), Refused> {
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
pub(super) fn check_epoch(range: RangeId, found: Epoch, expected: Epoch) -> Result<(), Refused> {
    if found == expected { Ok(()) } else { Err(Refused::Epoch { range, found, expected }) }
}
