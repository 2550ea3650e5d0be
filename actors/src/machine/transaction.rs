//! The rules of one transaction: its legs become a result, and what it adds to the indicators.
//!
//! This is what a transaction actor runs when there is something to decide. It sees its own legs and the
//! rules, nothing else: for equal legs it decides the same on every node and at every time.

use bytes::Bytes;
use proto::types::{EventTime, Leg, RecordTime, SourcePartition, TransactionKey, Version};

use super::contribution::{Contributions, Share};
use super::envelope::{Envelope, Kind, envelopes};
use super::fields::Bodies;
use super::json::put_string;
use super::mailbox::Legs;
use super::result_field::ResultField;
use super::scenario::Scenario;

/// What a cluster's configuration says about results.
#[derive(Debug)]
pub struct Rules {
    /// The source partitions, by index: results name where their legs came from.
    pub partitions: Vec<SourcePartition>,
    /// The columns that a result takes from its legs, in order.
    pub columns: Vec<ResultField>,
    /// The scenarios, by number.
    pub scenarios: Vec<Scenario>,
}

/// A transaction about which there is something to decide.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Activation {
    /// Which transaction it is.
    pub key: TransactionKey,
    /// Its legs, one envelope behind the other.
    pub legs: Bytes,
    /// The version of the last result; `None` where this will be the first.
    pub corrects: Option<Version>,
}

/// What can be said about a transaction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// All three legs came in time.
    Complete,
    /// The deadline passed without all legs.
    Incomplete,
    /// A leg came after the deadline.
    Corrected,
}

impl State {
    /// The name in results and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "COMPLETE",
            Self::Incomplete => "INCOMPLETE",
            Self::Corrected => "CORRECTED",
        }
    }
}

/// What was decided about a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// What is said about it.
    pub state: State,
    /// Which statement this is.
    pub version: Version,
    /// The legs that it is based on.
    pub legs: Legs,
    /// The transaction id.
    pub id: Bytes,
    /// The result, as one line of JSON.
    pub payload: Bytes,
    /// What it adds to the indicators. Only a transaction with all three legs adds anything, so that
    /// a correction never has to take back.
    pub contributions: Contributions,
    /// When the newest leg arrived, which made the decision possible; `None` where a deadline did.
    pub arrived: Option<RecordTime>,
}

/// Decides about a transaction.
#[must_use]
pub fn decide(activation: &Activation, rules: &Rules) -> Decision {
    let mut joined = Joined::default();
    for envelope in envelopes(&activation.legs) {
        if let Kind::Leg(leg) = envelope.kind {
            joined.legs = joined.legs.with(leg);
            joined.bodies.set(leg, envelope.body);
            joined.envelopes[leg.index()] = Some(envelope);
        }
    }
    let version = activation.corrects.map_or(Version(1), Version::next);
    let state = match activation.corrects {
        Some(_) => State::Corrected,
        None if joined.legs.is_complete() => State::Complete,
        None => State::Incomplete,
    };
    let contributions = if joined.legs.is_complete() {
        joined.contributions(rules)
    } else {
        Contributions::default()
    };
    let arrived = match state {
        State::Complete | State::Corrected => joined.newest(),
        State::Incomplete => None,
    };
    Decision {
        state,
        version,
        legs: joined.legs,
        id: Bytes::copy_from_slice(joined.bodies.id()),
        payload: joined.payload(rules, state, version).into_boxed_slice().into(),
        contributions,
        arrived,
    }
}

#[derive(Default)]
struct Joined<'a> {
    legs: Legs,
    bodies: Bodies<'a>,
    envelopes: [Option<Envelope<'a>>; 3],
}

