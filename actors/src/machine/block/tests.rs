//! Blocks keep what is put into them, and give their store exactly what they say.

use bytes::Bytes;
use proptest::prelude::*;
use proto::types::{Epoch, Offset, PartitionIndex, RecordTime, Sequence, Version};

use super::*;
use crate::machine::ledger::{Counts, Fate};
use crate::machine::positions::Position;
use crate::sink::{Outlet, Stamp};

fn block() -> Block {
    let mut counts = Counts::default();
    counts.consume();
    counts.enter(Fate::Joined);
    let position = Position { offset: Offset(300), clock: RecordTime(1_760_000_000_000) };
    let head = Head {
        epoch: Epoch::NONE.next(),
        commit: 12,
        sequence: Sequence(40),
        acknowledged: Sequence(38),
        clock: RecordTime(5),
        live_from: 9,
        floor: 3,
        folded: 11,
        horizon_ms: 3_600_000,
        positions: vec![position],
        ledger: vec![counts],
    };
    let mut references = References::default();
    references.add(PartitionIndex(1), Offset(70));
    references.add(PartitionIndex(1), Offset(64));
    let stamp =
        Stamp { range: RangeId(3), epoch: head.epoch, sequence: Sequence(40), version: Version(1) };
    let row = Row {
        outlet: Outlet::DeadLetters,
        stamp,
        key: Bytes::from_static(b"key"),
        payload: Bytes::from_static(b"payload"),
        headers: vec![("error".to_owned(), "no-id".to_owned())],
        arrived: None,
    };
    Block {
        range: RangeId(3),
        head,
        references,
        puts: vec![(TransactionKey(1), b"row".to_vec())],
        removed: vec![TransactionKey(2)],
        tombstones: vec![(3, vec![7; 32])],
        figures: Figures::Added(b"added".to_vec()),
        cleared: Cleared {
            references: 7..9,
            tombstones_before: Some(3),
            cells_before: Some(3_600_000),
        },
        rows: vec![row],
    }
}

#[test]
fn a_block_is_read_as_it_was_written() {
    let bytes = block().encode();
    let decoded = Block::decode(&bytes).unwrap();
    assert_eq!(decoded.encode(), bytes);
    assert_eq!(decoded.head, block().head);
    assert_eq!(decoded.rows[0].headers, block().rows[0].headers);
    let place = Place::default();
    assert_eq!(decoded.changes(&place), block().changes(&place));
}

#[test]
fn i2_the_head_is_in_the_same_changes_as_what_it_speaks_of() {
    let changes = block().changes(&Place::default());
    let is_head = |change: &&Change| matches!(change, Change::Put(Table::Head, _, _));
    assert_eq!(changes.iter().filter(is_head).count(), 1);
    assert!(changes.iter().any(|it| matches!(it, Change::Put(Table::Open, _, _))));
    assert!(changes.iter().any(|it| matches!(it, Change::Delete(Table::Open, _))));
}

#[test]
fn i11_a_cut_block_is_refused() {
    let bytes = block().encode();
    for length in 0..bytes.len() {
        assert!(Block::decode(&bytes[..length]).is_err(), "cut at {length}");
    }
    assert!(Block::decode(&[&bytes[..], &[0]].concat()).is_err(), "more than a block");
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
        drop(Block::decode(&bytes));
    }

    #[test]
    fn references_are_unpacked_in_order(offsets: std::collections::BTreeSet<u32>) {
        let mut references = References::default();
        for &offset in offsets.iter().rev() {
            references.add(PartitionIndex(4), Offset(u64::from(offset)));
        }
        let mut unpacked = References::default();
        unpacked.load(&references.pack()).unwrap();
        let expected: Vec<_> = offsets.iter().map(|&it| Offset(u64::from(it))).collect();
        let got: Vec<_> = unpacked.sorted().flat_map(|(_, wanted)| wanted.offsets).collect();
        prop_assert_eq!(got, expected);
    }
}
