//! Which paths a piece of Rust names: its `use` trees, spelled out, and the paths within its code.

use std::collections::BTreeSet;

/// Every path of two parts or more, and all that is imported. Comments and strings do not count.
pub(super) fn paths(code: &str) -> BTreeSet<String> {
    let code = without_comments_and_strings(code);
    let mut found = BTreeSet::new();
    for statement in code.split_inclusive([';', '{', '}']) {
        inline(statement, &mut found);
    }
    let mut rest = code.as_str();
    while let Some(at) = next_use(rest) {
        rest = &rest[at..];
        let end = rest.find(';').unwrap_or(rest.len());
        expand("", &rest[..end], &mut found);
        rest = &rest[end..];
    }
    found
}

/// Whether one of `paths` is `name` or lies in it.
pub(super) fn any_in<'a>(paths: &'a BTreeSet<String>, name: &str) -> Option<&'a String> {
    paths.iter().find(|path| {
        path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// Where the tree of the next `use` begins.
fn next_use(code: &str) -> Option<usize> {
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    code.match_indices("use ")
        .find(|(at, _)| !code[..*at].ends_with(is_word))
        .map(|(at, found)| at + found.len())
}

fn inline(statement: &str, found: &mut BTreeSet<String>) {
    let is_path = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    for word in statement.split(|it| !is_path(it)) {
        let word = word.trim_matches(':');
        if word.contains("::") {
            found.insert(word.to_owned());
        }
    }
}

fn expand(prefix: &str, tree: &str, found: &mut BTreeSet<String>) {
    let tree = tree.trim().trim_start_matches("::");
    let Some((head, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        let path = format!("{prefix}{path}");
        found.insert(path.strip_suffix("::self").unwrap_or(&path).to_owned());
        return;
    };
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let prefix = format!("{prefix}{}", head.trim());
    for branch in branches(inner) {
        expand(&prefix, branch, found);
    }
}

/// What stands between the commas that are not within inner braces.
fn branches(inner: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut found) = (0_usize, 0, Vec::new());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(&inner[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inner[begin..]);
    found.retain(|it| !it.trim().is_empty());
    found
}

fn without_comments_and_strings(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(letter) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else if letter == '"' {
            string_end(rest)
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |at| at + 2)
        } else {
            0
        };
        if skipped == 0 {
            kept.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            kept.push(' ');
            rest = &rest[skipped..];
        }
    }
    kept
}

/// Behind the closing quote of a string that begins `rest`.
fn string_end(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[&str]) {
        let found = paths(code);
        for path in expected {
            assert!(any_in(&found, path).is_some(), "{path} in {code:?}: {found:?}");
        }
        for path in ["tokio", "std::time"].iter().filter(|it| !expected.contains(it)) {
            assert_eq!(any_in(&found, path), None, "{path} in {code:?}");
        }
    }

    #[test]
    fn what_is_used_is_found_however_it_is_spelled() {
        check("use std::time::Duration;", &["std::time", "std::time::Duration"]);
        check(
            "use std::{fmt, time::{self, Instant as Now}};",
            &["std::fmt", "std::time", "std::time::Instant"],
        );
        check("use std::{\n    fmt,\n    time,\n};", &["std::time"]);
        check("pub(crate) use tokio::sync;", &["tokio"]);
        check("use ::tokio;", &["tokio"]);
        check("use tokio as t;", &["tokio"]);
        check("fn a() { use tokio::sync; }", &["tokio"]);
        check("fn wait() { let a = std::time::Duration::ZERO; }", &["std::time"]);
        check("type A = Box<tokio::sync::Mutex<u8>>;", &["tokio"]);
        check("fn f() { ::tokio::spawn(a) }", &["tokio"]);
    }

    #[test]
    fn what_is_only_spoken_of_is_not_used() {
        check("// use tokio::sync;\n/// See `tokio::spawn`.", &[]);
        check("/* use tokio::sync; */ use a::b;", &["a::b"]);
        check(r#"let a = "use tokio::sync; \" std::time::Instant";"#, &[]);
        check("let a = r#\"tokio::spawn \" \"#;", &[]);
        check("let quote = '\"'; let a = b::c;", &["b::c"]);
    }

    #[test]
    fn a_name_that_only_begins_alike_is_another() {
        check("use tokio_util::task; use crate::tokio::x; reuse std_time::x;", &["tokio_util"]);
        check("use std::timer::x;", &[]);
    }
}
