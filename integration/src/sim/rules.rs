//! The rules that every history runs by: two columns, one scenario with one dimension and two populations.

use std::sync::Arc;

use actors::machine::fields::{Field, FieldTable};
use actors::machine::partial::layout::{self, Layout};
use actors::machine::result_field::ResultField;
use actors::machine::scenario::{Condition, Dimension, Populations, Scenario, Test, Value, Window};
use actors::machine::transaction::Rules;
use actors::source::decode::{Decoder, Limits};
use proto::types::{Leg, SourcePartition};

/// The window of the figures.
pub(super) const WINDOW_MS: i64 = 60_000;
/// The name of each leg's topic.
pub(super) const TOPICS: [&str; 3] = ["bank.trace", "bank.request", "bank.response"];

/// The names of partitions, legs in their order and partitions in theirs.
#[must_use]
pub(super) fn names(legs: &[Leg]) -> Vec<SourcePartition> {
    let mut next = [0; 3];
    let name = |&leg: &Leg| {
        let partition = next[leg.index()];
        next[leg.index()] += 1;
        SourcePartition { topic: TOPICS[leg.index()].into(), partition, leg }
    };
    legs.iter().map(name).collect()
}

/// The rules, and what the figures are called.
///
/// # Panics
///
/// Never: the scenario has two populations.
#[must_use]
pub(super) fn rules(legs: &[Leg]) -> (Arc<Rules>, Arc<Layout>) {
    let mut table = FieldTable::default();
    let channel = table.intern(Leg::Trace, "/channel");
    let status = table.intern(Leg::Response, "/status");
    let column =
        |name: &str, field: Field| ResultField { name: name.to_owned(), from: vec![field] };
    let mut populations = Populations::default();
    let accepted = Condition::Field(status, Test::Equals(Value::Text("accepted".to_owned())));
    for condition in [Condition::All(vec![]), accepted] {
        populations.intern(condition).expect("two are few");
    }
    let dimension =
        Dimension { name: "channel".to_owned(), field: channel, separator: None, max_values: 100 };
    let scenario = Scenario {
        name: "bank".to_owned(),
        select: Condition::All(vec![]),
        dimensions: vec![dimension],
        populations,
        indicators: vec![],
        windows: vec![Window::Minute],
    };
    let dimensions = vec![layout::Dimension { name: "channel".to_owned(), max_values: 100 }];
    let named = layout::Scenario { name: "bank".to_owned(), dimensions, indicators: vec![] };
    let columns = vec![column("channel", channel), column("status", status)];
    let rules = Rules { partitions: names(legs), columns, scenarios: vec![scenario] };
    (Arc::new(rules), Arc::new(Layout { scenarios: vec![named] }))
}

/// The decoder of a leg.
///
/// # Panics
///
/// Never: the pointers are pointers.
#[must_use]
pub(super) fn decoder(leg: Leg) -> Decoder {
    let pointers: &[&str] = match leg {
        Leg::Trace => &["/channel"],
        Leg::Request => &[],
        Leg::Response => &["/status"],
    };
    let pointers: Vec<_> = pointers.iter().map(ToString::to_string).collect();
    let decoder = Decoder::new(leg, "/id", "/time", &pointers, Limits::default());
    decoder.expect("the pointers are pointers")
}
