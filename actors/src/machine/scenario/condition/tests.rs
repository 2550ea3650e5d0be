//! What conditions hold for, case by case, and against the slow and obvious way.

use proptest::prelude::*;
use proto::types::Leg;
use serde_json::Value as Json;

use super::super::super::fields::{FieldTable, put_field, put_id};
use super::*;

fn field() -> Field {
    FieldTable::default().intern(Leg::Response, "/it")
}

fn holds(condition: &Condition, json: Option<&str>) -> bool {
    let mut body = Vec::new();
    put_id(&mut body, b"t-1");
    put_field(&mut body, json.map(str::as_bytes));
    let mut bodies = Bodies::none();
    bodies.set(Leg::Response, &body);
    condition.holds(&bodies)
}

/// The test holds for each of `yes` and for none of `no`.
fn check(test: &Test, yes: &[&str], no: &[&str]) {
    let condition = Condition::Field(field(), test.clone());
    for json in yes {
        assert!(holds(&condition, Some(json)), "{test:?} must hold for {json}");
    }
    for json in no {
        assert!(!holds(&condition, Some(json)), "{test:?} must not hold for {json}");
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn text_equals_the_text_of_a_string_and_the_spelling_of_a_number() {
    check(
        &Test::Equals(text("0000")),
        &[r#""0000""#, r#""\u0030000""#],
        &["0", r#""000""#, r#""00000""#, "null", r#"["0000"]"#, r#"{"a":"0000"}"#],
    );
    check(&Test::Equals(text("200")), &["200", r#""200""#], &["200.0", r#""2e2""#]);
    check(&Test::Equals(text("")), &[r#""""#], &[r#"" ""#, "0", "null"]);
}

#[test]
fn a_number_equals_numbers_of_its_value_only() {
    let status = Test::Equals(Value::Number(number("200")));
    check(&status, &["200", "200.00", "2e2"], &[r#""200""#, "201", "-200", "true", "[200]"]);
}

#[test]
fn a_truth_value_equals_itself_only() {
    check(&Test::Equals(Value::Truth(true)), &["true"], &["false", r#""true""#, "1", "null"]);
    check(&Test::Equals(Value::Truth(false)), &["false"], &["true", r#""false""#, "0", "null"]);
}

#[test]
fn one_of_holds_for_each_of_its_values() {
    let values = vec![text("REJECTED"), text("DECLINED"), Value::Number(number("7")), text("x")];
    check(
        &Test::OneOf(OneOf::new(values)),
        &[r#""DECLINED""#, r#""REJECTED""#, "7", "7.0", r#""\u0078""#],
        &[r#""APPROVED""#, r#""7""#, "8", "null", "{}", r#""""#],
    );
    check(&Test::OneOf(OneOf::new(Vec::new())), &[], &[r#""""#, "1"]);
}

#[test]
fn a_prefix_is_of_the_text() {
    check(
        &Test::Prefix("card.".to_owned()),
        &[r#""card.application.submit""#, r#""card.""#],
        &[r#""card""#, r#""a card.""#, "null", r#"["card."]"#],
    );
    check(&Test::Prefix("2".to_owned()), &["200", "204", r#""2""#], &["404"]);
}

#[test]
fn bounds_are_of_numbers_and_are_not_themselves_inside() {
    check(&Test::Above(number("100")), &["100.01", "1e3"], &["100", "99", r#""101""#, "null"]);
    check(&Test::Below(number("100")), &["99.99", "-5", "0"], &["100", "101", r#""99""#, "null"]);
}

#[test]
fn null_and_absence_are_the_same() {
    check(&Test::Exists, &[r#""a""#, r#""""#, "0", "false", "{}"], &["null"]);
    check(&Test::Missing, &["null"], &[r#""a""#, r#""null""#, "0"]);
    assert!(holds(&Condition::Field(field(), Test::Missing), None));
    assert!(!holds(&Condition::Field(field(), Test::Exists), None));
}

#[test]
fn a_test_on_what_is_absent_holds_only_when_it_is_negated() {
    let tests = [
        Test::Equals(text("")),
        Test::OneOf(OneOf::new(vec![text("a")])),
        Test::Prefix(String::new()),
        Test::Above(number("-1")),
        Test::Below(number("1")),
    ];
    for test in tests {
        let plain = Condition::Field(field(), test);
        assert!(!holds(&plain, None), "{plain:?}");
        assert!(holds(&Condition::Not(Box::new(plain)), None));
    }
}

#[test]
fn a_test_on_a_leg_that_is_missing_does_not_hold() {
    let other_leg = FieldTable::default().intern(Leg::Trace, "/it");
    assert!(!holds(&Condition::Field(other_leg, Test::Exists), Some("1")));
    assert!(holds(&Condition::Field(other_leg, Test::Missing), Some("1")));
}

#[test]
fn all_of_nothing_always_holds_and_any_of_nothing_never() {
    assert!(holds(&Condition::ALWAYS, None));
    assert!(!holds(&Condition::Any(Vec::new()), None));
}

/// What `condition` says of `json`, worked out on parsed JSON.
fn obvious(condition: &Condition, json: &Json) -> bool {
    match condition {
        Condition::All(all) => all.iter().all(|it| obvious(it, json)),
        Condition::Any(any) => any.iter().any(|it| obvious(it, json)),
        Condition::Not(it) => !obvious(it, json),
        Condition::Field(_, Test::Exists) => !json.is_null(),
        Condition::Field(_, Test::Missing) => json.is_null(),
        Condition::Field(_, Test::Equals(Value::Text(it))) => json.as_str() == Some(it),
        Condition::Field(_, Test::Prefix(it)) => json.as_str().is_some_and(|s| s.starts_with(it)),
        Condition::Field(_, other) => unreachable!("{other:?} is not generated"),
    }
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        Just(Test::Exists),
        Just(Test::Missing),
        "[a\"\\\\]{0,2}".prop_map(|it| Test::Equals(Value::Text(it))),
        "[a\"\\\\]{0,2}".prop_map(Test::Prefix),
    ];
    let leaf = leaf.prop_map(|test| Condition::Field(field(), test));
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|it| Condition::Not(Box::new(it))),
        ]
    })
}

proptest! {
    #[test]
    fn conditions_say_what_the_obvious_way_says(
        condition in any_condition(),
        value in proptest::option::of("[a\"\\\\]{0,2}"),
    ) {
        let json = Json::from(value);
        prop_assert_eq!(holds(&condition, Some(&json.to_string())), obvious(&condition, &json));
    }

    #[test]
    fn one_of_is_any_of_equals(values in proptest::collection::vec("[ab0-2]{1,2}", 0..6), it in "[ab0-2]{1,2}") {
        let value = |it: &String| Number::parse(it).map_or_else(|| text(it), Value::Number);
        let set = Test::OneOf(OneOf::new(values.iter().map(value).collect()));
        let each = values.iter().map(|it| Condition::Field(field(), Test::Equals(value(it))));
        let each = Condition::Any(each.collect());
        for json in [it.clone(), format!("{it:?}")] {
            if serde_json::from_str::<Json>(&json).is_ok() {
                prop_assert_eq!(holds(&Condition::Field(field(), set.clone()), Some(&json)), holds(&each, Some(&json)));
            }
        }
    }
}
