//! What a scenario file compiles to, and what it is told when it is wrong.

use actors::machine::fields::{Bodies, put_field, put_id};
use actors::machine::scenario::{Condition, Dimension, Kind, Number, OneOf, Stat, Test, Value};
use proto::types::Leg;

use super::super::diagnostic::{Diagnostic, Severity};
use super::*;

/// A scenario file with that text in its `spec`, each line of it indented by two (from line 5 on).
fn file(spec: &str) -> String {
    let head = "apiVersion: throughline.dev/v1\nkind: Scenario\nmetadata: { name: s }\nspec:\n";
    let lines: Vec<_> = spec.lines().map(|it| format!("  {it}\n")).collect();
    format!("{head}{}", lines.concat())
}

/// An indicator that is right, so that a test can be about the rest. One line.
const COUNT: &str = "indicators: { i: { kind: ratio, numerator: { transactions: {} }, denominator: { transactions: {} }, by: [] } }\n";

fn compiled(spec: &str) -> (Scenario, FieldTable) {
    let mut fields = FieldTable::default();
    let checked = check("s.yaml", &file(spec), &mut fields);
    let scenario = checked.scenario.unwrap_or_else(|| panic!("{}", checked.diagnostics));
    assert_eq!(checked.diagnostics, Diagnostics::default());
    (scenario, fields)
}

fn selected(condition: &str) -> (Condition, FieldTable) {
    let (scenario, fields) = compiled(&format!("{COUNT}select: {condition}"));
    (scenario.select, fields)
}

/// Each diagnostic as `line:column code message [help] (note)`; a warning begins with `~`.
fn lines(diagnostics: &Diagnostics) -> Vec<String> {
    let part = |open, text: &str, close| match text {
        "" => String::new(),
        _ => format!(" {open}{text}{close}"),
    };
    let line = |it: &Diagnostic| {
        let (help, note) = (part("[", &it.help, "]"), part("(", &it.note, ")"));
        let mark = if it.severity == Severity::Warning { "~" } else { "" };
        format!("{mark}{}:{} {} {}{help}{note}", it.line, it.column, it.code, it.message)
    };
    diagnostics.0.iter().map(line).collect()
}

fn refused(spec: &str, expected: &[&str]) {
    let checked = check("s.yaml", &file(spec), &mut FieldTable::default());
    assert_eq!(lines(&checked.diagnostics), expected, "{spec}");
    assert_eq!(checked.scenario.is_none(), checked.diagnostics.has_errors());
}

/// What is wrong with a condition, which begins in line 6, column 11.
fn refused_condition(condition: &str, expected: &[&str]) {
    refused(&format!("{COUNT}select: {condition}"), expected);
}

fn field(table: &FieldTable, leg: Leg, pointer: &str) -> actors::machine::fields::Field {
    let before = table.clone();
    let field = table.clone().intern(leg, pointer);
    assert!(before.pointers(leg).contains(&pointer.to_owned()), "{pointer} was not in the table");
    field
}

#[test]
fn the_built_in_scenario_is_right() {
    let mut fields = FieldTable::default();
    let bank = check("bank.yaml", BANK, &mut fields);
    assert_eq!(bank.diagnostics, Diagnostics::default());
    let bank = bank.scenario.unwrap();
    assert_eq!((bank.name.as_str(), &bank.select), ("bank", &Condition::ALWAYS));
    let names: Vec<_> = bank.dimensions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["channel", "product", "institution"]);
    assert_eq!(fields.pointers(Leg::Trace), ["/channel", "/product", "/institution"]);
    let names: Vec<_> = bank.indicators.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["transaction-success", "transaction-approval", "duration"]);
    assert!(bank.indicators.iter().all(|it| it.by == [0, 1, 2]));
    assert_eq!(bank.windows, [Window::Minute]);
    assert_eq!(bank.populations.conditions().len(), 3, "success, all, approval");
}

