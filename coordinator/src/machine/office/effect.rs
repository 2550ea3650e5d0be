//! What an office wants done: letters, and jobs for the store.

use proto::types::NodeId;

use crate::machine::entry::Change;
use crate::machine::letter::Letter;
use crate::machine::member::Term;
use crate::machine::order::Order;

/// What is to be done about a decision.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Say this to a node. It may get lost.
    Tell {
        /// The node.
        to: NodeId,
        /// Where it is reached.
        address: String,
        /// What is said.
        letter: Letter,
    },
    /// Do this with the store, then [`super::Office::done`]. None other comes before.
    Do(Job),
}

/// What the store is needed for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Job {
    /// Read the control log.
    Look,
    /// Take the lead, unless somebody took it after this term; and divide the keys where nobody has.
    Lead {
        /// The last term that is known.
        seen: Term,
    },
    /// See whether this process still leads; write these changes, then carry out these orders.
    Work {
        /// In this order.
        changes: Vec<Change>,
        /// The leader's own.
        orders: Vec<Order>,
    },
}

/// What came of a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was done, or what was not comes again with the next step.
    Done,
    /// This process leads.
    Led,
    /// Another leads.
    Outrun,
    /// The store could not be read, and nothing was written that is not known. It is tried again.
    Unreached,
    /// The log has to be opened anew: whether this process leads is not known.
    Failed,
}
