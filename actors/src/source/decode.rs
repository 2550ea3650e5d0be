//! Turns a message into a leg's body: checks that all of it is JSON, and takes out the fields that are kept.
//!
//! One pass over the text, without a tree. A message is refused where any of it is not JSON as
//! `serde_json` reads it: also behind the wanted fields, and with invalid UTF-8, half a surrogate
//! pair, a number that no double holds, or 128 levels. Where an object has a name twice, the first counts.

mod scan;
mod text;

use proto::types::{EventTime, Keying, Leg, TransactionKey};
use twox_hash::XxHash3_64;

use self::scan::{Span, Wanted, scan};
use crate::machine::fields::{put_field, put_id};

/// The version of the rules below, as dead letters name it: it rises when the same bytes may decode otherwise.
pub const DECODER: &str = "json-1";

/// 1 January 2200 in milliseconds: a time from then on is no time in milliseconds.
const END_OF_TIME_MS: i64 = 7_258_118_400_000;

/// Captures whose places fit on the stack; a leg with more costs an allocation a record.
const CAPTURES_ON_STACK: usize = 32;

/// How much a record may bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of a record at most.
    pub record_bytes: usize,
    /// Bytes of a kept field's JSON text at most; a body cannot carry more than 65,535.
    pub field_bytes: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: 1 << 20, field_bytes: u16::MAX }
    }
}

/// Why a record could not be understood, as dead letters name it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// A record without a value, or with an empty one.
    Empty,
    /// Not JSON, or more JSON than one value.
    MalformedJson,
    /// No transaction id.
    NoId,
    /// A transaction id that is neither an integer nor a string of 1 to 255 bytes.
    BadId,
    /// No event time.
    NoTime,
    /// An event time that is no integer number of milliseconds from 1970 until 2199.
    BadTime,
    /// A record or a field over its limit.
    TooLarge,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::MalformedJson,
        Self::NoId,
        Self::BadId,
        Self::NoTime,
        Self::BadTime,
        Self::TooLarge,
    ];

    /// The name in headers, metrics and screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::MalformedJson => "malformed-json",
            Self::NoId => "no-id",
            Self::BadId => "bad-id",
            Self::NoTime => "no-time",
            Self::BadTime => "bad-time",
            Self::TooLarge => "too-large",
        }
    }
}

/// A record that could not be understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}: {detail}", class.name())]
pub struct Malformed {
    /// What is wrong.
    pub class: Class,
    /// Where, and what was expected; never the message's content.
    pub detail: String,
}

/// What a decoder cannot be made of.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no field: a field is a JSON pointer like /body/amount, and one object has at most 64"
)]
pub struct PointerError(String);

/// What a message said, besides its body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decoded {
    /// The time inside the message.
    pub event_time: EventTime,
    /// XXH3-64 of the message: the same leg with the same content is a duplicate.
    pub content: u64,
}

/// Decodes one leg's messages.
#[derive(Debug)]
pub struct Decoder {
    leg: Leg,
    wanted: Wanted,
    id: usize,
    time: usize,
    fields: Vec<(usize, String)>,
    limits: Limits,
    keying: Keying,
}

impl Decoder {
    /// A decoder of `leg` that finds the id and the time at the pointers `id` and `time`, and keeps the fields at
    /// `pointers`, in that order.
    ///
    /// # Errors
    ///
    /// [`PointerError`] names the first pointer that is none.
    pub fn new(
        leg: Leg,
        id: &str,
        time: &str,
        pointers: &[String],
        limits: Limits,
    ) -> Result<Self, PointerError> {
        let mut wanted = Wanted::default();
        let mut capture =
            |pointer: &str| wanted.intern(pointer).ok_or_else(|| PointerError(pointer.to_owned()));
        let (id, time) = (capture(id)?, capture(time)?);
        let fields = pointers
            .iter()
            .map(|pointer| Ok((capture(pointer)?, pointer.clone())))
            .collect::<Result<_, PointerError>>()?;
        Ok(Self { leg, wanted, id, time, fields, limits, keying: Keying::default() })
    }

    /// The same decoder, of a cluster in which ids become keys in this way.
    #[must_use]
    pub fn keyed(self, keying: Keying) -> Self {
        Self { keying, ..self }
    }

    /// The key of the transaction with this id.
    #[must_use]
    pub fn key(&self, id: &[u8]) -> TransactionKey {
        self.keying.key(id)
    }

    /// Which messages it decodes.
    #[must_use]
    pub const fn leg(&self) -> Leg {
        self.leg
    }

