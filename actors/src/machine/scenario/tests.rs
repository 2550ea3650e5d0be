//! What a scenario says of transactions, on the bank's own messages.

use proto::types::Leg;

use super::super::fields::{FieldTable, put_field, put_id};
use super::*;

/// A scenario with two populations and two dimensions, and the table of its fields.
struct Fixture {
    table: FieldTable,
    scenario: Scenario,
}

impl Fixture {
    fn new() -> Self {
        let mut table = FieldTable::default();
        let service = table.intern(Leg::Request, "/service");
        let result = table.intern(Leg::Response, "/resultCode");
        let dimension = |name: &str, field| Dimension {
            name: name.to_owned(),
            field,
            separator: None,
            max_values: 16,
        };
        let dimensions = vec![
            dimension("channel", table.intern(Leg::Trace, "/channel")),
            dimension("product", table.intern(Leg::Trace, "/product")),
        ];
        let success = Condition::Field(result, Test::Equals(Value::Text("0000".to_owned())));
        let mut populations = Populations::default();
        populations.intern(success).unwrap();
        populations.intern(Condition::ALWAYS).unwrap();
        let scenario = Scenario {
            name: "bank".to_owned(),
            select: Condition::Field(service, Test::Prefix("card.".to_owned())),
            dimensions,
            populations,
            indicators: Vec::new(),
            windows: vec![Window::Minute],
        };
        Self { table, scenario }
    }

    /// The three bodies with those values of the leg's fields, in the order of the table.
    fn bodies(&self, values: [&[Option<&str>]; 3]) -> [Vec<u8>; 3] {
        Leg::ALL.map(|leg| {
            let mut body = Vec::new();
            put_id(&mut body, b"t-1");
            let values = values[leg.index()];
            assert_eq!(values.len(), self.table.pointers(leg).len());
            values.iter().for_each(|json| put_field(&mut body, json.map(str::as_bytes)));
            body
        })
    }
}

fn of(bodies: &[Vec<u8>; 3]) -> Bodies<'_> {
    let mut it = Bodies::none();
    Leg::ALL.into_iter().for_each(|leg| it.set(leg, &bodies[leg.index()]));
    it
}

const TRACE: &[Option<&str>] = &[Some(r#""atm""#), Some(r#""credit-card/platinum""#)];

#[test]
fn a_transaction_that_is_not_selected_has_no_verdict() {
    let it = Fixture::new();
    let bodies = it.bodies([TRACE, &[Some(r#""loan.apply""#)], &[Some(r#""0000""#)]]);
    assert_eq!(it.scenario.judge(&of(&bodies)), None);
}

#[test]
fn a_verdict_has_one_bit_for_each_population() {
    let it = Fixture::new();
    let check = |code: Option<&str>, populations| {
        let bodies = it.bodies([TRACE, &[Some(r#""card.open""#)], &[code]]);
        let verdict = it.scenario.judge(&of(&bodies)).unwrap();
        assert_eq!(verdict, Verdict { populations });
        assert_eq!([verdict.is_in(0), verdict.is_in(1)], [populations == 3, true]);
    };
    check(Some(r#""0000""#), 0b11);
    check(Some(r#""5001""#), 0b10);
    check(None, 0b10);
}

#[test]
fn the_last_population_has_the_last_bit() {
    let mut it = Fixture::new();
    let field = it.table.intern(Leg::Response, "/resultCode");
    it.scenario.populations = Populations::default();
    for code in 0..MAX_POPULATIONS {
        let population = Condition::Field(field, Test::Equals(Value::Text(code.to_string())));
        assert_eq!(it.scenario.populations.intern(population), Ok(code));
    }
    let bodies = it.bodies([TRACE, &[Some(r#""card.open""#)], &[Some(r#""63""#)]]);
    let verdict = it.scenario.judge(&of(&bodies)).unwrap();
    assert_eq!(verdict.populations, 1 << 63);
    assert!(verdict.is_in(63) && !verdict.is_in(0));

    let one_more = it.scenario.populations.intern(Condition::ALWAYS);
    assert_eq!(one_more, Err(TooManyPopulations));
}

#[test]
fn the_same_population_is_kept_once() {
    let mut populations = Populations::default();
    let equals = |number: &str| {
        let field = FieldTable::default().intern(Leg::Response, "/status");
        Condition::Field(field, Test::Equals(Value::Number(Number::parse(number).unwrap())))
    };
    assert_eq!(populations.intern(equals("200")), Ok(0));
    assert_eq!(populations.intern(Condition::ALWAYS), Ok(1));
    assert_eq!(populations.intern(equals("200.0")), Ok(0));
    assert_eq!(populations.conditions().len(), 2);
}

#[test]
fn a_dimension_has_the_value_of_its_field() {
    let it = Fixture::new();
    let check = |channel: Option<&str>, expected: Option<&str>| {
        let bodies = it.bodies([&[channel, Some("7")], &[None], &[None]]);
        let bodies = of(&bodies);
        assert_eq!(it.scenario.dimension_value(0, &bodies).as_deref(), expected);
        assert_eq!(it.scenario.dimension_value(1, &bodies).as_deref(), Some("7"));
    };
    check(Some(r#""mobile-app""#), Some("mobile-app"));
    check(Some(r#""\u67dc\u53f0""#), Some("柜台"));
    check(Some("true"), Some("true"));
    for nothing in [None, Some("null"), Some(r#""""#), Some("{}"), Some("[]")] {
        check(nothing, None);
    }
}

#[test]
fn a_dimension_that_is_not_there_has_no_value() {
    let it = Fixture::new();
    assert_eq!(it.scenario.dimension_value(2, &Bodies::none()), None);
    assert_eq!(it.scenario.dimension_value(0, &Bodies::none()), None);
}

#[test]
fn a_dimensions_value_is_borrowed_unless_it_has_escapes() {
    let it = Fixture::new();
    let bodies = it.bodies([TRACE, &[None], &[None]]);
    let value = it.scenario.dimension_value(1, &of(&bodies));
    assert!(matches!(value, Some(Cow::Borrowed("credit-card/platinum"))));
}

#[test]
fn a_dimensions_value_has_a_limit() {
    let it = Fixture::new();
    let long = format!("\"a{}\"", "卡".repeat(MAX_VALUE_BYTES));
    let bodies = it.bodies([&[Some(&long), None], &[None], &[None]]);
    let value = it.scenario.dimension_value(0, &of(&bodies)).unwrap();
    assert_eq!(value.len(), 256, "1 + 85 characters of 3 bytes");
    assert_eq!(value.chars().count(), 86);
}
