//! How a diagnostic looks to a person: the lines in question, and a mark under what is meant.

use std::fmt;

use super::{Diagnostic, Severity};

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let gutter = self.line.to_string().len();
        writeln!(f, "{severity}[{}]: {}", self.code, self.message)?;
        write!(f, "{:gutter$} ╭─ {}:{}:{}", "", self.path, self.line, self.column)?;
        let first = (self.line + 1).saturating_sub(self.excerpt.len());
        for (line, text) in (first..).zip(&self.excerpt) {
            write!(f, "\n{line:>gutter$} │ {}", text.replace('\t', " "))?;
        }
        self.mark(f, gutter)?;
        if self.note.is_empty() {
            Ok(())
        } else {
            write!(f, "\n{:gutter$} ╰─ {}", "", self.note)
        }
    }
}

impl Diagnostic {
    fn mark(&self, f: &mut fmt::Formatter<'_>, gutter: usize) -> fmt::Result {
        let Some(text) = self.excerpt.last() else {
            return if self.help.is_empty() {
                Ok(())
            } else {
                write!(f, "\n{:gutter$} │ {}", "", self.help)
            };
        };
        let columns = |from: usize, count: usize| {
            text.chars().skip(from).take(count).map(width).sum::<usize>()
        };
        let before = columns(0, self.column - 1);
        let length = columns(self.column - 1, self.end_column - self.column).max(1);
        write!(f, "\n{:gutter$} │ {:before$}{}", "", "", "─".repeat(length))?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "  {}", self.help) }
    }
}

/// How many columns a terminal gives the character: two for Chinese, Japanese, Korean and emoji.
const fn width(character: char) -> usize {
    match character {
        '\u{1100}'..='\u{115F}'
        | '\u{2E80}'..='\u{A4CF}'
        | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE6F}'
        | '\u{FF00}'..='\u{FF60}'
        | '\u{1F300}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFD}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Diagnostics};
    use super::*;

    fn diagnostic() -> Diagnostic {
        Diagnostic {
            code: Code::Dangling,
            severity: Severity::Error,
            path: "credit-card.yaml".to_owned(),
            line: 78,
            column: 28,
            end_column: 33,
            message: "step \"revew\" does not exist".to_owned(),
            help: "did you mean \"review\"?".to_owned(),
            note: "steps: apply, review, rejected".to_owned(),
            excerpt: vec![
                "    approval-rate:".to_owned(),
                "      numerator:   { step: revew, outcome: approved }".to_owned(),
            ],
        }
    }

    #[test]
    fn a_diagnostic_shows_the_line_and_marks_what_is_meant() {
        let expected = r#"
error[TL-0214]: step "revew" does not exist
   ╭─ credit-card.yaml:78:28
77 │     approval-rate:
78 │       numerator:   { step: revew, outcome: approved }
   │                            ─────  did you mean "review"?
   ╰─ steps: apply, review, rejected"#;
        assert_eq!(format!("\n{}", diagnostic()), expected);
    }

    #[test]
    fn the_mark_stands_right_behind_wide_characters() {
        let excerpt = vec!["信用: 卡 x".to_owned()];
        let it = Diagnostic {
            line: 1,
            column: 7,
            end_column: 8,
            note: String::new(),
            excerpt,
            ..diagnostic()
        };
        let text = it.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1..],
            [
                "  ╭─ credit-card.yaml:1:7",
                "1 │ 信用: 卡 x",
                "  │          ─  did you mean \"review\"?",
            ]
        );
    }

    #[test]
    fn a_diagnostic_about_a_whole_file_shows_no_line() {
        let it = Diagnostic {
            line: 1,
            column: 1,
            excerpt: Vec::new(),
            note: String::new(),
            ..diagnostic()
        };
        let text = it.to_string();
        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            ["  ╭─ credit-card.yaml:1:1", "  │ did you mean \"review\"?",]
        );
    }

    #[test]
    fn errors_and_warnings_are_counted() {
        let warning = Diagnostic { severity: Severity::Warning, ..diagnostic() };
        let check = |all: &[&Diagnostic], summary, has_errors| {
            let all = Diagnostics(all.iter().copied().cloned().collect());
            assert_eq!((all.summary().as_str(), all.has_errors()), (summary, has_errors));
        };
        check(&[&diagnostic(), &warning, &diagnostic()], "2 errors, 1 warning", true);
        check(&[&diagnostic()], "1 error", true);
        check(&[&warning, &warning], "0 errors, 2 warnings", false);
    }

    #[test]
    fn the_json_form_has_the_names_of_the_interface() {
        let json = Diagnostics(vec![diagnostic()]).to_json();
        assert_eq!(
            json,
            serde_json::json!([{
                "code": "TL-0214", "severity": "error", "path": "credit-card.yaml",
                "line": 78, "column": 28, "end_column": 33,
                "message": "step \"revew\" does not exist",
                "help": "did you mean \"review\"?", "note": "steps: apply, review, rejected",
            }])
        );
    }
}
