//! `config show`: the settings that are in force, as a file that could be read again.

use super::report::{Setting, Value};
use super::{API_VERSION, Config};

impl Config {
    /// The settings as YAML: those that the file sets, or all of them, each with where it comes from.
    /// Secrets are shown as stars.
    #[must_use]
    pub fn show(&self, is_all: bool) -> String {
        let mut text = format!("apiVersion: {API_VERSION}\nkind: Cluster\n");
        let mut previous: &[String] = &[];
        let is_shown = |it: &&Setting| is_all || it.line.is_some();
        let mut settings: Vec<&Setting> = self.settings.iter().filter(is_shown).collect();
        settings.retain(|it| !["apiVersion", "kind"].contains(&it.path[0].as_str()));
        for setting in settings {
            let same = previous.iter().zip(&setting.path).take_while(|(a, b)| a == b).count();
            push(&mut text, setting, same, is_all);
            previous = &setting.path[..setting.path.len() - 1];
        }
        text
    }
}

/// Appends a setting whose first `same` keys have just been written.
fn push(text: &mut String, setting: &Setting, same: usize, is_all: bool) {
    let (last, around) = setting.path.split_last().expect("a setting has a name");
    for (depth, key) in around.iter().enumerate().skip(same) {
        text.push_str(&format!("{:indent$}{}:\n", "", plain(key), indent = depth * 2));
    }
    let value = match &setting.value {
        Value::Plain(value) => plain(value),
        Value::Text(value) => quoted(value),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|it| quoted(it)).collect();
            format!("[{}]", items.join(", "))
        }
    };
    let indent = around.len() * 2;
    text.push_str(&format!("{:indent$}{}: {value}", "", plain(last)));
    match setting.line {
        Some(line) if is_all => text.push_str(&format!("  # line {line}\n")),
        None if is_all => text.push_str("  # default\n"),
        Some(_) | None => text.push('\n'),
    }
}

/// As it is where YAML cannot take it for anything else, else in quotes.
fn plain(value: &str) -> String {
    let starts_well = value.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '/');
    let fits = |it: char| it.is_ascii_alphanumeric() || "-_./:=,%".contains(it);
    let is_plain = starts_well && value.chars().all(fits) && !value.ends_with(':');
    if is_plain { value.to_owned() } else { quoted(value) }
}

/// In quotes: JSON's strings are YAML's too.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}
