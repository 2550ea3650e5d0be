//! A journal has one end, above all that was committed, however many fence it and whatever fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::executor::block_on;
use futures::future::join_all;
use proto::log::{Answer, Created};

use super::*;
use crate::fixtures::node;
use crate::machine::fence::read_fence;
use crate::machine::member::Term;
use crate::testing::memory_log::{Fault, MemoryLog};

const COMMIT: Bytes = Bytes::from_static(b"TLJC a commit");

fn by(term: u64) -> Fence {
    Fence { by: node("b"), term: Term(term) }
}

fn journal(slots: impl IntoIterator<Item = u64>) -> MemoryLog {
    let journal = MemoryLog::new("journal");
    for slot in slots {
        block_on(journal.create(Slot(slot), COMMIT)).unwrap();
    }
    journal
}

#[test]
fn the_fence_takes_the_slot_after_the_last_commit() {
    for (commits, fenced_at) in [(1..1, 1), (1..2, 2), (1..30, 30), (7..12, 12)] {
        let journal = journal(commits);
        assert_eq!(block_on(fence(&journal, &by(3))).unwrap(), Slot(fenced_at));
        let content = journal.content();
        assert_eq!(read_fence(&content[&Slot(fenced_at)]).unwrap(), Some(by(3)));
        let zombie = block_on(journal.create(Slot(fenced_at), COMMIT));
        assert_eq!(zombie.unwrap(), Created::Exists);
    }
}

#[test]
fn a_journal_that_is_fenced_keeps_its_fence() {
    let journal = journal(1..5);
    for term in 1..4 {
        assert_eq!(block_on(fence(&journal, &by(term))).unwrap(), Slot(5));
    }
    assert_eq!(journal.content().len(), 5);
    assert_eq!(read_fence(&journal.content()[&Slot(5)]).unwrap(), Some(by(1)));
}

#[test]
fn many_that_fence_at_once_agree_on_the_slot() {
    let journal = journal(1..5);
    let fences: Vec<_> = (1..9).map(by).collect();
    let slots = block_on(join_all(fences.iter().map(|by| fence(&journal, by))));
    assert!(slots.into_iter().all(|slot| slot.unwrap() == Slot(5)));
    assert_eq!(journal.content().len(), 5);
}

#[test]
fn a_fence_whose_answer_was_lost_stands_once() {
    for fault in [Fault::AnswerLost, Fault::SentTwice, Fault::Phantom, Fault::Refused, Fault::Late]
    {
        let journal = journal(1..5);
        let mut creations = 0;
        journal.fail(Box::new(move |doing| {
            creations += u32::from(doing == "create");
            // The first creation is only to look at the newest slot.
            if doing == "create" && creations == 2 { fault } else { Fault::None }
        }));
        assert_eq!(block_on(fence(&journal, &by(1))).unwrap(), Slot(5), "{fault:?}");
        assert_eq!(journal.content().len(), 5, "{fault:?}");
    }
}

#[test]
fn a_store_that_fails_leaves_the_fence_in_doubt() {
    let journal = journal(1..5);
    journal.fail(Box::new(|_| Fault::Refused));
    assert!(matches!(block_on(fence(&journal, &by(1))), Err(FencingError::Store(_))));
    journal.fail(Box::new(|doing| if doing == "list" { Fault::None } else { Fault::Refused }));
    assert!(matches!(block_on(fence(&journal, &by(1))), Err(FencingError::Unclear(_))));
}

/// A journal whose node commits into the very slot that the fence is about to take, `left` times;
/// and whose first list may be older than the journal.
#[derive(Debug)]
struct Racing {
    journal: MemoryLog,
    left: std::sync::atomic::AtomicU32,
    stale: AtomicBool,
}

impl Racing {
    fn new(journal: MemoryLog, left: u32, stale: bool) -> Self {
        Self { journal, left: left.into(), stale: stale.into() }
    }
}

impl Log for Racing {
    fn create(&self, slot: Slot, object: Bytes) -> Answer<'_, Created> {
        let one_less = |left: u32| left.checked_sub(1);
        let races = !self.journal.content().contains_key(&slot)
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        let racer = races.then(|| self.journal.create(slot, COMMIT));
        Box::pin(async move {
            if let Some(racer) = racer {
                racer.await?;
            }
            self.journal.create(slot, object).await
        })
    }

    fn read(&self, slot: Slot) -> Answer<'_, Option<Bytes>> {
        self.journal.read(slot)
    }

    fn slots(&self) -> Answer<'_, Vec<Slot>> {
        if self.stale.swap(false, Ordering::SeqCst) {
            return Box::pin(async { Ok(vec![]) });
        }
        self.journal.slots()
    }

    fn trim(&self, slot: Slot) -> Answer<'_, ()> {
        self.journal.trim(slot)
    }
}

#[test]
fn a_node_that_is_quicker_moves_the_fence_up() {
    let racing = Racing::new(journal(1..5), 7, false);
    assert_eq!(block_on(fence(&racing, &by(1))).unwrap(), Slot(12));
}

#[test]
fn a_node_that_is_always_quicker_is_reported() {
    let racing = Racing::new(journal(1..5), u32::MAX, false);
    assert!(matches!(block_on(fence(&racing, &by(1))), Err(FencingError::Outrun)));
}

#[test]
fn a_fence_in_a_trimmed_slot_is_none() {
    let racing = Racing::new(journal(7..12), 0, true);
    assert_eq!(block_on(fence(&racing, &by(1))).unwrap(), Slot(12));
    let zombie: Arc<dyn Log> = Arc::new(racing);
    assert_eq!(block_on(zombie.create(Slot(12), COMMIT)).unwrap(), Created::Exists);
}
