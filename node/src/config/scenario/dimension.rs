//! Dimensions as scenario files write them.

use actors::machine::scenario::Dimension;

use super::super::diagnostic::Code;
use super::super::field::{self, Table};
use super::super::report::Finding;
use super::super::rules;
use super::super::section::Section;
use super::super::tree::{Key, Node};
use super::left_out;

/// How many dimensions a scenario can have (I13).
const MAX_DIMENSIONS: usize = 16;

/// The dimensions of the file, in its order. Those whose field is wrong are not among them.
pub(super) fn dimensions(spec: &Section<'_>, table: &Table) -> Vec<Dimension> {
    let section = spec.section("dimensions");
    let entries = section.entries();
    if entries.len() > MAX_DIMENSIONS {
        let message = format!("a scenario can have {MAX_DIMENSIONS} dimensions");
        spec.report.error(section.span, Finding::new(Code::OutOfBounds, message));
    }
    entries.iter().filter_map(|(key, node)| dimension(&section, table, key, node)).collect()
}

fn dimension(around: &Section<'_>, table: &Table, key: &Key, node: &Node) -> Option<Dimension> {
    let report = around.report;
    let section = Section::of(report, vec![key.name.clone()], key.span, Some(node));
    check_name(&section, key);
    let field = match section.node("field") {
        Some(node) => field::field(report, table, node),
        None => {
            section.missing("field");
            None
        }
    };
    let separator = section.find("separator", one_character);
    let max_values = section.find("maxValues", rules::number(1, 100_000)).unwrap_or(1000);
    left_out(&section, "at", "each transaction counts with its own value");
    left_out(&section, "levels", "values are counted as they are");
    section.finish();
    Some(Dimension { name: key.name.clone(), field: field?, separator, max_values })
}

/// Notes where the key is no name.
pub(super) fn check_name(section: &Section<'_>, key: &Key) {
    if let Err(help) = rules::name(&key.name) {
        let message = format!("\"{}\" is not a name", key.name);
        section.report.error(key.span, Finding::new(Code::WrongValue, message).help(help));
    }
}

fn one_character(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    let first = characters.next().filter(|_| characters.next().is_none());
    first.ok_or_else(|| "a separator is one character".to_owned())
}
