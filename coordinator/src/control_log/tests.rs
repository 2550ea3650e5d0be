//! A slot is won or lost whatever answers get lost, and a log that cannot be trusted is refused.

use std::collections::VecDeque;

use futures::executor::block_on;

use super::*;
use crate::fixtures::{assigned, divided, entry, joined, lead, member};
use crate::machine::envelope::EnvelopeError;
use crate::testing::memory_log::{Fault, MemoryLog};

/// A log whose next creations meet `creations`, and whose next reads meet `reads`.
fn faulty(log: &MemoryLog, creations: &[Fault], reads: &[Fault]) {
    let mut creations: VecDeque<_> = creations.iter().copied().collect();
    let mut reads: VecDeque<_> = reads.iter().copied().collect();
    log.fail(Box::new(move |doing| match doing {
        "create" => creations.pop_front().unwrap_or_default(),
        "read" => reads.pop_front().unwrap_or_default(),
        _ => Fault::None,
    }));
}

fn open(log: &Arc<MemoryLog>) -> Result<ControlLog, ControlError> {
    block_on(ControlLog::open(Arc::<MemoryLog>::clone(log)))
}

fn append(control: &mut ControlLog, change: Change, nonce: u64) -> Result<Append, ControlError> {
    block_on(control.append(change, nonce))
}

/// A log that `a` leads.
fn led() -> (Arc<MemoryLog>, ControlLog) {
    let log = Arc::new(MemoryLog::new("control"));
    let mut control = open(&log).unwrap();
    assert_eq!(append(&mut control, lead("a"), 1).unwrap(), Append::Won(Slot(1)));
    (log, control)
}

/// Under these faults an entry still wins its slot, is there once, and leaves the lead as it was.
fn check_won(creations: &[Fault], reads: &[Fault]) {
    let (log, mut control) = led();
    faulty(&log, creations, reads);
    let answer = append(&mut control, joined("a", 1), 2);
    assert_eq!(answer.unwrap(), Append::Won(Slot(2)), "{creations:?} {reads:?}");
    assert_eq!(control.leading(), Some(Term(1)));
    assert_eq!(log.content().len(), 2);
    assert_eq!(open(&log).unwrap().table(), control.table());
}

#[test]
fn a_slot_whose_answer_was_lost_is_won() {
    check_won(&[Fault::AnswerLost], &[]);
    check_won(&[Fault::SentTwice], &[]);
    check_won(&[Fault::AnswerLost], &[Fault::Refused, Fault::AnswerLost]);
}

#[test]
fn a_slot_that_was_not_created_is_tried_again() {
    check_won(&[Fault::Refused], &[]);
    check_won(&[Fault::Phantom], &[]);
    check_won(&[Fault::Late], &[]);
    check_won(&[Fault::Phantom, Fault::Refused, Fault::Late, Fault::AnswerLost], &[]);
}

#[test]
fn a_store_that_never_answers_is_given_up() {
    for fault in [Fault::Refused, Fault::Phantom] {
        let (log, mut control) = led();
        faulty(&log, &[fault; 100], &[]);
        let answer = append(&mut control, joined("a", 1), 2);
        assert!(matches!(answer, Err(ControlError::Unclear(_))), "{answer:?}");
        assert_eq!(log.content().len(), 1);
    }
}

#[test]
fn an_entry_that_arrives_after_it_was_given_up_is_found() {
    let (log, mut control) = led();
    faulty(&log, &[Fault::AnswerLost; 100], &[Fault::Refused; 100]);
    let answer = append(&mut control, joined("a", 1), 2);
    assert!(matches!(answer, Err(ControlError::Unclear(_))), "{answer:?}");
    faulty(&log, &[], &[]);
    assert_eq!(append(&mut control, joined("a", 1), 3).unwrap(), Append::Lost(Slot(2)));
    assert!(control.table().standing(&member("a", 1)).is_some());
    assert_eq!(control.leading(), None, "who loses a slot steps down, even to itself");
}

