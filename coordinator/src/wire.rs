//! Letters as bytes: prost messages with a format number, read without trust.

use bytes::Bytes;
use prost::Message as _;

use crate::machine::letter::Letter;

mod message;
mod read;
mod write;

/// The format that this version writes, and the only one that it reads (I14).
const FORMAT: u32 = 1;
/// The most that a letter may have, in bytes (I13): a report of all 65,536 ranges has less.
pub const MAX_BYTES: usize = 8 << 20;

/// Why bytes are no letter. Whoever gets such ignores and counts them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unread {
    /// More than [`MAX_BYTES`].
    #[error("read a letter of {0} bytes: none has more than {MAX_BYTES}")]
    TooLarge(usize),
    /// No message at all.
    #[error("read a letter: {0}")]
    Torn(String),
    /// A format of another version.
    #[error("read a letter of format {0}: this version reads {FORMAT}")]
    Format(u32),
    /// A kind that this version doesn't know.
    #[error("read a letter: it is of a kind that this version does not know")]
    Unknown,
    /// A part that cannot be.
    #[error("read a letter: its {0} is missing or cannot be")]
    Wrong(&'static str),
}

/// The letter as bytes. Orders that nobody but the leader can carry out are left out.
#[must_use]
pub fn encode(letter: &Letter) -> Bytes {
    write::frame(letter).encode_to_vec().into()
}

/// The letter that the bytes are.
///
/// # Errors
///
/// [`Unread`]; never a panic, whatever the bytes are.
pub fn decode(bytes: &[u8]) -> Result<Letter, Unread> {
    if bytes.len() > MAX_BYTES {
        return Err(Unread::TooLarge(bytes.len()));
    }
    let frame = message::Frame::decode(bytes).map_err(|why| Unread::Torn(why.to_string()))?;
    if frame.format != FORMAT {
        return Err(Unread::Format(frame.format));
    }
    read::letter(frame.letter.ok_or(Unread::Unknown)?)
}

#[cfg(test)]
mod tests;
