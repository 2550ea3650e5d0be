//! What a YAML file says, with where it says it: the raw form of every configuration file.
//!
//! A tree instead of one struct a file, because all mistakes are to be reported at once, each with
//! its line and column; a derived `Deserialize` stops at the first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};

/// How long a configuration file may be (I13).
pub(super) const MAX_BYTES: usize = 1 << 20;

/// How deep it may be nested (I13).
const MAX_DEPTH: usize = 64;

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) line: usize,
    pub(super) column: usize,
    /// How many characters, at least 1.
    pub(super) width: usize,
}

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// A key of a mapping, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) span: Span,
    pub(super) name: String,
    pub(super) is_quoted: bool,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A value without parts, as the file spells it, quotes and escapes resolved.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: Style,
}

/// What YAML takes a scalar for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    /// Text in quotes, of several lines, or tagged as such.
    Quoted,
    /// Text that stands there bare.
    Plain,
    /// A bare number, in any of YAML's spellings.
    Number,
    /// Bare `true` or `false`.
    Truth,
}

impl Kind {
    /// What an error calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(scalar) => match scalar.style {
                Style::Quoted | Style::Plain => "text",
                Style::Number => "a number",
                Style::Truth => "a truth value",
            },
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// Why a text is not YAML, and where.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) span: Span,
    pub(super) message: String,
}

/// Reads a file of one document. An empty one is an empty mapping.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: 100_000 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(text, raw)),
        Err(error) => Err(syntax_error(text, &error)),
    }
}

fn syntax_error(text: &str, error: &serde_saphyr::Error) -> SyntaxError {
    let location = error.location();
    let message = error.without_snippet().to_string();
    let at = location.map(|it| format!(" at line {}, column {}", it.line(), it.column()));
    let message = at.as_deref().and_then(|at| message.strip_suffix(at)).unwrap_or(&message);
    let message = match message {
        it if it.starts_with("multiple YAML documents") => "a file must have one document",
        it if it.starts_with("YAML merge keys") => "merge keys (<<) are not read",
        it if it.starts_with("cannot deserialize null into string") => "a key must not be null",
        it if it.starts_with("expected string scalar") => "a key must be text",
        it => it,
    };
    let span = location.map_or(Span { line: 1, column: 1, width: 1 }, |it| span_of(text, it));
    SyntaxError { span, message: message.to_owned() }
}

/// A value as the parser hands it over: its own idea of scalars, not yet the file's spelling.
enum Raw {
    Null,
    Scalar(String, Style),
    List(Vec<Spanned<Self>>),
    Mapping(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_string(), Style::Truth))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_string(), Style::Number))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_string(), Style::Number))
    }

    fn visit_i128<E>(self, it: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_string(), Style::Number))
    }

    fn visit_u128<E>(self, it: u128) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_string(), Style::Number))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_string(), Style::Number))
    }

    fn visit_str<E>(self, it: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(it.to_owned(), Style::Quoted))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Mapping(entries))
    }
}

fn node(text: &str, raw: Spanned<Raw>) -> Node {
    let span = span_of(text, raw.referenced);
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Scalar(value, style) => Kind::Scalar(scalar(slice(text, raw.defined), value, style)),
        Raw::List(items) => Kind::List(items.into_iter().map(|it| node(text, it)).collect()),
        Raw::Mapping(entries) => Kind::Mapping(
            entries.into_iter().map(|it| (key(text, it.0), node(text, it.1))).collect(),
        ),
    };
    Node { span, kind }
}

fn key(text: &str, key: Spanned<String>) -> Key {
    let is_quoted = slice(text, key.defined).starts_with(['"', '\'']);
    Key { span: span_of(text, key.referenced), name: key.value, is_quoted }
}

/// The parser has turned `1.50` into 1.5 and `0000` into 0: the file's spelling is what counts.
fn scalar(spelling: &str, value: String, style: Style) -> Scalar {
    match style {
        Style::Quoted if spelling == value => Scalar { text: value, style: Style::Plain },
        Style::Quoted | Style::Plain => Scalar { text: value, style },
        Style::Number | Style::Truth => Scalar { text: spelling.to_owned(), style },
    }
}

