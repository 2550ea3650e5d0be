//! How many calls the API has answered, and how.

use std::collections::HashMap;

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

/// Counts of calls; bounded by methods times codes.
#[derive(Debug, Default)]
pub struct Calls(Mutex<HashMap<Call, u64>>);

impl Calls {
    pub(super) fn count(&self, call: Call) {
        *self.0.lock().entry(call).or_default() += 1;
    }

    /// Every kind of call so far and how often, in a fixed order.
    #[must_use]
    pub fn counts(&self) -> Vec<(Call, u64)> {
        let mut counts: Vec<_> =
            self.0.lock().iter().map(|(call, count)| (*call, *count)).collect();
        counts.sort_by_key(|(call, _)| (call.service, call.method, i32::from(call.code)));
        counts
    }
}
