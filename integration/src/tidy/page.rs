//! The rules for pages: that the commands and files that a text names are there.

/// The targets of a Makefile.
#[must_use]
pub fn targets(makefile: &str) -> Vec<&str> {
    let is_name =
        |it: &&str| !it.is_empty() && it.chars().all(|it| it.is_ascii_lowercase() || it == '-');
    makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .filter(is_name)
        .collect()
}

/// What a page says to make: the words behind `make` where code begins with it.
#[must_use]
pub fn commands(page: &str) -> Vec<&str> {
    code(page)
        .into_iter()
        .filter_map(|code| code.trim_start_matches("$ ").strip_prefix("make "))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect()
}

/// The files and folders that a page names: what it links to, and paths of the repository's folders in
/// its code. `{a,b}`, `*` and `…` stand for several and are left out.
#[must_use]
pub fn paths<'a>(page: &'a str, folders: &[&str]) -> Vec<&'a str> {
    let is_plain = |it: &&str| !it.contains(['{', '*', '…', ' ', '<', ':']);
    let ours = |it: &&str| it.split_once('/').is_some_and(|(folder, _)| folders.contains(&folder));
    let linked = page.split("](").skip(1).filter_map(|it| it.split(')').next());
    let linked = linked.map(|it| it.split('#').next().unwrap_or_default());
    let linked = linked.filter(|it| !it.is_empty());
    linked.chain(code(page).into_iter().filter(ours)).filter(is_plain).collect()
}

/// Every line of a block of code, and every piece of code within a line.
fn code(page: &str) -> Vec<&str> {
    let mut is_fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced || line.starts_with("    ") {
            found.push(line.trim());
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_made_are_the_names_before_a_colon() {
        let makefile = "export CC := clang\n.PHONY: help\nhelp:    ## Say\n\t@echo a: b\ndemo: build\nX ?= 1\n";
        assert_eq!(targets(makefile), ["help", "demo"]);
    }

    #[test]
    fn a_command_is_what_code_says_not_what_prose_says() {
        let page = "Please make sure.\n\n    make demo   # a demo\n\n```sh\n$ make test\n```\nor `make fix`.\nmake love\n";
        assert_eq!(commands(page), ["demo", "test", "fix"]);
    }

    #[test]
    fn a_page_names_files_by_link_and_by_path() {
        let page = "[a](docs/a.md#part) [b](#part) [c](https://x.org/y)\n`node/src/main.rs` `a/b` `proto/*.rs` `make x`";
        assert_eq!(paths(page, &["node", "proto"]), ["docs/a.md", "node/src/main.rs"]);
    }
}
