//! `join`: how long legs wait for each other, and what a result says.

use std::time::Duration;

use actors::machine::fields::Field;
use actors::machine::result_field::ResultField;

use super::diagnostic::Code;
use super::field::{self, Table};
use super::report::{Finding, Value};
use super::rules::{duration_in, size_in};
use super::section::Section;
use super::tree::{Key, Node};

/// How long legs wait for each other, on the record clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Join {
    /// How long after its first leg a transaction is incomplete.
    pub lateness: Duration,
    /// What is added to that, because topics don't drain alike.
    pub skew: Duration,
    /// How long a late leg still corrects an incomplete result.
    pub correction: Duration,
    /// How long after the deadline a duplicate is still recognised.
    pub duplicates: Duration,
    /// How far into the future a time is believed.
    pub future_guard: Duration,
    /// How far a reader's record clock may be ahead of the slowest.
    pub alignment: Duration,
    /// The largest record, in bytes; what is larger goes to the dead letters.
    pub max_record: u64,
    /// How long committed results can be looked up.
    pub keep_results: Keep,
}

/// How long and how much is kept: whichever limit is met first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// For how long.
    pub age: Duration,
    /// How many bytes.
    pub size: u64,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

impl Join {
    pub(super) fn read(root: &Section<'_>, table: &Table) -> (Self, Vec<ResultField>) {
        let section = root.section("join");
        let upto = |days| duration_in(Duration::ZERO, DAY * days);
        let join = Self {
            lateness: section.read("lateness", "3600s", duration_in(SECOND, DAY * 7)),
            skew: section.read("skew", "300s", upto(1)),
            correction: section.read("correction", "24h", upto(7)),
            duplicates: section.read("duplicates", "900s", upto(7)),
            future_guard: section.read("futureGuard", "5m", duration_in(SECOND, DAY)),
            alignment: section.read("alignment", "60s", duration_in(SECOND, DAY)),
            max_record: section.read("maxRecord", "8MiB", size_in(1 << 10, 64 << 20)),
            keep_results: Keep::read(&section),
        };
        let columns = columns(&section, table);
        section.finish();
        (join, columns)
    }
}

impl Keep {
    fn read(around: &Section<'_>) -> Self {
        let section = around.section("keepResults");
        let age = section.read("for", "1h", duration_in(Duration::ZERO, DAY * 30));
        let size = section.read("size", "1GiB", size_in(0, 1 << 50));
        section.finish();
        Self { age, size }
    }
}

/// The columns of a result, and where each comes from, unless the file says otherwise.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("channel", &["trace:/channel"]),
    ("institution", &["trace:/institution"]),
    ("product", &["trace:/product"]),
    ("service", &["request:/service"]),
    ("businessKey", &["request:/body/businessKey", "response:/body/businessKey"]),
    ("status", &["response:/status"]),
    ("resultCode", &["response:/resultCode"]),
    ("decision", &["response:/body/decision"]),
];

/// What every result has anyhow.
const BUILT_IN: [&str; 10] = [
    "transactionId",
    "start",
    "end",
    "durationMs",
    "complete",
    "missing",
    "version",
    "state",
    "sources",
    "supersedes",
];

/// How many columns a result can have (I13).
const MAX_COLUMNS: usize = 64;

fn columns(join: &Section<'_>, table: &Table) -> Vec<ResultField> {
    let section = join.section("fields");
    if !join.has("fields") {
        return COLUMNS
            .iter()
            .map(|(name, from)| default_column(&section, table, name, from))
            .collect();
    }
    if section.entries().len() > MAX_COLUMNS {
        let message = format!("a result can have {MAX_COLUMNS} columns");
        section.report.error(section.span, Finding::new(Code::OutOfBounds, message));
    }
    section.entries().iter().map(|(key, node)| column(&section, table, key, node)).collect()
}

fn default_column(section: &Section<'_>, table: &Table, name: &str, from: &[&str]) -> ResultField {
    let fields = from.iter().map(|it| field::known(table, it)).collect();
    show(section, name, from.iter().map(|it| (*it).to_owned()).collect());
    ResultField { name: name.to_owned(), from: fields }
}

fn column(section: &Section<'_>, table: &Table, key: &Key, node: &Node) -> ResultField {
    if let Err(finding) = column_name(&key.name) {
        section.report.error(key.span, finding);
    }
    let from: Vec<Field> = field::fields(section.report, table, node);
    let spelled = from.iter().map(|it| field::spell(&table.borrow(), *it)).collect();
    show(section, &key.name, spelled);
    ResultField { name: key.name.clone(), from }
}

fn column_name(name: &str) -> Result<(), Finding> {
    if BUILT_IN.contains(&name) {
        let message = format!("every result has its own \"{name}\"");
        return Err(Finding::new(Code::Forbidden, message).help("give the column another name"));
    }
    let starts_well = name.starts_with(|it: char| it.is_ascii_alphabetic());
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '_';
    if starts_well && name.len() <= 63 && name.chars().all(fits) {
        return Ok(());
    }
    let finding = Finding::new(Code::WrongValue, format!("a column cannot be named \"{name}\""));
    Err(finding.help("a column's name is 1 to 63 letters, digits and _, and begins with a letter"))
}

fn show(section: &Section<'_>, name: &str, mut from: Vec<String>) {
    let one = if from.len() == 1 { from.pop() } else { None };
    section.setting(name, one.map_or(Value::List(from), Value::Text));
}
