//! Frames come back as they were, and nothing else is taken for one.

use proptest::prelude::*;

use super::*;
use crate::machine::aggregate::{self, Answer, Since, Stamp, Standing, View};
use crate::machine::partial::{CellKey, Partial};
use proto::types::Sequence;

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = |(key, value)| Row { key, value };
    prop::collection::vec(any::<(Vec<u8>, Vec<u8>)>().prop_map(row), 0..5)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let stamp =
        |(epoch, sequence)| Stamp { epoch: Epoch::new(epoch), sequence: Sequence(sequence) };
    any::<(u64, u64)>().prop_map(stamp)
}

fn report() -> impl Strategy<Value = Report> {
    let at = any::<(u16, u64, Option<u64>, i64)>();
    (at, stamp(), rows()).prop_map(|((range, time, since, horizon), stamp, rows)| Report {
        range: RangeId(range),
        stamp,
        record_time: RecordTime(time),
        since: since.map_or(Since::Start, |it| Since::Sequence(Sequence(it))),
        horizon,
        cells: rows.into(),
    })
}

fn query() -> impl Strategy<Value = Query> {
    let values = prop::option::of(prop::collection::btree_set(".{0,9}", 0..4));
    (any::<(u16, u32, u16, i64, i64)>(), values).prop_map(
        |((scenario, window_ms, dimension, from, to), values)| {
            let values = values.map(|them| them.into_iter().map(Into::into).collect());
            Query { scenario, window_ms, dimension, values, from, to }
        },
    )
}

fn as_of() -> impl Strategy<Value = AsOf> {
    let standing = (any::<(u8, u64)>(), stamp()).prop_map(|((kind, time), stamp)| {
        let heard = aggregate::Heard { stamp, record_time: RecordTime(time) };
        match kind % 3 {
            0 => Standing::Missing,
            1 => Standing::Current(heard),
            _ => Standing::Behind(heard),
        }
    });
    let range = (any::<u16>().prop_map(RangeId), standing);
    prop::collection::vec(range, 0..5).prop_map(|ranges| AsOf { ranges })
}

fn positions() -> impl Strategy<Value = Vec<Position>> {
    let position = |(offset, clock)| Position { offset: Offset(offset), clock: RecordTime(clock) };
    prop::collection::vec(any::<(u64, u64)>().prop_map(position), 0..5)
}

fn clocks_heard() -> impl Strategy<Value = Vec<Heard>> {
    let heard = |(partition, is_behind, clock, age_ms)| Heard {
        partition: PartitionIndex(partition),
        pass: if is_behind { Pass::Behind } else { Pass::Front },
        clock: RecordTime(clock),
        age_ms,
    };
    prop::collection::vec(any::<(u16, bool, u64, u64)>().prop_map(heard), 0..5)
}

fn to_owner() -> impl Strategy<Value = ToOwner> {
    let batch = |(at, (partition, from, to, clock), records): (_, _, Vec<u8>)| {
        let (range, epoch): (u16, u64) = at;
        let (partition, from, to): (_, _, u64) = (PartitionIndex(partition), Offset(from), to);
        let (to, clock, records) = (Offset(to), RecordTime(clock), records.into());
        let batch = Batch { partition, from, to, clock, records };
        ToOwner::Batch(RangeId(range), Epoch::new(epoch), batch)
    };
    let caught_up = |(range, epoch, partition, at, wall)| {
        let at = (Offset(at), RecordTime(wall));
        ToOwner::CaughtUp(RangeId(range), Epoch::new(epoch), PartitionIndex(partition), at)
    };
    prop_oneof![
        any::<(u16, u64)>().prop_map(|(it, epoch)| ToOwner::Open(RangeId(it), Epoch::new(epoch))),
        any::<((u16, u64), (u16, u64, u64, u64), Vec<u8>)>().prop_map(batch),
        any::<(u16, u64, u16, u64, u64)>().prop_map(caught_up),
        clocks_heard().prop_map(ToOwner::Clocks),
        (".{0,9}", report()).prop_map(|(name, report)| ToOwner::Figures(name, report)),
        (any::<u64>(), ".{0,9}", query()).prop_map(|(n, name, it)| ToOwner::Ask(n, name, it)),
    ]
}

fn to_reader() -> impl Strategy<Value = ToReader> {
    let receipt =
        |(range, epoch, partition, (bytes, offset, clock)): (_, _, _, (Option<u32>, _, _))| {
            let position = Position { offset: Offset(offset), clock: RecordTime(clock) };
            let said = bytes.map_or(Said::Refused(position), |bytes| Said::Applied(bytes as usize));
            let (range, partition) = (RangeId(range), PartitionIndex(partition));
            ToReader::Receipt(Receipt { range, epoch: Epoch::new(epoch), partition, said })
        };
    let at = || any::<(u16, u64)>().prop_map(|(range, epoch)| (RangeId(range), Epoch::new(epoch)));
    prop_oneof![
        (at(), positions()).prop_map(|((range, epoch), it)| ToReader::Positions(range, epoch, it)),
        (at(), positions()).prop_map(|((range, epoch), it)| ToReader::Committed(range, epoch, it)),
        at().prop_map(|(range, epoch)| ToReader::NotHere(range, epoch)),
        any::<(u16, u64, u16, (Option<u32>, u64, u64))>().prop_map(receipt),
        clocks_heard().prop_map(ToReader::Clocks),
        (".{0,9}", any::<BTreeSet<u16>>())
            .prop_map(|(name, it)| ToReader::Wanting(name, it.into_iter().map(RangeId).collect())),
        (any::<u64>(), rows()).prop_map(|(number, rows)| ToReader::Cells(number, rows)),
        (any::<u64>(), as_of(), any::<bool>())
            .prop_map(|(number, as_of, is_cut)| ToReader::Answered(number, as_of, is_cut)),
        any::<u64>().prop_map(ToReader::NotAnswered),
    ]
}

