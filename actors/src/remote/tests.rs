//! The owner's side of a connection, alone: what it is told is no frame of ours, or of nobody here.

use std::sync::Arc;

use bytes::Bytes;
use proto::types::{Epoch, NodeId, Offset, PartitionIndex, RangeId, RecordTime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::TaskTracker;

use super::{Duplex, Serving, serve};
use crate::engine::Links;
use crate::machine::frame::{ToOwner, ToReader};
use crate::machine::positions::Batch;

const RANGE: RangeId = RangeId(3);

/// A node without ranges that serves, and the other side of the connection.
fn serving() -> (UnboundedSender<Bytes>, UnboundedReceiver<Bytes>) {
    let (to, incoming) = unbounded_channel();
    let (outgoing, from) = unbounded_channel();
    let (duplex, links) = (Duplex { outgoing, incoming }, Arc::new(Links::alone()));
    let from_node = NodeId::new("node-1").unwrap();
    TaskTracker::new().spawn(serve(Serving { links, from: from_node, duplex }));
    (to, from)
}

/// The next that is said about a range.
async fn next(from: &mut UnboundedReceiver<Bytes>) -> Option<ToReader> {
    loop {
        let said = ToReader::decode(&from.recv().await?).unwrap();
        if !matches!(said, ToReader::Clocks(_)) {
            return Some(said);
        }
    }
}

#[tokio::test]
async fn i1_what_is_for_a_range_or_an_epoch_that_is_not_served_is_answered_so() {
    let (to, mut from) = serving();
    let epoch = Epoch::new(7);
    let (partition, records) = (PartitionIndex(0), Bytes::new());
    let batch = Batch { partition, from: Offset(0), to: Offset(9), clock: RecordTime(1), records };
    let at = (Offset(9), RecordTime(2));
    let frames = [
        ToOwner::Open(RANGE, epoch),
        ToOwner::Batch(RANGE, epoch, batch),
        ToOwner::CaughtUp(RANGE, epoch, partition, at),
    ];
    for frame in frames {
        to.send(frame.encode()).unwrap();
        assert_eq!(next(&mut from).await, Some(ToReader::NotHere(RANGE, epoch)));
    }
}

#[tokio::test]
async fn i14_what_is_no_frame_ends_the_connection_and_nothing_else() {
    for malformed in [&b""[..], b"\x01", b"\x02\x00\x03\x07", b"\x01\x01\x03"] {
        let (to, mut from) = serving();
        to.send(Bytes::from_static(malformed)).unwrap();
        assert_eq!(next(&mut from).await, None);
    }
}
