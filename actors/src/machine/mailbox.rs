//! The durable mailboxes of open transactions: which legs have come, where from, and their bytes.

use bytes::Bytes;
use proto::types::{Leg, RecordTime, Version};

use super::codec::{Malformed, Reader, put_varint};
use super::envelope::{Envelope, Kind, envelopes};

/// A set of legs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Legs(u8);

impl Legs {
    /// All three.
    pub const ALL: Self = Self(7);

    /// Whether `leg` is among them.
    #[must_use]
    pub const fn has(self, leg: Leg) -> bool {
        self.0 & (1 << leg as u8) != 0
    }

    /// These and `leg`.
    #[must_use]
    pub const fn with(self, leg: Leg) -> Self {
        Self(self.0 | (1 << leg as u8))
    }

    /// Whether all three are there.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.0 == Self::ALL.0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The legs that are not among them.
    pub fn missing(self) -> impl Iterator<Item = Leg> {
        Leg::ALL.into_iter().filter(move |&leg| !self.has(leg))
    }
}

/// What has been said about a transaction so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Said {
    /// Nothing: it waits for its legs.
    #[default]
    Nothing,
    /// Nothing yet, but the clock has decided: with these legs it is incomplete. Legs that come between
    /// the deadline and the result correct it, also where a crash comes between as well.
    Due {
        /// The legs that were there at the deadline.
        legs: Legs,
    },
    /// That it is incomplete. Legs that still come correct it.
    Incomplete {
        /// The version of the last result.
        version: Version,
        /// The legs of that result.
        legs: Legs,
    },
}

impl Said {
    /// The legs that are in a result; none before there is one.
    #[must_use]
    pub const fn published(self) -> Legs {
        match self {
            Self::Nothing | Self::Due { .. } => Legs(0),
            Self::Incomplete { legs, .. } => legs,
        }
    }
}

/// What stands for [`Said::Due`] where a row has a version. No transaction has that many.
const DUE: u32 = u32::MAX;

/// An open transaction's legs, and what has been said about it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mailbox {
    /// The legs that have come.
    pub legs: Legs,
    /// What has been said about the transaction.
    pub said: Said,
    /// The record time of the earliest leg: the deadline counts from here.
    pub first: RecordTime,
    bytes: Bytes,
}

/// What a leg means to a mailbox that may have it already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It is the first of its kind.
    New,
    /// It says again what is there.
    Duplicate,
    /// It contradicts what is there and came later; what is there stays.
    Loses,
    /// It contradicts what is there and came first; it takes its place.
    Wins,
}

impl Mailbox {
    /// What `leg` means here. Nothing is changed.
    #[must_use]
    pub fn weigh(&self, leg: Leg, envelope: &Envelope<'_>) -> Arrival {
        match self.leg(leg) {
            None => Arrival::New,
            Some(held) if held.content == envelope.content => Arrival::Duplicate,
            Some(held) if held.order() <= envelope.order() => Arrival::Loses,
            Some(_) => Arrival::Wins,
        }
    }

    /// Takes a leg in, in the place of one of its kind if there is one.
    pub fn put(&mut self, leg: Leg, envelope: &Envelope<'_>) {
        let old = std::mem::take(&mut self.bytes);
        // Most mailboxes see no other leg before they give up their bytes: no room is kept for it.
        let mut bytes = Vec::with_capacity(old.len() + envelope.size());
        if self.legs.has(leg) {
            envelopes(&old)
                .filter(|it| it.kind != Kind::Leg(leg))
                .for_each(|it| it.put(&mut bytes));
        } else {
            bytes.extend_from_slice(&old);
        }
        envelope.put(&mut bytes);
        self.bytes = bytes.into_boxed_slice().into();
        self.first = if self.legs.is_empty() {
            envelope.record_time
        } else {
            self.first.min(envelope.record_time)
        };
        self.legs = self.legs.with(leg);
    }

