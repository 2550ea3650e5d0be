//! The rules that no compiler checks, as functions on text: what a file may hold, use and promise.
//!
//! A fault is one sentence that begins with the file's name. `integration/tests/tidy.rs` reads the
//! repository and asks; the rules themselves read nothing.

mod imports;
mod manifest;
mod page;
mod source;

pub use page::{commands, paths, targets};

const MAX_BYTES: usize = 1024 * 1024;

/// What is wrong with the file `name` (from the repository's root, with `/`), empty where nothing is.
#[must_use]
pub fn faults(name: &str, bytes: &[u8]) -> Vec<String> {
    let mut faults = Vec::new();
    if bytes.len() > MAX_BYTES {
        faults.push(format!("{name}: is over 1 MiB"));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return faults };
    if name.ends_with(".rs") {
        faults.extend(source::faults(name, text));
    }
    if name.ends_with("/Cargo.toml") {
        faults.extend(manifest::faults(name, text));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_one_mebibyte_is_refused_whatever_it_holds() {
        assert!(faults("docs/picture.png", &[0xff; MAX_BYTES]).is_empty());
        assert_eq!(faults("docs/picture.png", &[0xff; MAX_BYTES + 1]).len(), 1);
        assert_eq!(faults("Cargo.lock", "x".repeat(MAX_BYTES + 1).as_bytes()).len(), 1);
    }

    #[test]
    fn sources_and_manifests_are_looked_into() {
        assert_eq!(faults("node/src/main.rs", b"fn main() {}").len(), 1);
        assert_eq!(faults("proto/Cargo.toml", b"[dependencies]\nactors.workspace = true").len(), 1);
        assert!(faults("README.md", b"fn main() {}").is_empty());
    }
}
