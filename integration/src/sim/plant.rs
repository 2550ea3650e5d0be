//! Bugs that are planted to see that the oracle finds them: each breaks one rule, in the simulation's shells.

use std::fmt;

use super::Kind;

/// A bug.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plant {
    /// I2: positions and state go to the store in two writes.
    PositionApart,
    /// I5: rows go to the sink when a batch closes.
    PublishEarly,
    /// A write without an answer counts as done.
    LostAsWon,
    /// A write without an answer counts as not done, and goes to the next slot.
    LostAsLost,
    /// I4: an answer counts for whichever write is under way.
    AnswerNotTied,
    /// I7: who reads the sink does not look at sequences.
    NoDedupe,
    /// I2: a restart does not read young legs again.
    NoRefill,
    /// I4: a restart takes the store as it is.
    NoTail,
    /// The memory that a transaction is done is not committed.
    NoTombstones,
    /// I8: what is added to figures is not committed until cells are.
    NoContributions,
    /// I10: slots are trimmed that a store would need after a crash.
    TrimTail,
    /// I10: slots are trimmed whose rows are not acknowledged.
    TrimOutbox,
    /// I3: a batch is applied wherever it begins.
    GapAccepted,
    /// I1: who is held dead is not fenced.
    NoFence,
    /// I1: who has given a range up goes on with it.
    TwoOwners,
    /// I7: a new owner does not shut the old one out of the sink.
    SinkNotFenced,
    /// I4: a copy is taken up as it is.
    StaleCopy,
    /// I1: a write to the control log without an answer counts as done.
    LeaderLostAsWon,
    /// I10: slots are trimmed behind what is in the ranges' stores, as if that were a snapshot.
    TrimFromMemory,
    /// I8, I9: each child of a split has its parent's figures and account.
    TwoHeirs,
    /// I2: a child of a split keeps what is of its sibling's keys.
    StrangersKept,
}

impl Plant {
    /// Every bug.
    pub const ALL: [Self; 21] = [
        Self::PositionApart,
        Self::PublishEarly,
        Self::LostAsWon,
        Self::LostAsLost,
        Self::AnswerNotTied,
        Self::NoDedupe,
        Self::NoRefill,
        Self::NoTail,
        Self::NoTombstones,
        Self::NoContributions,
        Self::TrimTail,
        Self::TrimOutbox,
        Self::GapAccepted,
        Self::NoFence,
        Self::TwoOwners,
        Self::SinkNotFenced,
        Self::StaleCopy,
        Self::LeaderLostAsWon,
        Self::TrimFromMemory,
        Self::TwoHeirs,
        Self::StrangersKept,
    ];

    /// Whether histories of that kind find it.
    #[must_use]
    pub const fn is_found_in(self, kind: Kind) -> bool {
        match self {
            Self::TrimTail | Self::TrimOutbox | Self::GapAccepted => matches!(kind, Kind::Alone),
            Self::NoFence
            | Self::TwoOwners
            | Self::SinkNotFenced
            | Self::StaleCopy
            | Self::LeaderLostAsWon
            | Self::TrimFromMemory
            | Self::TwoHeirs
            | Self::StrangersKept => matches!(kind, Kind::Together),
            Self::PositionApart
            | Self::PublishEarly
            | Self::LostAsWon
            | Self::LostAsLost
            | Self::AnswerNotTied
            | Self::NoDedupe
            | Self::NoRefill
            | Self::NoTail
            | Self::NoTombstones
            | Self::NoContributions => true,
        }
    }

    /// The bug of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.to_string() == name)
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PositionApart => "position-apart",
            Self::PublishEarly => "publish-early",
            Self::LostAsWon => "lost-as-won",
            Self::LostAsLost => "lost-as-lost",
            Self::AnswerNotTied => "answer-not-tied",
            Self::NoDedupe => "no-dedupe",
            Self::NoRefill => "no-refill",
            Self::NoTail => "no-tail",
            Self::NoTombstones => "no-tombstones",
            Self::NoContributions => "no-contributions",
            Self::TrimTail => "trim-tail",
            Self::TrimOutbox => "trim-outbox",
            Self::GapAccepted => "gap-accepted",
            Self::NoFence => "no-fence",
            Self::TwoOwners => "two-owners",
            Self::SinkNotFenced => "sink-not-fenced",
            Self::StaleCopy => "stale-copy",
            Self::LeaderLostAsWon => "leader-lost-as-won",
            Self::TrimFromMemory => "trim-from-memory",
            Self::TwoHeirs => "two-heirs",
            Self::StrangersKept => "strangers-kept",
        })
    }
}
