//! The control log's entries: what the coordinator decided, one decision a slot.

use bytes::Bytes;
use proto::types::{Epoch, KeyRange, Keying, NodeId, RangeId, Slot};
use serde::{Deserialize, Serialize};

use super::envelope::{self, EnvelopeError};
use super::member::{Member, Term};

pub(super) mod wire;

/// The first bytes of each slot of the control log.
const MAGIC: &str = "TLCL";

/// What one slot of the control log says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Under which leadership it was written; for a [`Change::Leader`] the one that begins.
    pub term: Term,
    /// What is so from now on.
    pub change: Change,
}

/// What an entry changes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Change {
    /// A process leads: the one that won the slot with this entry, and nobody else.
    Leader {
        /// The node whose process it is.
        #[serde(with = "wire::node")]
        candidate: NodeId,
    },
    /// A node has started: this life of it may own ranges.
    Joined {
        /// The new life.
        member: Member,
        /// Where other nodes reach it.
        address: String,
    },
    /// A life of a node is over. Written after its journal was fenced, never before.
    Dead {
        /// The life that is over.
        member: Member,
        /// The slot of its journal that holds the fence: all its commits are below.
        #[serde(with = "wire::slot")]
        fenced_at: Slot,
    },
    /// The key space is cut into ranges, once and for all keys.
    Divided {
        /// The ranges, ascending by number and by key.
        ranges: Vec<Division>,
        /// How transaction ids become keys, for good.
        #[serde(default, with = "wire::keying", skip_serializing_if = "wire::keying::is_plain")]
        keying: Keying,
    },
    /// Ranges that nobody owned have owners.
    Assigned {
        /// Ascending by range.
        assignments: Vec<Assignment>,
    },
    /// A living owner has given up ranges, each at a commit.
    Released {
        /// The owner that gave them up.
        member: Member,
        /// Ascending by range.
        releases: Vec<Release>,
    },
    /// An operator has said what a node is to be used for, in this and all its later lives.
    Intended {
        /// The node.
        #[serde(with = "wire::node")]
        node: NodeId,
        /// What for. It holds until another is said.
        intent: Intent,
    },
    /// A life will be stopped: it is to own nothing, read nothing and sum up nothing any more. The
    /// node's next life is not meant.
    Leaving {
        /// The life.
        member: Member,
    },
    /// A living owner has closed ranges, each at a commit, and they have new owners: a release and an
    /// assignment in one, so that nobody waits for two slots.
    Moved {
        /// The owner that closed them.
        member: Member,
        /// Ascending by range.
        handovers: Vec<Handover>,
    },
    /// A range is no more; others have its keys and its past, and its owner owns them.
    Split {
        /// The owner, which has closed the range at a commit.
        member: Member,
        /// The range. Its number is never used again.
        #[serde(with = "wire::range")]
        range: RangeId,
        /// The slot of the owner's journal after the last with a commit for the range.
        #[serde(with = "wire::slot")]
        to: Slot,
        /// The epoch of each child, the one after the range's.
        #[serde(with = "wire::epoch")]
        epoch: Epoch,
        /// What the range becomes, ascending by number and by key; the numbers are new.
        children: Vec<Division>,
    },
    /// Two neighbours with one owner are no more; another range has their keys and their pasts.
    Merged {
        /// The owner, which has closed both at one commit and at equal positions. Only the owner can
        /// see that the positions are equal; it closes neither for a merge before they are.
        member: Member,
        /// The range with the lower keys.
        #[serde(with = "wire::range")]
        left: RangeId,
        /// The range with the upper keys.
        #[serde(with = "wire::range")]
        right: RangeId,
        /// The slot of the owner's journal after the last with a commit for either.
        #[serde(with = "wire::slot")]
        to: Slot,
        /// The child's epoch, the one after the greater of both.
        #[serde(with = "wire::epoch")]
        epoch: Epoch,
        /// What they become; the number is new.
        child: Division,
    },
}

/// A range that goes from one living owner to another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Handover {
    /// The range.
    #[serde(with = "wire::range")]
    pub range: RangeId,
    /// The slot of the former owner's journal after the last with a commit for the range.
    #[serde(with = "wire::slot")]
    pub to: Slot,
    /// Who owns it from now on. The former owner may get it back this way.
    pub next: Member,
    /// Under which number.
    #[serde(with = "wire::epoch")]
    pub epoch: Epoch,
}

/// What an operator wants of a node.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// It owns its share of the ranges. So it is where nobody has said anything.
    #[default]
    Serve,
    /// It keeps the ranges that it has and gets no others.
    Cordon,
    /// It gives all its ranges to others.
    Drain,
}

/// A range and its keys.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Division {
    /// The range.
    #[serde(with = "wire::range")]
    pub range: RangeId,
    /// Its keys.
    #[serde(with = "wire::keys")]
    pub keys: KeyRange,
}

/// A range's new owner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Assignment {
    /// The range.
    #[serde(with = "wire::range")]
    pub range: RangeId,
    /// Who owns it from now on.
    pub member: Member,
    /// Under which number.
    #[serde(with = "wire::epoch")]
    pub epoch: Epoch,
}

/// Where an owner's commits for a range end.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Release {
    /// The range.
    #[serde(with = "wire::range")]
    pub range: RangeId,
    /// The epoch under which it was owned.
    #[serde(with = "wire::epoch")]
    pub epoch: Epoch,
    /// The slot of the owner's journal after the last with a commit for the range.
    #[serde(with = "wire::slot")]
    pub to: Slot,
}

/// Why a slot's content is no entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The envelope was refused.
    #[error("open the entry's envelope")]
    Envelope(#[from] EnvelopeError),
    /// The content verified, but it is none that this version knows.
    #[error("read the entry's content")]
    Content(#[from] serde_json::Error),
}

impl Entry {
    /// The entry as a slot's content. `nonce` tells this attempt from every other.
    #[must_use]
    pub fn seal(&self, nonce: u64) -> Bytes {
        let content =
            serde_json::to_vec(self).expect("an entry has string keys and writes to memory");
        envelope::seal(MAGIC, self.change.format(), nonce, &content)
    }

    /// The entry that a slot holds.
    ///
    /// # Errors
    ///
    /// [`EntryError`] where the content is torn, foreign, or newer than this version reads (I11, I14).
    pub fn open(object: &[u8]) -> Result<Self, EntryError> {
        Ok(serde_json::from_slice(envelope::open(MAGIC, object)?.content)?)
    }
}

impl Change {
    /// The least format of the envelope whose readers know this kind of change.
    const fn format(&self) -> u16 {
        match self {
            Self::Leader { .. }
            | Self::Joined { .. }
            | Self::Dead { .. }
            | Self::Assigned { .. }
            | Self::Released { .. } => 1,
            Self::Divided { keying, .. } if wire::keying::is_plain(keying) => 1,
            Self::Intended { .. }
            | Self::Moved { .. }
            | Self::Split { .. }
            | Self::Merged { .. } => 2,
            Self::Leaving { .. } => 3,
            Self::Divided { .. } => 4,
        }
    }
}

#[cfg(test)]
mod tests;