    /// The leg of that kind, if it has come.
    #[must_use]
    pub fn leg(&self, leg: Leg) -> Option<Envelope<'_>> {
        if !self.legs.has(leg) {
            return None;
        }
        self.envelopes().find(|it| it.kind == Kind::Leg(leg))
    }

    /// All legs that have come, in the order of their arrival.
    pub fn envelopes(&self) -> impl Iterator<Item = Envelope<'_>> {
        envelopes(&self.bytes)
    }

    /// The legs' bytes, one envelope behind the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory that the legs take.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the legs that the next result is based on: once the clock has decided, what comes
    /// later is for the result after that. Shared where that is all of them.
    #[must_use]
    pub fn evidence(&self) -> Bytes {
        match self.said {
            Said::Due { legs } if legs != self.legs => {
                let mut bytes = Vec::with_capacity(self.bytes.len());
                let due = |it: &Envelope<'_>| matches!(it.kind, Kind::Leg(leg) if legs.has(leg));
                self.envelopes().filter(due).for_each(|it| it.put(&mut bytes));
                bytes.into()
            }
            Said::Nothing | Said::Due { .. } | Said::Incomplete { .. } => self.bytes.clone(),
        }
    }

    /// The mailbox as a row of the store: what was said, then the legs.
    #[must_use]
    pub fn to_row(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.bytes.len() + 8);
        match self.said {
            Said::Nothing => put_varint(&mut row, 0),
            Said::Due { legs } => {
                put_varint(&mut row, u64::from(DUE));
                row.push(legs.0);
            }
            Said::Incomplete { version, legs } => {
                put_varint(&mut row, u64::from(version.0));
                row.push(legs.0);
            }
        }
        row.extend_from_slice(&self.bytes);
        row
    }

    /// The mailbox in a row of the store.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the row is no mailbox.
    pub fn from_row(row: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(row);
        let said = match reader.number()? {
            0 => Said::Nothing,
            version => {
                let [legs] = reader.array()?;
                let legs = Legs(legs & Legs::ALL.0);
                match version {
                    DUE => Said::Due { legs },
                    version => Said::Incomplete { version: Version(version), legs },
                }
            }
        };
        let mut mailbox = Self { said, ..Self::default() };
        while !reader.is_empty() {
            let envelope = Envelope::take(&mut reader)?;
            let Kind::Leg(leg) = envelope.kind else { return Err(Malformed) };
            mailbox.put(leg, &envelope);
        }
        Ok(mailbox)
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::tests::leg;
    use super::*;

    #[test]
    fn of_contradicting_legs_the_first_by_time_partition_and_offset_wins() {
        let mut mailbox = Mailbox::default();
        let held = leg(Leg::Trace, 5, 100, b"held");
        mailbox.put(Leg::Trace, &held);

        let weigh = |envelope| mailbox.weigh(Leg::Trace, &envelope);
        assert_eq!(weigh(Envelope { offset: proto::types::Offset(9), ..held }), Arrival::Duplicate);
        assert_eq!(weigh(leg(Leg::Trace, 6, 100, b"other")), Arrival::Loses);
        assert_eq!(weigh(leg(Leg::Trace, 6, 99, b"other")), Arrival::Wins);
        assert_eq!(mailbox.weigh(Leg::Request, &leg(Leg::Request, 1, 1, b"")), Arrival::New);
    }

    #[test]
    fn the_winner_takes_the_place_of_the_loser() {
        let mut mailbox = Mailbox::default();
        mailbox.put(Leg::Trace, &leg(Leg::Trace, 5, 100, b"later"));
        mailbox.put(Leg::Request, &leg(Leg::Request, 5, 120, b"request"));
        mailbox.put(Leg::Trace, &leg(Leg::Trace, 3, 90, b"first"));

        assert_eq!(mailbox.leg(Leg::Trace).unwrap().body, b"first");
        assert_eq!(mailbox.envelopes().count(), 2);
        assert_eq!(mailbox.first, RecordTime(90));
    }

    #[test]
    fn a_mailbox_is_read_from_its_row_as_it_was() {
        let mut mailbox = Mailbox::default();
        mailbox.put(Leg::Response, &leg(Leg::Response, 5, 100, b"response"));
        let (version, legs) = (Version(2), mailbox.legs);
        for said in [Said::Nothing, Said::Due { legs }, Said::Incomplete { version, legs }] {
            mailbox.said = said;
            let row = mailbox.to_row();
            assert_eq!(Mailbox::from_row(&row), Ok(mailbox.clone()));
            assert!(Mailbox::from_row(&row[..row.len() - 1]).is_err());
        }
    }
}
