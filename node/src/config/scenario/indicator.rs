//! Indicators as scenario files write them.

use actors::machine::scenario::{Condition, Dimension, Indicator, Kind, Populations, Stat, Window};

use super::super::diagnostic::Code;
use super::super::field::Table;
use super::super::report::Finding;
use super::super::section::{Section, text_of};
use super::super::suggest::nearest;
use super::super::tree::{Key, Kind as NodeKind, Node};
use super::condition::condition;
use super::dimension::check_name;
use super::items;

/// The indicators of a file, and the populations that they count.
#[derive(Debug, Default)]
pub(super) struct Indicators {
    pub(super) list: Vec<Indicator>,
    pub(super) populations: Populations,
}

/// How many indicators a scenario can have (I13).
const MAX_INDICATORS: usize = 64;

/// Why an indicator is not among the scenario's: it is wrong, which is noted already, or about cases.
enum Absence {
    Wrong,
    Cases,
}

impl Indicators {
    pub(super) fn read(spec: &Section<'_>, table: &Table, dimensions: &[Dimension]) -> Self {
        let mut indicators = Self::default();
        let section = spec.section("indicators");
        if section.entries().is_empty() && spec.report.is_readable() {
            spec.missing("indicators");
        }
        if section.entries().len() > MAX_INDICATORS {
            let message = format!("a scenario can have {MAX_INDICATORS} indicators");
            spec.report.error(section.span, Finding::new(Code::OutOfBounds, message));
        }
        for (key, node) in section.entries() {
            indicators.read_one(spec, (table, dimensions), (key, node));
        }
        indicators
    }

    fn read_one(
        &mut self,
        spec: &Section<'_>,
        (table, dimensions): (&Table, &[Dimension]),
        (key, node): (&Key, &Node),
    ) {
        let section = Section::of(spec.report, vec![key.name.clone()], key.span, Some(node));
        check_name(&section, key);
        let Some(kind) = section.find("kind", kind_name) else {
            // Without its kind nobody can say what else must stand there.
            if !section.has("kind") {
                section.missing("kind");
            }
            return;
        };
        let kind = self.kind(kind, &section, table);
        let by = by(&section, dimensions);
        let windows = windows(&section);
        ignore_looks(&section);
        match kind {
            Ok(kind) => self.list.push(Indicator { name: key.name.clone(), kind, by, windows }),
            Err(Absence::Wrong) => {}
            Err(Absence::Cases) => {
                // What else stands there is about cases too, so it is not looked at.
                let message = format!("indicator \"{}\" is about cases", key.name);
                let finding = Finding::new(Code::NotYet, message).help("left out");
                let note = "this version has indicators over transactions only";
                spec.report.warning(key.span, finding.note(note));
                return;
            }
        }
        section.finish();
    }

    fn kind(&mut self, kind: &str, section: &Section<'_>, table: &Table) -> Result<Kind, Absence> {
        if section.find("basis", basis) == Some(Basis::Cohort)
            || !matches!(kind, "ratio" | "duration")
        {
            return Err(Absence::Cases);
        }
        if kind == "duration" {
            return self.duration(section, table);
        }
        let numerator = self.population(section, table, "numerator");
        let denominator = self.population(section, table, "denominator");
        match (numerator, denominator) {
            (Ok(numerator), Ok(denominator)) => Ok(Kind::Ratio { numerator, denominator }),
            (Err(Absence::Cases), _) | (_, Err(Absence::Cases)) => Err(Absence::Cases),
            (Err(Absence::Wrong), _) | (_, Err(Absence::Wrong)) => Err(Absence::Wrong),
        }
    }

    fn duration(&mut self, section: &Section<'_>, table: &Table) -> Result<Kind, Absence> {
        if section.has("from") || section.has("to") || section.has("clock") {
            return Err(Absence::Cases);
        }
        let of = match section.node("of") {
            Some(node) if matches!(node.kind, NodeKind::Mapping(_)) => {
                self.population(section, table, "of")?
            }
            Some(_) => {
                section.require("of", "transactions", transactions);
                self.intern(section, "of", Condition::ALWAYS)?
            }
            None => {
                section.missing("of");
                return Err(Absence::Wrong);
            }
        };
        Ok(Kind::Duration { of, stats: stats(section) })
    }

    /// The population at `key`: `{ transactions: <condition> }`.
    fn population(
        &mut self,
        around: &Section<'_>,
        table: &Table,
        key: &'static str,
    ) -> Result<usize, Absence> {
        if around.node(key).is_none() {
            around.missing(key);
            return Err(Absence::Wrong);
        }
        let section = around.section(key);
        if section.has("step") {
            return Err(Absence::Cases);
        }
        let Some(node) = section.node("transactions") else {
            section.missing("transactions");
            section.finish();
            return Err(Absence::Wrong);
        };
        let condition = condition(section.report, table, node);
        section.finish();
        self.intern(around, key, condition)
    }

