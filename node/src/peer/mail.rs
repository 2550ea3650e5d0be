//! What goes from mailbox to mailbox, and the mailbox: the one actor of a node that others can reach.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::count::Dropped;
use super::hello::Key;
use super::net::Node;
use super::session::Session;
use super::settings::{LONGEST_ASK, MESSAGE_BYTES};

/// A control message between nodes. Each shows the key of its session, by which its sender is known (I15).
#[derive(Debug)]
pub(super) enum Mail {
    /// Expects no answer.
    Told { key: Key, body: Bytes },
    /// Expects an answer.
    Asked { key: Key, body: Bytes, reply: RpcReplyPort<Vec<u8>> },
    /// The sender lives, and has taken so many bytes of bodies in this session.
    Beat { key: Key, taken: u64 },
}

impl ractor::Message for Mail {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let metadata = |key: Key| Some(key.bytes().to_vec());
        Ok(match self {
            Self::Told { key, body } => SerializedMessage::Cast {
                variant: "told".to_owned(),
                args: body.into(),
                metadata: metadata(key),
            },
            Self::Asked { key, body, reply } => SerializedMessage::Call {
                variant: "asked".to_owned(),
                args: body.into(),
                reply,
                metadata: metadata(key),
            },
            Self::Beat { key, taken } => SerializedMessage::Cast {
                variant: "beat".to_owned(),
                args: taken.to_be_bytes().to_vec(),
                metadata: metadata(key),
            },
        })
    }

    // From the network: whatever comes, this must not panic.
    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let known = |metadata: Option<Vec<u8>>| Key::of(&metadata?);
        match message {
            SerializedMessage::Cast { variant, args, metadata } => {
                let key = known(metadata).ok_or(BoxedDowncastErr)?;
                match variant.as_str() {
                    "told" => Ok(Self::Told { key, body: args.into() }),
                    "beat" => {
                        let taken = args.as_slice().try_into().map_err(|_| BoxedDowncastErr)?;
                        Ok(Self::Beat { key, taken: u64::from_be_bytes(taken) })
                    }
                    _ => Err(BoxedDowncastErr),
                }
            }
            SerializedMessage::Call { variant, args, reply, metadata } => match known(metadata) {
                Some(key) if variant == "asked" => {
                    Ok(Self::Asked { key, body: args.into(), reply })
                }
                Some(_) | None => Err(BoxedDowncastErr),
            },
            SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

/// Takes what peers send and hands it to the node's inbox.
#[derive(Debug)]
pub(super) struct Mailbox;

impl Actor for Mailbox {
    type Msg = Mail;
    type State = Arc<Node>;
    type Arguments = Arc<Node>;

    async fn pre_start(
        &self,
        _: ActorRef<Mail>,
        node: Arc<Node>,
    ) -> Result<Arc<Node>, ActorProcessingErr> {
        Ok(node)
    }

    async fn handle(
        &self,
        _: ActorRef<Mail>,
        mail: Mail,
        node: &mut Arc<Node>,
    ) -> Result<(), ActorProcessingErr> {
        let (Mail::Told { key, .. } | Mail::Asked { key, .. } | Mail::Beat { key, .. }) = &mail;
        // I15: of a session that has ended, or of none.
        let Some(session) = node.sessions.with(*key) else {
            node.tally.drop(Dropped::Stranger);
            return Ok(());
        };
        session.is_used.store(true, Ordering::Relaxed);
        match mail {
            Mail::Told { body, .. } => {
                session.take(body.len());
                node.inbox.told(session.peer.clone(), body);
            }
            Mail::Asked { body, reply, .. } => {
                session.take(body.len());
                answer(node, &session, body, reply);
            }
            Mail::Beat { taken, .. } => session.acknowledge(taken),
        }
        Ok(())
    }
}

/// Has the question answered beside the mailbox.
fn answer(node: &Arc<Node>, session: &Session, body: Bytes, reply: RpcReplyPort<Vec<u8>>) {
    let Ok(permit) = Arc::clone(&session.asks).try_acquire_owned() else {
        node.tally.drop(Dropped::Busy);
        return;
    };
    let asked = node.inbox.asked(session.peer.clone(), body);
    let patience = reply.get_timeout().map_or(LONGEST_ASK, |it| it.min(LONGEST_ASK));
    let (at, over) = (Arc::clone(node), session.close.clone());
    node.tasks.spawn(async move {
        let _permit = permit;
        let answered = tokio::select! {
            answered = tokio::time::timeout(patience, asked) => answered.ok(),
            () = over.cancelled() => None,
        };
        match answered {
            Some(answer) if answer.len() > MESSAGE_BYTES => at.tally.drop(Dropped::TooLarge),
            // Who asked may have gone; then nobody waits for it.
            Some(answer) => drop(reply.send(answer.into())),
            None => {}
        }
    });
}
