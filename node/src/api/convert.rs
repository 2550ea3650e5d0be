//! Between the generated messages and our checked types: generated types stop here.

mod change;
mod cluster;
mod indicator;
mod snapshot;
mod transaction;

use prost_types::{Duration, Timestamp};
use proto::api::v1;
use proto::types::{EventTime, RangeId, RecordTime};

pub(super) use self::change::{change, granted, node_of, range_of};
pub(crate) use self::cluster::overview;
pub(super) use self::cluster::{cluster, ledger, node, range};
pub(super) use self::indicator::{cell, indicator, query};
pub(super) use self::snapshot::{snapshot, verdict};
pub(super) use self::transaction::transaction;
use super::backend::AsOf;
use crate::problem::{Code, Problem};

pub(super) fn as_of(as_of: &AsOf) -> v1::AsOf {
    v1::AsOf {
        business_time: as_of.business_time.map(event_time),
        lag: Some(duration_ms(as_of.lag_ms)),
        complete: as_of.missing.is_empty(),
        missing_ranges: as_of.missing.iter().copied().map(range_name).collect(),
        map_version: as_of.map_version,
    }
}

pub(super) fn range_name(range: RangeId) -> String {
    format!("ranges/{range}")
}

/// The last part of a resource name, `collection/last`.
pub(super) fn last<'a>(name: &'a str, collection: &str) -> Result<&'a str, Problem> {
    let part = name.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/'));
    part.filter(|part| !part.is_empty()).ok_or_else(|| {
        let why = format!("the name must be {collection}/ and then what is meant");
        Problem::new(Code::BadArgument, format!("cannot read the name {name:?}"), why)
    })
}

fn event_time(time: EventTime) -> Timestamp {
    timestamp_ms(time.0)
}

fn record_time(time: RecordTime) -> Timestamp {
    timestamp_ms(i64::try_from(time.0).unwrap_or(i64::MAX))
}

fn timestamp_ms(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000)).expect("below 1000") * 1_000_000;
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

/// The time that a caller named; its part below a millisecond is cut off.
fn event_time_of(time: Timestamp) -> EventTime {
    EventTime(time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos / 1_000_000)))
}

fn duration_ms(ms: u64) -> Duration {
    let nanos = i32::try_from(ms % 1000).expect("below 1000") * 1_000_000;
    Duration { seconds: count(ms / 1000), nanos }
}

/// A count in a message; what does not fit (it cannot come to that) stays at the greatest.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_way_out_and_in_to_the_millisecond() {
        for ms in [0, 1, 999, 1000, 1_700_000_000_123, -1, -1001] {
            assert_eq!(event_time_of(timestamp_ms(ms)), EventTime(ms), "{ms}");
        }
    }

    #[test]
    fn a_time_before_1970_has_nanoseconds_that_count_forward() {
        assert_eq!(timestamp_ms(-1), Timestamp { seconds: -1, nanos: 999_000_000 });
    }

    #[test]
    fn an_answer_that_lacks_a_range_says_so() {
        let whole = as_of(&AsOf::default());
        assert!(whole.complete);
        let missing = vec![RangeId(3), RangeId(7)];
        let part = as_of(&AsOf { missing, ..AsOf::default() });
        assert!(!part.complete);
        assert_eq!(part.missing_ranges, ["ranges/r3", "ranges/r7"]);
    }

    #[test]
    fn a_name_of_another_collection_is_refused() {
        assert_eq!(last("snapshots/s1", "snapshots"), Ok("s1"));
        assert_eq!(last("transactions/a/b", "transactions"), Ok("a/b"));
        for name in ["s1", "snapshots", "snapshots/", "snapshotsx/1", "ranges/r1"] {
            assert_eq!(last(name, "snapshots").unwrap_err().code, Code::BadArgument, "{name}");
        }
    }
}