#[test]
fn who_loses_a_slot_learns_what_stands_there_and_leads_no_more() {
    let (log, mut a) = led();
    let mut b = open(&log).unwrap();
    assert_eq!(append(&mut b, lead("b"), 2).unwrap(), Append::Won(Slot(2)));
    assert_eq!(a.leading(), Some(Term(1)), "nobody has told it");

    // Also where the only answer that it gets is an error.
    faulty(&log, &[Fault::Refused], &[]);
    assert_eq!(append(&mut a, joined("a", 1), 3).unwrap(), Append::Lost(Slot(2)));
    assert_eq!(a.leading(), None);
    assert_eq!(a.table(), b.table());
    let answer = append(&mut a, joined("a", 1), 4);
    assert!(matches!(answer, Err(ControlError::NotLeading)), "{answer:?}");
    assert_eq!(append(&mut a, lead("a"), 5).unwrap(), Append::Won(Slot(3)));
    assert_eq!(a.leading(), Some(Term(3)));
}

#[test]
fn who_reads_of_another_leader_leads_no_more() {
    let (log, mut a) = led();
    let mut b = open(&log).unwrap();
    append(&mut b, lead("b"), 2).unwrap();
    block_on(a.catch_up()).unwrap();
    assert_eq!((a.leading(), b.leading()), (None, Some(Term(2))));
}

#[test]
fn who_opens_a_log_does_not_lead_even_where_its_node_did() {
    let (log, _) = led();
    assert_eq!(open(&log).unwrap().leading(), None);
}

#[test]
fn an_entry_that_no_reader_would_take_is_not_written() {
    let (log, mut control) = led();
    let answer = append(&mut control, assigned(&[(0, member("a", 1), 1)]), 2);
    assert!(matches!(answer, Err(ControlError::Impossible { slot: Slot(2), .. })), "{answer:?}");
    assert_eq!(log.content().len(), 1);
    assert_eq!(control.leading(), Some(Term(1)));
}

#[test]
fn a_long_log_is_folded_in_order() {
    let (log, mut control) = led();
    append(&mut control, divided(3), 2).unwrap();
    for life in 1..200 {
        append(&mut control, joined("a", life), life + 2).unwrap();
    }
    assert_eq!(open(&log).unwrap().table(), control.table());
}

/// With `object` in its second slot and a good one in its third, the log is refused like this.
fn check_refused(object: Option<Bytes>, refused: impl Fn(&ControlError) -> bool) {
    let (log, _) = led();
    let third = entry(2, lead("a")).seal(3);
    for (slot, object) in [(Slot(2), object), (Slot(3), Some(third))] {
        object.map(|object| block_on(log.create(slot, object)).unwrap());
    }
    let error = open(&log).unwrap_err();
    assert!(refused(&error), "{error:?}");
}

#[test]
fn a_log_with_a_slot_that_this_version_cannot_trust_is_refused() {
    let torn = entry(2, lead("a")).seal(2).slice(..60);
    check_refused(Some(torn), |error| {
        let torn = EntryError::Envelope(EnvelopeError::Torn).to_string();
        matches!(error, ControlError::Unreadable { slot: Slot(2), source } if source.to_string() == torn)
    });
    let newer = Bytes::from_static(b"TLCL 5 5 0000000000000000 00000000\n{}");
    check_refused(Some(newer), |error| {
        let ControlError::Unreadable { source: EntryError::Envelope(source), .. } = error else {
            return false;
        };
        *source == EnvelopeError::Newer { format: 5, min_reader: 5 }
    });
    check_refused(Some(entry(1, joined("a", 2)).seal(2)), |error| {
        matches!(error, ControlError::Impossible { slot: Slot(2), .. })
    });
    check_refused(None, |error| matches!(error, ControlError::Missing(Slot(2))));
}

#[test]
fn a_store_that_fails_to_be_read_is_not_taken_for_an_empty_one() {
    let (log, _) = led();
    log.fail(Box::new(|_| Fault::Refused));
    assert!(matches!(open(&log), Err(ControlError::Store(_))));
    faulty(&log, &[], &[Fault::Refused; 100]);
    assert!(matches!(open(&log), Err(ControlError::Store(_))));
    faulty(&log, &[], &[Fault::Refused; 2]);
    assert_eq!(open(&log).unwrap().table().term(), Term(1));
}
