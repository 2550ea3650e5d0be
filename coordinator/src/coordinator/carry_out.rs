//! What a leader does itself of its orders: it writes the control log and fences.

use proto::types::NodeId;
use tracing::info;

use super::{Coordinator, Nonces};
use crate::control_log::{Append, ControlError};
use crate::fencing::{FencingError, fence};
use crate::machine::entry::Change;
use crate::machine::fence::Fence;
use crate::machine::member::{Member, Term};
use crate::machine::order::{Order, changes};

/// Why a leader leads no more, or cannot do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The control log could not be used. After an unclear answer it has to be opened anew.
    #[error("lead the cluster")]
    Control(#[from] ControlError),
    /// A journal could not be ended.
    #[error("end the journal of {member}")]
    Fencing {
        /// Whose journal.
        member: Member,
        /// Why.
        source: FencingError,
    },
    /// Another process took the lead. Nothing is wrong.
    #[error("lead the cluster: {by} took the lead ({term})")]
    Deposed {
        /// The node whose process leads now.
        by: NodeId,
        /// Its term.
        term: Term,
    },
}

impl Coordinator {
    /// Asks to lead. `Ok` where this process leads from now on.
    ///
    /// # Errors
    ///
    /// [`LeadError::Deposed`] where another won the slot; otherwise [`LeadError::Control`].
    pub async fn take_lead(
        &mut self,
        candidate: &NodeId,
        nonces: Nonces<'_>,
    ) -> Result<(), LeadError> {
        self.control.catch_up().await?;
        self.write(Change::Leader { candidate: candidate.clone() }, nonces).await
    }

    /// Writes one decision of who leads into the control log.
    ///
    /// # Errors
    ///
    /// [`LeadError::Deposed`] where another leads by now; otherwise [`LeadError::Control`].
    pub async fn write(&mut self, change: Change, nonces: Nonces<'_>) -> Result<(), LeadError> {
        match self.control.append(change, nonces()).await? {
            Append::Won(_) => Ok(()),
            Append::Lost(_) => Err(self.deposed()),
        }
    }

    /// Looks whether this process still leads, then does those of `orders` that are the leader's own:
    /// handovers, then assignments, then fences. Orders to nodes are passed over. What it has not done
    /// when it fails, a later step orders again.
    ///
    /// Must be called after each step, also where it ordered nothing: a leader that was followed by
    /// another and has nothing to write would not come to know it, and go on ordering nodes about.
    ///
    /// This waits for the store. The leader's ticks must go on meanwhile, or it takes its own waiting
    /// for absence ([`crate::machine::health`]).
    ///
    /// # Errors
    ///
    /// [`LeadError`], which ends the leadership unless it is [`LeadError::Fencing`]: one journal that
    /// cannot be ended doesn't keep the others from it.
    pub async fn carry_out(
        &mut self,
        orders: &[Order],
        nonces: Nonces<'_>,
    ) -> Result<(), LeadError> {
        self.control.catch_up().await?;
        if self.control.leading().is_none() {
            return Err(self.deposed());
        }
        for change in changes(orders) {
            self.write(change, nonces).await?;
        }
        let mut failed = None;
        for member in orders.iter().filter_map(Order::fences) {
            match self.bury(member, nonces).await {
                Err(error @ LeadError::Fencing { .. }) => failed = failed.or(Some(error)),
                buried => buried?,
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Ends a life: first its journal, then in the control log, never the other way round.
    async fn bury(&mut self, member: &Member, nonces: Nonces<'_>) -> Result<(), LeadError> {
        let Some(leader) = self.table().leader() else {
            return Err(ControlError::NotLeading.into());
        };
        let by = Fence { by: leader.candidate.clone(), term: leader.term };
        let journal = self.journals.journal(&member.node, member.incarnation);
        let fencing = |source| LeadError::Fencing { member: member.clone(), source };
        let fenced_at = fence(&*journal, &by).await.map_err(fencing)?;
        info!(node = %member.node, incarnation = %member.incarnation, %fenced_at, "node fenced");
        self.write(Change::Dead { member: member.clone(), fenced_at }, nonces).await
    }

    fn deposed(&self) -> LeadError {
        let leader = self.table().leader().expect("who lost the lead lost it to another");
        LeadError::Deposed { by: leader.candidate.clone(), term: leader.term }
    }
}
