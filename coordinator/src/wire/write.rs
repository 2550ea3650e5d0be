//! From checked letters to messages.

use super::FORMAT;
use super::message::{self, Frame, Kind, order, request, stage};
use crate::machine::entry::Intent;
use crate::machine::letter::{Ask, Letter};
use crate::machine::member::Member;
use crate::machine::order::Order;
use crate::machine::report::{Copy, Holding, Report, Stage};
use crate::machine::wish::Request;

pub(super) fn frame(letter: &Letter) -> Frame {
    let kind = match letter {
        Letter::Join(it) => Kind::Join(message::Join {
            node: it.node.to_string(),
            address: it.address.clone(),
            ticket: it.ticket,
        }),
        Letter::Joined { member: it, ticket } => {
            Kind::Joined(message::Joined { member: Some(member(it)), ticket: *ticket })
        }
        Letter::Report(it) => Kind::Report(report(it)),
        Letter::Obey { term, orders } => {
            let orders = orders.iter().filter_map(order).collect();
            Kind::Obey(message::Obey { term: term.0, orders })
        }
        Letter::Leading(it) => Kind::Leading(message::Leading {
            term: it.term.0,
            leader: it.leader.to_string(),
            address: it.address.clone(),
            control_slot: it.control_slot.0,
            age_ms: it.age_ms,
        }),
        Letter::Ask(it) => Kind::Ask(ask(it)),
        Letter::Answer { ticket, denied } => {
            Kind::Answer(message::Answer { ticket: *ticket, denied: denied.clone() })
        }
    };
    Frame { format: FORMAT, letter: Some(kind) }
}

fn member(member: &Member) -> message::Member {
    message::Member { node: member.node.to_string(), incarnation: member.incarnation.0 }
}

fn report(report: &Report) -> message::Report {
    message::Report {
        member: Some(member(&report.member)),
        number: report.number,
        holdings: report.holdings.iter().map(holding).collect(),
        copies: report.copies.iter().map(copy).collect(),
        is_leaving: report.is_leaving,
    }
}

fn holding(held: &Holding) -> message::Holding {
    let (stage, to) = match held.stage {
        Stage::Restoring => (stage::RESTORING, 0),
        Stage::Serving => (stage::SERVING, 0),
        Stage::Closed { to } => (stage::CLOSED, to.0),
    };
    let load = held.load.map(|load| message::Load {
        state_bytes: load.state_bytes,
        records_per_s: load.records_per_s,
    });
    let (range, epoch) = (u32::from(held.range.0), held.epoch.get());
    message::Holding { range, epoch, stage, to, load }
}

fn copy(copy: &Copy) -> message::Copy {
    let (range, epoch) = (u32::from(copy.range.0), copy.epoch.get());
    message::Copy { range, epoch, is_ready: copy.is_ready }
}

fn order(order: &Order) -> Option<message::Order> {
    let (kind, range, epoch) = match order {
        Order::Serve { range, epoch, .. } => (order::SERVE, range.0, epoch.get()),
        Order::Release { range, epoch, .. } => (order::RELEASE, range.0, epoch.get()),
        Order::Warm { range, epoch, .. } => (order::WARM, range.0, epoch.get()),
        Order::Cool { range, .. } => (order::COOL, range.0, 0),
        Order::Rejoin { .. } => (order::REJOIN, 0, 0),
        // The leader's own.
        Order::Fence { .. }
        | Order::Assign { .. }
        | Order::Move { .. }
        | Order::Split { .. }
        | Order::Leave { .. } => return None,
    };
    let member = order.addressee().map(member);
    Some(message::Order { kind, member, range: range.into(), epoch })
}

fn ask(ask: &Ask) -> message::Ask {
    let mut message = message::Ask {
        node: ask.node.to_string(),
        address: ask.address.clone(),
        ticket: ask.ticket,
        ..message::Ask::default()
    };
    match &ask.request {
        Request::Intend { node, intent } => {
            message.about = node.to_string();
            message.kind = match intent {
                Intent::Serve => request::SERVE,
                Intent::Cordon => request::CORDON,
                Intent::Drain => request::DRAIN,
            };
        }
        Request::Move { range, to } => {
            (message.kind, message.range) = (request::MOVE, range.0.into());
            message.about = to.to_string();
        }
        Request::Rebalance => message.kind = request::REBALANCE,
        Request::Split { range, at } => {
            (message.kind, message.range) = (request::SPLIT, range.0.into());
            message.at = *at;
        }
        Request::Merge { left, right } => {
            message.kind = request::MERGE;
            (message.range, message.other) = (left.0.into(), right.0.into());
        }
    }
    message
}
