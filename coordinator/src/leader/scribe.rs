//! What waits for the store, so that the leader need not: it reads and writes the control log, and fences.

use std::fmt;
use std::sync::Arc;

use proto::log::Log;
use proto::types::{NodeId, Slot};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{info, warn};

use super::Message;
use crate::control_log::{ControlError, ControlLog};
use crate::coordinator::{Coordinator, Cut, Journals, LeadError, divided};
use crate::machine::entry::Change;
use crate::machine::office::{Job, Outcome};
use crate::machine::order::Order;
use crate::machine::table::Table;

/// Does jobs, one after the other.
pub struct Scribe {
    node: NodeId,
    cut: Cut,
    control: Arc<dyn Log>,
    journals: Arc<dyn Journals>,
    nonces: Box<dyn FnMut() -> u64 + Send>,
    /// `None` where the log has to be opened anew.
    coordinator: Option<Coordinator>,
    known: (Slot, Option<Arc<Table>>),
}

impl fmt::Debug for Scribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scribe").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Scribe {
    /// One that writes for `node`, and cuts the key space where nobody has.
    #[must_use]
    pub fn new(
        (node, cut): (NodeId, Cut),
        control: Arc<dyn Log>,
        journals: Arc<dyn Journals>,
        nonces: Box<dyn FnMut() -> u64 + Send>,
    ) -> Self {
        let known = (Slot(0), None);
        Self { node, cut, control, journals, nonces, coordinator: None, known }
    }

    /// Does a job, and says what came of it.
    pub async fn perform(&mut self, job: Job) -> Outcome {
        match self.attempt(job).await {
            Ok(outcome) => outcome,
            Err(LeadError::Fencing { member, source }) => {
                warn!(%member, error = %chain(&source), "cannot end a journal, trying again");
                Outcome::Done
            }
            Err(LeadError::Deposed { by, term }) => {
                info!(%by, %term, "another process leads");
                Outcome::Outrun
            }
            // A slot could not be read. Whatever was written before is known.
            Err(LeadError::Control(error @ ControlError::Store(_))) => {
                warn!(error = %chain(&error), "the store cannot be reached, trying again");
                Outcome::Unreached
            }
            Err(LeadError::Control(error)) => {
                warn!(error = %chain(&error), "opening the control log anew");
                self.coordinator = None;
                Outcome::Failed
            }
        }
    }

    /// The control log as far as it is known, and up to which slot.
    pub fn known(&mut self) -> (Option<Arc<Table>>, Slot) {
        if let Some(coordinator) = &self.coordinator {
            let read = coordinator.read();
            if self.known.0 != read || self.known.1.is_none() {
                self.known = (read, Some(Arc::new(coordinator.table().clone())));
            }
        }
        (self.known.1.clone(), self.known.0)
    }

    async fn attempt(&mut self, job: Job) -> Result<Outcome, LeadError> {
        if self.coordinator.is_none() {
            let control = ControlLog::open(Arc::clone(&self.control)).await?;
            self.coordinator = Some(Coordinator::new(control, Arc::clone(&self.journals)));
        }
        let Some(coordinator) = &mut self.coordinator else { return Ok(Outcome::Failed) };
        coordinator.catch_up().await?;
        match job {
            Job::Look => Ok(Outcome::Done),
            // Who has just won would be deposed for nothing.
            Job::Lead { seen } if coordinator.table().term() > seen => Ok(Outcome::Outrun),
            Job::Lead { .. } => {
                coordinator.take_lead(&self.node, &mut *self.nonces).await?;
                if coordinator.table().ranges().len() == 0 {
                    coordinator.write(divided(self.cut), &mut *self.nonces).await?;
                }
                Ok(Outcome::Led)
            }
            Job::Work { changes, orders } => self.work(changes, &orders).await,
        }
    }

    async fn work(&mut self, changes: Vec<Change>, orders: &[Order]) -> Result<Outcome, LeadError> {
        let Some(coordinator) = &mut self.coordinator else { return Ok(Outcome::Failed) };
        for change in changes {
            coordinator.write(change, &mut *self.nonces).await?;
        }
        coordinator.carry_out(orders, &mut *self.nonces).await?;
        Ok(Outcome::Done)
    }
}

/// The error and all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The actor around it.
#[derive(Debug)]
pub(super) struct ScribeActor;

impl ractor::Message for Job {}

impl Actor for ScribeActor {
    type Msg = Job;
    type State = (Scribe, ActorRef<Message>);
    type Arguments = (Scribe, ActorRef<Message>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Job>,
        it: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(it)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Job>,
        job: Job,
        (scribe, leader): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let outcome = scribe.perform(job).await;
        let (table, read) = scribe.known();
        leader.cast(Message::Done(outcome, table, read))?;
        Ok(())
    }
}
