//! From messages to checked letters: what cannot be is refused by name.

use proto::types::{Epoch, Incarnation, NodeId, RangeId, Slot};

use super::Unread;
use super::message::{self, Kind, order, request, stage};
use crate::machine::entry::Intent;
use crate::machine::letter::{Ask, Joining, Leading, Letter};
use crate::machine::member::{Member, Term};
use crate::machine::order::Order;
use crate::machine::plan::Load;
use crate::machine::report::{Copy, Holding, Report, Stage};
use crate::machine::wish::Request;

pub(super) fn letter(kind: Kind) -> Result<Letter, Unread> {
    Ok(match kind {
        Kind::Join(it) => {
            Letter::Join(Joining { node: node(&it.node)?, address: it.address, ticket: it.ticket })
        }
        Kind::Joined(it) => Letter::Joined { member: member(it.member)?, ticket: it.ticket },
        Kind::Report(it) => Letter::Report(report(it)?),
        Kind::Obey(it) => {
            let orders = it.orders.into_iter().map(order).collect::<Result<_, _>>()?;
            Letter::Obey { term: Term(it.term), orders }
        }
        Kind::Leading(it) => Letter::Leading(Leading {
            term: Term(it.term),
            leader: node(&it.leader)?,
            address: it.address,
            control_slot: Slot(it.control_slot),
            age_ms: it.age_ms,
        }),
        Kind::Ask(it) => Letter::Ask(ask(it)?),
        Kind::Answer(it) => Letter::Answer { ticket: it.ticket, denied: it.denied },
    })
}

fn node(name: &str) -> Result<NodeId, Unread> {
    NodeId::new(name).map_err(|_| Unread::Wrong("node's name"))
}

fn range(number: u32) -> Result<RangeId, Unread> {
    u16::try_from(number).map(RangeId).map_err(|_| Unread::Wrong("range's number"))
}

fn member(member: Option<message::Member>) -> Result<Member, Unread> {
    let member = member.ok_or(Unread::Wrong("member"))?;
    Ok(Member { node: node(&member.node)?, incarnation: Incarnation(member.incarnation) })
}

fn report(it: message::Report) -> Result<Report, Unread> {
    Ok(Report {
        member: member(it.member)?,
        number: it.number,
        holdings: it.holdings.iter().map(holding).collect::<Result<_, _>>()?,
        copies: it.copies.iter().map(copy).collect::<Result<_, _>>()?,
        is_leaving: it.is_leaving,
    })
}

fn holding(it: &message::Holding) -> Result<Holding, Unread> {
    let stage = match it.stage {
        stage::RESTORING => Stage::Restoring,
        stage::SERVING => Stage::Serving,
        stage::CLOSED => Stage::Closed { to: Slot(it.to) },
        _ => return Err(Unread::Wrong("stage of a range")),
    };
    let load = it
        .load
        .as_ref()
        .map(|load| Load { state_bytes: load.state_bytes, records_per_s: load.records_per_s });
    Ok(Holding { range: range(it.range)?, epoch: Epoch::new(it.epoch), stage, load })
}

fn copy(it: &message::Copy) -> Result<Copy, Unread> {
    Ok(Copy { range: range(it.range)?, epoch: Epoch::new(it.epoch), is_ready: it.is_ready })
}

fn order(it: message::Order) -> Result<Order, Unread> {
    let (member, range, epoch) = (member(it.member)?, range(it.range)?, Epoch::new(it.epoch));
    Ok(match it.kind {
        order::SERVE => Order::Serve { range, member, epoch },
        order::RELEASE => Order::Release { range, member, epoch },
        order::WARM => Order::Warm { range, member, epoch },
        order::COOL => Order::Cool { range, member },
        order::REJOIN => Order::Rejoin { member },
        _ => return Err(Unread::Unknown),
    })
}

fn ask(it: message::Ask) -> Result<Ask, Unread> {
    let about = || node(&it.about);
    let intend = |intent| Ok(Request::Intend { node: about()?, intent });
    let request = match it.kind {
        request::SERVE => intend(Intent::Serve)?,
        request::CORDON => intend(Intent::Cordon)?,
        request::DRAIN => intend(Intent::Drain)?,
        request::MOVE => Request::Move { range: range(it.range)?, to: about()? },
        request::REBALANCE => Request::Rebalance,
        request::SPLIT => Request::Split { range: range(it.range)?, at: it.at },
        request::MERGE => Request::Merge { left: range(it.range)?, right: range(it.other)? },
        _ => return Err(Unread::Unknown),
    };
    Ok(Ask { node: node(&it.node)?, address: it.address, ticket: it.ticket, request })
}
