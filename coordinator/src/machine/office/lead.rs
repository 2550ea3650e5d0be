//! What a process does while it leads.

use super::{
    Ask, Denied, Effect, Job, Joining, Lead, Leadership, Leading, Letter, Member, NodeId, Office,
    Order, Others, Queue, Request, Role, Standing,
};

impl Office {
    /// This process has just won the lead.
    pub(super) fn begin(&mut self, now_ms: u64) -> Vec<Effect> {
        // Who led before was listened to by this process itself: its silence counts from then on, as
        // soon as another node is heard. Before that it is rather this node that is cut off.
        let former = self.watch.leader.take().filter(|_| self.watch.is_lost);
        let former = former.and_then(|it| self.last_life(&it.leader));
        let leads = Leadership {
            lead: Lead::new(self.settings.health, self.settings.limits, now_ms),
            queue: Queue::default(),
            is_due: true,
            beat_ms: now_ms,
            answered_ms: now_ms,
            others: Others::Unheard { former: former.map(|it| (it, self.watch.heard_ms)) },
        };
        self.role = Role::Leading(Box::new(leads));
        let mut effects = self.beat(now_ms);
        effects.extend(self.step_if_due(now_ms));
        effects
    }

    /// Time passes while this process leads.
    pub(super) fn go_on(&mut self, now_ms: u64) -> Vec<Effect> {
        let (Role::Leading(leads), Some(table)) = (&mut self.role, &self.table) else {
            return Vec::new();
        };
        let beat_is_due = now_ms >= leads.beat_ms.saturating_add(self.settings.beat_ms);
        // Who cannot reach the store is no leader: others are to try.
        let patience = self.settings.patience_ms;
        let is_heard = now_ms.saturating_sub(leads.answered_ms) < patience;
        if self.is_busy {
            leads.lead.tick(table, now_ms);
        } else {
            leads.is_due = true;
        }
        let mut effects = if beat_is_due && is_heard { self.beat(now_ms) } else { Vec::new() };
        effects.extend(self.step_if_due(now_ms));
        effects
    }

    /// The store has done what the last step was about.
    pub(super) fn worked(&mut self, now_ms: u64) -> Vec<Effect> {
        if let Role::Leading(leads) = &mut self.role {
            leads.answered_ms = now_ms;
        }
        let mut effects = self.settle(now_ms);
        effects.extend(self.step_if_due(now_ms));
        effects
    }

    /// Tells what has come to be in the control log to those who wait for it.
    pub(super) fn settle(&mut self, now_ms: u64) -> Vec<Effect> {
        let (Role::Leading(leads), Some(table)) = (&mut self.role, &self.table) else {
            return Vec::new();
        };
        let written = leads.queue.written(table);
        let is_further = self.told < self.read;
        // What was written is why the next orders can be given.
        leads.is_due |= is_further || !leads.queue.is_empty();
        let mut effects = Vec::new();
        for (member, Joining { node, address, ticket }) in written.joined {
            let letter = Letter::Joined { member, ticket };
            effects.push(Effect::Tell { to: node, address, letter });
        }
        effects.extend(written.granted.iter().map(|ask| answer(ask, None)));
        if is_further {
            effects.extend(self.beat(now_ms));
        }
        effects
    }

    /// Decides, unless the store is still at work for what was decided before.
    pub(super) fn step_if_due(&mut self, now_ms: u64) -> Vec<Effect> {
        let (Role::Leading(leads), Some(table)) = (&mut self.role, &self.table) else {
            return Vec::new();
        };
        if self.is_busy || !leads.is_due {
            return Vec::new();
        }
        leads.is_due = false;
        let orders = leads.lead.step(table, now_ms);
        let changes = leads.queue.take(table);
        let (theirs, own): (Vec<_>, Vec<_>) =
            orders.into_iter().partition(|order| order.addressee().is_some());
        let mut effects = self.tell(theirs);
        // Also where there is nothing to write: or a leader that was followed would not come to know.
        self.is_busy = true;
        effects.push(Effect::Do(Job::Work { changes, orders: own }));
        effects
    }

