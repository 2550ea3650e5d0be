//! What nodes and who leads say to each other: few, small messages that may come late, twice or never.

use proto::types::{NodeId, Slot};

use super::member::{Member, Term};
use super::order::Order;
use super::report::Report;
use super::wish::Request;

/// One message of the control plane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Letter {
    /// To whoever may lead: a process wants a new life for its node. Who does not lead but knows who
    /// does answers with [`Letter::Leading`].
    Join(Joining),
    /// To a node: the life that it asked for is in the control log.
    Joined {
        /// The life.
        member: Member,
        /// What the asking process knows itself by.
        ticket: u64,
    },
    /// To who leads: a heartbeat.
    Report(Report),
    /// To a node: what is to be done.
    Obey {
        /// Under which leadership it was ordered. One that has passed orders nothing.
        term: Term,
        /// Only such as have an addressee.
        orders: Vec<Order>,
    },
    /// To everybody: who leads, and how far the control log goes.
    Leading(Leading),
    /// To who leads: an operator asks for something.
    Ask(Ask),
    /// To who asked: whether it will be done.
    Answer {
        /// The question's number.
        ticket: u64,
        /// Why not; `None` where it was granted.
        denied: Option<String>,
    },
}

/// A process that wants a new life for its node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Joining {
    /// The node.
    pub node: NodeId,
    /// Where others reach it.
    pub address: String,
    /// What the process knows itself by, before each life anew: an answer to another would bring
    /// back a life that has ended, without what it knew.
    pub ticket: u64,
}

/// A leader's beat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leading {
    /// The leadership.
    pub term: Term,
    /// The node whose process leads.
    pub leader: NodeId,
    /// Where it is reached.
    pub address: String,
    /// The last slot of the control log that it has written or read.
    pub control_slot: Slot,
    /// How long ago it said so; 0 where it says so itself. Who passes a beat on must not make it young: two
    /// that pass it on to each other would keep a leader alive that is long dead.
    pub age_ms: u64,
}

/// An operator's question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// Which node asks for him.
    pub node: NodeId,
    /// Where it is reached.
    pub address: String,
    /// The question's number.
    pub ticket: u64,
    /// What is asked for.
    pub request: Request,
}
