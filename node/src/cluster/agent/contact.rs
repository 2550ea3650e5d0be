//! Who leads, as an agent knows it, and what it asks of it: a life, and what operators want.

use std::collections::BTreeMap;

use coordinator::machine::letter::{Joining, Leading, Letter};
use coordinator::machine::life::Life;
use coordinator::machine::member::Member;
use coordinator::machine::table::{Standing, Table};
use proto::types::NodeId;
use tracing::info;

use super::{Agent, Asked, Living, Phase};

/// How often a node that wants to join asks again.
const ASK_AGAIN_MS: u64 = 500;

impl Agent {
    pub(super) fn heard(&mut self, beat: Leading) {
        let known = self.view.borrow().leader.clone();
        let is_other =
            known.as_ref().is_none_or(|it| (it.term, &it.leader) != (beat.term, &beat.leader));
        if known.is_some_and(|known| known.term > beat.term) {
            return;
        }
        self.heard_ms = self.heard_ms.max(self.now_ms().saturating_sub(beat.age_ms));
        self.follow.wants(beat.control_slot);
        let heard_ms = self.heard_ms;
        self.view.send_modify(|view| (view.leader, view.heard_ms) = (Some(beat), heard_ms));
        if is_other {
            // It has heard nothing of this node yet.
            self.asked_to_join_ms = None;
            self.ask_leader_to_join();
            self.report(true);
        }
    }

    pub(super) fn joined(&mut self, member: Member, ticket: u64) {
        if ticket != self.ticket || !matches!(self.phase, Phase::Joining) {
            return;
        }
        info!(node = %member.node, incarnation = %member.incarnation, "joined the cluster");
        self.ticket = (self.setup.nonces)();
        self.asked_to_join_ms = None;
        self.view.send_modify(|view| view.member = Some(member.clone()));
        let (living, begin) = Living::new(Life::new(member), &self.setup);
        self.phase = Phase::Living(living);
        self.work.push(begin);
    }

    /// Asks everybody who may lead, or may know who does.
    pub(super) async fn ask_to_join(&mut self, now_ms: u64) {
        if self.asked_to_join_ms.is_some_and(|at| now_ms < at.saturating_add(ASK_AGAIN_MS)) {
            return;
        }
        self.asked_to_join_ms = Some(now_ms);
        let mut places = self.setup.seeds.addresses().await;
        places.insert(self.setup.address.clone());
        places.extend(self.leads().map(|(_, address)| address));
        for place in places {
            self.setup.wire.tell_whoever(&place, Letter::Join(self.joining()));
        }
    }

    fn ask_leader_to_join(&self) {
        let leads = self.leads().filter(|_| matches!(self.phase, Phase::Joining));
        if let Some((leader, address)) = leads {
            self.setup.wire.tell(&leader, &address, Letter::Join(self.joining()));
        }
    }

    fn joining(&self) -> Joining {
        let (node, address) = (self.setup.node.clone(), self.setup.address.clone());
        Joining { node, address, ticket: self.ticket }
    }

    /// Who leads and where: who was heard last, or else what the control log says.
    pub(super) fn leads(&self) -> Option<(NodeId, String)> {
        let view = self.view.borrow();
        let is_heard = view.leader.as_ref().filter(|beat| beat.term >= view.table.term());
        if let Some(beat) = is_heard {
            return Some((beat.leader.clone(), beat.address.clone()));
        }
        let leader = &view.table.leader()?.candidate;
        let address = addresses(&view.table).remove(leader)?;
        Some((leader.clone(), address))
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        let leads = self.leads();
        let ticket = (self.setup.nonces)();
        let from = (self.setup.node.clone(), self.setup.address.clone());
        let now_ms = self.now_ms();
        if let Some((to, address, letter)) = self.asking.ask(asked, leads, (ticket, from), now_ms) {
            self.setup.wire.tell(&to, &address, letter);
        }
    }
}

/// Where each node that lives is reached, by its last life.
pub(super) fn addresses(table: &Table) -> BTreeMap<NodeId, String> {
    let alive = table.members().filter_map(|(member, standing)| match standing {
        Standing::Alive { address } => Some((member.node.clone(), address.clone())),
        Standing::Dead { .. } => None,
    });
    alive.collect()
}
