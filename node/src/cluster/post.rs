//! Letters as bytes between nodes, and as they are within one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use coordinator::leader::{self, Wire};
use coordinator::machine::letter::Letter;
use coordinator::wire::{decode, encode};
use proto::types::NodeId;
use ractor::ActorRef;
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// How many letters may wait for the agent (I13). Whatever is lost is said again.
const MAX_WAITING: usize = 1_024;

/// What carries bytes to other nodes. They may get lost; nobody waits for them.
pub trait Carrier: Send + Sync + std::fmt::Debug {
    /// Says something to who is reached at this address.
    fn tell(&self, address: &str, bytes: Bytes);
}

/// Sorts the letters of one node.
#[derive(Debug)]
pub struct Post {
    me: NodeId,
    address: String,
    carrier: Arc<dyn Carrier>,
    /// Not set before the leader's actor has started.
    leader: OnceLock<ActorRef<leader::Message>>,
    agent: mpsc::Sender<Letter>,
    unread: AtomicU64,
    foreign: AtomicU64,
    dropped: AtomicU64,
}

impl Post {
    /// The post of the node `me`, which others reach at `address`; and where its agent gets letters.
    #[must_use]
    pub fn new(
        me: NodeId,
        address: String,
        carrier: Arc<dyn Carrier>,
    ) -> (Arc<Self>, mpsc::Receiver<Letter>) {
        let (agent, inbox) = mpsc::channel(MAX_WAITING);
        let (leader, unread, foreign, dropped) = Default::default();
        let post = Self { me, address, carrier, leader, agent, unread, foreign, dropped };
        (Arc::new(post), inbox)
    }

    /// From now on letters to who may lead go to this actor.
    pub fn connect(&self, leader: ActorRef<leader::Message>) {
        if self.leader.set(leader).is_err() {
            debug!("the leader's actor was known already");
        }
    }

    /// Bytes came from the node `from`, as the transport knows it. What is no letter of this version
    /// is ignored and counted (I14), and so is what speaks for another node (I15).
    pub fn deliver(&self, from: &NodeId, bytes: &[u8]) {
        match decode(bytes) {
            Ok(letter) if speaks_for(&letter).is_none_or(|node| node == from) => self.sort(letter),
            Ok(_) => {
                self.foreign.fetch_add(1, Ordering::Relaxed);
                warn!(%from, "ignored a letter that speaks for another node");
            }
            Err(error) => {
                self.unread.fetch_add(1, Ordering::Relaxed);
                debug!(%error, "ignored what another node said");
            }
        }
    }

    /// The connection to who is reached at `address` has broken.
    pub fn lost(&self, address: &str) {
        self.lead(leader::Message::Lost(address.to_owned()));
    }

