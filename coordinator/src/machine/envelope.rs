//! What stands round everything that the coordinator writes: format, nonce and checksum.
//!
//! One line of text, then the content:
//!
//! ```text
//! TLCL 1 1 00000000075bcd15 8f1e2d3c
//! {"term":1,"change":{"kind":"leader","candidate":"node-1"}}
//! ```
//!
//! magic, format, the least reader that understands it, nonce, CRC-32C of all the rest. The first
//! three never change their place, so that every version can say that it is too old (I14).

use bytes::Bytes;

/// The newest format that this version reads and writes. What an older version could read is still
/// written in the older format, so that going back by one version works until something new is used.
pub const FORMAT: u16 = 4;

/// No header is longer; a longer first line is none of ours.
const HEADER_BYTES: usize = 80;

/// An object whose envelope verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opened<'a> {
    /// What makes this object different from every other attempt to write the same.
    pub nonce: u64,
    /// What the envelope holds.
    pub content: &'a [u8],
}

/// Why an object was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    /// The object is something else.
    #[error("find {magic} at the object's start: this is another kind of object")]
    Foreign {
        /// What should stand first.
        magic: &'static str,
    },
    /// Cut short, altered, or never ours (I11).
    #[error("verify the object: it is torn or was altered")]
    Torn,
    /// Written by a later version that says that this one cannot read it (I14).
    #[error(
        "read format {format}: it needs a version that reads format {min_reader}, this one reads up to {FORMAT}; start the newer version again"
    )]
    Newer {
        /// The format it was written in.
        format: u16,
        /// The least format that a reader must know.
        min_reader: u16,
    },
}

/// `content` in its envelope; `format` is the least that knows what it says.
#[must_use]
pub fn seal(magic: &'static str, format: u16, nonce: u64, content: &[u8]) -> Bytes {
    let head = format!("{magic} {format} {format} {nonce:016x}");
    let checksum = checksum(&head, content);
    let mut object = format!("{head} {checksum:08x}\n").into_bytes();
    object.extend_from_slice(content);
    object.into()
}

/// What the envelope `object` holds.
///
/// # Errors
///
/// [`EnvelopeError`] where it is no such envelope, does not verify, or is too new.
pub fn open<'a>(magic: &'static str, object: &'a [u8]) -> Result<Opened<'a>, EnvelopeError> {
    if !object.starts_with(magic.as_bytes()) {
        return Err(EnvelopeError::Foreign { magic });
    }
    let (header, content) = split(object).ok_or(EnvelopeError::Torn)?;
    let mut fields = header.split(' ').skip(1);
    let mut number = || fields.next()?.parse::<u16>().ok();
    let (format, min_reader) = number().zip(number()).ok_or(EnvelopeError::Torn)?;
    if min_reader > FORMAT {
        return Err(EnvelopeError::Newer { format, min_reader });
    }
    let (head, sum) = header.rsplit_once(' ').ok_or(EnvelopeError::Torn)?;
    if sum != format!("{:08x}", checksum(head, content)) {
        return Err(EnvelopeError::Torn);
    }
    let nonce = fields.next().and_then(|nonce| u64::from_str_radix(nonce, 16).ok());
    Ok(Opened { nonce: nonce.ok_or(EnvelopeError::Torn)?, content })
}

fn split(object: &[u8]) -> Option<(&str, &[u8])> {
    let end = object.iter().take(HEADER_BYTES).position(|&byte| byte == b'\n')?;
    Some((str::from_utf8(&object[..end]).ok()?, &object[end + 1..]))
}

fn checksum(head: &str, content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head.as_bytes()), content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"{\"some\":\"thing\"}";

    fn rewritten(format: u16, min_reader: u16) -> Bytes {
        let head = format!("TEST {format} {min_reader} {:016x}", 7);
        let mut object = format!("{head} {:08x}\n", checksum(&head, CONTENT)).into_bytes();
        object.extend_from_slice(CONTENT);
        object.into()
    }

    #[test]
    fn what_was_sealed_comes_out_with_its_nonce() {
        for nonce in [0, 7, u64::MAX] {
            let object = seal("TEST", FORMAT, nonce, CONTENT);
            assert_eq!(open("TEST", &object), Ok(Opened { nonce, content: CONTENT }));
        }
    }

    #[test]
    fn an_object_cut_anywhere_is_refused() {
        let object = seal("TEST", FORMAT, 7, CONTENT);
        for length in 0..object.len() {
            assert!(open("TEST", &object[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn an_object_with_any_bit_turned_is_refused() {
        let object = seal("TEST", FORMAT, 7, CONTENT);
        for place in 0..object.len() * 8 {
            let mut turned = object.to_vec();
            turned[place / 8] ^= 1 << (place % 8);
            let opened = open("TEST", &turned);
            assert!(opened.is_err(), "bit {place}: {opened:?}");
        }
    }

    #[test]
    fn another_kind_of_object_is_named_as_such() {
        let object = seal("TEST", FORMAT, 7, CONTENT);
        assert_eq!(open("ELSE", &object), Err(EnvelopeError::Foreign { magic: "ELSE" }));
    }

    #[test]
    fn a_newer_format_that_needs_a_newer_reader_is_refused_as_newer_not_as_torn() {
        let newer = EnvelopeError::Newer { format: FORMAT + 2, min_reader: FORMAT + 1 };
        assert_eq!(open("TEST", &rewritten(FORMAT + 2, FORMAT + 1)), Err(newer.clone()));
        assert_eq!(open("TEST", b"TEST 6 5 and a header of another shape\n..."), Err(newer));
    }

    #[test]
    fn an_older_format_is_read() {
        assert!(open("TEST", &rewritten(1, 1)).is_ok());
        assert!(seal("TEST", 1, 7, CONTENT).starts_with(b"TEST 1 1 "));
    }

    #[test]
    fn a_newer_format_that_this_reader_may_read_is_read() {
        assert!(open("TEST", &rewritten(FORMAT + 1, FORMAT)).is_ok());
    }
}
