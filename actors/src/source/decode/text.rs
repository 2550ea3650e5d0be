//! What JSON's escape sequences and numbers are made of.

/// Where the escape sequence at `at` ends. Halves of a surrogate pair come in pairs only.
pub(super) fn escape_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => match hex(text, at + 2)? {
            0xD800..=0xDBFF => {
                let is_escape = text.get(at + 6..at + 8)? == br"\u";
                let is_pair = is_escape && (0xDC00..=0xDFFF).contains(&hex(text, at + 8)?);
                is_pair.then_some(at + 12)
            }
            0xDC00..=0xDFFF => None,
            _ => Some(at + 6),
        },
        _ => None,
    }
}

fn hex(text: &[u8], at: usize) -> Option<u32> {
    let digit = |value: u32, b: &u8| Some(value * 16 + char::from(*b).to_digit(16)?);
    text.get(at..at + 4)?.iter().try_fold(0, digit)
}

/// Whether a double can hold the number: what `serde_json` and most readers of our output need.
pub(super) fn is_finite(number: &[u8]) -> bool {
    let number = std::str::from_utf8(number).ok().and_then(|it| it.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}
