//! The rules that an entry of the control log can break.

use proto::types::{Epoch, Incarnation, NodeId, RangeId, Slot};

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
    /// A node that never joined.
    #[error("use {0} for something: it never joined")]
    Stranger(NodeId),
    /// A number that a range has or had.
    #[error("make {0}: that number was used before")]
    Reused(RangeId),
    /// Less than two children.
    #[error("split {0}: it must become two ranges at least")]
    Whole(RangeId),
    /// Ranges that do not make up the keys of their child.
    #[error("merge {left} and {right}: they are no neighbours that make up the child's keys")]
    Apart {
        /// The one that should have the lower keys.
        left: RangeId,
        /// The one that should have the upper keys.
        right: RangeId,
    },
}