    /// Appends the message's body to `body` (`machine::fields` has the format) and tells the rest.
    ///
    /// # Errors
    ///
    /// [`Malformed`]; `body` is then as it was.
    pub fn decode(&self, payload: Option<&[u8]>, body: &mut Vec<u8>) -> Result<Decoded, Malformed> {
        let text = payload.unwrap_or_default();
        if text.is_empty() {
            return Err(malformed(Class::Empty, "the record has no value".to_owned()));
        }
        if text.len() > self.limits.record_bytes {
            let detail = format!("{} bytes, the limit is {}", text.len(), self.limits.record_bytes);
            return Err(malformed(Class::TooLarge, detail));
        }
        let mut few = [None; CAPTURES_ON_STACK];
        let mut many = Vec::new();
        let spans = if let Some(few) = few.get_mut(..self.wanted.captures()) {
            few
        } else {
            many.resize(self.wanted.captures(), None);
            &mut many[..]
        };
        self.walk(text, spans)?;
        let start = body.len();
        let event_time = self.keep(text, spans, body).inspect_err(|_| body.truncate(start))?;
        Ok(Decoded { event_time, content: XxHash3_64::oneshot(text) })
    }

    fn walk(&self, text: &[u8], spans: &mut [Span]) -> Result<(), Malformed> {
        if let Err(fault) = std::str::from_utf8(text) {
            let detail = format!("invalid UTF-8 at byte {}", fault.valid_up_to());
            return Err(malformed(Class::MalformedJson, detail));
        }
        scan(text, &self.wanted, spans).map_err(|fault| {
            let detail = format!("expected {} at byte {}", fault.expected, fault.at);
            malformed(Class::MalformedJson, detail)
        })
    }

    fn keep(
        &self,
        text: &[u8],
        spans: &[Span],
        body: &mut Vec<u8>,
    ) -> Result<EventTime, Malformed> {
        let value = |capture: usize| spans[capture].map(|(start, end)| &text[start..end]);
        put_id_of(value(self.id), body)?;
        let event_time = time_of(value(self.time))?;
        for (capture, pointer) in &self.fields {
            let json = value(*capture);
            let size = json.map_or(0, <[u8]>::len);
            if size > usize::from(self.limits.field_bytes) {
                let limit = self.limits.field_bytes;
                let detail = format!("{pointer} has {size} bytes, the limit is {limit}");
                return Err(malformed(Class::TooLarge, detail));
            }
            put_field(body, json);
        }
        Ok(event_time)
    }
}

const fn malformed(class: Class, detail: String) -> Malformed {
    Malformed { class, detail }
}

fn put_id_of(json: Option<&[u8]>, body: &mut Vec<u8>) -> Result<(), Malformed> {
    let json = json.ok_or_else(|| malformed(Class::NoId, "no transaction id".to_owned()))?;
    let bad = |detail| malformed(Class::BadId, detail);
    let id = match json {
        [b'"', plain @ .., b'"'] if !plain.contains(&b'\\') => plain,
        [b'"', ..] => {
            let id: String =
                serde_json::from_slice(json).map_err(|fault| bad(fault.to_string()))?;
            return put_checked_id(id.as_bytes(), body);
        }
        number if is_integer(number) => number,
        _ => return Err(bad("the id is neither a string nor an integer".to_owned())),
    };
    put_checked_id(id, body)
}

fn put_checked_id(id: &[u8], body: &mut Vec<u8>) -> Result<(), Malformed> {
    if id.is_empty() || id.len() > usize::from(u8::MAX) {
        let detail = format!("the id has {} bytes, it must have 1 to 255", id.len());
        return Err(malformed(Class::BadId, detail));
    }
    put_id(body, id);
    Ok(())
}

fn is_integer(json: &[u8]) -> bool {
    let digits = json.strip_prefix(b"-").unwrap_or(json);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn time_of(json: Option<&[u8]>) -> Result<EventTime, Malformed> {
    let json = json.ok_or_else(|| malformed(Class::NoTime, "no event time".to_owned()))?;
    let digits = match json {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    };
    let ms = std::str::from_utf8(digits).ok().filter(|it| is_integer(it.as_bytes()));
    match ms.and_then(|it| it.parse().ok()) {
        Some(ms @ 0..END_OF_TIME_MS) => Ok(EventTime(ms)),
        Some(_) | None => {
            let detail = "the time is no integer number of milliseconds from 1970 until 2199";
            Err(malformed(Class::BadTime, detail.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