impl Joined<'_> {
    fn times(&self) -> impl DoubleEndedIterator<Item = EventTime> {
        self.envelopes.iter().flatten().map(|envelope| envelope.event_time)
    }

    fn newest(&self) -> Option<RecordTime> {
        self.envelopes.iter().flatten().map(|envelope| envelope.record_time).max()
    }

    /// From the first leg that there is, in the order in which they happen.
    fn start(&self) -> EventTime {
        self.times().next().unwrap_or_default()
    }

    /// Up to the last leg that there is, in the order in which they happen.
    fn end(&self) -> EventTime {
        self.times().next_back().unwrap_or_default()
    }

    fn contributions(&self, rules: &Rules) -> Contributions {
        let mut contributions = Contributions::default();
        // A response before its trace is two clocks that disagree: no time has passed.
        let duration_ms = u64::try_from(self.end().0 - self.start().0).unwrap_or(0);
        for (number, scenario) in rules.scenarios.iter().enumerate() {
            let Some(verdict) = scenario.judge(&self.bodies) else { continue };
            let share = Share {
                scenario: u16::try_from(number).expect("a cluster has under 65,536 scenarios"),
                start: self.start(),
                duration_ms,
                populations: verdict.populations,
            };
            contributions.begin(&share, scenario.dimensions.len());
            for dimension in 0..scenario.dimensions.len() {
                let value = scenario.dimension_value(dimension, &self.bodies);
                contributions.value(value.as_deref().unwrap_or_default());
            }
        }
        contributions
    }

    fn payload(&self, rules: &Rules, state: State, version: Version) -> Vec<u8> {
        let mut json = Vec::with_capacity(1_024);
        json.extend_from_slice(b"{\"transactionId\":");
        put_string(&mut json, self.bodies.id());
        put_number(&mut json, b",\"start\":", self.start().0);
        put_number(&mut json, b",\"end\":", self.end().0);
        put_number(&mut json, b",\"durationMs\":", self.end().0 - self.start().0);
        for column in &rules.columns {
            json.push(b',');
            put_string(&mut json, column.name.as_bytes());
            json.push(b':');
            json.extend_from_slice(column.value(&self.bodies).unwrap_or(b"null"));
        }
        json.extend_from_slice(b",\"complete\":");
        json.extend_from_slice(if self.legs.is_complete() { b"true" } else { b"false" });
        json.extend_from_slice(b",\"missing\":[");
        for (i, leg) in self.legs.missing().enumerate() {
            json.extend_from_slice(if i == 0 { b"\"" } else { b",\"" });
            json.extend_from_slice(leg.name().as_bytes());
            json.push(b'"');
        }
        json.push(b']');
        put_number(&mut json, b",\"version\":", i64::from(version.0));
        json.extend_from_slice(b",\"state\":\"");
        json.extend_from_slice(state.name().as_bytes());
        json.push(b'"');
        if state == State::Corrected {
            put_number(&mut json, b",\"supersedes\":", i64::from(version.0) - 1);
        }
        self.put_sources(&mut json, rules);
        json.push(b'}');
        json
    }

    fn put_sources(&self, json: &mut Vec<u8>, rules: &Rules) {
        json.extend_from_slice(b",\"sources\":{");
        let legs = Leg::ALL.into_iter().zip(&self.envelopes);
        for (i, (leg, envelope)) in legs.filter_map(|(leg, it)| Some((leg, (*it)?))).enumerate() {
            if i > 0 {
                json.push(b',');
            }
            json.push(b'"');
            json.extend_from_slice(leg.name().as_bytes());
            json.extend_from_slice(b"\":\"");
            put_source(json, rules, &envelope);
            json.push(b'"');
        }
        json.push(b'}');
    }
}

/// Where a record came from, as `topic/partition@offset`.
pub fn put_source(out: &mut Vec<u8>, rules: &Rules, envelope: &Envelope<'_>) {
    if let Some(source) = rules.partitions.get(envelope.partition.index()) {
        out.extend_from_slice(source.topic.as_bytes());
        out.push(b'/');
        out.extend_from_slice(itoa::Buffer::new().format(source.partition).as_bytes());
    }
    out.push(b'@');
    out.extend_from_slice(itoa::Buffer::new().format(envelope.offset.0).as_bytes());
}

/// Appends a number behind its name, which comes as it stands in JSON: `,"name":`.
fn put_number(json: &mut Vec<u8>, name: &[u8], value: i64) {
    json.extend_from_slice(name);
    json.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests;
