//! What is behind an error, as logs and people are told it.

use std::error::Error;

/// An error with all its causes, on one line.
#[must_use]
pub fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("write commit")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("open journal")]
    struct Inner(#[source] std::io::Error);

    #[test]
    fn every_cause_follows_what_it_caused() {
        let error = Outer(Inner(std::io::Error::other("disk is full")));
        assert_eq!(one_line(&error), "write commit: open journal: disk is full");
        assert_eq!(one_line(&error.0.0), "disk is full");
    }
}
