//! A record as a line of JSON.

use crate::machine::json::put_string;

/// Appends `{"key":…,"value":…,"headers":{…}}` and a line feed.
pub(super) fn put_line(lines: &mut Vec<u8>, key: &[u8], value: &[u8], headers: &[(&str, String)]) {
    lines.extend_from_slice(b"{\"key\":");
    put_string(lines, String::from_utf8_lossy(key).as_bytes());
    put_value(lines, value);
    lines.extend_from_slice(b",\"headers\":{");
    for (place, (name, value)) in headers.iter().enumerate() {
        if place > 0 {
            lines.push(b',');
        }
        put_string(lines, name.as_bytes());
        lines.push(b':');
        put_string(lines, value.as_bytes());
    }
    lines.extend_from_slice(b"}}\n");
}

/// A JSON object on one line as it is, other text as a string, other bytes in base 64.
fn put_value(lines: &mut Vec<u8>, value: &[u8]) {
    let Ok(text) = std::str::from_utf8(value) else {
        lines.extend_from_slice(b",\"valueBase64\":\"");
        put_base64(lines, value);
        lines.push(b'"');
        return;
    };
    lines.extend_from_slice(b",\"value\":");
    if value.starts_with(b"{") && !value.contains(&b'\n') && is_json(text) {
        lines.extend_from_slice(value);
    } else {
        put_string(lines, value);
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn put_base64(lines: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            lines.push(if place > three.len() { b'=' } else { digit });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8], expected: &str) {
        let mut lines = Vec::new();
        put_line(&mut lines, b"k\"", value, &[("a", "1".to_owned()), ("b", "\n".to_owned())]);
        let expected =
            format!("{{\"key\":\"k\\\"\",{expected},\"headers\":{{\"a\":\"1\",\"b\":\"\\n\"}}}}\n");
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
    }

    #[test]
    fn a_value_is_an_object_text_or_base_64() {
        check(br#"{"a":1}"#, r#""value":{"a":1}"#);
        check(b"{\"a\":1,\n}", r#""value":"{\"a\":1,\n}""#);
        check(br#"{"a":1"#, r#""value":"{\"a\":1""#);
        check(b"plain", r#""value":"plain""#);
        check(b"", r#""value":"""#);
        check(b"\xff", r#""valueBase64":"/w==""#);
        check(b"\xff\x00", r#""valueBase64":"/wA=""#);
        check(b"\xff\x00a\xfe", r#""valueBase64":"/wBh/g==""#);
    }
}
