//! What is said of a transaction, by its legs.

use super::super::fields::{Field, FieldTable, put_field, put_id};
use super::*;

fn rules() -> (Rules, [Vec<Field>; 1]) {
    let mut table = FieldTable::default();
    let from = vec![table.intern(Leg::Request, "/key"), table.intern(Leg::Response, "/key")];
    let partition = |leg: Leg| SourcePartition { topic: leg.name().into(), partition: 2, leg };
    let columns = vec![ResultField { name: "key".to_owned(), from: from.clone() }];
    let partitions = Leg::ALL.map(partition).to_vec();
    (Rules { partitions, columns, scenarios: vec![] }, [from])
}

fn check(legs: &[(Leg, i64, Option<&str>)], corrects: Option<Version>, expected: &str) {
    let mut bytes = Vec::new();
    for &(leg, time, key) in legs {
        let mut body = Vec::new();
        put_id(&mut body, b"t\"1");
        if leg != Leg::Trace {
            put_field(&mut body, key.map(str::as_bytes));
        }
        let envelope = super::super::envelope::tests::leg(leg, 7, 100, &body);
        Envelope { event_time: EventTime(time), ..envelope }.put(&mut bytes);
    }
    let activation = Activation { key: TransactionKey(1), legs: bytes.into(), corrects };
    let decision = decide(&activation, &rules().0);
    assert_eq!(decision.id, &b"t\"1"[..]);
    assert_eq!(String::from_utf8_lossy(&decision.payload), expected);
    serde_json::from_slice::<serde_json::Value>(&decision.payload).unwrap();
}

#[test]
fn a_complete_transaction_says_what_its_legs_say() {
    check(
        &[
            (Leg::Response, 30, Some("200")),
            (Leg::Trace, 10, None),
            (Leg::Request, 20, Some("\"k\"")),
        ],
        None,
        concat!(
            r#"{"transactionId":"t\"1","start":10,"end":30,"durationMs":20,"key":"k","complete":true,"#,
            r#""missing":[],"version":1,"state":"COMPLETE","sources":{"trace":"trace/2@7","#,
            r#""request":"request/2@7","response":"response/2@7"}}"#
        ),
    );
}

#[test]
fn an_incomplete_transaction_names_what_is_missing() {
    check(
        &[(Leg::Response, 30, Some("200"))],
        None,
        concat!(
            r#"{"transactionId":"t\"1","start":30,"end":30,"durationMs":0,"key":200,"complete":false,"#,
            r#""missing":["trace","request"],"version":1,"state":"INCOMPLETE","#,
            r#""sources":{"response":"response/2@7"}}"#
        ),
    );
}

#[test]
fn a_correction_says_what_it_takes_the_place_of() {
    check(
        &[(Leg::Trace, 10, None), (Leg::Request, 20, None)],
        Some(Version(1)),
        concat!(
            r#"{"transactionId":"t\"1","start":10,"end":20,"durationMs":10,"key":null,"complete":false,"#,
            r#""missing":["response"],"version":2,"state":"CORRECTED","supersedes":1,"#,
            r#""sources":{"trace":"trace/2@7","request":"request/2@7"}}"#
        ),
    );
}

#[test]
fn the_newest_leg_makes_a_result_possible_but_not_one_that_a_deadline_makes() {
    let check = |legs: &[(Leg, u64)], corrects, expected: Option<u64>| {
        let mut bytes = Vec::new();
        for &(leg, at) in legs {
            let mut body = Vec::new();
            put_id(&mut body, b"t");
            if leg != Leg::Trace {
                put_field(&mut body, None);
            }
            super::super::envelope::tests::leg(leg, 7, at, &body).put(&mut bytes);
        }
        let activation = Activation { key: TransactionKey(1), legs: bytes.into(), corrects };
        assert_eq!(decide(&activation, &rules().0).arrived, expected.map(RecordTime), "{legs:?}");
    };
    let all = [(Leg::Trace, 10), (Leg::Request, 30), (Leg::Response, 20)];
    check(&all, None, Some(30));
    check(&all[..2], None, None);
    check(&all[1..], Some(Version(1)), Some(30));
}
