//! What nodes are called, and where they are reached.

use actors::engine;
use coordinator::machine::member::Member;
use proto::types::NodeId;

use crate::sim::objects::Life;

/// The name of a node.
///
/// # Panics
///
/// Never: it is one.
pub(super) fn name(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a letter and digits are a name")
}

/// Which node that is.
pub(super) fn number(node: &NodeId) -> usize {
    node.as_str()[1..].parse().unwrap_or(usize::MAX)
}

/// Where a node is reached.
pub(super) fn address(number: usize) -> String {
    format!("n{number}:7700")
}

/// A life, as the control log names it.
pub(super) fn life(member: &Member) -> Life {
    (number(&member.node), member.incarnation)
}

/// A life, as the data plane names it.
pub(super) fn named((incarnation, node): &engine::Life) -> Life {
    (number(node), *incarnation)
}
