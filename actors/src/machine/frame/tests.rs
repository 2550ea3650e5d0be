//! Frames come back as they were, and nothing else is taken for one.

use proptest::prelude::*;

use super::*;

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
    fn no_bytes_make_a_node_panic(mut bytes: Vec<u8>, kind in 0..10_u8) {
        drop((ToOwner::decode(&bytes.clone().into()), ToReader::decode(&bytes.clone().into())));
        bytes.splice(0..0, [FORMAT, kind]);
        drop((ToOwner::decode(&bytes.clone().into()), ToReader::decode(&bytes.into())));
    }

    #[test]
    fn a_frame_that_was_cut_or_has_more_behind_it_is_refused(said in to_owner(), cut: prop::sample::Index) {
        let whole = said.encode();
        prop_assume!(!matches!(said, ToOwner::Clocks(_)));
        prop_assert!(ToOwner::decode(&whole.slice(..cut.index(whole.len()))).is_err());
        let more: Bytes = [&whole[..], &[0]].concat().into();
        prop_assert!(ToOwner::decode(&more).is_err());
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
