//! What a transaction adds to the indicators, packed for the way from its actor to its range.

use proto::types::EventTime;

use super::codec::{Malformed, Reader, put_bytes, put_varint};

/// What one transaction adds, for every scenario that it belongs to. Empty where it adds nothing.
///
/// ```text
/// scenario, zigzag start, duration, populations: varints; then a value for each dimension, in order,
/// behind its length (empty: the transaction has no place in that dimension)
/// ```
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
    /// Begins a scenario; its dimensions' values follow, all of them, in order.
    pub fn begin(&mut self, scenario: u16, start: EventTime, duration_ms: u64, populations: u64) {
        put_varint(&mut self.packed, u64::from(scenario));
        put_varint(&mut self.packed, zigzag(start.0));
        put_varint(&mut self.packed, duration_ms);
        put_varint(&mut self.packed, populations);
    }

    /// The value of the next dimension.
    pub fn value(&mut self, value: &str) {
        put_bytes(&mut self.packed, value.as_bytes());
    }

    /// Gives each scenario's share, and each of its dimensions' values, to `take`.
    /// `dimensions` says how many dimensions a scenario has.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the values do not fit `dimensions`.
    pub fn each(
        &self,
        dimensions: impl Fn(u16) -> usize,
        mut take: impl FnMut(&Share, u16, &str),
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(&self.packed);
        while !reader.is_empty() {
            let scenario = reader.number()?;
            let start = EventTime(unzigzag(reader.varint()?));
            let (duration_ms, populations) = (reader.varint()?, reader.varint()?);
            let share = Share { scenario, start, duration_ms, populations };
            for dimension in 0..dimensions(scenario) {
                let value = std::str::from_utf8(reader.bytes()?).map_err(|_| Malformed)?;
                if !value.is_empty() {
                    take(&share, u16::try_from(dimension).map_err(|_| Malformed)?, value);
                }
            }
        }
        Ok(())
    }
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

    #[test]
    fn every_scenario_and_dimension_is_given_back() {
        let mut contributions = Contributions::default();
        contributions.begin(0, EventTime(-5), 7, 3);
        contributions.value("atm");
        contributions.value("");
        contributions.begin(4, EventTime(i64::MAX), 0, u64::MAX);
        contributions.value("110108");

        let mut seen = Vec::new();
        let dimensions = |scenario| if scenario == 0 { 2 } else { 1 };
        let take = |share: &Share, dimension, value: &str| {
            seen.push((
                share.scenario,
                share.start.0,
                share.populations,
                dimension,
                value.to_owned(),
            ));
        };
        contributions.each(dimensions, take).unwrap();
        let expected =
            [(0, -5, 3, 0, "atm".to_owned()), (4, i64::MAX, u64::MAX, 0, "110108".to_owned())];
        assert_eq!(seen, expected);
    }

    #[test]
    fn values_that_do_not_fit_the_scenario_are_refused() {
        let mut contributions = Contributions::default();
        contributions.begin(0, EventTime(0), 7, 3);
        assert_eq!(contributions.each(|_| 1, |_, _, _| {}), Err(Malformed));
    }
}
