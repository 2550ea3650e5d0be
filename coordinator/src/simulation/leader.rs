//! A process that leads when it should, as the shell around the machine will.

use std::future::poll_fn;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::task::Poll;

use proto::types::{KeyRange, NodeId, RangeId};

use super::world::{RANGES, ToLeader, ToNode, World};
use crate::control_log::ControlLog;
use crate::coordinator::{Coordinator, LeadError, Nonces};
use crate::fixtures::node;
use crate::machine::entry::{Change, Division};
use crate::machine::health::Settings;
use crate::machine::lead::Lead;
use crate::machine::member::Member;
use crate::machine::pace::Limits;
use crate::testing::dice;
use crate::testing::memory_log::MemoryLog;

/// One life of the process. It ends only by death: where leading fails, it opens the log anew.
pub(super) async fn live(world: Arc<World>, which: usize, seed: u64) {
    let mut nonces = dice(seed);
    let me = node(&format!("coordinator-{which}"));
    loop {
        let Ok(control) = ControlLog::open(Arc::<MemoryLog>::clone(&world.control)).await else {
            continue;
        };
        let mut coordinator = Coordinator::new(control, Arc::<World>::clone(&world));
        while !world.contends(which) {
            world.take_for_leader(which);
            rest(&world, which).await;
        }
        let led = lead(&world, which, &me, &mut coordinator, &mut nonces).await;
        match led {
            Err(LeadError::Deposed { .. } | LeadError::Control(_)) => {}
            other => panic!("{other:?}"),
        }
        rest(&world, which).await;
    }
}

/// Leads until another does, or the store fails.
async fn lead(
    world: &World,
    which: usize,
    me: &NodeId,
    coordinator: &mut Coordinator,
    nonces: Nonces<'_>,
) -> Result<(), LeadError> {
    coordinator.take_lead(me, nonces).await?;
    if coordinator.table().ranges().len() == 0 {
        coordinator.write(divided(), nonces).await?;
    }
    // Two ranges of the size that is assumed.
    let limits = Limits { bytes_in_flight: 128 << 20, moves_per_node: 2 };
    let mut lead = Lead::new(Settings::default(), limits, world.now_ms());
    loop {
        for message in world.take_for_leader(which) {
            match message {
                ToLeader::Report(report) => lead.heard(report, world.now_ms()),
                ToLeader::Join(node, ticket) => {
                    let incarnation = coordinator.table().next_incarnation(&node);
                    let member = Member { node: node.clone(), incarnation };
                    let address = format!("{node}:7700");
                    let joined = Change::Joined { member: member.clone(), address };
                    coordinator.write(joined, nonces).await?;
                    world.tell_node(&node, &ToNode::Joined(member, ticket));
                }
                ToLeader::Intend(node, intent) => {
                    let is_known = coordinator.table().members().any(|(it, _)| it.node == node);
                    if is_known {
                        coordinator.write(Change::Intended { node, intent }, nonces).await?;
                    }
                }
            }
        }
        let orders = lead.step(coordinator.table(), world.now_ms());
        world.note(&orders);
        for order in &orders {
            if let Some(member) = order.addressee() {
                world.tell_node(&member.node, &ToNode::Obey(order.clone()));
            }
        }
        match coordinator.carry_out(&orders, nonces).await {
            Ok(()) | Err(LeadError::Fencing { .. }) => {}
            Err(error) => return Err(error),
        }
        rest(world, which).await;
    }
}

fn divided() -> Change {
    let parts = KeyRange::divide(NonZeroU16::new(RANGES).unwrap()).zip(0..);
    let ranges = parts.map(|(keys, id)| Division { range: RangeId(id), keys }).collect();
    Change::Divided { ranges }
}

/// Waits for the next round.
async fn rest(world: &World, which: usize) {
    world.rest(which);
    let mut rested = false;
    poll_fn(|_| if std::mem::replace(&mut rested, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}
