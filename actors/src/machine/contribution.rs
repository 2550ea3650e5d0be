//! What a transaction adds to the indicators, packed for the way from its actor to its range.

use proto::types::EventTime;

use super::codec::{Malformed, Reader, put_bytes, put_varint};

/// What one transaction adds, for every scenario that it belongs to. Empty where it adds nothing.
///
/// ```text
/// scenario, zigzag start, duration, populations, dimensions: varints; then a value for each dimension, in
/// order, behind its length (empty: the transaction has no place in that dimension)
/// ```
///
/// It needs no scenario to be read, so that one that was written under other rules can be; and several, one
/// behind the other, are read like one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contributions {
    packed: Vec<u8>,
}

/// What a transaction adds to one scenario's cells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share {
    /// The scenario's number.
    pub scenario: u16,
    /// When the transaction started: it decides the window.
    pub start: EventTime,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The populations that it belongs to, a bit each.
    pub populations: u64,
}

impl Contributions {
    /// Begins a scenario; the values of so many dimensions follow, in order.
    pub fn begin(&mut self, share: &Share, dimensions: usize) {
        self.packed.reserve(64);
        put_varint(&mut self.packed, u64::from(share.scenario));
        put_varint(&mut self.packed, zigzag(share.start.0));
        put_varint(&mut self.packed, share.duration_ms);
        put_varint(&mut self.packed, share.populations);
        put_varint(&mut self.packed, dimensions as u64);
    }

    /// The value of the next dimension.
    pub fn value(&mut self, value: &str) {
        put_bytes(&mut self.packed, value.as_bytes());
    }

    /// The bytes.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }
}

/// Gives each scenario's share in `packed`, and each of its dimensions' values, to `take`.
///
/// # Errors
///
/// [`Malformed`] where the bytes are no contributions; what came before was given.
pub fn each_share(packed: &[u8], mut take: impl FnMut(&Share, u16, &str)) -> Result<(), Malformed> {
    let mut reader = Reader::new(packed);
    while !reader.is_empty() {
        let scenario = reader.number()?;
        let start = EventTime(unzigzag(reader.varint()?));
        let (duration_ms, populations) = (reader.varint()?, reader.varint()?);
        let share = Share { scenario, start, duration_ms, populations };
        for dimension in 0..reader.number()? {
            let value = std::str::from_utf8(reader.bytes()?).map_err(|_| Malformed)?;
            if !value.is_empty() {
                take(&share, dimension, value);
            }
        }
    }
    Ok(())
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(scenario: u16, start: i64, populations: u64) -> Share {
        Share { scenario, start: EventTime(start), duration_ms: 7, populations }
    }

    #[test]
    fn every_scenario_and_dimension_is_given_back_also_of_several_transactions() {
        let mut one = Contributions::default();
        one.begin(&share(0, -5, 3), 2);
        one.value("atm");
        one.value("");
        let mut other = Contributions::default();
        other.begin(&share(4, i64::MAX, u64::MAX), 2);
        other.value("");
        other.value("110108");
        let mut seen = Vec::new();
        let packed = [one.packed(), other.packed()].concat();
        let take = |share: &Share, dimension, value: &str| {
            seen.push((*share, dimension, value.to_owned()))
        };
        each_share(&packed, take).unwrap();
        let expected = [
            (share(0, -5, 3), 0, "atm".to_owned()),
            (share(4, i64::MAX, u64::MAX), 1, "110108".to_owned()),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn i11_cut_contributions_are_refused() {
        let mut contributions = Contributions::default();
        contributions.begin(&share(0, 0, 3), 1);
        contributions.value("atm");
        let packed = contributions.packed();
        for length in 1..packed.len() {
            assert_eq!(
                each_share(&packed[..length], |_, _, _| {}),
                Err(Malformed),
                "cut at {length}"
            );
        }
    }
}
