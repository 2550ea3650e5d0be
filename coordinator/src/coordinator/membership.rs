//! What a node that has joined may do, and what its operator should know.

use std::fmt;
use std::num::NonZeroU16;

use proto::types::{Ancestor, Epoch, Incarnation, KeyRange, RangeId, Slot};

use crate::machine::member::Member;
use crate::machine::table::Span;

/// What a node may do, after it is in the control log and those before it can write no more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    /// The node's new life: the name of its journal.
    pub incarnation: Incarnation,
    /// The ranges that it owns, ascending.
    pub holdings: Vec<Holding>,
    /// The lives that were fenced for this one, and where.
    pub predecessors: Vec<(Member, Slot)>,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// A range that a node owns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holding {
    /// The range.
    pub range: RangeId,
    /// Its keys.
    pub keys: KeyRange,
    /// The number under which the node owns it.
    pub epoch: Epoch,
    /// Where the range's past is: what has to be restored before it can serve.
    pub lineage: Vec<Span>,
    /// The ranges that it came from.
    pub ancestors: Vec<Ancestor>,
}

/// Something that is not as configured, or should not have been necessary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Warning {
    /// The key space stays divided as it was.
    RangesDiffer {
        /// How many ranges the configuration says.
        configured: NonZeroU16,
        /// How many there are.
        standing: usize,
    },
    /// Another node had not been declared dead.
    TookOver {
        /// Its last life.
        member: Member,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RangesDiffer { configured, standing } => write!(
                f,
                "the configuration says {configured} ranges, but this store was started with \
                 {standing}: it keeps {standing}"
            ),
            Self::TookOver { member } => write!(
                f,
                "{member} owned ranges in this store and was shut out of it: if it still runs, \
                 stop it, or give one of the two another store"
            ),
        }
    }
}
