//! JSON strings: how far one is plain, and how text becomes one.

/// Where the plain part of a string ends that goes on at `at`: at a quote, a backslash, a control
/// character, or the end of the text. Eight bytes a step.
#[inline]
#[must_use]
pub fn plain_end(text: &[u8], at: usize) -> usize {
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

/// Appends `text` as a JSON string.
pub fn put_string(json: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    json.push(b'"');
    let mut from = 0;
    loop {
        let end = plain_end(text, from);
        json.extend_from_slice(&text[from..end]);
        match text.get(end) {
            None => break,
            Some(&byte @ (b'"' | b'\\')) => json.extend_from_slice(&[b'\\', byte]),
            Some(b'\n') => json.extend_from_slice(b"\\n"),
            Some(b'\r') => json.extend_from_slice(b"\\r"),
            Some(b'\t') => json.extend_from_slice(b"\\t"),
            Some(&byte) => {
                json.extend_from_slice(b"\\u00");
                json.push(HEX[usize::from(byte >> 4)]);
                json.push(HEX[usize::from(byte & 15)]);
            }
        }
        from = end + 1;
    }
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back_from_its_json_string(text in "(.|[\\x00-\\x1f\"\\\\]){0,40}") {
            let mut json = Vec::new();
            put_string(&mut json, text.as_bytes());
            prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }

        #[test]
        fn the_plain_part_ends_where_a_look_at_each_byte_says(text: Vec<u8>, from in 0_usize..40) {
            let is_special = |it: &u8| *it == b'"' || *it == b'\\' || *it < 0x20;
            let rest = text.get(from..).unwrap_or_default();
            let plain = rest.iter().position(is_special).unwrap_or(rest.len());
            if from <= text.len() {
                prop_assert_eq!(plain_end(&text, from), from + plain);
            }
        }
    }
}