    /// Orders to nodes, one letter a node.
    fn tell(&self, mut orders: Vec<Order>) -> Vec<Effect> {
        let term = self.leading().unwrap_or_default();
        orders.sort_by(|one, other| one.addressee().cmp(&other.addressee()));
        let same = |one: &Order, other: &Order| one.addressee() == other.addressee();
        let letters = orders.chunk_by(same).filter_map(|orders| {
            let to = orders.first()?.addressee()?.node.clone();
            let address = self.addresses.get(&to)?.clone();
            let letter = Letter::Obey { term, orders: orders.to_vec() };
            Some(Effect::Tell { to, address, letter })
        });
        letters.collect()
    }

    /// Says to everybody who leads.
    fn beat(&mut self, now_ms: u64) -> Vec<Effect> {
        let (Some(table), Some(beat)) = (self.table.clone(), self.beats()) else {
            return Vec::new();
        };
        if let Role::Leading(leads) = &mut self.role {
            leads.beat_ms = now_ms;
        }
        self.told = self.read;
        let members = table.members().filter_map(|(member, standing)| match standing {
            Standing::Alive { address } => Some((member.node.clone(), address.clone())),
            Standing::Dead { .. } => None,
        });
        let tell =
            |(to, address)| Effect::Tell { to, address, letter: Letter::Leading(beat.clone()) };
        members.map(tell).collect()
    }

    fn beats(&self) -> Option<Leading> {
        let (term, leader, address) = (self.leading()?, self.me.clone(), self.address.clone());
        Some(Leading { term, leader, address, control_slot: self.read, age_ms: 0 })
    }

    pub(super) fn asked_to_join(&mut self, joining: &Joining, now_ms: u64) -> Vec<Effect> {
        let beat = self.beats().or_else(|| self.leader(now_ms));
        let (to, address) = (joining.node.clone(), joining.address.clone());
        let tell = |letter| Effect::Tell { to: to.clone(), address: address.clone(), letter };
        let mut effects: Vec<_> = beat.map(Letter::Leading).map(tell).into_iter().collect();
        let (Role::Leading(leads), Some(table)) = (&mut self.role, &self.table) else {
            return effects;
        };
        match leads.queue.join(joining.clone(), table) {
            Some(member) => {
                let ticket = joining.ticket;
                effects.push(tell(Letter::Joined { member, ticket }));
            }
            None => leads.is_due = true,
        }
        effects.extend(self.step_if_due(now_ms));
        effects
    }

    pub(super) fn asked(&mut self, ask: &Ask, now_ms: u64) -> Vec<Effect> {
        let leader = self.leader(now_ms).map(|leader| leader.leader);
        let (Role::Leading(leads), Some(table)) = (&mut self.role, &self.table) else {
            return vec![answer(ask, Some(Denied::NotLeading(leader)))];
        };
        let asked = leads.lead.ask(&ask.request, table);
        leads.is_due |= asked.is_ok();
        let mut effects = match (asked, &ask.request) {
            (Err(denied), _) => vec![answer(ask, Some(denied))],
            // It is granted when the control log says so.
            (Ok(()), Request::Intend { .. }) if leads.queue.ask(ask.clone()) => Vec::new(),
            (Ok(()), Request::Intend { .. }) => vec![answer(ask, Some(Denied::Busy))],
            (
                Ok(()),
                Request::Move { .. }
                | Request::Rebalance
                | Request::Split { .. }
                | Request::Merge { .. },
            ) => vec![answer(ask, None)],
        };
        effects.extend(self.step_if_due(now_ms));
        effects
    }

    /// The life of `node` that lives, as far as the control log knows.
    fn last_life(&self, node: &NodeId) -> Option<Member> {
        let table = self.table.as_ref()?;
        table.alive().filter(|member| member.node == *node).last().cloned()
    }
}

fn answer(ask: &Ask, denied: Option<Denied>) -> Effect {
    let (ticket, denied) = (ask.ticket, denied.map(|it| it.to_string()));
    let letter = Letter::Answer { ticket, denied };
    Effect::Tell { to: ask.node.clone(), address: ask.address.clone(), letter }
}
