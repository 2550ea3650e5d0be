//! What every create-only log must do, whatever keeps it: run this for each implementation.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use proto::log::{Created, Log};
use proto::types::{NodeId, Slot};

use crate::control_log::{Append, ControlLog};
use crate::machine::entry::Change;

/// Checks that the logs from `make_log` keep the contract of [`Log`]. Each call of `make_log` gives a
/// new, empty log, whose name it is told.
///
/// # Panics
///
/// Where a log breaks the contract.
pub async fn conformance(mut make_log: impl FnMut(&str) -> Arc<dyn Log>) {
    a_slot_is_created_once(&*make_log("once")).await;
    one_of_many_wins_a_slot(&*make_log("many")).await;
    slots_are_listed_by_number(&*make_log("numbers")).await;
    any_content_comes_back(&*make_log("content")).await;
    a_trimmed_slot_is_gone(&*make_log("trimmed")).await;
    a_control_log_lives_on_it(make_log("control")).await;
}

async fn create(log: &dyn Log, slot: u64, object: &Bytes) -> Created {
    log.create(Slot(slot), object.clone()).await.expect("create a slot")
}

async fn read(log: &dyn Log, slot: u64) -> Option<Bytes> {
    log.read(Slot(slot)).await.expect("read a slot")
}

async fn slots(log: &dyn Log) -> Vec<u64> {
    log.slots().await.expect("list the slots").into_iter().map(|slot| slot.0).collect()
}

async fn a_slot_is_created_once(log: &dyn Log) {
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    assert_eq!(slots(log).await, [0; 0], "a new log has no slots");
    assert_eq!(read(log, 1).await, None, "a slot that was not created reads as none");
    assert_eq!(create(log, 1, &first).await, Created::Won, "the first to create a slot wins it");
    assert_eq!(create(log, 1, &second).await, Created::Exists, "the second does not");
    assert_eq!(create(log, 1, &first).await, Created::Exists, "nor does the first, again");
    assert_eq!(read(log, 1).await, Some(first), "who lost has changed nothing");
}

async fn one_of_many_wins_a_slot(log: &dyn Log) {
    for slot in 1..=8 {
        let objects: Vec<_> = (0..16_u8).map(|writer| Bytes::from(vec![writer; 4_096])).collect();
        let answers = join_all(objects.iter().map(|object| create(log, slot, object))).await;
        let won = answers.iter().zip(&objects).filter(|(created, _)| **created == Created::Won);
        let won: Vec<_> = won.map(|(_, object)| object.clone()).collect();
        assert_eq!(won.len(), 1, "of many that race for a slot one wins");
        assert_eq!(read(log, slot).await.as_ref(), won.first(), "the winner's object stands");
    }
}

async fn slots_are_listed_by_number(log: &dyn Log) {
    for slot in [100, 2, u64::MAX, 10, 9, 1] {
        assert_eq!(create(log, slot, &Bytes::from(slot.to_string())).await, Created::Won);
    }
    let all = slots(log).await;
    assert_eq!(all, [1, 2, 9, 10, 100, u64::MAX], "slots ascend by number, also across gaps");
    for slot in all {
        assert_eq!(read(log, slot).await, Some(slot.to_string().into()), "each keeps its own");
    }
}

async fn any_content_comes_back(log: &dyn Log) {
    let large: Vec<u8> = (0..=255).cycle().take(9 << 20).collect();
    for (slot, object) in (1..).zip([Bytes::new(), Bytes::from_static(&[0]), large.into()]) {
        assert_eq!(create(log, slot, &object).await, Created::Won);
        assert!(read(log, slot).await == Some(object), "content comes back, slot {slot}");
    }
    let again = create(log, 1, &Bytes::from_static(b"x")).await;
    assert_eq!(again, Created::Exists, "a slot without content exists too");
}

async fn a_trimmed_slot_is_gone(log: &dyn Log) {
    for slot in 1..=3 {
        create(log, slot, &Bytes::from_static(b"object")).await;
    }
    for _ in 0..2 {
        log.trim(Slot(1)).await.expect("trim a slot, also one that is gone");
    }
    assert_eq!(slots(log).await, [2, 3], "a trimmed slot is not listed");
    assert_eq!(read(log, 1).await, None, "a trimmed slot reads as none");
    assert!(read(log, 2).await.is_some(), "the others stay");
}

async fn a_control_log_lives_on_it(log: Arc<dyn Log>) {
    let node = |name| NodeId::new(name).expect("a fitting name");
    let lead = |name| Change::Leader { candidate: node(name) };
    let mut one = ControlLog::open(Arc::clone(&log)).await.expect("open the control log");
    let mut other = ControlLog::open(Arc::clone(&log)).await.expect("open the control log");

    let won = one.append(lead("one"), 1).await.expect("append");
    assert_eq!(won, Append::Won(Slot(1)), "the first candidate leads");
    let lost = other.append(lead("other"), 2).await.expect("append");
    assert_eq!(lost, Append::Lost(Slot(1)), "the second learns that it lost the slot");
    assert_eq!(other.table(), one.table(), "and what stands there");
    let won = other.append(lead("other"), 3).await.expect("append");
    assert_eq!(won, Append::Won(Slot(2)), "it takes the next one");
    let lost = one.append(lead("one"), 4).await.expect("append");
    assert_eq!(lost, Append::Lost(Slot(2)), "the first learns that it lost the lead");

    let third = ControlLog::open(log).await.expect("open the control log");
    assert_eq!(third.table(), other.table(), "who opens the log reads the same");
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::testing::memory_log::MemoryLog;

    #[test]
    fn the_log_in_memory_is_a_log() {
        block_on(conformance(|name| Arc::new(MemoryLog::new(name))));
    }
}
