//! A mapping of a file, read key by key; what nobody asked for is a mistake.

use std::cell::RefCell;

use super::diagnostic::Code;
use super::report::{Finding, Report, Value};
use super::suggest::nearest;
use super::tree::{Key, Kind, Node, Span, Style};

/// A mapping of a file. Absent ones are read as if they were empty.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) report: &'a Report<'a>,
    /// Its keys, from the outermost on; empty for the file itself.
    path: Vec<String>,
    /// Where its key stands, or that of the nearest mapping around it that is there.
    pub(super) span: Span,
    entries: &'a [(Key, Node)],
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(report: &'a Report<'a>, node: &'a Node) -> Self {
        Self::of(report, Vec::new(), node.span, Some(node))
    }

    /// The mapping that `node` must be.
    pub(super) fn of(
        report: &'a Report<'a>,
        path: Vec<String>,
        span: Span,
        node: Option<&'a Node>,
    ) -> Self {
        let entries = match node.map(|it| (&it.kind, it.span)) {
            Some((Kind::Mapping(entries), _)) => entries.as_slice(),
            Some((other @ (Kind::Scalar(_) | Kind::List(_)), span)) => {
                let what = path.last().map_or("the file", String::as_str);
                let message = format!("{what} must be a mapping, not {}", other.name());
                report.error(span, Finding::new(Code::WrongKind, message));
                &[]
            }
            Some((Kind::Null, _)) | None => &[],
        };
        let section = Self { report, path, span, entries, known: RefCell::default() };
        section.refuse_repeated();
        section
    }

    /// The value of `key`, as the file has it; `None` where it is absent or null.
    pub(super) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.knows(key);
        self.entry(key).map(|it| &it.1).filter(|it| !matches!(it.kind, Kind::Null))
    }

    /// The mapping at `key`.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let span = self.entry(key).map_or(self.span, |it| it.0.span);
        Self::of(self.report, self.path_to(key), span, self.node(key))
    }

    /// Whether the mapping has that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The keys of a mapping whose names the file chooses, each with its value.
    pub(super) const fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// The value of `key`, else that of `default`.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        match self.parsed(key, &parse) {
            Some(value) => value,
            None => self.fall_back(key, default, parse),
        }
    }

    /// The value of `key`; an error, and that of `stand_in`, where the file doesn't have it.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        stand_in: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let value = self.parsed(key, &parse);
        if !self.has(key) && self.report.is_readable() {
            self.missing(key);
        }
        value.unwrap_or_else(|| parse(stand_in).expect("a stand-in fits its own rule"))
    }

    /// The value of `key`, if the file has it.
    pub(super) fn find<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parsed(key, &parse)
    }

    /// Notes that `key` must be there.
    pub(super) fn missing(&self, key: &str) {
        let whose = self.path.last().map_or("the file", String::as_str);
        let finding = Finding::new(Code::MissingKey, format!("{whose} needs the key \"{key}\""));
        self.report.error(self.span, finding);
    }

    /// Refuses a key that a later version will know.
    pub(super) fn later(&self, key: &'static str, why: &str) {
        self.knows(key);
        if let Some((key, _)) = self.entry(key) {
            let message = format!("\"{}\" is not in this version yet", key.name);
            self.report
                .error(key.span, Finding::new(Code::NotYet, message).help("remove it").note(why));
        }
    }

    /// Keeps the value for `config show`.
    pub(super) fn setting(&self, key: &str, value: Value) {
        let line = self.entry(key).map(|it| it.1.span.line);
        self.report.setting(self.path_to(key), value, line);
    }

    /// Where the value of `key` stands, else the section itself.
    pub(super) fn span_of(&self, key: &str) -> Span {
        self.entry(key).map_or(self.span, |it| it.1.span)
    }

    /// Where `key` itself stands, else the section.
    pub(super) fn key_span(&self, key: &str) -> Span {
        self.entry(key).map_or(self.span, |it| it.0.span)
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for (key, _) in self.entries.iter().filter(|it| !known.contains(&it.0.name.as_str())) {
            self.report.error(key.span, unknown(key, &known));
        }
    }

    fn fall_back<T>(
        &self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        if !self.has(key) {
            self.report.setting(self.path_to(key), Value::Plain(default.to_owned()), None);
        }
        parse(default).expect("a default fits its own rule")
    }

    fn parsed<T>(
        &self,
        key: &'static str,
        parse: &impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.knows(key);
        let (_, node) = self.entry(key)?;
        if matches!(node.kind, Kind::Null) {
            // A default in the place of what somebody forgot to write would surprise him.
            let finding = Finding::new(Code::WrongValue, format!("{key} has no value"));
            self.report.error(self.key_span(key), finding.help("give it one, or remove the key"));
            return None;
        }
        let text = text_of(self.report, key, node)?;
        match parse(text) {
            Ok(value) => {
                self.setting(key, shown(node, text));
                Some(value)
            }
            Err(help) => {
                let message = format!("{key} cannot be \"{text}\"");
                self.report.error(node.span, Finding::new(Code::WrongValue, message).help(help));
                None
            }
        }
    }

    /// Takes `key` for known, without reading it.
    pub(super) fn knows(&self, key: &'static str) {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
    }

    fn entry(&self, key: &str) -> Option<&'a (Key, Node)> {
        self.entries.iter().find(|it| it.0.name == key)
    }

    fn path_to(&self, key: &str) -> Vec<String> {
        self.path.iter().cloned().chain([key.to_owned()]).collect()
    }

    fn refuse_repeated(&self) {
        for (i, (key, _)) in self.entries.iter().enumerate() {
            let Some((first, _)) = self.entries[..i].iter().find(|it| it.0.name == key.name) else {
                continue;
            };
            let message = format!("\"{}\" is there twice", key.name);
            let help = format!("the first one is in line {}", first.span.line);
            self.report.error(key.span, Finding::new(Code::DuplicateKey, message).help(help));
        }
    }
}

