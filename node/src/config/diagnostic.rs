//! What is wrong with a configuration file, where, and what to do: as text and as JSON.

use std::fmt;

use serde::Serialize;
use serde::ser::Serializer;

mod render;

/// What kind of mistake it is. The number is for ever: people search for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Code {
    /// The file cannot be read, or is too long.
    Unreadable = 200,
    /// It is not YAML.
    Syntax = 201,
    /// A key that nobody knows.
    UnknownKey = 202,
    /// A key that is there twice.
    DuplicateKey = 203,
    /// A key that must be there and is not.
    MissingKey = 204,
    /// A mapping where text must be, or the like.
    WrongKind = 205,
    /// A value that doesn't have the form that it must have.
    WrongValue = 206,
    /// A value outside its bounds.
    OutOfBounds = 207,
    /// A field that is not `<leg>:<JSON pointer>`.
    WrongField = 208,
    /// Two of which there may be only one, or none where one must be.
    NotOne = 209,
    /// Two settings that contradict each other.
    Conflict = 210,
    /// A setting that would break a promise.
    Forbidden = 211,
    /// The name of something that does not exist.
    Dangling = 214,
    /// A word that many YAML tools read as a truth value.
    Trap = 219,
    /// Something that this version doesn't do yet.
    NotYet = 230,
}

impl Code {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Unreadable,
        Self::Syntax,
        Self::UnknownKey,
        Self::DuplicateKey,
        Self::MissingKey,
        Self::WrongKind,
        Self::WrongValue,
        Self::OutOfBounds,
        Self::WrongField,
        Self::NotOne,
        Self::Conflict,
        Self::Forbidden,
        Self::Dangling,
        Self::Trap,
        Self::NotYet,
    ];
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TL-{:04}", *self as u16)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether the file can be used all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can; somebody should know.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Diagnostic {
    /// What kind of mistake.
    pub code: Code,
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The file, as it was named.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// One past the last column.
    pub end_column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do; empty where the message says it all.
    pub help: String,
    /// Why, or what there is to choose from; empty where there is nothing to add.
    pub note: String,
    /// The lines of the file that are shown, the last being the one that is meant.
    #[serde(skip)]
    pub excerpt: Vec<String>,
}

/// All that is wrong with some files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether a file cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// `2 errors, 1 warning`.
    #[must_use]
    pub fn summary(&self) -> String {
        let plural =
            |count: usize, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let errors = plural(self.count(Severity::Error), "error");
        match self.count(Severity::Warning) {
            0 => errors,
            warnings => format!("{errors}, {}", plural(warnings, "warning")),
        }
    }

    /// The JSON form: a list of `{code, severity, path, line, column, end_column, message, help, note}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.0)
    }

    fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|it| it.severity == severity).count()
    }

    /// In the order of the files, then of the lines.
    pub(super) fn sorted(mut self) -> Self {
        let mut paths: Vec<String> = Vec::new();
        for it in &self.0 {
            if !paths.contains(&it.path) {
                paths.push(it.path.clone());
            }
        }
        let place = |path: &String| paths.iter().position(|it| it == path);
        self.0.sort_by_key(|it| (place(&it.path), it.line, it.column));
        self
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            writeln!(f, "{diagnostic}\n")?;
        }
        f.write_str(&self.summary())
    }
}

impl std::error::Error for Diagnostics {}
