//! The rules for manifests: who may depend on whom, and that versions stand in one place.

/// L1: the crates of this repository that each may depend on.
const DEPENDENCIES: [(&str, &[&str]); 5] = [
    ("proto", &[]),
    ("actors", &["proto"]),
    ("coordinator", &["proto"]),
    ("node", &["proto", "actors", "coordinator"]),
    ("integration", &["proto", "actors", "coordinator", "node"]),
];

/// L2: the crates that may depend on a library with a place of its own.
const CONFINED: [(&str, &[&str]); 3] = [
    ("rdkafka", &["actors", "node", "integration"]),
    ("rocksdb", &["actors"]),
    ("object_store", &["actors", "coordinator", "integration"]),
];

pub(super) fn faults(name: &str, text: &str) -> Vec<String> {
    let owner = name.trim_end_matches("/Cargo.toml");
    let Some((_, allowed)) = DEPENDENCIES.iter().find(|(it, _)| *it == owner) else {
        return vec![format!(
            "{name}: a crate beyond the five; a sixth needs a reason, and a line in the tidy test"
        )];
    };
    let mut faults = Vec::new();
    for (dependency, line) in dependencies(text) {
        let is_ours = DEPENDENCIES.iter().any(|(it, _)| *it == dependency);
        if is_ours && !allowed.contains(&dependency) {
            faults.push(format!("{name}: L1: {owner} may not depend on {dependency}"));
        }
        let places = CONFINED.iter().find(|(it, _)| *it == dependency);
        if places.is_some_and(|(_, owners)| !owners.contains(&owner)) {
            faults.push(format!("{name}: L2: {owner} may not depend on {dependency}"));
        }
        if !line.contains("workspace = true") {
            faults.push(format!(
                "{name}: {dependency} has its version here, not in the workspace's manifest"
            ));
        }
    }
    faults
}

/// Each dependency of any kind, with the line that names it.
fn dependencies(text: &str) -> Vec<(&str, &str)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_inside = section.ends_with("dependencies]");
            if let Some((_, name)) = section.split_once("dependencies.") {
                found.push((name.trim_end_matches(']'), line));
            }
        } else if is_inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            found.push((name.trim_matches('"'), line));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(owner: &str, text: &str, expected: &[&str]) {
        let faults = faults(&format!("{owner}/Cargo.toml"), text);
        assert_eq!(faults.len(), expected.len(), "{text}: {faults:?}");
        for (fault, words) in faults.iter().zip(expected) {
            assert!(fault.starts_with(owner) && fault.contains(words), "{fault}");
        }
    }

    #[test]
    fn the_two_planes_do_not_know_each_other() {
        check("actors", "[dependencies]\nproto.workspace = true\n", &[]);
        check("actors", "[dependencies]\ncoordinator.workspace = true\n", &["L1"]);
        check("coordinator", "[dev-dependencies]\nactors = { workspace = true }\n", &["L1"]);
        check("proto", "[build-dependencies]\nnode.workspace = true\n", &["L1"]);
        check("node", "[target.'cfg(unix)'.dependencies]\nintegration.workspace = true\n", &["L1"]);
        check("integration", "[dependencies]\nnode.workspace = true\n", &[]);
    }

    #[test]
    fn a_library_with_a_place_is_named_by_its_owners_only() {
        check("coordinator", "[dependencies]\nrdkafka.workspace = true\n", &["L2"]);
        check("node", "[dependencies]\nrocksdb.workspace = true\n", &["L2"]);
        check(
            "actors",
            "[dependencies]\nrdkafka.workspace = true\nrocksdb.workspace = true\n",
            &[],
        );
    }

    #[test]
    fn versions_stand_in_the_workspace() {
        check("node", "[dependencies]\nclap = \"4\"\n", &["version"]);
        check("node", "[dependencies.clap]\nversion = \"4\"\n", &["version"]);
        check("node", "[package]\nversion = \"4\"\n[lints]\nworkspace = true\n", &[]);
        check("node", "[dependencies]\n# clap = \"4\"\n\n", &[]);
    }

    #[test]
    fn a_sixth_crate_needs_a_reason() {
        check("helpers", "[package]\n", &["sixth"]);
    }
}
