//! The messages as prost writes them. A number that was used once is never used for something else.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Frame {
    #[prost(uint32, tag = "1")]
    pub(super) format: u32,
    #[prost(oneof = "Kind", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub(super) letter: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Kind {
    #[prost(message, tag = "2")]
    Join(Join),
    #[prost(message, tag = "3")]
    Joined(Joined),
    #[prost(message, tag = "4")]
    Report(Report),
    #[prost(message, tag = "5")]
    Obey(Obey),
    #[prost(message, tag = "6")]
    Leading(Leading),
    #[prost(message, tag = "7")]
    Ask(Ask),
    #[prost(message, tag = "8")]
    Answer(Answer),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Member {
    #[prost(string, tag = "1")]
    pub(super) node: String,
    #[prost(uint64, tag = "2")]
    pub(super) incarnation: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Join {
    #[prost(string, tag = "1")]
    pub(super) node: String,
    #[prost(string, tag = "2")]
    pub(super) address: String,
    #[prost(fixed64, tag = "3")]
    pub(super) ticket: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Joined {
    #[prost(message, optional, tag = "1")]
    pub(super) member: Option<Member>,
    #[prost(fixed64, tag = "2")]
    pub(super) ticket: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Report {
    #[prost(message, optional, tag = "1")]
    pub(super) member: Option<Member>,
    #[prost(uint64, tag = "2")]
    pub(super) number: u64,
    #[prost(message, repeated, tag = "3")]
    pub(super) holdings: Vec<Holding>,
    #[prost(message, repeated, tag = "4")]
    pub(super) copies: Vec<Copy>,
    #[prost(bool, tag = "5")]
    pub(super) is_leaving: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Holding {
    #[prost(uint32, tag = "1")]
    pub(super) range: u32,
    #[prost(uint64, tag = "2")]
    pub(super) epoch: u64,
    #[prost(uint32, tag = "3")]
    pub(super) stage: u32,
    /// Of a closed range.
    #[prost(uint64, tag = "4")]
    pub(super) to: u64,
    #[prost(message, optional, tag = "5")]
    pub(super) load: Option<Load>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Load {
    #[prost(uint64, tag = "1")]
    pub(super) state_bytes: u64,
    #[prost(uint64, tag = "2")]
    pub(super) records_per_s: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Copy {
    #[prost(uint32, tag = "1")]
    pub(super) range: u32,
    #[prost(uint64, tag = "2")]
    pub(super) epoch: u64,
    #[prost(bool, tag = "3")]
    pub(super) is_ready: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Obey {
    #[prost(uint64, tag = "1")]
    pub(super) term: u64,
    #[prost(message, repeated, tag = "2")]
    pub(super) orders: Vec<Order>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Order {
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(message, optional, tag = "2")]
    pub(super) member: Option<Member>,
    #[prost(uint32, tag = "3")]
    pub(super) range: u32,
    #[prost(uint64, tag = "4")]
    pub(super) epoch: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Leading {
    #[prost(uint64, tag = "1")]
    pub(super) term: u64,
    #[prost(string, tag = "2")]
    pub(super) leader: String,
    #[prost(string, tag = "3")]
    pub(super) address: String,
    #[prost(uint64, tag = "4")]
    pub(super) control_slot: u64,
    #[prost(uint64, tag = "5")]
    pub(super) age_ms: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Ask {
    #[prost(string, tag = "1")]
    pub(super) node: String,
    #[prost(string, tag = "2")]
    pub(super) address: String,
    #[prost(fixed64, tag = "3")]
    pub(super) ticket: u64,
    #[prost(uint32, tag = "4")]
    pub(super) kind: u32,
    /// The node that is spoken of.
    #[prost(string, tag = "5")]
    pub(super) about: String,
    #[prost(uint32, tag = "6")]
    pub(super) range: u32,
    #[prost(uint32, tag = "7")]
    pub(super) other: u32,
    #[prost(fixed64, optional, tag = "8")]
    pub(super) at: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(fixed64, tag = "1")]
    pub(super) ticket: u64,
    #[prost(string, optional, tag = "2")]
    pub(super) denied: Option<String>,
}

/// The kinds of orders, in [`Order::kind`].
pub(super) mod order {
    pub(crate) const SERVE: u32 = 1;
    pub(crate) const RELEASE: u32 = 2;
    pub(crate) const WARM: u32 = 3;
    pub(crate) const COOL: u32 = 4;
    pub(crate) const REJOIN: u32 = 5;
}

/// What an owner does with a range, in [`Holding::stage`].
pub(super) mod stage {
    pub(crate) const RESTORING: u32 = 1;
    pub(crate) const SERVING: u32 = 2;
    pub(crate) const CLOSED: u32 = 3;
}

/// What is asked for, in [`Ask::kind`].
pub(super) mod request {
    pub(crate) const SERVE: u32 = 1;
    pub(crate) const CORDON: u32 = 2;
    pub(crate) const DRAIN: u32 = 3;
    pub(crate) const MOVE: u32 = 4;
    pub(crate) const REBALANCE: u32 = 5;
    pub(crate) const SPLIT: u32 = 6;
    pub(crate) const MERGE: u32 = 7;
}
