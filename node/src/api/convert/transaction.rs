//! A transaction as a message.

use proto::api::v1;
use proto::api::v1::leg::Kind;
use proto::api::v1::transaction::State;
use proto::types::Leg;
use serde::Deserialize;

use super::{as_of, count, duration_ms, event_time, record_time};
use crate::api::backend::{Answer, ResultState, SeenLeg, Transaction};
use crate::problem::{Code, Problem};

/// What a result says that the message repeats as fields of its own.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Summary {
    duration_ms: Option<i64>,
    result_code: Option<String>,
}

pub(in crate::api) fn transaction(
    id: &str,
    answer: Answer<Transaction>,
) -> Result<v1::Transaction, Problem> {
    let message = v1::Transaction {
        name: format!("transactions/{id}"),
        as_of: Some(as_of(&answer.as_of)),
        ..v1::Transaction::default()
    };
    match answer.value {
        Transaction::Open { legs, missing, deadline } => Ok(v1::Transaction {
            state: State::Open.into(),
            legs: legs.iter().map(leg).collect(),
            missing: missing.into_iter().map(|leg| kind(leg).into()).collect(),
            deadline_time: Some(record_time(deadline)),
            ..message
        }),
        Transaction::Result { state, version, legs, missing, json } => {
            let summary: Summary = serde_json::from_str(&json).map_err(|error| {
                let what = format!("the result of transaction {id} cannot be read");
                Problem::new(Code::Bug, what, error.to_string())
            })?;
            Ok(v1::Transaction {
                state: result_state(state).into(),
                legs: legs.iter().map(leg).collect(),
                missing: missing.into_iter().map(|leg| kind(leg).into()).collect(),
                duration: summary.duration_ms.map(signed_duration_ms),
                result_code: summary.result_code.unwrap_or_default(),
                version: version.0,
                result_json: json,
                ..message
            })
        }
        Transaction::Done => Ok(v1::Transaction { state: State::Done.into(), ..message }),
        Transaction::Unknown => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> Problem {
    let why = "it is not open, and no result of it is remembered: it was never seen, or its \
               result is older than what is kept";
    Problem::new(Code::TransactionNotFound, format!("transaction {id} is not known here"), why)
        .remedy("look for the key in the transactions topic, where every result stays")
}

fn result_state(state: ResultState) -> State {
    match state {
        ResultState::Complete => State::Complete,
        ResultState::Incomplete => State::Incomplete,
        ResultState::Corrected => State::Corrected,
    }
}

/// A duration that may be negative: clocks of two systems disagree.
fn signed_duration_ms(ms: i64) -> prost_types::Duration {
    let size = duration_ms(ms.unsigned_abs());
    if ms >= 0 {
        return size;
    }
    prost_types::Duration { seconds: -size.seconds, nanos: -size.nanos }
}

fn leg(leg: &SeenLeg) -> v1::Leg {
    v1::Leg {
        kind: kind(leg.source.leg).into(),
        event_time: leg.event_time.map(event_time),
        topic: leg.source.topic.to_string(),
        partition: leg.source.partition,
        offset: count(leg.offset.0),
        record_time: leg.record_time.map(record_time),
    }
}

fn kind(leg: Leg) -> Kind {
    match leg {
        Leg::Trace => Kind::Trace,
        Leg::Request => Kind::Request,
        Leg::Response => Kind::Response,
    }
}

#[cfg(test)]
mod tests {
    use proto::types::Version;

    use super::*;
    use crate::api::backend::AsOf;

    fn answer(json: &str) -> Result<v1::Transaction, Problem> {
        let value = Transaction::Result {
            state: ResultState::Complete,
            version: Version(1),
            legs: vec![],
            missing: vec![],
            json: json.to_owned(),
        };
        transaction("t1", Answer { value, as_of: AsOf::default() })
    }

    #[test]
    fn a_result_is_passed_on_to_the_letter() {
        let json = r#"{"transactionId":"t1","durationMs":1250,"resultCode":"00","extra":[1, 2]}"#;
        let message = answer(json).unwrap();
        assert_eq!(message.result_json, json);
        assert_eq!(message.result_code, "00");
        assert_eq!(message.duration.unwrap().to_string(), "1.250s");
    }

    #[test]
    fn a_result_without_end_has_no_duration() {
        let message = answer(r#"{"durationMs":null,"resultCode":null}"#).unwrap();
        assert_eq!(message.duration, None);
        assert_eq!(message.result_code, "");
    }

    #[test]
    fn a_response_before_its_request_has_a_negative_duration() {
        let message = answer(r#"{"durationMs":-1001}"#).unwrap();
        let duration = message.duration.unwrap();
        assert_eq!((duration.seconds, duration.nanos), (-1, -1_000_000));
    }

    #[test]
    fn a_result_that_is_no_json_is_our_fault() {
        assert_eq!(answer("{").unwrap_err().code, Code::Bug);
    }

    #[test]
    fn an_unknown_transaction_is_not_found_rather_than_empty() {
        let answer = Answer { value: Transaction::Unknown, as_of: AsOf::default() };
        assert_eq!(transaction("t1", answer).unwrap_err().code, Code::TransactionNotFound);
    }
}
