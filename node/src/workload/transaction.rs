//! What there is to say about one transaction of the workload.

use proto::types::Leg;

use super::names::{CHANNELS, SERVICES};

/// In which way a transaction is odd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// In none: all three legs come in time.
    Plain,
    /// This leg is never sent.
    Missing(Leg),
    /// This leg comes after the deadline: first incomplete, then corrected.
    Late(Leg),
    /// This leg is sent again with other content, at that time. The first one counts.
    Conflict(Leg, u64),
}

/// A transaction: what happened, and when its records arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Its number in the workload.
    pub index: u64,
    /// The event time of each leg.
    pub event_ms: [u64; 3],
    /// The record time of each leg.
    pub arrival_ms: [u64; 3],
    /// In which way it is odd.
    pub fate: Fate,
    /// The leg that is sent twice, and when the second copy arrives; `None` for nearly all.
    pub duplicate: Option<(Leg, u64)>,
    /// What its records say.
    pub content: Content,
}

/// What a transaction's records say, as places in the lists of [`super::names`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Content {
    /// Among [`CHANNELS`].
    pub channel: usize,
    /// Among the model's products.
    pub product: usize,
    /// Among the model's institutions.
    pub institution: usize,
    /// Among [`SERVICES`].
    pub service: usize,
    /// The HTTP status of the response.
    pub status: u64,
    /// The result code of the response.
    pub result_code: &'static str,
    /// The decision in the response.
    pub decision: &'static str,
    /// The amount in the request.
    pub amount_cents: u64,
    /// What the rest is drawn from.
    pub filler_seed: u64,
}

impl Transaction {
    /// The leg that a result before any correction lacks.
    #[must_use]
    pub const fn lacking(&self) -> Option<Leg> {
        match self.fate {
            Fate::Missing(leg) | Fate::Late(leg) => Some(leg),
            Fate::Plain | Fate::Conflict(..) => None,
        }
    }

    /// Whether all three legs come, in time or not.
    #[must_use]
    pub const fn completes(&self) -> bool {
        !matches!(self.fate, Fate::Missing(_))
    }

    /// Trace to response.
    #[must_use]
    pub const fn duration_ms(&self) -> u64 {
        self.event_ms[2] - self.event_ms[0]
    }
}

/// The name of a transaction's channel.
#[must_use]
pub const fn channel(content: &Content) -> &'static str {
    CHANNELS[content.channel]
}

/// The name of a transaction's service.
#[must_use]
pub const fn service(content: &Content) -> &'static str {
    SERVICES[content.service].0
}
