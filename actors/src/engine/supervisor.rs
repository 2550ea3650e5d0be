//! Hears of the first actor of an engine that fails.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;
use tracing::error;

use crate::causes::one_line;

/// A tick that asks for nothing.
#[derive(Debug)]
pub(super) struct Never;

/// Hears of the first actor that fails, and says so to whoever waits.
#[derive(Debug)]
pub(super) struct Supervisor;

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Never {}

impl Actor for Supervisor {
    type Msg = Never;
    type State = watch::Sender<Option<String>>;
    type Arguments = watch::Sender<Option<String>>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Never>,
        failed: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(failed)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Never>,
        event: SupervisionEvent,
        failed: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, reason) = event {
            let reason = one_line(&*reason);
            error!(reason, "a part of the engine failed, the node stops");
            failed.send_if_modified(|known| {
                let is_first = known.is_none();
                known.get_or_insert(reason);
                is_first
            });
        }
        Ok(())
    }
}
