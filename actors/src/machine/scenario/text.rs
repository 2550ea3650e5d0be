//! The text of a JSON value, with its escapes resolved; borrowed wherever it has none.

use std::borrow::Cow;

use super::super::fields::unquoted;

/// The text of a string, number or truth value. `None` for an object, an array and null.
pub(super) fn of_scalar(json: &[u8]) -> Option<Cow<'_, str>> {
    match json {
        [b'"', ..] if json.contains(&b'\\') => Some(Cow::Owned(unescaped(unquoted(json)))),
        [b'"' | b'-' | b'0'..=b'9' | b't' | b'f', ..] => {
            Some(String::from_utf8_lossy(unquoted(json)))
        }
        _ => None,
    }
}

/// Whether the value's text is `expected`.
pub(super) fn is(json: &[u8], expected: &str) -> bool {
    match json {
        [b'"', ..] if json.contains(&b'\\') => unescaped(unquoted(json)) == expected,
        [b'"' | b'-' | b'0'..=b'9' | b't' | b'f', ..] => unquoted(json) == expected.as_bytes(),
        _ => false,
    }
}

/// Whether the value's text begins with `prefix`.
pub(super) fn begins_with(json: &[u8], prefix: &str) -> bool {
    of_scalar(json).is_some_and(|text| text.starts_with(prefix))
}

/// At most `limit` bytes of the text, cut between characters.
pub(super) fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..text.floor_char_boundary(limit)]),
        Cow::Owned(mut text) => {
            text.truncate(text.floor_char_boundary(limit));
            Cow::Owned(text)
        }
    }
}

/// The text that the inside of a JSON string stands for. What is no valid escape or no UTF-8
/// becomes U+FFFD: a rule must not fail on what a message contains.
fn unescaped(inner: &[u8]) -> String {
    let source = String::from_utf8_lossy(inner);
    let mut rest = source.as_ref();
    let mut text = String::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, after) = escape(&rest[at + 1..]);
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The character of the escape whose backslash stands before `rest`, and what follows it.
fn escape(rest: &str) -> (char, &str) {
    let mut characters = rest.chars();
    let character = match characters.next() {
        Some(plain @ ('"' | '\\' | '/')) => plain,
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return code_point(characters.as_str()),
        Some(_) | None => char::REPLACEMENT_CHARACTER,
    };
    (character, characters.as_str())
}

/// The character of `\u`, whose digits `rest` begins with; a pair of surrogates is one character.
fn code_point(rest: &str) -> (char, &str) {
    let Some((first, after)) = four_digits(rest) else {
        return (char::REPLACEMENT_CHARACTER, rest);
    };
    let low = after.strip_prefix("\\u").and_then(four_digits);
    if let (0xD800..=0xDBFF, Some((second @ 0xDC00..=0xDFFF, after))) = (first, low) {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), after);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), after)
}

fn four_digits(rest: &str) -> Option<(u32, &str)> {
    let (digits, after) = rest.split_at_checked(4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok()?;
    is_hex.then_some((number, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_of_a_string_has_its_escapes_resolved() {
        let check = |json: &str, text: &str| assert_eq!(of_scalar(json.as_bytes()).unwrap(), text);
        check(r#""APPROVED""#, "APPROVED");
        check(r#""a\"b\\c\/d""#, "a\"b\\c/d");
        check(r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t");
        check(r#""\u4fe1\u7528\u5361""#, "信用卡");
        check(r#""\uD83D\uDCB3!""#, "💳!");
        check(r#""信用卡""#, "信用卡");
        check("200", "200");
        check("-1.50", "-1.50");
        check("true", "true");
    }

    #[test]
    fn a_broken_escape_becomes_a_replacement_character() {
        let check = |json: &str, text: &str| assert_eq!(of_scalar(json.as_bytes()).unwrap(), text);
        check(r#""\ud83d.""#, "\u{fffd}.");
        check(r#""\ud83d\u0041""#, "\u{fffd}A");
        check(r#""\u12""#, "\u{fffd}12");
        check(r#""\u+123""#, "\u{fffd}+123");
        check(r#""\q""#, "\u{fffd}");
        assert_eq!(of_scalar(b"\"\xff\"").unwrap(), "\u{fffd}");
    }

    #[test]
    fn what_is_no_scalar_has_no_text() {
        for json in ["null", "{}", "[1]", "[\"a\"]"] {
            assert_eq!(of_scalar(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(of_scalar(b"\"mobile-app\""), Some(Cow::Borrowed("mobile-app"))));
        assert!(matches!(of_scalar(b"200"), Some(Cow::Borrowed("200"))));
    }

    #[test]
    fn the_spelling_of_an_escape_is_not_its_text() {
        assert!(is(br#""a\nb""#, "a\nb"));
        assert!(!is(br#""a\nb""#, r"a\nb"));
        assert!(is(br#""a\\nb""#, r"a\nb"));
        assert!(begins_with(br#""\u0063ard.open""#, "card."));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(Cow::Borrowed("卡卡"), 5), "卡");
        assert_eq!(cut(Cow::Owned("卡卡".to_owned()), 5), "卡");
        assert_eq!(cut(Cow::Borrowed("atm"), 5), "atm");
    }

    proptest! {
        #[test]
        fn any_text_is_itself_however_a_serializer_spells_it(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&of_scalar(json.as_bytes()).unwrap(), &text);
            prop_assert!(is(json.as_bytes(), &text));

            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            let escaped = format!("\"{}\"", units.collect::<String>());
            prop_assert!(is(escaped.as_bytes(), &text));
        }

        #[test]
        fn two_texts_are_the_same_or_not_whatever_their_spelling(
            one in "[a\\\\\"n/]{0,4}", other in "[a\\\\\"n/]{0,4}",
        ) {
            let json = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(is(json.as_bytes(), &other), one == other);
            prop_assert_eq!(begins_with(json.as_bytes(), &other), one.starts_with(&other));
        }

        #[test]
        fn no_bytes_make_it_fail(json in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = of_scalar(&json);
            let mut quoted = b"\"\\".to_vec();
            quoted.extend_from_slice(&json);
            quoted.push(b'"');
            prop_assert!(of_scalar(&quoted).is_some());
        }
    }
}
