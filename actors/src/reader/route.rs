//! From a record to the range that owns its key: decode, hash, append to that range's part of the batch.

use bytes::Bytes;
use proto::types::{
    Epoch, EventTime, KeyRange, PartitionIndex, RangeId, RecordTime, SourcePartition,
    TransactionKey,
};
use ractor::ActorRef;

use crate::histogram::{JOURNEY, Tally};
use crate::machine::codec::put_bytes;
use crate::machine::envelope::{Envelope, Kind, put_record};
use crate::range;
use crate::source::Record;
use crate::source::decode::{Class, Decoder, Malformed};

/// A record's timestamp counts as this far in the future at most.
const FUTURE_MS: u64 = 300_000;
/// What is kept of a record that is too large.
const MAX_DEAD_BYTES: usize = 64 << 10;

/// A range that batches go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The range.
    pub range: RangeId,
    /// The keys that it owns.
    pub keys: KeyRange,
    /// The epoch of its owner.
    pub epoch: Epoch,
    /// Its actor, or what stands for it here where it is another node's.
    pub actor: ActorRef<range::Message>,
}

/// Decodes one partition's records and sorts them by range.
#[derive(Debug)]
pub struct Router {
    index: PartitionIndex,
    name: SourcePartition,
    decoder: Decoder,
    targets: Vec<Target>,
    /// The first key of each part.
    starts: Vec<u64>,
    parts: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// From the time inside each leg to when it was taken.
    delays: Tally,
}

impl Router {
    /// A router to `targets`, in the order of their keys. What belongs to none of them is dropped.
    #[must_use]
    pub fn new(
        index: PartitionIndex,
        name: SourcePartition,
        decoder: Decoder,
        targets: Vec<Target>,
    ) -> Self {
        let parts = vec![Vec::new(); targets.len()];
        let starts = targets.iter().map(|target| target.keys.start()).collect();
        let (body, delays) = (Vec::with_capacity(1024), Tally::new(JOURNEY));
        Self { index, name, decoder, targets, starts, parts, body, delays }
    }

    /// A router that keeps everything together: for what is read again at a restore.
    #[must_use]
    pub fn single(index: PartitionIndex, name: SourcePartition, decoder: Decoder) -> Self {
        let (targets, starts, parts) = (Vec::new(), vec![0], vec![Vec::new()]);
        let (body, delays) = (Vec::with_capacity(1024), Tally::new(JOURNEY));
        Self { index, name, decoder, targets, starts, parts, body, delays }
    }

