//! How many calls the API has answered, how, and how long that took.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actors::histogram::{Distribution, Histogram, WORK};
use parking_lot::Mutex;

/// A kind of call and its outcome.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Call {
    /// The service's short name.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// The outcome.
    pub code: tonic::Code,
}

impl Call {
    /// A call of something that is not there: whatever it was called, it is counted under one name, so
    /// that no client can make up series.
    pub const UNKNOWN: Self =
        Self { service: "unknown", method: "unknown", code: tonic::Code::Unimplemented };
}

/// Counts of calls; bounded by methods times codes.
#[derive(Debug, Default)]
pub struct Calls(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    counts: HashMap<Call, u64>,
    took: BTreeMap<(&'static str, &'static str), Histogram>,
}

/// A service and a method of it, and how long its calls took.
pub type Took = ((&'static str, &'static str), Distribution);

impl Calls {
    /// Counts a call that took so long.
    pub(crate) fn count(&self, call: Call, took: Duration) {
        let mut seen = self.0.lock();
        *seen.counts.entry(call).or_default() += 1;
        let histogram = seen.took.entry((call.service, call.method));
        histogram.or_insert_with(|| Histogram::new(WORK)).observe(took);
    }

    /// Every kind of call so far and how often, in a fixed order.
    #[must_use]
    pub fn counts(&self) -> Vec<(Call, u64)> {
        let mut counts: Vec<_> =
            self.0.lock().counts.iter().map(|(call, count)| (*call, *count)).collect();
        counts.sort_by_key(|(call, _)| (call.service, call.method, i32::from(call.code)));
        counts
    }

    /// How long the calls of every method took, whatever their outcome, from the decoded request to the
    /// answer before it is encoded; in a fixed order.
    #[must_use]
    pub fn took(&self) -> Vec<Took> {
        self.0.lock().took.iter().map(|(method, took)| (*method, took.shown())).collect()
    }
}
