//! Scenario files: read, checked, and compiled into what judges transactions.

mod condition;
mod dimension;
mod indicator;

use std::path::{Path, PathBuf};

use actors::machine::fields::FieldTable;
use actors::machine::scenario::{Condition, Scenario, Window};
use sha2::{Digest as _, Sha256};

use self::condition::condition;
use self::dimension::dimensions;
use self::indicator::Indicators;
use super::diagnostic::{Code, Diagnostics};
use super::field::Table;
use super::report::{Finding, Report};
use super::section::Section;
use super::tree::{Kind, Node, Span};
use super::{header, read_file, rules};

/// The scenario that runs where the cluster file names no directory.
const BANK: &str = include_str!("../../scenarios/bank.yaml");

/// How many scenario files a cluster can have (I13).
const MAX_FILES: usize = 64;

/// The directory of the scenario files, and where the cluster file names it.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    span: Span,
}

impl Directory {
    /// `None`: the built-in scenario.
    pub(super) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("scenarios");
        let path = section.find("dir", rules::text).map(PathBuf::from);
        section.later("reload", "this version reads scenarios when it starts");
        let span = section.span_of("dir");
        section.finish();
        path.map(|path| Self { path, span })
    }
}

/// What the check of one scenario file gave.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The scenario; `None` where the file has errors.
    pub scenario: Option<Scenario>,
    /// What is wrong with the file.
    pub diagnostics: Diagnostics,
}

/// Checks the text of a scenario file. The fields that it looks at go into `fields`.
#[must_use]
pub fn check(name: &str, text: &str, fields: &mut FieldTable) -> Checked {
    let table = Table::new(std::mem::take(fields));
    let checked = compile(name, text, &table);
    *fields = table.into_inner();
    checked
}

/// Every scenario of the directory with its version, in the order of their names.
pub(super) fn load(
    report: &Report<'_>,
    directory: Option<Directory>,
    table: &Table,
) -> (Vec<(Scenario, String)>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut scenarios: Vec<(Scenario, String)> = Vec::new();
    let Some(directory) = directory else {
        let bank = compile("bank.yaml (built in)", BANK, table);
        let bank_only = bank.scenario.map(|it| (it, version(BANK))).into_iter().collect();
        return (bank_only, bank.diagnostics);
    };
    for path in files(report, &directory) {
        let name = path.display().to_string();
        let text = read_file(&path);
        let checked = match &text {
            Ok(text) => compile(&name, text, table),
            Err(diagnostics) => Checked { scenario: None, diagnostics: diagnostics.clone() },
        };
        diagnostics.0.extend(checked.diagnostics.0);
        let (Some(scenario), Ok(text)) = (checked.scenario, text) else { continue };
        if scenarios.iter().any(|(it, _)| it.name == scenario.name) {
            let message = format!("two scenarios are named \"{}\"", scenario.name);
            let help = format!("rename the one in {name}");
            report.error(directory.span, Finding::new(Code::Conflict, message).help(help));
        }
        scenarios.push((scenario, version(&text)));
    }
    scenarios.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    (scenarios, diagnostics)
}

/// What tells two states of a scenario file apart: the first 12 digits of its SHA-256.
fn version(text: &str) -> String {
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn files(report: &Report<'_>, directory: &Directory) -> Vec<PathBuf> {
    let refuse =
        |message: String| report.error(directory.span, Finding::new(Code::Unreadable, message));
    let path = directory.path.display();
    let list = || {
        let entries = std::fs::read_dir(&directory.path)?;
        entries.map(|it| it.map(|it| it.path())).collect::<Result<Vec<_>, _>>()
    };
    let mut files = match list() {
        Ok(files) => files,
        Err(why) => {
            refuse(format!("cannot read the directory {path}: {why}"));
            return Vec::new();
        }
    };
    files.retain(|it| is_scenario(it));
    files.sort();
    if files.is_empty() {
        refuse(format!("there is no scenario file (*.yaml) in {path}"));
    }
    if files.len() > MAX_FILES {
        refuse(format!("{path} has {} scenario files, more than {MAX_FILES}", files.len()));
        files.truncate(MAX_FILES);
    }
    files
}

/// Hidden entries are not: Kubernetes keeps the older contents of a mounted directory in such.
fn is_scenario(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

fn compile(name: &str, text: &str, table: &Table) -> Checked {
    let report = Report::new(name, text);
    let tree = report.parse();
    let scenario = read(Section::root(&report, &tree), table);
    let (diagnostics, _) = report.finish();
    let scenario = (!diagnostics.has_errors()).then_some(scenario);
    Checked { scenario, diagnostics }
}

/// Parts of the format that say what is done with cases. They are recognised and left out.
const CASES: [(&str, &str); 7] = [
    ("case", "it doesn't fold transactions into cases"),
    ("steps", "it doesn't fold transactions into cases"),
    ("calendar", "it doesn't measure business hours"),
    ("sla", "no promise is watched, so do not rely on it"),
    ("alerts", "no alert will be raised, so do not rely on it"),
    ("customerView", "it answers no customers"),
    ("rollout", "scenarios are read when the node starts"),
];

fn read(root: Section<'_>, table: &Table) -> Scenario {
    let name = header(&root, "Scenario");
    let spec = root.section("spec");
    let select = spec.node("select");
    let select = select.map_or(Condition::ALWAYS, |it| condition(spec.report, table, it));
    let dimensions = dimensions(&spec, table);
    for (key, why) in CASES {
        left_out(&spec, key, why);
    }
    let indicators = Indicators::read(&spec, table, &dimensions);
    let mut windows: Vec<Window> =
        indicators.list.iter().flat_map(|it| it.windows.clone()).collect();
    windows.sort_unstable();
    windows.dedup();
    spec.finish();
    if !root.has("spec") && root.report.is_readable() {
        root.missing("spec");
    }
    root.finish();
    let populations = indicators.populations;
    Scenario { name, select, dimensions, populations, indicators: indicators.list, windows }
}

/// Warns that this version doesn't do what `key` asks for.
fn left_out(section: &Section<'_>, key: &'static str, why: &str) {
    if section.node(key).is_none() {
        return;
    }
    let finding = Finding::new(Code::NotYet, format!("this version doesn't run \"{key}\""));
    let finding = finding.help("left out").note(why);
    section.report.warning(section.key_span(key), finding);
}

/// The items of a list; none, with the reason noted, where `node` is no list.
fn items<'n>(report: &Report<'_>, name: &str, node: &'n Node) -> &'n [Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null | Kind::Scalar(_) | Kind::Mapping(_) => {
            let message = format!("{name} must be a list, not {}", node.kind.name());
            report
                .error(node.span, Finding::new(Code::WrongKind, message).help("as in [one, two]"));
            &[]
        }
    }
}

#[cfg(test)]
mod tests;
