//! Operators' requests, from when they are made until who leads has answered.

use std::collections::BTreeMap;

use coordinator::machine::letter::{Ask, Letter};
use coordinator::machine::wish::Request;
use proto::types::NodeId;
use tokio::sync::{mpsc, oneshot};

/// How long an answer is waited for, in milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// How many requests may wait for the agent (I13).
const MAX_WAITING: usize = 16;

/// A request, and who waits for its answer.
pub(crate) type Asked = (Request, oneshot::Sender<Result<(), String>>);

/// Makes requests of who leads, on behalf of an operator.
#[derive(Clone, Debug)]
pub struct Admin(mpsc::Sender<Asked>);

impl Admin {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (requests, asked) = mpsc::channel(MAX_WAITING);
        (Self(requests), asked)
    }

    /// Asks who leads, and waits for the answer: granted, not done yet. What nodes are wanted for is in
    /// the control log then; all else whoever leads next has to be asked again.
    ///
    /// # Errors
    ///
    /// Why it was denied, and what to do.
    pub async fn ask(&self, request: Request) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let stopping = |_| "this node is stopping: ask another".to_owned();
        self.0.send((request, reply)).await.map_err(|_| stopping(()))?;
        answer.await.map_err(|_| stopping(()))?
    }
}

/// The requests that have not been answered, and until when they are waited for.
#[derive(Debug, Default)]
pub(super) struct Asking(BTreeMap<u64, (u64, oneshot::Sender<Result<(), String>>)>);

impl Asking {
    /// What to say to whom; `None` where nobody leads.
    pub(super) fn ask(
        &mut self,
        (request, reply): Asked,
        leads: Option<(NodeId, String)>,
        (ticket, (node, address)): (u64, (NodeId, String)),
        now_ms: u64,
    ) -> Option<(NodeId, String, Letter)> {
        let Some((leader, place)) = leads else {
            tell(
                reply,
                Err("no node is known to lead: look at the nodes, and try again".to_owned()),
            );
            return None;
        };
        self.0.insert(ticket, (now_ms.saturating_add(PATIENCE_MS), reply));
        Some((leader, place, Letter::Ask(Ask { node, address, ticket, request })))
    }

    pub(super) fn answer(&mut self, ticket: u64, denied: Option<String>) {
        if let Some((_, reply)) = self.0.remove(&ticket) {
            tell(reply, denied.map_or(Ok(()), Err));
        }
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        let late: Vec<_> =
            self.0.iter().filter(|(_, (until, _))| *until <= now_ms).map(|(&it, _)| it).collect();
        for ticket in late {
            let why = "who leads did not answer: see what has become of it, and try again";
            self.answer(ticket, Some(why.to_owned()));
        }
    }
}

fn tell(reply: oneshot::Sender<Result<(), String>>, answer: Result<(), String>) {
    if reply.send(answer).is_err() {
        tracing::debug!("who asked has gone");
    }
}
