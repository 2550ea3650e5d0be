//! What a starting node does to own its ranges: lead, join, fence those before it, assign.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

use proto::log::Log;
use proto::types::{Incarnation, KeyRange, Keying, NodeId, RangeId, Slot};
use tracing::info;

use crate::control_log::{Append, ControlError, ControlLog};
use crate::fencing::{FencingError, fence};
use crate::machine::entry::{Change, Division};
use crate::machine::fence::Fence;
use crate::machine::member::{Member, Term};
use crate::machine::order::changes;
use crate::machine::plan::plan;
use crate::machine::reconcile::{Observed, Order, reconcile};
use crate::machine::table::{Range, Table};

mod carry_out;
mod membership;

pub use carry_out::LeadError;
pub use membership::{Holding, Membership, Warning};

/// How often a process tries for a leader slot that others take before it gives up.
const LEADER_RACES: u32 = 16;

/// Where nonces come from: no two calls, of any process, give the same.
pub type Nonces<'a> = &'a mut (dyn FnMut() -> u64 + Send);

/// The journals of all nodes.
pub trait Journals: Send + Sync + fmt::Debug {
    /// The journal of one life of a node, `journal/<node>/<incarnation>/`: its first slot is 1.
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log>;
}

/// How the key space is cut, if nobody has cut it before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cut {
    /// Into how many ranges.
    pub ranges: NonZeroU16,
    /// How transaction ids become keys.
    pub keying: Keying,
}

/// What a node says when it starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Joining {
    /// Its name.
    pub node: NodeId,
    /// Where other nodes reach it.
    pub address: String,
    /// How to cut the key space, if nobody has cut it before.
    pub cut: Cut,
}

/// Why a node could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The control log could not be used.
    #[error("join the cluster")]
    Control(#[from] ControlError),
    /// A journal could not be ended.
    #[error("end the journal of {member}")]
    Fencing {
        /// Whose journal.
        member: Member,
        /// Why.
        source: FencingError,
    },
    /// Another process took the lead meanwhile.
    #[error(
        "join the cluster: {by} took the lead ({term}) meanwhile; see that only one process of this node runs, and start it again"
    )]
    Outrun {
        /// The node whose process leads now.
        by: NodeId,
        /// Its term.
        term: Term,
    },
}

/// A process in the coordinator's role.
#[derive(Debug)]
pub struct Coordinator {
    control: ControlLog,
    journals: Arc<dyn Journals>,
}

impl Coordinator {
    /// The role, on a control log that was opened.
    #[must_use]
    pub const fn new(control: ControlLog, journals: Arc<dyn Journals>) -> Self {
        Self { control, journals }
    }

    /// What the control log says.
    #[must_use]
    pub const fn table(&self) -> &Table {
        self.control.table()
    }

    /// The last slot of the control log that is known.
    #[must_use]
    pub const fn read(&self) -> Slot {
        self.control.read()
    }

