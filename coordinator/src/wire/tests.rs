//! Every letter comes back as it was; nothing else is taken for one.

use proptest::prelude::*;
use proto::types::{Epoch, Incarnation, NodeId, RangeId, Slot};

use super::*;
use crate::machine::entry::Intent;
use crate::machine::letter::{Ask, Joining, Leading};
use crate::machine::member::{Member, Term};
use crate::machine::order::Order;
use crate::machine::plan::Load;
use crate::machine::report::{Copy, Holding, Report, Stage};
use crate::machine::wish::Request;

fn any_node() -> impl Strategy<Value = NodeId> {
    "[a-z0-9-]{1,63}".prop_map(|name| NodeId::new(&name).unwrap())
}

fn any_member() -> impl Strategy<Value = Member> {
    (any_node(), any::<u64>())
        .prop_map(|(node, life)| Member { node, incarnation: Incarnation(life) })
}

fn any_range() -> impl Strategy<Value = RangeId> {
    any::<u16>().prop_map(RangeId)
}

fn any_epoch() -> impl Strategy<Value = Epoch> {
    any::<u64>().prop_map(Epoch::new)
}

fn any_holding() -> impl Strategy<Value = Holding> {
    let stage = prop_oneof![
        Just(Stage::Restoring),
        Just(Stage::Serving),
        any::<u64>().prop_map(|to| Stage::Closed { to: Slot(to) }),
    ];
    let load = any::<(u64, u64)>()
        .prop_map(|(state_bytes, records_per_s)| Load { state_bytes, records_per_s });
    (any_range(), any_epoch(), stage, prop::option::of(load))
        .prop_map(|(range, epoch, stage, load)| Holding { range, epoch, stage, load })
}

fn any_report() -> impl Strategy<Value = Report> {
    let copy = (any_range(), any_epoch(), any::<bool>())
        .prop_map(|(range, epoch, is_ready)| Copy { range, epoch, is_ready });
    let holdings = prop::collection::vec(any_holding(), 0..5);
    let copies = prop::collection::vec(copy, 0..5);
    (any_member(), any::<u64>(), holdings, copies, any::<bool>()).prop_map(
        |(member, number, holdings, copies, is_leaving)| Report {
            member,
            number,
            holdings,
            copies,
            is_leaving,
        },
    )
}

fn any_order() -> impl Strategy<Value = Order> {
    (any_range(), any_member(), any_epoch(), 0..5_u8).prop_map(|(range, member, epoch, kind)| {
        match kind {
            0 => Order::Serve { range, member, epoch },
            1 => Order::Release { range, member, epoch },
            2 => Order::Warm { range, member, epoch },
            3 => Order::Cool { range, member },
            _ => Order::Rejoin { member },
        }
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let intents = prop::sample::select(vec![Intent::Serve, Intent::Cordon, Intent::Drain]);
    prop_oneof![
        (any_node(), intents).prop_map(|(node, intent)| Request::Intend { node, intent }),
        (any_range(), any_node()).prop_map(|(range, to)| Request::Move { range, to }),
        Just(Request::Rebalance),
        (any_range(), any::<Option<u64>>()).prop_map(|(range, at)| Request::Split { range, at }),
        (any_range(), any_range()).prop_map(|(left, right)| Request::Merge { left, right }),
    ]
}

fn any_letter() -> impl Strategy<Value = Letter> {
    prop_oneof![
        (any_node(), ".*", any::<u64>())
            .prop_map(|(node, address, ticket)| Letter::Join(Joining { node, address, ticket })),
        (any_member(), any::<u64>()).prop_map(|(member, ticket)| Letter::Joined { member, ticket }),
        any_report().prop_map(Letter::Report),
        (any::<u64>(), prop::collection::vec(any_order(), 0..5))
            .prop_map(|(term, orders)| Letter::Obey { term: Term(term), orders }),
        (any::<[u64; 3]>(), any_node(), ".*").prop_map(
            |([term, slot, age_ms], leader, address)| {
                let (term, control_slot) = (Term(term), Slot(slot));
                Letter::Leading(Leading { term, leader, address, control_slot, age_ms })
            }
        ),
        (any_node(), ".*", any::<u64>(), any_request()).prop_map(
            |(node, address, ticket, request)| Letter::Ask(Ask { node, address, ticket, request })
        ),
        (any::<u64>(), prop::option::of(".*"))
            .prop_map(|(ticket, denied)| Letter::Answer { ticket, denied }),
    ]
}

proptest! {
    #[test]
    fn a_letter_comes_back_as_it_was(letter in any_letter()) {
        prop_assert_eq!(decode(&encode(&letter)), Ok(letter));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Whatever it is taken for says the same when it is written again.
        if let Ok(letter) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&letter)), Ok(letter));
        }
    }

    #[test]
    fn a_letter_that_was_torn_or_altered_is_read_without_harm(
        letter in any_letter(), cut in any::<prop::sample::Index>(), flip in any::<u8>(),
    ) {
        let mut bytes = encode(&letter).to_vec();
        let at = cut.index(bytes.len());
        bytes[at] ^= flip;
        drop(decode(&bytes));
        drop(decode(&bytes[..at]));
    }
}

#[test]
fn what_another_version_writes_is_unknown_and_not_guessed() {
    let frame = |format, letter| message::Frame { format, letter }.encode_to_vec();
    assert_eq!(decode(&frame(1, None)), Err(Unread::Unknown));
    // A kind of a later version: a field that this one doesn't know.
    let mut later = frame(1, None);
    later.extend([0x9a, 0x06, 0x00]);
    assert_eq!(decode(&later), Err(Unread::Unknown));
    assert_eq!(decode(&frame(2, None)), Err(Unread::Format(2)));
    assert_eq!(decode(&[]), Err(Unread::Format(0)));
    assert_eq!(decode(&vec![0; MAX_BYTES + 1]), Err(Unread::TooLarge(MAX_BYTES + 1)));
}

#[test]
fn parts_that_cannot_be_are_refused_by_name() {
    let join = |node: &str| {
        let (node, address) = (node.to_owned(), String::new());
        message::Kind::Join(message::Join { node, address, ticket: 1 })
    };
    let order = |kind, range| {
        let member = Some(message::Member { node: "a".to_owned(), incarnation: 1 });
        let orders = vec![message::Order { kind, member, range, epoch: 1 }];
        message::Kind::Obey(message::Obey { term: 1, orders })
    };
    let stage = |stage| {
        let member = Some(message::Member { node: "a".to_owned(), incarnation: 1 });
        let holdings = vec![message::Holding { stage, ..message::Holding::default() }];
        message::Kind::Report(message::Report {
            member,
            number: 1,
            holdings,
            copies: vec![],
            is_leaving: false,
        })
    };
    let check = |kind, expected| {
        let frame = message::Frame { format: FORMAT, letter: Some(kind) };
        assert_eq!(decode(&frame.encode_to_vec()).map(|_| ()), expected);
    };
    check(join("a"), Ok(()));
    check(join("A/b"), Err(Unread::Wrong("node's name")));
    check(order(1, 65_535), Ok(()));
    check(order(1, 65_536), Err(Unread::Wrong("range's number")));
    check(order(6, 1), Err(Unread::Unknown));
    check(stage(3), Ok(()));
    check(stage(0), Err(Unread::Wrong("stage of a range")));
    let joined = message::Joined { member: None, ticket: 1 };
    check(message::Kind::Joined(joined), Err(Unread::Wrong("member")));
}
