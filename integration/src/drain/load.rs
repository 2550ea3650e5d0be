//! How much comes, how fast, and how odd it is.

use node::workload::params::{Oddities, Params, Share};

/// How much sooner than in the ordinary workload everything comes.
const HASTEN: u64 = 10;

/// A workload of `transactions` in which every oddity occurs: 400 s of event time, so that corrections
/// fit behind deadlines of 90 s.
#[must_use]
pub fn odd(transactions: u64) -> Params {
    let rate = (transactions / 400).max(1);
    let (lateness_s, skew_s, max_delay_s, oddities) = (60, 30, 20, every());
    Params { rate, lateness_s, skew_s, max_delay_s, oddities, ..Params::of(transactions) }
}

/// A workload in which every oddity occurs within a minute: deadlines after 20 s, corrections 20 s behind
/// them, contradictions after 15 s.
#[must_use]
pub fn brisk(rate: u64, seconds: u64) -> Params {
    let (lateness_s, skew_s, max_delay_s, oddities) = (15, 5, 3, every());
    let params = Params::of(rate * seconds);
    Params { rate, lateness_s, skew_s, max_delay_s, hasten: HASTEN, oddities, ..params }
}

/// A share, as it stands in a command.
pub(crate) fn share(text: &str) -> Share {
    text.parse().expect("a fixed text is a share")
}

fn every() -> Oddities {
    Oddities {
        missing: share("1%"),
        duplicates: share("2%"),
        conflicts: share("1%"),
        late: share("2%"),
        malformed: share("1%"),
    }
}

#[cfg(test)]
mod tests {
    use node::workload::expected::Expected;
    use node::workload::model::Model;

    use super::*;

    #[test]
    fn every_oddity_fits_into_the_workload() {
        for transactions in [2_000, 24_000, 1_000_000] {
            odd(transactions).check(8).unwrap();
        }
    }

    #[test]
    fn every_oddity_fits_into_a_brisk_workload_of_a_minute() {
        for rate in [100, 5_000] {
            let params = brisk(rate, 60);
            params.check(8).unwrap();
            let expected = Expected::of(&Model::new(params), "bank");
            assert!(expected.results.corrected > 0 && expected.conflicts > 0, "{rate}");
        }
    }
}
