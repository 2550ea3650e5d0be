//! Which parts of a message are kept: a table of fields, and the compact form in which a leg carries them.
//!
//! A field is `<leg>:<JSON pointer>`. Everything that results, conditions and dimensions need is
//! collected into one table when the configuration is read; a decoder then extracts just those.
//! A leg's *body* is the JSON text of its fields in table order, each behind its length:
//!
//! ```text
//! body   = id, field*                 one entry for each of the leg's fields, in table order
//! id     = length u8, bytes           the transaction id, without quotes, as the message spelled it
//! field  = length u16 LE, JSON text   for example "mobile-app" (with its quotes) or 200; absent: length 0
//! ```

use proto::types::Leg;

/// A field's place in its leg's body.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Field {
    /// The leg that carries it.
    pub leg: Leg,
    /// Its place among the leg's fields.
    pub place: u16,
}

/// The fields that are kept of each leg, as RFC 6901 pointers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldTable {
    pointers: [Vec<String>; 3],
}

impl FieldTable {
    /// The field at `pointer` in `leg`; it is added if it is not yet in the table.
    pub fn intern(&mut self, leg: Leg, pointer: &str) -> Field {
        let pointers = &mut self.pointers[leg.index()];
        let place = pointers.iter().position(|it| it == pointer).unwrap_or_else(|| {
            pointers.push(pointer.to_owned());
            pointers.len() - 1
        });
        Field { leg, place: u16::try_from(place).expect("a scenario file has under 65,536 fields") }
    }

    /// The pointers of `leg`'s fields, in the order of its bodies.
    #[must_use]
    pub fn pointers(&self, leg: Leg) -> &[String] {
        &self.pointers[leg.index()]
    }
}

/// Up to three legs' bodies, read field by field. What conditions, dimensions and results look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bodies<'a> {
    bodies: [Option<&'a [u8]>; 3],
}

impl<'a> Bodies<'a> {
    /// No leg yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { bodies: [None; 3] }
    }

    /// With `body` as the body of `leg`.
    pub fn set(&mut self, leg: Leg, body: &'a [u8]) {
        self.bodies[leg.index()] = Some(body);
    }

    /// Whether `leg` is there.
    #[must_use]
    pub const fn has(&self, leg: Leg) -> bool {
        self.bodies[leg.index()].is_some()
    }

    /// The transaction id, as the first leg that is there spelled it. Empty where there is none.
    #[must_use]
    pub fn id(&self) -> &'a [u8] {
        self.bodies.iter().flatten().next().map_or(&[], |body| split_id(body).0)
    }

    /// The JSON text of `field`: `None` where its leg is missing or has no such field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&'a [u8]> {
        let (_, mut rest) = split_id(self.bodies[field.leg.index()]?);
        for _ in 0..field.place {
            rest = split_field(rest).1;
        }
        let text = split_field(rest).0;
        (!text.is_empty()).then_some(text)
    }

    /// The value of a field that is a JSON string without escapes, else its JSON text.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&'a [u8]> {
        self.get(field).map(unquoted)
    }
}

/// What stands between the quotes of a JSON string; any other JSON text as it is.
#[must_use]
pub fn unquoted(json: &[u8]) -> &[u8] {
    match json {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    }
}

fn split_id(body: &[u8]) -> (&[u8], &[u8]) {
    let (&length, rest) = body.split_first().unwrap_or((&0, &[]));
    rest.split_at(usize::from(length).min(rest.len()))
}

fn split_field(rest: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = rest.split_first_chunk::<2>() else { return (&[], &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()))
}

/// Appends the head of a body: the transaction id.
///
/// # Panics
///
/// Where `id` is longer than 255 bytes; a decoder refuses such an id before.
pub fn put_id(body: &mut Vec<u8>, id: &[u8]) {
    body.push(u8::try_from(id.len()).expect("the decoder refuses ids over 255 bytes"));
    body.extend_from_slice(id);
}

/// Appends a field's JSON text, or nothing where the message has none.
///
/// # Panics
///
/// Where the text is longer than 65,535 bytes; a decoder refuses such a field before.
pub fn put_field(body: &mut Vec<u8>, json: Option<&[u8]>) {
    let json = json.unwrap_or_default();
    let length = u16::try_from(json.len()).expect("the decoder refuses fields over 64 KiB");
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(json);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gives_back_what_was_put_into_it() {
        let mut table = FieldTable::default();
        let channel = table.intern(Leg::Trace, "/channel");
        let page = table.intern(Leg::Trace, "/page");
        let status = table.intern(Leg::Response, "/status");
        assert_eq!(table.intern(Leg::Trace, "/channel"), channel);

        let mut body = Vec::new();
        put_id(&mut body, b"t-1");
        put_field(&mut body, Some(b"\"atm\""));
        put_field(&mut body, None);
        let mut bodies = Bodies::none();
        bodies.set(Leg::Trace, &body);

        assert_eq!(bodies.id(), b"t-1");
        assert_eq!(bodies.get(channel), Some(&b"\"atm\""[..]));
        assert_eq!(bodies.text(channel), Some(&b"atm"[..]));
        assert_eq!(bodies.get(page), None);
        assert_eq!(bodies.get(status), None);
    }
}
