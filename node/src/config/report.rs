//! Where the reading of files notes what it finds: mistakes, and which value each setting has.

use std::cell::{Cell, RefCell};

use super::diagnostic::{Code, Diagnostic, Diagnostics, Severity};
use super::tree::{self, Kind, MAX_BYTES, Node, Span};

/// A setting of the cluster file, with the value that is in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    /// Its keys, from the outermost on.
    pub path: Vec<String>,
    /// Its value, as the file would say it.
    pub value: Value,
    /// The line of the file that says so; `None`: the default.
    pub line: Option<usize>,
}

/// A setting's value, as `config show` prints it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// One value; what YAML would read as a number or a truth value is meant as such.
    Plain(String),
    /// Text, even where it looks like a number.
    Text(String),
    /// A list of text.
    List(Vec<String>),
}

/// What the reading of one file found.
#[derive(Debug)]
pub(super) struct Report<'a> {
    path: &'a str,
    text: &'a str,
    is_readable: Cell<bool>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    settings: RefCell<Vec<Setting>>,
}

/// What is wrong, in words.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) note: String,
}

impl Finding {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: String::new(), note: String::new() }
    }

    /// What to do about it.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// Why, or what there is to choose from.
    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

impl<'a> Report<'a> {
    pub(super) const fn new(path: &'a str, text: &'a str) -> Self {
        let diagnostics = RefCell::new(Vec::new());
        Self {
            path,
            text,
            is_readable: Cell::new(true),
            diagnostics,
            settings: RefCell::new(Vec::new()),
        }
    }

    /// The file's tree; an empty mapping, with the reason noted, where it cannot be read.
    pub(super) fn parse(&self) -> Node {
        let whole = Span { line: 1, column: 1, width: 1 };
        let nothing = Node { span: whole, kind: Kind::Mapping(Vec::new()) };
        if self.text.len() > MAX_BYTES {
            let message = format!("the file has {} bytes, more than 1 MiB", self.text.len());
            self.give_up(whole, Finding::new(Code::Unreadable, message));
            return nothing;
        }
        match tree::parse(self.text) {
            Ok(node) if matches!(node.kind, Kind::Mapping(_) | Kind::Null) => node,
            Ok(node) => {
                let message = format!("the file must be a mapping, not {}", node.kind.name());
                self.give_up(node.span, Finding::new(Code::WrongKind, message));
                nothing
            }
            Err(error) => {
                let message = format!("this is not YAML: {}", error.message);
                self.give_up(error.span, Finding::new(Code::Syntax, message));
                nothing
            }
        }
    }

    pub(super) fn error(&self, span: Span, finding: Finding) {
        self.note(Severity::Error, span, finding);
    }

    pub(super) fn warning(&self, span: Span, finding: Finding) {
        self.note(Severity::Warning, span, finding);
    }

    /// Whether the file has a tree at all. Where not, it is no use to say what is missing.
    pub(super) const fn is_readable(&self) -> bool {
        self.is_readable.get()
    }

    fn give_up(&self, span: Span, finding: Finding) {
        self.is_readable.set(false);
        self.error(span, finding);
    }

    pub(super) fn setting(&self, path: Vec<String>, value: Value, line: Option<usize>) {
        self.settings.borrow_mut().push(Setting { path, value, line });
    }

    pub(super) fn finish(self) -> (Diagnostics, Vec<Setting>) {
        (Diagnostics(self.diagnostics.into_inner()).sorted(), self.settings.into_inner())
    }

    fn note(&self, severity: Severity, span: Span, finding: Finding) {
        self.diagnostics.borrow_mut().push(Diagnostic {
            code: finding.code,
            severity,
            path: self.path.to_owned(),
            line: span.line,
            column: span.column,
            end_column: span.column + span.width,
            message: finding.message,
            help: finding.help,
            note: finding.note,
            excerpt: self.excerpt(span.line),
        });
    }

    /// The line, and the one above it where that is what the line belongs to.
    fn excerpt(&self, line: usize) -> Vec<String> {
        let mut lines = self.text.lines().skip(line.saturating_sub(2));
        let above = if line > 1 { lines.next() } else { None };
        let Some(meant) = lines.next() else { return Vec::new() };
        let indent = |text: &str| text.len() - text.trim_start().len();
        let above = above.filter(|it| it.trim_end().ends_with(':') && indent(it) < indent(meant));
        above.into_iter().chain([meant]).map(str::to_owned).collect()
    }
}
