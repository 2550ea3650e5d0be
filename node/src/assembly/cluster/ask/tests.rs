//! What goes from node to node arrives as it was, and nothing else is taken for it.

use proto::types::{EventTime, Leg, Offset, RangeId, RecordTime, SourcePartition, Version};

use super::*;
use crate::api::backend::{AsOf, Counts, ResultState, SeenLeg, Snapshot, SnapshotState};
use crate::assembly::cluster::fixtures::word;
use crate::problem::Code;

fn seen(leg: Leg) -> SeenLeg {
    SeenLeg {
        source: SourcePartition { topic: "bank.x".into(), partition: 7, leg },
        offset: Offset(u64::MAX),
        event_time: Some(EventTime(-5)),
        record_time: None,
    }
}

fn transactions() -> [Transaction; 4] {
    [
        Transaction::Open {
            legs: vec![seen(Leg::Trace)],
            missing: vec![Leg::Request, Leg::Response],
            deadline: RecordTime(9),
        },
        Transaction::Result {
            state: ResultState::Corrected,
            version: Version(2),
            legs: Leg::ALL.map(seen).to_vec(),
            missing: Vec::new(),
            json: "{\"a\":1}".to_owned(),
        },
        Transaction::Done,
        Transaction::Unknown,
    ]
}

#[test]
fn a_question_arrives_as_it_was_asked() {
    for question in [
        Question::Word,
        Question::Find("t/ä 1".to_owned()),
        Question::Part("before-upgrade".to_owned()),
    ] {
        assert_eq!(Question::decode(&question.encode()), Some(question));
    }
}

#[test]
fn an_answer_arrives_as_it_was_given() {
    let mut said = word("a", 6, &[0, 3]);
    said.reasons = vec!["memory is short".to_owned()];
    said.node.copies = vec![RangeId(5)];
    let distinct = Counts {
        consumed: 1,
        in_results: 2,
        open: 3,
        duplicates: 4,
        conflicts: 5,
        late: 6,
        dead: 7,
        filtered: u64::MAX,
    };
    said.ledger.rows[0].1 = distinct;
    let word = Said::Word(Box::new(said));
    assert_eq!(Said::decode(&word.encode()), Some(word));
    for value in transactions() {
        let as_of = AsOf { business_time: Some(EventTime(3)), lag_ms: 8, ..AsOf::default() };
        let found = Said::Found(Some(Box::new(Answer { value, as_of })));
        assert_eq!(Said::decode(&found.encode()), Some(found));
    }
    assert_eq!(Said::decode(&Said::Found(None).encode()), Some(Said::Found(None)));
}

#[test]
fn what_is_of_another_format_is_not_understood() {
    let good = Said::Word(Box::new(word("a", 6, &[0]))).encode();
    assert!(Said::decode(&good).is_some());
    let text = String::from_utf8(good.to_vec()).unwrap();
    let altered = [
        text.replace("TLQ1", "TLQ2"),
        text.replace("serving", "dancing"),
        text.replace("\"a\"", "\"A B\""),
        text.replace("\"keys\":[0,", "\"keys\":[18446744073709551615,"),
        text.replace("Word", "Song"),
        String::new(),
        "TLQ1".to_owned(),
    ];
    for bytes in altered {
        assert_ne!(bytes, text);
        assert_eq!(Said::decode(bytes.as_bytes()), None, "{bytes}");
        assert_eq!(Question::decode(bytes.as_bytes()), None, "{bytes}");
    }
    // Torn anywhere.
    (0..good.len()).for_each(|end| assert_eq!(Said::decode(&good[..end]), None));
}

#[test]
fn a_part_of_a_snapshot_arrives_as_it_was_taken_or_why_it_was_not() {
    let snapshot = Snapshot {
        name: "17".to_owned(),
        created_ms: 1,
        took_ms: Some(2),
        bytes: u64::MAX,
        new_bytes: 4,
        ranges: 2,
        node: Some("node-1".to_owned()),
        state: SnapshotState::Done,
        verified: false,
    };
    let part = Part { snapshot, ranges: vec![RangeId(3), RangeId(9)] };
    let early = Problem::new(Code::CatchingUp, "early", "nothing was read").remedy("wait");
    for outcome in [None, Some(Ok(part)), Some(Err(early))] {
        let said = Said::Part(outcome.map(Box::new));
        assert_eq!(Said::decode(&said.encode()), Some(said));
    }
    let newer = br#"TLQ1{"Part":{"Err":{"reason":"NEW","what":"a","why":"b","remedy":[]}}}"#;
    let Some(Said::Part(Some(outcome))) = Said::decode(newer) else { panic!("not understood") };
    assert_eq!(outcome.unwrap_err().code, Code::Unhealthy);
}