proptest! {
    #[test]
    fn what_was_said_to_an_owner_is_heard(said in to_owner()) {
        let heard = ToOwner::decode(&said.encode()).unwrap();
        prop_assert_eq!(format!("{heard:?}"), format!("{said:?}"));
    }

    #[test]
    fn what_was_said_to_readers_is_heard(said in to_reader()) {
        prop_assert_eq!(ToReader::decode(&said.encode()), Ok(said));
    }

    #[test]
    fn no_bytes_make_a_node_panic(mut bytes: Vec<u8>, kind in 0..21_u8) {
        drop((ToOwner::decode(&bytes.clone().into()), ToReader::decode(&bytes.clone().into())));
        bytes.splice(0..0, [FORMAT, kind]);
        drop((ToOwner::decode(&bytes.clone().into()), ToReader::decode(&bytes.into())));
    }

    #[test]
    fn a_frame_that_was_cut_or_has_more_behind_it_is_refused(said in to_owner(), cut: prop::sample::Index) {
        let whole = said.encode();
        // Of lists a part is a list too; the transport carries frames whole.
        prop_assume!(!matches!(said, ToOwner::Clocks(_) | ToOwner::Figures(..) | ToOwner::Ask(..)));
        prop_assert!(ToOwner::decode(&whole.slice(..cut.index(whole.len()))).is_err());
        let more: Bytes = [&whole[..], &[0]].concat().into();
        prop_assert!(ToOwner::decode(&more).is_err());
    }
}

#[test]
fn i13_what_is_too_much_for_a_frame_comes_in_several_and_is_whole_with_the_last() {
    let mut partial = Partial::default();
    (0..200).for_each(|duration| partial.add(1, duration * duration * duration));
    let view = |start: i64| {
        let (value, partial) = ("a".into(), partial.clone());
        let key = CellKey { scenario: 0, window_ms: 60_000, dimension: 0, start, value };
        View { key, version: partial.count(), partial }
    };
    for count in [0, 1, 10_000] {
        let cells: Vec<_> = (0_i64..).take(count).map(view).collect();
        let as_of = AsOf { ranges: vec![(RangeId(1), Standing::Missing)] };
        let answer = Answer { as_of: as_of.clone(), cells, is_cut: true };
        let frames = ToReader::answer(7, &answer);
        let mut rows = Vec::new();
        for frame in &frames {
            assert!(frame.encode().len() < 2 << 20);
            if let ToReader::Cells(7, some) = frame {
                rows.extend_from_slice(some);
            }
        }
        assert_eq!(frames.len() > 2, count == 10_000);
        assert_eq!(frames.last(), Some(&ToReader::Answered(7, as_of.clone(), true)));
        let heard = answered(&rows, as_of, true).unwrap();
        assert_eq!((heard.cells, heard.as_of), (answer.cells, answer.as_of));

        let stamp = Stamp { epoch: Epoch::new(1), sequence: Sequence(9) };
        let (range, record_time, cells) = (RangeId(1), RecordTime(0), rows.into());
        let (since, horizon) = (Since::Start, i64::MIN);
        let report = Report { range, stamp, record_time, since, horizon, cells };
        let mut aggregate = aggregate::Aggregate::new([range]);
        let said: Vec<_> = ToOwner::figures("channel", report).collect();
        for (place, frame) in said.iter().enumerate() {
            let ToOwner::Figures(_, piece) = frame else { panic!("{frame:?}") };
            assert!(frame.encode().len() < 2 << 20);
            assert_eq!(aggregate.as_of().wanting().count(), 1, "not whole before the last");
            aggregate.apply(piece).unwrap();
            assert_eq!(aggregate.as_of().wanting().count() == 0, place + 1 == said.len());
        }
        assert_eq!(aggregate.len(), count);
    }
}

#[test]
fn i14_a_frame_of_another_format_is_refused() {
    let mut frame = ToOwner::Open(RangeId(1), Epoch::new(1)).encode().to_vec();
    frame[0] = FORMAT + 1;
    let refused = FrameError::Format(FORMAT + 1);
    assert_eq!(ToOwner::decode(&frame.clone().into()).unwrap_err(), refused);
    assert_eq!(ToReader::decode(&frame.into()), Err(refused));
}