    /// Everything that a single router has taken.
    pub fn take_single(&mut self) -> Vec<u8> {
        self.parts.first_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How late the legs came that were taken; who adds it to a histogram empties it.
    pub(super) const fn delays(&mut self) -> &mut Tally {
        &mut self.delays
    }

    /// Takes a record; `clock` is the partition's record clock and moves on.
    pub fn take(&mut self, record: &Record<'_>, clock: &mut RecordTime, now: RecordTime) {
        *clock = advanced(*clock, record.time_ms, now);
        self.body.clear();
        let decoded = self.decoder.decode(record.payload, &mut self.body);
        let (kind, event_time, content) = match decoded {
            Ok(decoded) => {
                self.delays.count_ms(delay_ms(decoded.event_time, record.time_ms));
                (Kind::Leg(self.name.leg), decoded.event_time, decoded.content.max(1))
            }
            Err(malformed) => {
                put_dead(&mut self.body, &malformed, record.payload.unwrap_or_default());
                (Kind::Dead, EventTime(0), 1)
            }
        };
        let key = self.key(kind, record);
        let (partition, offset, record_time) = (self.index, record.offset, *clock);
        let body = &self.body;
        let envelope = Envelope { kind, partition, offset, record_time, event_time, content, body };
        let hash = key.hash();
        let place = self.starts.partition_point(|&start| start <= hash);
        let place = place.checked_sub(1).filter(|&place| self.is_owned(place, hash));
        if let Some(part) = place.and_then(|it| self.parts.get_mut(it)) {
            put_record(part, key, &envelope);
        }
    }

    /// A leg is routed by its transaction; a dead record, which has none, by where it stands.
    fn key(&self, kind: Kind, record: &Record<'_>) -> TransactionKey {
        match kind {
            Kind::Leg(leg) => {
                let mut bodies = crate::machine::fields::Bodies::none();
                bodies.set(leg, &self.body);
                self.decoder.key(bodies.id())
            }
            Kind::Dead => TransactionKey::of(format!("{}@{}", self.name, record.offset).as_bytes()),
        }
    }

    fn is_owned(&self, place: usize, hash: u64) -> bool {
        self.targets.get(place).is_none_or(|target| target.keys.contains(hash))
    }

    /// A further range gets its part from now on.
    pub fn add(&mut self, target: Target) {
        let start = target.keys.start();
        let place = self.starts.partition_point(|&it| it < start);
        self.starts.insert(place, start);
        self.parts.insert(place, Vec::new());
        self.targets.insert(place, target);
    }

    /// A range gets nothing any more; answers with what it was.
    pub fn remove(&mut self, range: RangeId) -> Option<Target> {
        let place = self.targets.iter().position(|target| target.range == range)?;
        self.starts.remove(place);
        self.parts.remove(place);
        Some(self.targets.remove(place))
    }

    /// Every range's part of what was taken, also where it is empty.
    pub fn drain(&mut self) -> impl Iterator<Item = (&Target, Bytes)> {
        self.targets.iter().zip(&mut self.parts).map(|(target, part)| {
            // A little more than this time, so that it seldom has to grow: parts are of about one size.
            let next = Vec::with_capacity(part.len() + part.len() / 4);
            (target, std::mem::replace(part, next).into())
        })
    }

    /// Forgets what was taken.
    pub fn clear(&mut self) {
        self.parts.iter_mut().for_each(Vec::clear);
    }

    /// The ranges.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }
}

/// The record clock after a record: a running maximum that no wrong clock can carry far into the future.
#[must_use]
fn advanced(clock: RecordTime, time_ms: u64, now: RecordTime) -> RecordTime {
    clock.max(RecordTime(time_ms).min(now.plus_ms(FUTURE_MS)))
}

/// Milliseconds from a time inside a message to its arrival; none where that clock is ahead of the source's.
fn delay_ms(event_time: EventTime, arrived_ms: u64) -> u64 {
    let arrived_ms = i64::try_from(arrived_ms).unwrap_or(i64::MAX);
    u64::try_from(arrived_ms.saturating_sub(event_time.0)).unwrap_or(0)
}

fn put_dead(body: &mut Vec<u8>, malformed: &Malformed, raw: &[u8]) {
    let kept = match malformed.class {
        Class::TooLarge => &raw[..raw.len().min(MAX_DEAD_BYTES)],
        Class::Empty
        | Class::MalformedJson
        | Class::NoId
        | Class::BadId
        | Class::NoTime
        | Class::BadTime => raw,
    };
    body.clear();
    put_bytes(body, malformed.class.name().as_bytes());
    put_bytes(body, malformed.detail.as_bytes());
    put_bytes(body, kept);
}

#[cfg(test)]
mod tests {
    use proto::types::{Leg, Offset};

    use super::*;
    use crate::histogram::Histogram;
    use crate::source::decode::Limits;

    /// What is counted of records that arrived at 9,000 ms, and are taken at 10,000 ms.
    fn check(payloads: &[&str], count: u64, sum_ms: u64) {
        let name = SourcePartition { topic: "t".into(), partition: 0, leg: Leg::Trace };
        let decoder = Decoder::new(Leg::Trace, "/id", "/at", &[], Limits::default()).unwrap();
        let mut router = Router::single(PartitionIndex(0), name, decoder);
        for payload in payloads {
            let payload = Some(payload.as_bytes());
            let record = Record { offset: Offset(0), time_ms: 9_000, payload };
            router.take(&record, &mut RecordTime(0), RecordTime(10_000));
        }
        let histogram = Histogram::new(JOURNEY);
        histogram.add(router.delays());
        let shown = histogram.shown();
        assert_eq!((shown.count(), shown.sum_us), (count, sum_ms * 1_000));
    }

    #[test]
    fn a_leg_is_late_by_the_time_from_the_one_inside_it_to_its_arrival_whenever_it_is_read() {
        check(&[r#"{"id":"a","at":8960}"#, r#"{"id":"b","at":6000}"#], 2, 40 + 3_000);
    }

    #[test]
    fn a_leg_of_the_future_is_not_late_and_what_is_no_leg_has_no_time() {
        check(&[r#"{"id":"a","at":9001}"#, "{", r#"{"id":"b"}"#], 1, 0);
    }
}