    /// Reads what others have written into the control log since.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    pub async fn catch_up(&mut self) -> Result<(), ControlError> {
        self.control.catch_up().await
    }

    /// Makes this process's node a new member that owns every range, alone.
    ///
    /// Every other life of every node is held dead and fenced: a node that joins this way is the
    /// whole cluster. Each epoch is in the control log before this answers (I1).
    ///
    /// # Errors
    ///
    /// [`JoinError`]. Whatever was written by then does no harm: a later join continues from it.
    pub async fn join(
        &mut self,
        joining: &Joining,
        nonces: Nonces<'_>,
    ) -> Result<Membership, JoinError> {
        let term = self.lead(&joining.node, nonces).await?;
        let incarnation = self.table().next_incarnation(&joining.node);
        let member = Member { node: joining.node.clone(), incarnation };
        let address = joining.address.clone();
        self.append(Change::Joined { member: member.clone(), address }, nonces).await?;
        if self.table().ranges().len() == 0 {
            self.append(divided(joining.cut), nonces).await?;
        }

        let by = Fence { by: joining.node.clone(), term };
        let predecessors = self.end_others(&member, &by, nonces).await?;
        self.assign_all(&member, nonces).await?;
        info!(node = %member.node, %incarnation, %term, "node joined");
        Ok(self.membership(&member, joining, predecessors))
    }

    /// Takes the lead, however many others try.
    async fn lead(&mut self, candidate: &NodeId, nonces: Nonces<'_>) -> Result<Term, JoinError> {
        self.control.catch_up().await?;
        for _ in 0..LEADER_RACES {
            let change = Change::Leader { candidate: candidate.clone() };
            match self.control.append(change, nonces()).await? {
                Append::Won(_) => return Ok(self.table().term()),
                Append::Lost(_) => {}
            }
        }
        Err(self.outrun())
    }

    /// Writes an entry, or steps down: who has lost a slot decides nothing more.
    async fn append(&mut self, change: Change, nonces: Nonces<'_>) -> Result<(), JoinError> {
        match self.control.append(change, nonces()).await? {
            Append::Won(_) => Ok(()),
            Append::Lost(_) => Err(self.outrun()),
        }
    }

    fn outrun(&self) -> JoinError {
        let leader = self.table().leader().expect("the slot was lost to an entry, the first leads");
        JoinError::Outrun { by: leader.candidate.clone(), term: leader.term }
    }

    /// Ends every life but `member`, and says where.
    async fn end_others(
        &mut self,
        member: &Member,
        by: &Fence,
        nonces: Nonces<'_>,
    ) -> Result<Vec<(Member, Slot)>, JoinError> {
        let mut ended = Vec::new();
        for order in self.orders(member) {
            match order {
                Order::Fence { member } => {
                    let slot = self.end(&member, by, nonces).await?;
                    ended.push((member, slot));
                }
                // Decided again after the fences: what is given depends on them.
                Order::Assign { .. }
                | Order::Release { .. }
                | Order::Move { .. }
                | Order::Split { .. }
                | Order::Serve { .. }
                | Order::Warm { .. }
                | Order::Leave { .. }
                | Order::Rejoin { .. }
                | Order::Cool { .. } => {}
            }
        }
        Ok(ended)
    }

    /// Gives `member` all that nobody owns; after [`Self::end_others`] that is all.
    async fn assign_all(&mut self, member: &Member, nonces: Nonces<'_>) -> Result<(), JoinError> {
        // Nothing else is left: who else owned something is dead.
        let change = changes(&self.orders(member)).pop();
        let assignments = Vec::new();
        self.append(change.unwrap_or(Change::Assigned { assignments }), nonces).await
    }

    /// What is to be done so that `member` owns everything.
    fn orders(&self, member: &Member) -> Vec<Order> {
        let others = self.table().alive().filter(|&other| other != member);
        let held_dead: BTreeSet<_> = others.cloned().collect();
        let observed = Observed { table: self.table(), held_dead: &held_dead };
        reconcile(&plan(&observed.facts()), &observed)
    }

    /// Ends a life: first its journal, then in the control log.
    async fn end(
        &mut self,
        member: &Member,
        by: &Fence,
        nonces: Nonces<'_>,
    ) -> Result<Slot, JoinError> {
        let journal = self.journals.journal(&member.node, member.incarnation);
        let fencing = |source| JoinError::Fencing { member: member.clone(), source };
        let fenced_at = fence(&*journal, by).await.map_err(fencing)?;
        info!(node = %member.node, incarnation = %member.incarnation, %fenced_at, "node fenced");
        self.append(Change::Dead { member: member.clone(), fenced_at }, nonces).await?;
        Ok(fenced_at)
    }

    fn membership(
        &self,
        member: &Member,
        joining: &Joining,
        predecessors: Vec<(Member, Slot)>,
    ) -> Membership {
        let ranges = self.table().ranges();
        let standing = ranges.len();
        let mine = ranges.filter(|(_, range)| range.owner() == Some(member));
        let holding = |(id, range): (RangeId, &Range)| Holding {
            range: id,
            keys: range.keys,
            epoch: range.epoch,
            lineage: range.lineage.clone(),
            ancestors: range.ancestors.clone(),
        };
        let holdings = mine.map(holding).collect();

        let configured = joining.cut.ranges;
        let differ = usize::from(configured.get()) != standing;
        let others = predecessors.iter().filter(|(other, _)| other.node != member.node);
        let took_over = others.map(|(other, _)| Warning::TookOver { member: other.clone() });
        let mut warnings: Vec<_> = took_over.collect();
        warnings.extend(differ.then_some(Warning::RangesDiffer { configured, standing }));
        Membership { incarnation: member.incarnation, holdings, predecessors, warnings }
    }
}

/// The key space, cut.
pub(crate) fn divided(cut: Cut) -> Change {
    let numbered = (0..).map(RangeId).zip(KeyRange::divide(cut.ranges));
    let ranges = numbered.map(|(range, keys)| Division { range, keys }).collect();
    Change::Divided { ranges, keying: cut.keying }
}

#[cfg(test)]
mod races;
#[cfg(test)]
mod tests;