fn unknown(key: &Key, known: &[&'static str]) -> Finding {
    if is_trap(&key.name) && !key.is_quoted {
        return trap(&key.name).note(format!("known here: {}", known.join(", ")));
    }
    let finding = Finding::new(Code::UnknownKey, format!("\"{}\" is not known here", key.name));
    let near = nearest(&key.name, known.iter().copied());
    let help = near.map(|it| format!("did you mean \"{it}\"?")).unwrap_or_default();
    finding.help(help).note(format!("known here: {}", known.join(", ")))
}

/// The text of a scalar; `None`, with the reason noted, where it is none or a trap.
pub(super) fn text_of<'a>(report: &Report<'_>, name: &str, node: &'a Node) -> Option<&'a str> {
    let Kind::Scalar(scalar) = &node.kind else {
        let message = format!("{name} must be one value, not {}", node.kind.name());
        report.error(node.span, Finding::new(Code::WrongKind, message));
        return None;
    };
    if scalar.style == Style::Plain && is_trap(&scalar.text) {
        let quoted =
            format!("write \"{}\" in quotes if it is text, else true or false", scalar.text);
        report.error(node.span, trap(&scalar.text).help(quoted));
        return None;
    }
    Some(&scalar.text)
}

fn shown(node: &Node, text: &str) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.style == Style::Quoted => Value::Text(text.to_owned()),
        Kind::Scalar(_) | Kind::Null | Kind::List(_) | Kind::Mapping(_) => {
            Value::Plain(text.to_owned())
        }
    }
}

fn is_trap(word: &str) -> bool {
    ["yes", "no", "on", "off", "y", "n"].contains(&word.to_lowercase().as_str())
}

fn trap(word: &str) -> Finding {
    let truth = ["yes", "on", "y"].contains(&word.to_lowercase().as_str());
    let message = format!("\"{word}\" is read as {truth} by many YAML tools");
    Finding::new(Code::Trap, message)
}
