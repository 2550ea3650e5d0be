//! What a node counts of its traffic with others.

use super::exposition::Exposition;
use super::names;
use crate::peer::Counts;

/// Writes down what the transport between nodes counts; all of it nothing on a node without peers.
pub(super) fn peers(out: &mut Exposition, counts: &Counts) {
    out.family(&names::PEER_SESSIONS);
    out.sample(&[], counts.sessions as u64);
    out.family(&names::PEER_REFUSED);
    for (reason, count) in &counts.refused {
        out.sample(&[("reason", reason)], *count);
    }
    out.family(&names::PEER_DROPPED);
    for (reason, count) in &counts.dropped {
        out.sample(&[("reason", reason)], *count);
    }
}
