//! What stands in for a range in tests of those who speak to one.

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::Message;

/// Takes whatever it is told.
pub(crate) struct Silent;

impl Actor for Silent {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
