//! Transaction *i* of the workload: a pure function of the parameters and *i*.

use proto::types::Leg;

use super::names::{self, CHANNEL_WEIGHTS, SERVICES};
use super::params::{CONFLICT_GAP_MS, CORRECTION_GAP_MS, JITTER_MS, Oddities, Params, Share};
use super::random::{Quantiles, Random, Weights, mix, unmix};
use super::transaction::{Content, Fate, Transaction};

/// Rises when the same parameters give another workload: an expected outcome of another model is refused.
pub const MODEL_VERSION: u32 = 1;

/// From a transaction's start to its request at most.
pub const LONGEST_START_MS: u64 = 80;

/// From a request to its response at most.
pub const LONGEST_ANSWER_MS: u64 = 60_000;

/// The same in live traffic, where one slow answer would hold back all that stand behind it.
pub const LONGEST_LIVE_MS: u64 = 3_000;

/// Request to response: log-normal with median 180 ms and p99 4 s, cut at 60 s.
const ANSWER_MS: Quantiles = Quantiles(&[
    (0, 1),
    (10_000, 8),
    (50_000, 20),
    (100_000, 33),
    (250_000, 73),
    (500_000, 180),
    (750_000, 442),
    (900_000, 994),
    (950_000, 1_614),
    (990_000, 4_000),
    (999_000, 11_080),
    (999_900, 25_600),
    (1_000_000, 60_000),
]);

/// Event to arrival of what is slow, beyond 2 s: exponential with mean 15 s, cut at 58 s.
const SLOW_MS: Quantiles = Quantiles(&[
    (0, 0),
    (100_000, 1_580),
    (250_000, 4_315),
    (500_000, 10_397),
    (750_000, 20_794),
    (900_000, 34_539),
    (950_000, 44_936),
    (979_000, 58_000),
    (1_000_000, 58_000),
]);

/// A workload's transactions.
#[derive(Clone, Debug)]
pub struct Model {
    params: Params,
    key: u64,
    products: Vec<String>,
    institutions: Vec<String>,
    channel_weights: Weights,
    product_weights: Weights,
    institution_weights: Weights,
}