#[test]
fn the_built_in_scenario_judges_the_banks_messages() {
    let mut fields = FieldTable::default();
    let bank = check("bank.yaml", BANK, &mut fields).scenario.unwrap();
    let judge = |code: &str, decision: Option<&str>| {
        let mut body = Vec::new();
        put_id(&mut body, b"t-1");
        for pointer in fields.pointers(Leg::Response) {
            let is_code = pointer == "/resultCode";
            put_field(
                &mut body,
                if is_code { Some(code.as_bytes()) } else { decision.map(str::as_bytes) },
            );
        }
        let mut bodies = Bodies::none();
        bodies.set(Leg::Response, &body);
        let verdict = bank.judge(&bodies).unwrap();
        let is_counted = |indicator: usize| match bank.indicators[indicator].kind {
            Kind::Ratio { numerator, denominator } => {
                assert!(verdict.is_in(denominator));
                verdict.is_in(numerator)
            }
            Kind::Duration { of, .. } => verdict.is_in(of),
        };
        [is_counted(0), is_counted(1), is_counted(2)]
    };
    assert_eq!(judge(r#""0000""#, Some(r#""APPROVED""#)), [true, true, true]);
    assert_eq!(judge(r#""0000""#, Some(r#""DECLINED""#)), [true, false, true]);
    assert_eq!(judge(r#""5001""#, None), [false, false, true]);
}

#[test]
fn a_condition_compiles_to_what_it_says() {
    let (condition, table) = selected(concat!(
        "{ all: [{ field: \"request:/service\", prefix: card. }, ",
        "{ any: [{ field: \"response:/status\", equals: 200 }, { field: \"response:/ok\", equals: true }] }, ",
        "{ not: { field: \"response:/code\", in: [\"0000\", 7, A] } }] }",
    ));
    let test = |leg, pointer: &str, test| Condition::Field(field(&table, leg, pointer), test);
    let text = |it: &str| Value::Text(it.to_owned());
    let number = |it: &str| Value::Number(Number::parse(it).unwrap());
    let set = OneOf::new(vec![text("0000"), number("7"), text("A")]);
    let expected = Condition::All(vec![
        test(Leg::Request, "/service", Test::Prefix("card.".to_owned())),
        Condition::Any(vec![
            test(Leg::Response, "/status", Test::Equals(number("200"))),
            test(Leg::Response, "/ok", Test::Equals(Value::Truth(true))),
        ]),
        Condition::Not(Box::new(test(Leg::Response, "/code", Test::OneOf(set)))),
    ]);
    assert_eq!(condition, expected);
}

#[test]
fn a_number_in_quotes_is_text() {
    let (quoted, table) = selected("{ field: \"response:/status\", equals: \"200\" }");
    let status = field(&table, Leg::Response, "/status");
    assert_eq!(quoted, Condition::Field(status, Test::Equals(Value::Text("200".to_owned()))));
}

#[test]
fn bounds_and_existence_compile_to_tests() {
    let check = |condition: &str, expected: &[Test]| {
        let (compiled, table) = selected(condition);
        let amount = field(&table, Leg::Request, "/body/amount");
        let mut tests: Vec<_> =
            expected.iter().map(|it| Condition::Field(amount, it.clone())).collect();
        let expected = if tests.len() == 1 { tests.remove(0) } else { Condition::All(tests) };
        assert_eq!(compiled, expected);
    };
    let number = |it| Number::parse(it).unwrap();
    check(
        "{ field: \"request:/body/amount\", gt: 10, lt: 1e3 }",
        &[Test::Above(number("10")), Test::Below(number("1e3"))],
    );
    check("{ field: \"request:/body/amount\", lt: -0.5 }", &[Test::Below(number("-0.5"))]);
    check("{ field: \"request:/body/amount\", exists: true }", &[Test::Exists]);
    check("{ field: \"request:/body/amount\", exists: false }", &[Test::Missing]);
}

#[test]
fn a_duration_has_its_population_and_stats() {
    let spec = concat!(
        "dimensions: { a: { field: \"trace:/a\" }, b: { field: \"trace:/b\", separator: \"/\", maxValues: 5 } }\n",
        "indicators:\n",
        "  all: { kind: duration, of: transactions, by: [b, a, b], windows: [1d, 1m] }\n",
        "  some: { kind: duration, of: { transactions: { field: \"trace:/a\", equals: x } }, stats: [p99.9, sum], by: [a], windows: [1h] }\n",
    );
    let (scenario, table) = compiled(spec);
    let dimension = |name: &str, pointer, separator, max_values| Dimension {
        name: name.to_owned(),
        field: field(&table, Leg::Trace, pointer),
        separator,
        max_values,
    };
    assert_eq!(
        scenario.dimensions,
        [dimension("a", "/a", None, 1000), dimension("b", "/b", Some('/'), 5)]
    );
    assert_eq!(scenario.windows, [Window::Minute, Window::Hour, Window::Day]);
    let [all, some] = scenario.indicators.as_slice() else { panic!("{scenario:?}") };
    assert_eq!(
        (all.by.as_slice(), all.windows.as_slice()),
        (&[0, 1][..], &[Window::Minute, Window::Day][..])
    );
    assert!(matches!(&all.kind, Kind::Duration { of: 0, stats } if stats.len() == 5));
    assert_eq!(some.kind, Kind::Duration { of: 1, stats: vec![Stat::Quantile(999), Stat::Sum] });
    assert_eq!(scenario.populations.conditions()[0], Condition::ALWAYS);
}

#[test]
fn the_full_example_runs_its_transactions_and_says_what_is_left_out() {
    let example = include_str!("../../../examples/credit-card.yaml");
    let checked = check("credit-card.yaml", example, &mut FieldTable::default());
    let messages: Vec<_> = checked.diagnostics.0.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "this version doesn't run \"case\"",
            "this version doesn't run \"at\"",
            "this version doesn't run \"at\"",
            "this version doesn't run \"at\"",
            "this version doesn't run \"levels\"",
            "this version doesn't run \"steps\"",
            "indicator \"approval-rate\" is about cases",
            "indicator \"activation-rate\" is about cases",
            "indicator \"processing-time\" is about cases",
            "this version doesn't run \"calendar\"",
            "this version doesn't run \"sla\"",
            "this version doesn't run \"alerts\"",
            "this version doesn't run \"customerView\"",
            "this version doesn't run \"rollout\"",
        ]
    );
    assert!(checked.diagnostics.0.iter().all(|it| it.severity == Severity::Warning));
    let scenario = checked.scenario.unwrap();
    let names: Vec<_> = scenario.indicators.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["transaction-success"]);
}

#[test]
fn a_part_that_is_left_out_is_told_with_the_reason() {
    let text = file(&format!("{COUNT}alerts:\n  - name: x"));
    let diagnostics = check("s.yaml", &text, &mut FieldTable::default()).diagnostics;
    let expected = r#"
warning[TL-0230]: this version doesn't run "alerts"
  ╭─ s.yaml:6:3
6 │   alerts:
  │   ──────  left out
  ╰─ no alert will be raised, so do not rely on it

0 errors, 1 warning"#;
    assert_eq!(format!("\n{diagnostics}"), expected);
}

#[test]
fn a_dimension_that_does_not_exist_is_refused() {
    let spec = concat!(
        "dimensions: { channel: { field: \"trace:/channel\" }, product: { field: \"trace:/product\" } }\n",
        "indicators:\n  d:\n    kind: duration\n    of: transactions\n    by: [product, chanel]",
    );
    let diagnostics = check("s.yaml", &file(spec), &mut FieldTable::default()).diagnostics;
    let expected = r#"
error[TL-0214]: dimension "chanel" does not exist
   ╭─ s.yaml:10:21
10 │       by: [product, chanel]
   │                     ──────  did you mean "channel"?
   ╰─ dimensions: channel, product

1 error"#;
    assert_eq!(format!("\n{diagnostics}"), expected);
}

#[test]
fn a_test_is_exactly_one() {
    refused_condition(
        "{ field: \"trace:/a\" }",
        &["6:11 TL-0209 a test needs one of equals, in, prefix, exists, gt, lt"],
    );
    refused_condition(
        "{ field: \"trace:/a\", equals: x, prefix: b }",
        &["6:43 TL-0209 a test can be only one of equals and prefix [write them as two tests]"],
    );
    refused_condition("{ equals: x }", &["6:11 TL-0204 a condition needs the key \"field\""]);
    refused_condition(
        "{ field: \"trace:/a\", eqals: x }",
        &[
            "6:11 TL-0209 a test needs one of equals, in, prefix, exists, gt, lt",
            "6:32 TL-0202 \"eqals\" is not known here [did you mean \"equals\"?] (known here: field, equals, in, prefix, exists, gt, lt)",
        ],
    );
}

#[test]
fn a_condition_that_can_never_hold_is_refused() {
    refused_condition(
        "{ any: [] }",
        &["6:18 TL-0206 any of nothing never holds [name a condition]"],
    );
    refused_condition(
        "{ field: \"trace:/a\", in: [] }",
        &["6:36 TL-0206 in of nothing never holds [name a value]"],
    );
    refused_condition(
        "{ field: \"trace:/a\", equals: ~ }",
        &[
            "6:40 TL-0206 equals cannot be null [to test that a field is absent or null: exists: false]",
        ],
    );
}

#[test]
fn a_code_without_quotes_is_refused() {
    refused_condition(
        "{ field: \"trace:/a\", equals: 0000 }",
        &[
            "6:40 TL-0206 0000 is not a number as JSON writes them [if it is text, write \"0000\" in quotes]",
        ],
    );
    refused_condition(
        "{ field: \"trace:/a\", in: [A, NO] }",
        &[concat!(
            "6:40 TL-0219 \"NO\" is read as false by many YAML tools ",
            "[write \"NO\" in quotes if it is text, else true or false]",
        )],
    );
    refused_condition(
        "{ field: \"trace:/a\", gt: \"5\" }",
        &["6:36 TL-0205 gt must be a number, not text"],
    );
    refused_condition(
        "{ field: \"trace:/a\", exists: maybe }",
        &["6:40 TL-0206 exists is a question [it must be true or false]"],
    );
}

#[test]
fn a_field_in_a_condition_is_checked() {
    refused_condition(
        "{ all: [{ field: \"responce:/a\", equals: x }] }",
        &[concat!(
            "6:28 TL-0208 \"responce:/a\" is not a field [did you mean \"response\"?] ",
            "(a field is <leg>:<JSON pointer>, as in request:/body/businessKey)",
        )],
    );
    refused_condition(
        "{ all: { field: \"trace:/a\" } }",
        &["6:18 TL-0205 all must be a list, not a mapping [as in [one, two]]"],
    );
    refused_condition("trace", &["6:11 TL-0205 a condition must be a mapping, not text"]);
}

#[test]
fn an_indicator_says_all_that_it_needs() {
    let of = |indicator: &str| format!("indicators: {{ i: {indicator} }}");
    refused(
        &of("{ kind: ratio, by: [] }"),
        &[
            "5:17 TL-0204 i needs the key \"numerator\"",
            "5:17 TL-0204 i needs the key \"denominator\"",
        ],
    );
    refused(&of("{ kind: duration, by: [] }"), &["5:17 TL-0204 i needs the key \"of\""]);
    refused(
        &of("{ kind: duration, of: cases, by: [] }"),
        &[
            "5:42 TL-0206 of cannot be \"cases\" [it must be transactions, or { transactions: <condition> }]",
        ],
    );
    refused(
        &of("{ kind: durations, of: transactions, by: [] }"),
        &["5:28 TL-0206 kind cannot be \"durations\" [did you mean \"duration\"?]"],
    );
    refused(
        &of("{ kind: duration, of: transactions, by: [], windows: [2m], stats: [p100] }"),
        &[
            "5:74 TL-0206 \"2m\" is not a window [the windows are 1m, 5m, 15m, 1h, 1d]",
            "5:87 TL-0206 \"p100\" is not a stat [the stats are count, sum, avg, min, max and quantiles such as p95 or p99.9]",
        ],
    );
    refused("dimensions: {}", &["4:1 TL-0204 spec needs the key \"indicators\""]);
}

#[test]
fn names_are_names() {
    refused(
        &format!("{COUNT}dimensions: {{ Channel: {{ field: \"trace:/a\" }} }}"),
        &[
            "6:17 TL-0206 \"Channel\" is not a name [a name is 1 to 63 of a-z, 0-9 and -, and begins with a letter]",
        ],
    );
    refused(
        &format!("{COUNT}dimensions: {{ a: {{ field: \"trace:/a\", separator: // }} }}"),
        &["6:52 TL-0206 separator cannot be \"//\" [a separator is one character]"],
    );
}

#[test]
fn a_scenario_has_limits() {
    let many: Vec<_> = (0..17).map(|i| format!("d{i}: {{ field: \"trace:/a\" }}")).collect();
    refused(
        &format!("{COUNT}dimensions: {{ {} }}", many.join(", ")),
        &["6:3 TL-0207 a scenario can have 16 dimensions"],
    );

    let indicator = |i: usize| {
        format!(
            "\n  i{i}: {{ kind: duration, of: {{ transactions: {{ field: \"trace:/a\", equals: {i} }} }}, by: [] }}"
        )
    };
    let many: Vec<_> = (0..65).map(indicator).collect();
    refused(
        &format!("indicators:{}", many.concat()),
        &[
            "5:3 TL-0207 a scenario can have 64 indicators",
            "70:28 TL-0207 a scenario can have 64 different populations",
        ],
    );
}

#[test]
fn the_file_is_of_its_kind() {
    let text = file(COUNT).replace("Scenario", "Cluster");
    let diagnostics = check("s.yaml", &text, &mut FieldTable::default()).diagnostics;
    assert_eq!(
        lines(&diagnostics),
        ["2:7 TL-0206 kind cannot be \"Cluster\" [it must be Scenario]"]
    );
}