    /// How many messages of other nodes were no letters of this version.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread.load(Ordering::Relaxed)
    }

    /// How many letters spoke for another node than the one that sent them.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::Relaxed)
    }

    /// How many letters were dropped, since too many waited for the agent.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn sort(&self, letter: Letter) {
        match letter {
            Letter::Join(_) | Letter::Report(_) | Letter::Ask(_) => {
                self.lead(leader::Message::Letter(letter));
            }
            Letter::Leading(_) => {
                self.lead(leader::Message::Letter(letter.clone()));
                self.hand(letter);
            }
            Letter::Joined { .. } | Letter::Obey { .. } | Letter::Answer { .. } => {
                self.hand(letter);
            }
        }
    }

    fn lead(&self, message: leader::Message) {
        let cast = self.leader.get().map(|leader| leader.cast(message));
        if !matches!(cast, Some(Ok(()))) {
            debug!("nobody here leads yet, or any more");
        }
    }

    fn hand(&self, letter: Letter) {
        if self.agent.try_send(letter).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Wire for Post {
    fn tell(&self, to: &NodeId, address: &str, letter: Letter) {
        if *to == self.me {
            self.sort(letter);
        } else {
            self.carrier.tell(address, encode(&letter));
        }
    }

    fn tell_whoever(&self, address: &str, letter: Letter) {
        if *address == self.address {
            self.sort(letter);
        } else {
            self.carrier.tell(address, encode(&letter));
        }
    }
}

/// Whose word the letter is; `None` where any node may say it: who leads is told by whoever knows it, and
/// what it orders is checked against the control log.
const fn speaks_for(letter: &Letter) -> Option<&NodeId> {
    match letter {
        Letter::Join(joining) => Some(&joining.node),
        Letter::Report(report) => Some(&report.member.node),
        Letter::Ask(ask) => Some(&ask.node),
        Letter::Leading(_)
        | Letter::Joined { .. }
        | Letter::Obey { .. }
        | Letter::Answer { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use coordinator::machine::letter::{Ask, Joining};
    use coordinator::machine::member::{Member, Term};
    use coordinator::machine::report::Report;
    use coordinator::machine::wish::Request;
    use parking_lot::Mutex;
    use proto::types::Incarnation;

    use super::*;

    #[derive(Debug, Default)]
    struct Sent(Mutex<Vec<String>>);

    impl Carrier for Sent {
        fn tell(&self, address: &str, _bytes: Bytes) {
            self.0.lock().push(address.to_owned());
        }
    }

    fn obey() -> Letter {
        Letter::Obey { term: Term(1), orders: vec![] }
    }

    #[test]
    fn what_is_said_to_this_node_stays_in_it_and_all_else_is_carried() {
        let node = |name| NodeId::new(name).unwrap();
        let sent = Arc::new(Sent::default());
        let carrier = Arc::<Sent>::clone(&sent);
        let (post, mut inbox) = Post::new(node("a"), "a:1".to_owned(), carrier);
        post.tell(&node("a"), "elsewhere:1", obey());
        post.tell_whoever("a:1", obey());
        assert_eq!((inbox.try_recv(), inbox.try_recv()), (Ok(obey()), Ok(obey())));
        post.tell(&node("b"), "b:1", obey());
        post.tell_whoever("c:1", obey());
        assert_eq!(*sent.0.lock(), ["b:1", "c:1"]);
    }

    /// I15: who is authenticated as one node acts as no other.
    #[test]
    fn nobody_speaks_for_another_node() {
        let carrier = Arc::new(Sent::default());
        let (a, b) = (NodeId::new("a").unwrap(), NodeId::new("b").unwrap());
        let (post, _inbox) = Post::new(a, "a:1".to_owned(), carrier);
        let (member, address) =
            (Member { node: b.clone(), incarnation: Incarnation(1) }, String::new());
        let report =
            Report { member, number: 1, holdings: vec![], copies: vec![], is_leaving: false };
        let join = Joining { node: b.clone(), address: address.clone(), ticket: 1 };
        let ask = Ask { node: b.clone(), address, ticket: 1, request: Request::Rebalance };
        for letter in [Letter::Report(report), Letter::Join(join), Letter::Ask(ask)] {
            let before = post.foreign();
            post.deliver(&b, &encode(&letter));
            assert_eq!(post.foreign(), before);
            post.deliver(&NodeId::new("c").unwrap(), &encode(&letter));
            assert_eq!(post.foreign(), before + 1, "{letter:?}");
        }
    }

    #[test]
    fn what_is_no_letter_is_ignored_and_counted_and_what_nobody_takes_is_dropped() {
        let carrier = Arc::new(Sent::default());
        let (post, mut inbox) = Post::new(NodeId::new("a").unwrap(), "a:1".to_owned(), carrier);
        let b = NodeId::new("b").unwrap();
        post.deliver(&b, b"nonsense");
        post.deliver(&b, &[]);
        assert_eq!((post.unread(), post.foreign()), (2, 0));
        let member = Member { node: NodeId::new("a").unwrap(), incarnation: Incarnation(1) };
        let joined = Letter::Joined { member, ticket: 1 };
        for _ in 0..=MAX_WAITING {
            post.deliver(&b, &encode(&joined));
        }
        assert_eq!((post.dropped(), inbox.try_recv()), (1, Ok(joined)));
    }
}
