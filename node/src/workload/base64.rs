//! Base64 (RFC 4648, with padding), for bytes that are no text and yet must stand in a JSON line.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text for `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            text.push(if place <= chunk.len() { digit(bits, place) } else { '=' });
        }
    }
    text
}

fn digit(bits: u32, place: usize) -> char {
    let shift = [18, 12, 6, 0][place];
    let value = usize::try_from((bits >> shift) & 63).expect("six bits fit");
    char::from(ALPHABET[value])
}

/// The bytes of `text`; `None` where it is no Base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0;
        for &digit in chunk {
            bits = bits << 6 | ALPHABET.iter().position(|&it| it == digit)?;
        }
        bits <<= 6 * (4 - chunk.len());
        let all = u32::try_from(bits).ok()?.to_be_bytes();
        bytes.extend_from_slice(&all[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in cases {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&every)).unwrap(), every);
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["a", "ab!=", "====", "Zg=", "Z==="] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
