//! A line of a file as a record.

use std::borrow::Cow;

use serde::Deserialize;

/// What a line says.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Parsed<'a> {
    pub(super) time_ms: u64,
    /// `None` where the record has a key without a value.
    pub(super) payload: Option<Cow<'a, [u8]>>,
}

#[derive(Deserialize)]
struct Wrapper<'a> {
    timestamp: u64,
    /// Outer `None`: absent; inner: `null`.
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<Option<Text<'a>>>,
    #[serde(borrow, rename = "valueBase64")]
    base64: Option<Text<'a>>,
}

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn present<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<Text<'de>>>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

/// The record in `line`; the line itself, with timestamp 0, where it is no wrapped record.
pub(super) fn parse(line: &[u8]) -> Parsed<'_> {
    let as_it_is = Parsed { time_ms: 0, payload: Some(Cow::Borrowed(line)) };
    let Ok(wrapper) = serde_json::from_slice::<Wrapper<'_>>(line) else { return as_it_is };
    let payload = match (wrapper.value, wrapper.base64) {
        (Some(Some(Text(Cow::Borrowed(text)))), None) => Some(Cow::Borrowed(text.as_bytes())),
        (Some(Some(Text(Cow::Owned(text)))), None) => Some(Cow::Owned(text.into_bytes())),
        (Some(None), None) => None,
        (None, Some(Text(text))) => match decode_base64(text.as_bytes()) {
            Some(bytes) => Some(Cow::Owned(bytes)),
            None => return as_it_is,
        },
        (Some(_), Some(_)) | (None, None) => return as_it_is,
    };
    Parsed { time_ms: wrapper.timestamp, payload }
}

/// The bytes that `text` stands for; `None` where it is no padded base 64.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|it| **it == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits = 0_u32;
    for (place, digit) in text[..text.len() - padding].iter().enumerate() {
        let digit = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        if place % 4 == 3 {
            bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    match padding {
        1 => bytes.extend_from_slice(&(bits << 6).to_be_bytes()[1..3]),
        2 => bytes.extend_from_slice(&(bits << 12).to_be_bytes()[1..2]),
        _ => {}
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, time_ms: u64, payload: Option<&[u8]>) {
        assert_eq!(parse(line.as_bytes()), Parsed { time_ms, payload: payload.map(Cow::Borrowed) });
    }

    #[test]
    fn a_wrapped_record_is_unwrapped() {
        check(r#"{"timestamp":7,"key":"k","value":"{\"a\":1}"}"#, 7, Some(br#"{"a":1}"#));
        check(r#"{"timestamp":7,"key":null,"value":"plain"}"#, 7, Some(b"plain"));
        check(r#"{"timestamp":7,"value":null}"#, 7, None);
        check(r#"{"timestamp":7,"value":""}"#, 7, Some(b""));
        check(r#"{"timestamp":7,"valueBase64":"/wBh"}"#, 7, Some(b"\xff\0a"));
        check(r#"{"timestamp":7,"valueBase64":"/wA="}"#, 7, Some(b"\xff\0"));
        check(r#"{"timestamp":7,"valueBase64":"/w=="}"#, 7, Some(b"\xff"));
    }

    #[test]
    fn any_other_line_is_taken_as_it_is() {
        for line in [
            "",
            "no json",
            r#"{"timestamp":7}"#,
            r#"{"value":"a"}"#,
            r#"{"timestamp":-1,"value":"a"}"#,
            r#"{"timestamp":7,"value":{"a":1}}"#,
            r#"{"timestamp":7,"value":"a","valueBase64":"/w=="}"#,
            r#"{"timestamp":7,"valueBase64":"/w="}"#,
            r#"{"timestamp":7,"valueBase64":"/w!="}"#,
        ] {
            check(line, 0, Some(line.as_bytes()));
        }
    }
}
