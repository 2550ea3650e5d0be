//! The rules for Rust files: a first sentence, a size, and the places where a library may be used.

use super::imports::{any_in, paths};

const MAX_LINES: usize = 300;

/// L3: what decides has no clock, no task, no wire and no disk.
const IMPURE: [&str; 9] = [
    "object_store",
    "ractor",
    "rand",
    "rdkafka",
    "rocksdb",
    "std::fs",
    "std::time",
    "tokio",
    "tonic",
];

/// What may be used in some places only.
struct Confined {
    /// A path that is confined with all that lies in it.
    path: &'static str,
    /// The rule, as `STYLE` and `CONTRIBUTING.md` number it.
    rule: &'static str,
    /// Folders (with a `/`), or files and the folders beside them.
    to: &'static [&'static str],
}

const CONFINED: [Confined; 7] = [
    Confined {
        path: "rdkafka",
        rule: "L2",
        to: &["actors/src/source", "actors/src/sink", "node/src/workload", "integration/"],
    },
    Confined { path: "rocksdb", rule: "L2", to: &["actors/src/store"] },
    Confined {
        path: "object_store",
        rule: "L2",
        to: &["actors/src/journal", "actors/src/snapshot", "integration/"],
    },
    Confined { path: "proto::api", rule: "L4", to: &["proto/", "node/", "integration/"] },
    Confined { path: "std::env", rule: "L5", to: &["node/", "integration/", "proto/build"] },
    Confined { path: "std::fs", rule: "L5", to: FILES },
    Confined { path: "tokio::fs", rule: "L5", to: FILES },
];

/// Who reads and writes files: the node its configuration, the data plane what it stores or is fed.
const FILES: &[&str] = &[
    "node/",
    "integration/",
    "proto/build",
    "actors/src/journal",
    "actors/src/lock",
    "actors/src/sink/file",
    "actors/src/snapshot",
    "actors/src/source/file",
    "actors/src/store",
];

/// L6: how a clock is read and a random number is drawn; the last parts of a path.
const UNREPEATABLE: [&str; 7] = [
    "SystemTime::now",
    "Instant::now",
    "rand::rng",
    "rand::random",
    "thread_rng",
    "from_os_rng",
    "from_entropy",
];

pub(super) fn faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//! ") {
        faults.push(format!("{name}: does not begin with `//! ` and what it is for"));
    }
    if is_test(name) {
        return faults;
    }
    let code = without_tests(text);
    let lines = code.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{name}: has {lines} lines without tests, more than {MAX_LINES}"));
    }
    faults.extend(uses(name, &code));
    faults
}

fn uses(name: &str, code: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let found = paths(code);
    if is_machine(name) {
        let impure = IMPURE.iter().filter_map(|it| any_in(&found, it));
        faults.extend(impure.map(|it| format!("{name}: L3: a machine may not use {it}")));
    }
    for confined in CONFINED.iter().filter(|it| !it.to.iter().any(|place| is_at(name, place))) {
        if let Some(path) = any_in(&found, confined.path) {
            faults.push(format!("{name}: {}: {path} is used outside of its place", confined.rule));
        }
    }
    if !name.starts_with("integration/") && !name.ends_with("/clock.rs") {
        let ends = |path: &&String| UNREPEATABLE.iter().any(|it| path.ends_with(it));
        let unrepeatable = found.iter().filter(ends);
        faults
            .extend(unrepeatable.map(|it| format!("{name}: L6: {it} outside of the clock's file")));
    }
    faults
}

/// Whether `name` lies in the folder `place`, or is the file `place` or in the folder beside it.
fn is_at(name: &str, place: &str) -> bool {
    let Some(rest) = name.strip_prefix(place) else { return false };
    place.ends_with('/') || rest.starts_with(['/', '.'])
}

fn is_machine(name: &str) -> bool {
    name.ends_with("/machine.rs") || name.split('/').any(|it| it == "machine")
}

/// A file that is tests from end to end.
fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.split('/').any(|it| it == "tests")
}