/// What stands at the location; empty where the parser doesn't know.
fn slice(text: &str, location: Location) -> &str {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    range.and_then(|range| text.get(range)).unwrap_or_default()
}

fn span_of(text: &str, location: Location) -> Span {
    let number = |it: u64| usize::try_from(it).unwrap_or(1).max(1);
    let first_line = slice(text, location).lines().next().unwrap_or_default();
    let width = first_line.trim_end().chars().count().max(1);
    Span { line: number(location.line()), column: number(location.column()), width }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(node: &Node) -> &[(Key, Node)] {
        let Kind::Mapping(entries) = &node.kind else { panic!("{node:?}") };
        entries
    }

    /// The scalar of the only key, as the file spells it.
    fn check(yaml: &str, text: &str, style: Style) {
        let node = parse(yaml).unwrap();
        let Kind::Scalar(scalar) = &entries(&node)[0].1.kind else { panic!("{node:?}") };
        assert_eq!((scalar.text.as_str(), scalar.style), (text, style), "{yaml}");
    }

    #[test]
    fn a_scalar_is_what_the_file_spells() {
        check("a: 1.50", "1.50", Style::Number);
        check("a: 0000", "0000", Style::Number);
        check("a: 0x10", "0x10", Style::Number);
        check("a: 1_000", "1_000", Style::Number);
        check("a: 99999999999999999999999999", "99999999999999999999999999", Style::Number);
        check("a: true", "true", Style::Truth);
        check("a: on", "on", Style::Plain);
        check("a: 20ms", "20ms", Style::Plain);
        check("a: 'on'", "on", Style::Quoted);
        check("a: \"0000\"", "0000", Style::Quoted);
        check("a: \"x\\ty\"", "x\ty", Style::Quoted);
        check("a: b\n  c", "b c", Style::Quoted);
        check("a: >\n  b\n  c\n", "b c\n", Style::Quoted);
    }

    #[test]
    fn every_key_and_value_has_its_place() {
        let node =
            parse("# 信用卡\na: 1\n信用: { b: \"x y\" }\na: *r\n".replace("*r", "2").as_str());
        let node = node.unwrap();
        let [first, second, third] = entries(&node) else { panic!("{node:?}") };
        assert_eq!(first.0.span, Span { line: 2, column: 1, width: 1 });
        assert_eq!(second.0.span, Span { line: 3, column: 1, width: 2 });
        assert_eq!(entries(&second.1)[0].1.span, Span { line: 3, column: 10, width: 5 });
        assert_eq!((third.0.name.as_str(), third.0.span.line), ("a", 4), "twice is kept twice");
    }

    #[test]
    fn an_alias_has_the_anchors_spelling_and_its_own_place() {
        let node = parse("a: &x 1.50\nb: *x\n").unwrap();
        let value = &entries(&node)[1].1;
        assert_eq!(value.span, Span { line: 2, column: 4, width: 2 });
        assert!(matches!(&value.kind, Kind::Scalar(it) if it.text == "1.50"));
    }

    #[test]
    fn what_is_not_yaml_is_refused_at_its_place() {
        let check = |yaml: &str, line, column, message: &str| {
            let error = parse(yaml).unwrap_err();
            assert_eq!((error.span.line, error.span.column), (line, column), "{yaml}");
            assert_eq!(error.message, message, "{yaml}");
        };
        check("a: 1\n b: 2", 2, 3, "mapping values are not allowed in this context");
        check("a:\n\t- 1", 2, 2, "tabs disallowed within this context (block indentation)");
        check("a: 'x", 1, 4, "unclosed quote");
        check("? [1]\n: 2", 1, 3, "a key must be text");
        check("<<: { a: 1 }", 1, 1, "merge keys (<<) are not read");
        check("a: 1\n---\nb: 2\n", 3, 1, "a file must have one document");
        check("a: *x", 1, 4, "alias references unknown anchor");
    }

    #[test]
    fn depth_and_aliases_have_a_limit() {
        let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
        assert!(parse(&deep).is_err());
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, previous) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip("abcdefg".chars()) {
            let items = vec![format!("*{previous}"); 10].join(", ");
            bomb.push_str(&format!("{name}: &{name} [{items}]\n"));
        }
        assert!(parse(&bomb).is_err());
    }
}
