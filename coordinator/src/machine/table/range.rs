//! What the control log says of one range: its keys, its owner, and where its past is.

use proto::types::{Ancestor, Epoch, KeyRange, NodeId, RangeId, Slot};

use crate::machine::entry::Division;
use crate::machine::member::Member;

/// What is known of one range.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Range {
    /// Its keys.
    pub keys: KeyRange,
    /// Its last owner's epoch; [`Epoch::NONE`] before the first.
    pub epoch: Epoch,
    /// Who owns it.
    pub tenure: Tenure,
    /// Where its past is: every stretch of a journal that may hold commits of an owner that is one
    /// no more, in the order of their epochs. Empty where nobody has committed for it.
    pub lineage: Vec<Span>,
    /// The ranges that it came from by splits, oldest first: each became the next, and others. Empty where
    /// it was there from the beginning.
    pub ancestors: Vec<Ancestor>,
}

/// Whose a range is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tenure {
    /// Nobody's, as ever.
    Never,
    /// Nobody's since this owner died or gave it up.
    Past(Member),
    /// This owner's, at the range's epoch.
    Now(Member),
}

/// The slots `from..to` of one journal, where an owner's commits for a range are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Span {
    /// The range whose commits they are: the one whose past this is, or one that it came from by
    /// splits and merges. Of such a one's commits only those keys count that this range has.
    pub range: RangeId,
    /// The owner, whose journal it is.
    pub member: Member,
    /// The epoch under which it owned the range. A block of the range with another is none of this
    /// span.
    pub epoch: Epoch,
    /// The first slot that can hold a commit for the range. Those before the owner got the range
    /// hold nothing of it.
    pub from: Slot,
    /// One past the last: the fence's slot, or the one after the owner's last commit for the range.
    pub to: Slot,
}

impl Range {
    pub(super) const fn new(division: &Division) -> Self {
        Self {
            keys: division.keys,
            epoch: Epoch::NONE,
            tenure: Tenure::Never,
            lineage: Vec::new(),
            ancestors: Vec::new(),
        }
    }

    /// What `member` owns at `epoch` of this range, whose number is `range`, after a split.
    pub(super) fn child(
        &self,
        range: RangeId,
        (keys, passes_figures): (KeyRange, bool),
        epoch: Epoch,
        member: &Member,
    ) -> Self {
        let mut ancestors = self.ancestors.clone();
        ancestors.push(Ancestor { range, keys: self.keys, passes_figures, child_epoch: epoch });
        Self {
            keys,
            epoch,
            tenure: Tenure::Now(member.clone()),
            lineage: self.lineage.clone(),
            ancestors,
        }
    }

    /// What `member` owns at `epoch` after the ranges of these `pasts` became this one.
    pub(super) fn heir(
        keys: KeyRange,
        epoch: Epoch,
        member: &Member,
        pasts: impl IntoIterator<Item = Span>,
    ) -> Self {
        let mut lineage: Vec<_> = pasts.into_iter().collect();
        // Each range's own spans stay in their order. What both had from one ancestor is one past.
        lineage.sort_by_key(|span| (span.epoch, span.range));
        lineage.dedup();
        // Nobody restores from two pasts yet.
        let ancestors = Vec::new();
        Self { keys, epoch, tenure: Tenure::Now(member.clone()), lineage, ancestors }
    }

    /// Who owns it; `None` where nobody does.
    #[must_use]
    pub const fn owner(&self) -> Option<&Member> {
        match &self.tenure {
            Tenure::Now(member) => Some(member),
            Tenure::Never | Tenure::Past(_) => None,
        }
    }

    /// The node that owns it or was the last to own it; `None` where none ever did.
    #[must_use]
    pub const fn home(&self) -> Option<&NodeId> {
        match &self.tenure {
            Tenure::Now(member) | Tenure::Past(member) => Some(&member.node),
            Tenure::Never => None,
        }
    }

    /// The first slot of the owner's journal that can hold a commit under the present epoch.
    #[must_use]
    pub fn since(&self, member: &Member) -> Slot {
        let ended = self.lineage.iter().filter(|span| span.member == *member);
        ended.map(|span| span.to).max().unwrap_or(Slot(1))
    }

    /// The owner's commits for the range, whose number is `range`, end before `to`.
    pub(super) fn end(&mut self, range: RangeId, member: &Member, to: Slot) {
        let (epoch, from) = (self.epoch, self.since(member));
        // An owner that committed nothing leaves nothing to restore: so that a node that dies at
        // each start doesn't grow the lineage.
        if from < to {
            self.lineage.push(Span { range, member: member.clone(), epoch, from, to });
        }
        self.tenure = Tenure::Past(member.clone());
    }
}
