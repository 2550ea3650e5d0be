//! What others want written into the control log, from when they ask until it is there.

use std::collections::BTreeMap;

use proto::types::NodeId;

use crate::machine::entry::{Change, Intent};
use crate::machine::letter::{Ask, Joining};
use crate::machine::member::Member;
use crate::machine::table::{Standing, Table};
use crate::machine::wish::Request;

/// How many questions of operators may wait for the store (I13).
const MAX_ASKS: usize = 64;

/// What waits to be written, and what is being written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By node: of a node that asks again, the last counts.
    joins: BTreeMap<NodeId, Joining>,
    asks: Vec<Ask>,
    joining: Vec<(Member, Joining)>,
    asking: Vec<Ask>,
    /// The ticket of each node's last life, so that an answer that was lost is given again.
    admitted: BTreeMap<NodeId, (Member, u64)>,
}

/// What has come to be written, and whom to tell.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) joined: Vec<(Member, Joining)>,
    pub(super) granted: Vec<Ask>,
}

impl Queue {
    /// The life that was given to this very process already; `None` where it is to get one.
    pub(super) fn join(&mut self, joining: Joining, table: &Table) -> Option<Member> {
        if let Some((member, ticket)) = self.admitted.get(&joining.node) {
            let is_alive = table.standing(member).is_some_and(Standing::is_alive);
            if *ticket == joining.ticket && is_alive {
                return Some(member.clone());
            }
        }
        let is_at_work = self.joining.iter().any(|(_, it)| *it == joining);
        if !is_at_work {
            self.joins.insert(joining.node.clone(), joining);
        }
        None
    }

    /// `false` where too many wait already.
    pub(super) fn ask(&mut self, ask: Ask) -> bool {
        let has_room = self.asks.len() < MAX_ASKS;
        if has_room {
            self.asks.push(ask);
        }
        has_room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.asks.is_empty()
    }

    /// What to write next. It is at work until [`Self::written`].
    pub(super) fn take(&mut self, table: &Table) -> Vec<Change> {
        let joins = std::mem::take(&mut self.joins).into_values();
        self.joining = joins
            .map(|joining| {
                let incarnation = table.next_incarnation(&joining.node);
                (Member { node: joining.node.clone(), incarnation }, joining)
            })
            .collect();
        self.asking = std::mem::take(&mut self.asks);
        let joined = |(member, it): &(Member, Joining)| Change::Joined {
            member: member.clone(),
            address: it.address.clone(),
        };
        let intended = self.asking.iter().filter_map(|ask| intended(&ask.request));
        let intended =
            intended.map(|(node, intent)| Change::Intended { node: node.clone(), intent });
        self.joining.iter().map(joined).chain(intended).collect()
    }

    /// The log says this by now, and this process still leads: what of it was asked for? What was not
    /// written waits again.
    pub(super) fn written(&mut self, table: &Table) -> Written {
        let mut written = Written::default();
        for (member, joining) in std::mem::take(&mut self.joining) {
            // Nobody else has written since: the next life is the one that was asked for.
            if table.standing(&member).is_some() {
                let admitted = (member.clone(), joining.ticket);
                self.admitted.insert(member.node.clone(), admitted);
                written.joined.push((member, joining));
            } else {
                self.joins.entry(joining.node.clone()).or_insert(joining);
            }
        }
        let asking = std::mem::take(&mut self.asking);
        // Of a node that was asked about twice, the last is what is so in the end.
        let last: BTreeMap<_, _> = asking.iter().filter_map(|ask| intended(&ask.request)).collect();
        let are_so = last.into_iter().all(|(node, intent)| table.intent(node) == intent);
        let list = if are_so { &mut written.granted } else { &mut self.asks };
        list.extend(asking);
        written
    }
}

const fn intended(request: &Request) -> Option<(&NodeId, Intent)> {
    match request {
        Request::Intend { node, intent } => Some((node, *intent)),
        Request::Move { .. }
        | Request::Rebalance
        | Request::Split { .. }
        | Request::Merge { .. } => None,
    }
}
