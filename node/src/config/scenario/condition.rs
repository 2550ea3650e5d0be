//! Conditions as scenario files write them.

use actors::machine::scenario::{Condition, Number, OneOf, Test, Value};

use super::super::diagnostic::Code;
use super::super::field::{self, Table};
use super::super::report::{Finding, Report};
use super::super::rules;
use super::super::section::{Section, text_of};
use super::super::tree::{Kind, Node, Style};
use super::items;

/// The condition that `node` says: a test on a field, or all, any or not of conditions. `{}` always holds.
pub(super) fn condition(report: &Report<'_>, table: &Table, node: &Node) -> Condition {
    let section = Section::of(report, vec!["a condition".to_owned()], node.span, Some(node));
    let condition = if section.has("field") || TESTS.iter().any(|it| section.has(it)) {
        test(&section, table)
    } else {
        combined(&section, table)
    };
    section.finish();
    condition
}

fn combined(section: &Section<'_>, table: &Table) -> Condition {
    let list = |key: &'static str| {
        let node = section.node(key)?;
        let items = items(section.report, key, node);
        Some(items.iter().map(|it| condition(section.report, table, it)).collect::<Vec<_>>())
    };
    let mut parts = Vec::new();
    parts.extend(list("all").map(Condition::All));
    if let Some(any) = list("any") {
        if any.is_empty() {
            let finding = Finding::new(Code::WrongValue, "any of nothing never holds");
            section.report.error(section.span_of("any"), finding.help("name a condition"));
        }
        parts.push(Condition::Any(any));
    }
    if let Some(node) = section.node("not") {
        parts.push(Condition::Not(Box::new(condition(section.report, table, node))));
    }
    match parts.len() {
        1 => parts.remove(0),
        _ => Condition::All(parts),
    }
}

const TESTS: [&str; 6] = ["equals", "in", "prefix", "exists", "gt", "lt"];

fn test(section: &Section<'_>, table: &Table) -> Condition {
    let field = match section.node("field") {
        Some(node) => field::field(section.report, table, node),
        None => {
            section.missing("field");
            None
        }
    };
    let tests = tests(section);
    let Some(field) = field else { return Condition::ALWAYS };
    let mut tests: Vec<_> = tests.into_iter().map(|it| Condition::Field(field, it)).collect();
    if tests.len() == 1 { tests.remove(0) } else { Condition::All(tests) }
}

/// The one test of the section, or the two of `gt` and `lt`.
fn tests(section: &Section<'_>) -> Vec<Test> {
    let given: Vec<&str> = TESTS.into_iter().filter(|it| section.has(it)).collect();
    TESTS.into_iter().for_each(|it| section.knows(it));
    match given.as_slice() {
        [] => {
            let finding = Finding::new(
                Code::NotOne,
                "a test needs one of equals, in, prefix, exists, gt, lt",
            );
            section.report.error(section.span, finding);
        }
        [_] | ["gt", "lt"] => {}
        [_, second, ..] => {
            let message = format!("a test can be only one of {}", given.join(" and "));
            let finding = Finding::new(Code::NotOne, message).help("write them as two tests");
            section.report.error(section.key_span(second), finding);
        }
    }
    given.into_iter().filter_map(|it| one_test(section, it)).collect()
}

fn one_test(section: &Section<'_>, key: &str) -> Option<Test> {
    let report = section.report;
    let (_, node) = section.entries().iter().find(|it| it.0.name == key)?;
    if matches!(node.kind, Kind::Null) {
        let finding = Finding::new(Code::WrongValue, format!("{key} cannot be null"));
        report.error(
            node.span,
            finding.help("to test that a field is absent or null: exists: false"),
        );
        return None;
    }
    match key {
        "equals" => value(report, node).map(Test::Equals),
        "in" => one_of(report, node).map(Test::OneOf),
        "prefix" => text_of(report, key, node).map(|it| Test::Prefix(it.to_owned())),
        "exists" => exists(report, node),
        "gt" => bound(report, key, node).map(Test::Above),
        _ => bound(report, key, node).map(Test::Below),
    }
}

fn one_of(report: &Report<'_>, node: &Node) -> Option<OneOf> {
    let items = items(report, "in", node);
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        let finding = Finding::new(Code::WrongValue, "in of nothing never holds");
        report.error(node.span, finding.help("name a value"));
        return None;
    }
    let values: Vec<_> = items.iter().filter_map(|it| value(report, it)).collect();
    (!values.is_empty()).then(|| OneOf::new(values))
}

fn exists(report: &Report<'_>, node: &Node) -> Option<Test> {
    match rules::truth(text_of(report, "exists", node)?) {
        Ok(true) => Some(Test::Exists),
        Ok(false) => Some(Test::Missing),
        Err(help) => {
            let finding = Finding::new(Code::WrongValue, "exists is a question").help(help);
            report.error(node.span, finding);
            None
        }
    }
}

fn value(report: &Report<'_>, node: &Node) -> Option<Value> {
    let text = text_of(report, "a value", node)?;
    let Kind::Scalar(scalar) = &node.kind else { return None };
    match scalar.style {
        Style::Quoted | Style::Plain => Some(Value::Text(text.to_owned())),
        Style::Truth => Some(Value::Truth(text.eq_ignore_ascii_case("true"))),
        Style::Number => number(report, node, text).map(Value::Number),
    }
}

fn bound(report: &Report<'_>, key: &str, node: &Node) -> Option<Number> {
    let text = text_of(report, key, node)?;
    if !matches!(&node.kind, Kind::Scalar(it) if it.style == Style::Number) {
        let message = format!("{key} must be a number, not {}", node.kind.name());
        report.error(node.span, Finding::new(Code::WrongKind, message));
        return None;
    }
    number(report, node, text)
}

/// `0000` bare is the number 0 for YAML, but a code for whoever wrote it.
fn number(report: &Report<'_>, node: &Node, text: &str) -> Option<Number> {
    let number = Number::parse(text);
    if number.is_none() {
        let message = format!("{text} is not a number as JSON writes them");
        let help = format!("if it is text, write \"{text}\" in quotes");
        report.error(node.span, Finding::new(Code::WrongValue, message).help(help));
    }
    number
}