    fn intern(
        &mut self,
        section: &Section<'_>,
        key: &str,
        condition: Condition,
    ) -> Result<usize, Absence> {
        self.populations.intern(condition).map_err(|why| {
            let finding = Finding::new(Code::OutOfBounds, why.to_string());
            section.report.error(section.key_span(key), finding);
            Absence::Wrong
        })
    }
}

fn kind_name(text: &str) -> Result<&'static str, String> {
    let kinds = ["ratio", "duration", "count", "gauge"];
    let kind = kinds.into_iter().find(|it| *it == text);
    kind.ok_or_else(|| match nearest(text, kinds) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "it must be ratio or duration".to_owned(),
    })
}

#[derive(Debug, Eq, PartialEq)]
enum Basis {
    Event,
    Cohort,
}

fn basis(text: &str) -> Result<Basis, String> {
    match text {
        "event" => Ok(Basis::Event),
        "cohort" => Ok(Basis::Cohort),
        _ => Err("it must be event or cohort".to_owned()),
    }
}

fn transactions(text: &str) -> Result<(), String> {
    let wrong = "it must be transactions, or { transactions: <condition> }";
    if text == "transactions" { Ok(()) } else { Err(wrong.to_owned()) }
}

/// What only the dashboard looks at, and what is as the file says anyhow.
fn ignore_looks(section: &Section<'_>) {
    section.node("title");
    section.find("better", |text| match text {
        "up" | "down" | "none" => Ok(()),
        _ => Err("it must be up, down or none".to_owned()),
    });
    let Some(_) = section.node("sketch") else { return };
    let sketch = section.section("sketch");
    sketch.find("type", |text| match text {
        "ddsketch" => Ok(()),
        _ => Err("it must be ddsketch".to_owned()),
    });
    sketch.find("relativeError", |text| match text {
        "0.01" => Ok(()),
        _ => Err("this version has 0.01 only".to_owned()),
    });
    sketch.finish();
}

fn by(section: &Section<'_>, dimensions: &[Dimension]) -> Vec<usize> {
    let Some(node) = section.node("by") else {
        section.missing("by");
        return Vec::new();
    };
    let names: Vec<&str> = dimensions.iter().map(|it| it.name.as_str()).collect();
    let place = |item: &Node| {
        let text = text_of(section.report, "a dimension", item)?;
        let place = names.iter().position(|it| *it == text);
        if place.is_none() {
            let near = nearest(text, names.iter().copied());
            let finding =
                Finding::new(Code::Dangling, format!("dimension \"{text}\" does not exist"))
                    .help(near.map(|it| format!("did you mean \"{it}\"?")).unwrap_or_default())
                    .note(format!("dimensions: {}", names.join(", ")));
            section.report.error(item.span, finding);
        }
        place
    };
    let mut by: Vec<usize> = items(section.report, "by", node).iter().filter_map(place).collect();
    by.sort_unstable();
    by.dedup();
    by
}

fn windows(section: &Section<'_>) -> Vec<Window> {
    let known = Window::ALL.map(Window::name).join(", ");
    let parse =
        |text: &str| Window::from_name(text).ok_or_else(|| format!("the windows are {known}"));
    let mut windows = named(section, "windows", "a window", parse);
    windows.sort_unstable();
    windows.dedup();
    if section.has("windows") { windows } else { vec![Window::Minute] }
}

fn stats(section: &Section<'_>) -> Vec<Stat> {
    let wrong = "the stats are count, sum, avg, min, max and quantiles such as p95 or p99.9";
    let stats =
        named(section, "stats", "a stat", |it| Stat::from_name(it).ok_or_else(|| wrong.to_owned()));
    let usual = [Stat::Count, Stat::Avg, Stat::Quantile(500), Stat::Quantile(950), Stat::Max];
    if section.has("stats") { stats } else { usual.to_vec() }
}

/// The items of the list at `key`, each read by `parse`.
fn named<T>(
    section: &Section<'_>,
    key: &'static str,
    what: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let Some(node) = section.node(key) else { return Vec::new() };
    let read = |item: &Node| {
        let text = text_of(section.report, what, item)?;
        let wrong = |help: String| {
            let finding = Finding::new(Code::WrongValue, format!("\"{text}\" is not {what}"));
            section.report.error(item.span, finding.help(help));
        };
        parse(text).map_err(wrong).ok()
    };
    items(section.report, key, node).iter().filter_map(read).collect()
}