/// The text without the module of tests within it, which is the last thing in a file.
fn without_tests(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied().unwrap_or_default();
        if line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            break;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule that each fault names, or its words where it names none.
    fn check(name: &str, code: &str, expected: &[&str]) {
        let faults = faults(name, &format!("//! What it is for.\n{code}"));
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, words) in faults.iter().zip(expected) {
            assert!(fault.starts_with(name) && fault.contains(words), "{fault}");
        }
    }

    #[test]
    fn a_file_says_first_what_it_is_for() {
        for text in ["", "use a::b;\n", "// Wrong slashes.\n", "//!\n", "\n//! Late.\n"] {
            assert_eq!(faults("node/src/a.rs", text).len(), 1, "{text:?}");
            assert_eq!(faults("node/src/a/tests.rs", text).len(), 1, "{text:?}");
        }
        check("node/src/a.rs", "", &[]);
    }

    #[test]
    fn a_file_has_300_lines_at_most_without_its_tests() {
        let lines = |count: usize| "let a = 1;\n".repeat(count);
        check("node/src/a.rs", &lines(299), &[]);
        check("node/src/a.rs", &lines(300), &["301 lines"]);
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(200), lines(200));
        check("node/src/a.rs", &tests, &[]);
        check("node/src/a/tests.rs", &lines(400), &[]);
        check("integration/tests/a.rs", &lines(400), &[]);
        // Tests in a file of their own do not end the code that stands behind their name.
        let elsewhere = format!("#[cfg(test)]\nmod tests;\n{}", lines(300));
        check("node/src/a.rs", &elsewhere, &["303 lines"]);
    }

    #[test]
    fn a_machine_is_pure() {
        for impure in IMPURE {
            let line = format!("use {impure}::x;");
            assert!(faults("actors/src/machine/a.rs", &line).len() > 1, "{impure}");
        }
        check("actors/src/machine/a.rs", "use std::time::Duration;", &["L3"]);
        check("actors/src/machine.rs", "use tokio::sync;", &["L3"]);
        check("coordinator/src/machine/deep/a.rs", "fn f() { tonic::f() }", &["L3"]);
        check("actors/src/range.rs", "use std::time::Duration; use tokio::sync;", &[]);
        check("actors/src/machine/a.rs", "#[cfg(test)]\nmod tests {\nuse tokio::x;\n}", &[]);
    }

    #[test]
    fn a_library_stays_in_its_place() {
        check("actors/src/source/kafka.rs", "use rdkafka::x;", &[]);
        check("actors/src/source.rs", "use rdkafka::x;", &[]);
        check("actors/src/sources.rs", "use rdkafka::x;", &["L2"]);
        check("coordinator/src/a.rs", "use rdkafka::x;", &["L2"]);
        check("actors/src/store/rocks.rs", "use rocksdb::DB;", &[]);
        check("integration/src/a.rs", "use rocksdb::DB;", &["L2"]);
        check("actors/src/journal/local.rs", "use object_store::x;", &[]);
        check("node/src/main.rs", "fn f() { object_store::f() }", &["L2"]);
    }

    #[test]
    fn generated_types_stay_out_of_both_planes() {
        check("actors/src/range.rs", "use proto::api::v1::Leg;", &["L4"]);
        check("coordinator/src/a.rs", "use proto::{api::v1, types};", &["L4"]);
        check("node/src/api/convert.rs", "use proto::api::v1;", &[]);
    }

    #[test]
    fn only_the_node_reads_the_environment_and_files() {
        check("actors/src/range.rs", "use std::env;", &["L5"]);
        check("coordinator/src/a.rs", "fn f() { std::env::args() }", &["L5"]);
        check("node/src/main.rs", "use std::{env, fs};", &[]);
        check("coordinator/src/a.rs", "use std::fs;", &["L5"]);
        check("actors/src/range.rs", "use tokio::fs;", &["L5"]);
        check("actors/src/store/rocks.rs", "use std::fs;", &[]);
        check("actors/src/sink/kafka.rs", "use std::fs;", &["L5"]);
    }

    #[test]
    fn only_the_clock_reads_the_clock_and_nobody_rolls_dice() {
        for call in UNREPEATABLE {
            check("node/src/a.rs", &format!("fn f() {{ a::{call}() }}"), &["L6"]);
            check("integration/src/a.rs", &format!("fn f() {{ a::{call}() }}"), &[]);
        }
        check("node/src/clock.rs", "fn f() { SystemTime::now() }", &[]);
        check("node/src/a.rs", "fn f() { clock::now() }", &[]);
    }
}
