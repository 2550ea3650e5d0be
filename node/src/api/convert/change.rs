//! What operators ask for, from messages; and what was granted, as one.

use coordinator::machine::entry::Intent;
use coordinator::machine::wish::Request;
use proto::api::v1;
use proto::types::{NodeId, RangeId};

use super::last;
use crate::api::backend::{Answer, Change, Granted};
use crate::problem::{Code, Problem};

/// Longer ones are no names of requests, and would be kept.
const MOST_ID_BYTES: usize = 128;

pub(in crate::api) fn change(
    request: Request,
    is_trial: bool,
    request_id: String,
) -> Result<Change, Problem> {
    if request_id.len() > MOST_ID_BYTES {
        let why = format!("it has {} bytes, and may have {MOST_ID_BYTES}", request_id.len());
        return Err(Problem::new(Code::BadArgument, "cannot take the request id", why));
    }
    Ok(Change { request, is_trial, request_id })
}

/// The node that is meant by `nodes/{node}`, or by its name alone.
pub(in crate::api) fn node_of(name: &str) -> Result<NodeId, Problem> {
    let part = if name.contains('/') { last(name, "nodes")? } else { name };
    NodeId::new(part).map_err(|error| {
        Problem::new(Code::BadArgument, format!("cannot read the node {name:?}"), error.to_string())
            .remedy("throughline node list")
    })
}

/// The range that is meant by `ranges/{range}`.
pub(in crate::api) fn range_of(name: &str) -> Result<RangeId, Problem> {
    let part = last(name, "ranges")?;
    let number = part.strip_prefix('r').and_then(|number| number.parse().ok());
    number.map(RangeId).ok_or_else(|| {
        let why = "a range is named r and its number, such as ranges/r5";
        Problem::new(Code::BadArgument, format!("cannot read the range {name:?}"), why)
            .remedy("throughline range list")
    })
}

pub(in crate::api) fn granted(answer: Answer<Granted>) -> v1::Granted {
    let Granted { change, leader } = answer.value;
    v1::Granted {
        summary: summary(&change.request),
        leader: leader.map(|leader| leader.to_string()).unwrap_or_default(),
        map_version: answer.as_of.map_version,
        validate_only: change.is_trial,
    }
}

fn summary(request: &Request) -> String {
    match request {
        Request::Intend { node, intent: Intent::Drain } => {
            format!("{node} gives its ranges to others and gets none")
        }
        Request::Intend { node, intent: Intent::Cordon } => {
            format!("{node} keeps the ranges that it has and gets no others")
        }
        Request::Intend { node, intent: Intent::Serve } => {
            format!("{node} takes its share of the ranges")
        }
        Request::Move { range, to } => format!("{range} moves to {to}"),
        Request::Rebalance => {
            "ranges that were moved by hand go where the plan puts them".to_owned()
        }
        Request::Split { range, .. } => format!("{range} becomes two ranges"),
        Request::Merge { left, right } => format!("{left} and {right} become one range"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_meant_by_its_name_alone_or_as_a_resource() {
        let node = NodeId::new("node-1").unwrap();
        assert_eq!(node_of("nodes/node-1"), Ok(node.clone()));
        assert_eq!(node_of("node-1"), Ok(node));
        for name in ["", "nodes/", "Node", "ranges/r1", "nodes/a/b", "nodes/node 1"] {
            assert_eq!(node_of(name).unwrap_err().code, Code::BadArgument, "{name}");
        }
    }

    #[test]
    fn a_range_is_meant_by_its_number() {
        assert_eq!(range_of("ranges/r65535"), Ok(RangeId(65_535)));
        for name in ["r1", "ranges/1", "ranges/r", "ranges/r-1", "ranges/r65536", "nodes/r1"] {
            assert_eq!(range_of(name).unwrap_err().code, Code::BadArgument, "{name}");
        }
    }
}
