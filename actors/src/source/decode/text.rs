//! What JSON's strings and numbers are made of.

/// Where the plain part of a string ends that goes on at `at`: at a quote, a backslash, a control
/// character, or the end of the text. Eight bytes a step.
#[inline]
pub(super) fn plain_end(text: &[u8], at: usize) -> usize {
    let (eights, tail) = text.get(at..).unwrap_or_default().as_chunks::<8>();
    for (place, eight) in eights.iter().enumerate() {
        let marks = special(u64::from_le_bytes(*eight));
        if marks != 0 {
            return at + place * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let is_special = |b: &u8| *b == b'"' || *b == b'\\' || *b < 0x20;
    text.len() - tail.len() + tail.iter().position(is_special).unwrap_or(tail.len())
}

/// The top bit of each byte that is a quote, a backslash or below 0x20. A borrow can mark a byte
/// wrongly, but only above one that is marked rightly: the lowest mark is right.
#[inline]
const fn special(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let quote = bytes ^ (ONES * b'"' as u64);
    let backslash = bytes ^ (ONES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let is_control = bytes.wrapping_sub(ONES * 0x20) & !bytes;
    (is_quote | is_backslash | is_control) & TOPS
}

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