impl Model {
    /// The workload of `params`, which must have been checked.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            params,
            key: mix(params.seed.wrapping_add(0x5eed)),
            products: names::products(),
            institutions: names::institutions(),
            channel_weights: Weights::new(CHANNEL_WEIGHTS),
            product_weights: Weights::zipf(names::PRODUCT_COUNT, 1),
            institution_weights: Weights::zipf(names::INSTITUTION_COUNT, 4),
        }
    }

    /// What it is a function of.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The name of a transaction's product.
    #[must_use]
    pub fn product(&self, content: &Content) -> &str {
        &self.products[content.product]
    }

    /// The name of a transaction's institution.
    #[must_use]
    pub fn institution(&self, content: &Content) -> &str {
        &self.institutions[content.institution]
    }

    /// The id of transaction `index`: 32 hexadecimal digits. Also of indices that the workload has not.
    #[must_use]
    pub fn id(&self, index: u64) -> String {
        let low = mix(index ^ self.key);
        format!("{:016x}{low:016x}", self.check_of(low))
    }

    /// Which transaction has this id; `None` where none of the workload has.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<u64> {
        let (high, low) = id.split_at_checked(16)?;
        let is_hex = |text: &str| text.len() == 16 && text.bytes().all(is_lower_hex);
        if !is_hex(high) || !is_hex(low) {
            return None;
        }
        let high = u64::from_str_radix(high, 16).ok()?;
        let low = u64::from_str_radix(low, 16).ok()?;
        let index = unmix(low) ^ self.key;
        (index < self.params.transactions && high == self.check_of(low)).then_some(index)
    }

    const fn check_of(&self, low: u64) -> u64 {
        mix(low.wrapping_add(self.key))
    }

    /// A stream of numbers of its own for `index` and a purpose.
    #[must_use]
    pub const fn random(&self, index: u64, purpose: u64) -> Random {
        let place = index.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(purpose);
        Random::new(mix(self.key ^ place))
    }

    /// Transaction `index`.
    #[must_use]
    pub fn transaction(&self, index: u64) -> Transaction {
        let mut random = self.random(index, 0);
        let start = self.params.start_ms(index);
        let request = start + random.between(5, LONGEST_START_MS);
        let answer_ms = self.params.hastened(ANSWER_MS.draw(&mut random)).max(1);
        let event_ms = [start, request, request + answer_ms];
        let mut arrival_ms = event_ms.map(|event| self.arrival(event, &mut random));
        for leg in Leg::ALL {
            arrival_ms[leg.index()] += self.params.held_back_ms(leg);
        }
        let content = self.content(&mut random);
        let mut transaction = Transaction {
            index,
            event_ms,
            arrival_ms,
            fate: Fate::Plain,
            duplicate: None,
            content,
        };
        self.decide_fate(&mut transaction, &mut random);
        transaction
    }

    fn content(&self, random: &mut Random) -> Content {
        let product = self.product_weights.draw(random);
        let status = match random.below(1_000) {
            0..985 => 200,
            985..995 => 500,
            _ => 504,
        };
        let result_code = match random.below(100) {
            _ if status != 200 => "E999",
            0..97 => names::SUCCESS,
            97..99 => "E102",
            _ => "E310",
        };
        let decision = match random.below(10) {
            _ if result_code != names::SUCCESS => "NONE",
            0..7 => names::APPROVED,
            7..9 => "REJECTED",
            _ => "MANUAL",
        };
        Content {
            channel: self.channel_weights.draw(random),
            product,
            institution: self.institution_weights.draw(random),
            service: (product * 7 + random.place_in(3)) % SERVICES.len(),
            status,
            result_code,
            decision,
            amount_cents: random.below(20_000_000),
            filler_seed: random.draw(),
        }
    }

    fn arrival(&self, event_ms: u64, random: &mut Random) -> u64 {
        let max_ms = self.params.max_delay_s * 1_000;
        let delay_ms = match random.below(1_000) {
            0..970 => self.params.hastened(random.below(2_000)),
            970..995 => self.params.hastened(2_000 + SLOW_MS.draw(random)),
            _ => random.between(0, max_ms),
        };
        event_ms.max((event_ms + delay_ms.min(max_ms)).min(self.params.end_ms()))
    }

    fn decide_fate(&self, transaction: &mut Transaction, random: &mut Random) {
        let Oddities { missing, conflicts, late, duplicates, .. } = self.params.oddities;
        let whole = u64::from(Share::WHOLE);
        let (at, leg) = (random.below(whole), random.one_of(&Leg::ALL));
        let (jitter_ms, doubled) = (random.below(JITTER_MS), random.below(whole));
        let jitter_ms = self.params.hastened(jitter_ms);
        let late_from = missing.millionths();
        let conflicts_from = late_from + late.millionths();
        let plain_from = conflicts_from + conflicts.millionths();
        if at < late_from {
            transaction.fate = Fate::Missing(leg);
        } else if at < conflicts_from {
            self.make_late(transaction, leg, jitter_ms);
        } else if at < plain_from {
            let [trace, request, response] = transaction.arrival_ms;
            let last = trace.max(request).max(response);
            transaction.fate =
                Fate::Conflict(leg, last + self.params.hastened(CONFLICT_GAP_MS) + jitter_ms);
        }
        let may_double = matches!(transaction.fate, Fate::Plain | Fate::Missing(_));
        if may_double && doubled < duplicates.millionths() {
            let leg = if transaction.lacking() == Some(leg) { after(leg) } else { leg };
            let arrival = self.arrival(transaction.event_ms[leg.index()], random);
            transaction.duplicate = Some((leg, arrival + self.params.held_back_ms(leg)));
        }
    }

    /// Only where the run goes on in all partitions until the correction comes; else it stays plain.
    fn make_late(&self, transaction: &mut Transaction, leg: Leg, jitter_ms: u64) {
        let others = Leg::ALL.iter().filter(|&&it| it != leg);
        let first = others.map(|it| transaction.arrival_ms[it.index()]).min().unwrap_or_default();
        let arrival =
            first + self.params.patience_ms() + self.params.hastened(CORRECTION_GAP_MS) + jitter_ms;
        if arrival <= self.params.last_start_ms() {
            transaction.arrival_ms[leg.index()] = arrival;
            transaction.fate = Fate::Late(leg);
        }
    }
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

const fn after(leg: Leg) -> Leg {
    match leg {
        Leg::Trace => Leg::Request,
        Leg::Request => Leg::Response,
        Leg::Response => Leg::Trace,
    }
}

#[cfg(test)]
mod tests;
