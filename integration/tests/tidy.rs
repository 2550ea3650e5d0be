//! The repository keeps the rules that no compiler checks.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use integration::tidy;

const PAGES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All files below `folder` but what git and builds leave there.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            found.push(path);
        } else if !path.ends_with(".git") && !path.ends_with("target") && !path.is_symlink() {
            files(&path, found);
        }
    }
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

#[test]
fn every_file_is_tidy() {
    let mut paths = Vec::new();
    files(root(), &mut paths);
    assert!(paths.iter().any(|it| it.ends_with("proto/src/lib.rs")), "the files are found");

    let mut faults = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        faults.extend(tidy::faults(name, &fs::read(&path).unwrap()));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn what_the_pages_tell_to_make_can_be_made() {
    let makefile = page("Makefile");
    let targets = tidy::targets(&makefile);
    for name in PAGES {
        for command in tidy::commands(&page(name)) {
            assert!(targets.contains(&command), "{name}: the Makefile has no {command}");
        }
    }
    for promised in ["demo", "test"] {
        assert!(tidy::commands(&page("README.md")).contains(&promised), "README: no {promised}");
    }
}

#[test]
fn what_the_pages_name_exists() {
    let folders = [".ci", "actors", "coordinator", "helm", "integration", "node", "proto"];
    for name in PAGES {
        for path in tidy::paths(&page(name), &folders) {
            assert!(root().join(path).exists(), "{name}: there is no {path}");
        }
    }
}
