//! Records that cannot be understood, one way after the other, and the class that each must be given.

use proto::types::Leg;

use super::model::Model;
use super::random::mix;

/// How many ways of being broken there are.
const WAYS: u64 = 8;

/// A record that cannot be understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// Whose topic it goes to.
    pub leg: Leg,
    /// Its record time.
    pub arrival_ms: u64,
    /// The error class under which it must be found among the dead letters.
    pub class: &'static str,
    /// Its bytes; `None` for a record without a value.
    pub bytes: Option<Vec<u8>>,
}

/// Record `number` of those that can't be understood. Its time rises with the number.
#[must_use]
pub fn broken(model: &Model, number: u64) -> Broken {
    let params = model.params();
    let span_ms = params.last_start_ms() - params.t0_ms;
    let after_ms =
        u128::from(span_ms) * u128::from(number) / u128::from(params.broken_count().max(1));
    let (class, bytes) = content(model, number);
    let leg = model.random(number, 1).one_of(&Leg::ALL);
    let after_ms = u64::try_from(after_ms).expect("no more than the span");
    Broken { leg, arrival_ms: params.t0_ms + after_ms, class, bytes }
}

fn content(model: &Model, number: u64) -> (&'static str, Option<Vec<u8>>) {
    // An id that no transaction of the workload has: should one of these be joined, it shows as foreign.
    let id = model.id(model.params().transactions + number);
    let time = model.params().t0_ms + number;
    let text = |class, text: String| (class, Some(text.into_bytes()));
    match number % WAYS {
        0 => {
            text("malformed-json", format!(r#"{{"transactionId":"{id}","eventTime":{time},"chan"#))
        }
        1 => text("malformed-json", format!("-- log rotated, file {number} --")),
        2 => text("no-id", format!(r#"{{"eventTime":{time},"channel":"atm","note":{number}}}"#)),
        3 => text("bad-id", format!(r#"{{"transactionId":{{"no":{number}}},"eventTime":{time}}}"#)),
        4 => text("no-time", format!(r#"{{"transactionId":"{id}","channel":"atm"}}"#)),
        5 => text("bad-time", format!(r#"{{"transactionId":"{id}","eventTime":"at {number}"}}"#)),
        6 => ("malformed-json", Some(no_text(number))),
        _ => ("empty", None),
    }
}

/// Bytes that no UTF-8 text has.
fn no_text(number: u64) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe, 0x80];
    bytes.extend_from_slice(&mix(number).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::workload::params::Params;

    fn model() -> Model {
        let mut params = Params::of(10_000);
        params.oddities.malformed = "1%".parse().unwrap();
        Model::new(params)
    }

    #[test]
    fn broken_records_differ_from_each_other_unless_they_are_empty() {
        let model = model();
        let all: Vec<Broken> = (0..100).map(|number| broken(&model, number)).collect();
        let bytes: HashSet<&[u8]> = all.iter().filter_map(|it| it.bytes.as_deref()).collect();
        let empty = all.iter().filter(|it| it.class == "empty").count();
        assert_eq!((bytes.len(), empty), (88, 12));
        assert!(all.is_sorted_by_key(|it| it.arrival_ms));
        let last = all.last().unwrap();
        assert!(last.arrival_ms < model.params().last_start_ms());
    }

    #[test]
    fn broken_json_is_broken_and_the_rest_lacks_what_its_class_says() {
        let model = model();
        for number in 0..40 {
            let it = broken(&model, number);
            let Some(bytes) = it.bytes else { continue };
            let value = serde_json::from_slice::<serde_json::Value>(&bytes);
            assert_eq!(value.is_err(), it.class == "malformed-json", "{number}");
            let Ok(value) = value else { continue };
            let (id, time) = (&value["transactionId"], &value["eventTime"]);
            let class = match () {
                () if id.is_null() => "no-id",
                () if !id.is_string() => "bad-id",
                () if time.is_null() => "no-time",
                () => "bad-time",
            };
            assert_eq!(class, it.class);
            let known = id.as_str().and_then(|id| model.index_of(id));
            assert_eq!(known, None);
        }
    }
}
