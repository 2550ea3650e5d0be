//! The rules of the protocol, each a switch, with the code that holds it.

use std::fmt;

/// Makes the enum and the list of all its values from one list.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident,)+) => {
        /// A rule. Its comment says what it demands, and which code holds it.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub(crate) enum Rule {
            $($(#[$doc])* $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$rule,)+];
        }
    };
}

rules! {
    /// I3: a batch that begins beyond the position is refused. `Positions::accept`.
    GapRefused,
    /// I3: a batch that lies wholly behind is ignored. `Positions::accept`.
    RepeatIgnored,
    /// I3: of one that overlaps only what lies beyond the position counts. `Positions::accept`, whose answer
    /// is where records begin to count.
    FromPositionOn,
    /// I3: a batch goes to each range, also where it has nothing for it. `reader/state.rs`, `send`.
    EmptyBatches,
    /// A reader whose batch is refused goes back. `reader/state.rs`, `go_back`.
    GoBack,
    /// A reader starts at the least committed position over all ranges. `engine/restore.rs`, `least`.
    StartAtLeast,
    /// I2: state and positions are one write. `machine/block.rs`: a block has both.
    OneWrite,
    /// I9: the ledger is in the same commit as the positions. `machine/block/head.rs`.
    LedgerInCommit,
    /// I2: young legs, which a commit has by reference, are read again. `engine/restore/refill.rs`.
    RefillYoung,
    /// I10: a reader that the source's retention has overtaken stops. `SourceError::Trimmed`.
    LostOffsetStops,
    /// I10: a restore whose young legs are not in the source any more is refused. `RestoreError::Lost`.
    LostLegStops,
    /// I10: offsets are let go by what is committed, not by what is in memory. The program lets go of none
    /// so far; this and the two that follow are what it would have to obey.
    ReleaseCommitted,
    /// I10: offsets are let go by the range that is furthest behind.
    ReleaseLeast,
    /// I10: offsets are let go only where no leg is kept by reference.
    ReleaseReferences,
    /// I1: a slot of the control log is created once. `control_log.rs`, `append`; `claim.rs`.
    SlotOnce,
    /// Only who won the last leader slot decides. `ControlLog::leading`; `table/check.rs`, `check_term`.
    LeaderDecides,
    /// I1: an epoch is given once. `table/check.rs`, `check_epoch`.
    EpochRises,
    /// I1: a range that has an owner is not assigned. `table/check.rs`, `check_assigned`.
    AssignOnlyUnowned,
    /// I1: a journal is ended before its owner is declared dead. `coordinator/carry_out.rs`, `bury`.
    FenceBeforeDead,
    /// I1: a fence below other slots is none. `fencing.rs`, `fence`.
    FenceLooksAgain,
    /// I2: all spans of the lineage are replayed, not the last owner's only. `engine/restore.rs`, `replay`.
    WholeLineage,
    /// I4: what is in the journals beyond a snapshot is replayed. `machine/restore.rs`, `follow`.
    ReplayTail,
    /// I1: a block of another epoch than its span's is skipped. `engine/restore.rs`, `replay`.
    BlockOfItsEpoch,
    /// I1: a closed range is never opened again under its epoch. `Stage::Closed`; `order.rs`, `Order::Serve`.
    ClosedForEver,
    /// A range is handed over by what its owner says of the present epoch. `machine/lead.rs`, `Hub::order`.
    ClosedOfThisEpoch,
    /// I1: one write of a journal is in flight. `machine/commit.rs`, `tick`.
    OneWriteInFlight,
    /// I5: a write without an answer is not taken for done. `machine/commit.rs`, `written`.
    UnclearIsNotWon,
    /// I1: a write without an answer is not taken for undone. `machine/commit.rs`, `read_back`.
    UnclearIsNotLost,
    /// I4: an answer counts for the attempt that asked. `machine/commit.rs`, `written`.
    AnswerTied,
    /// I1: a range leaves between commits. `committer.rs`, `change`.
    CloseBetweenCommits,
    /// I7: a range is closed when all its rows are delivered. `engine/change.rs`, `settle`.
    CloseDelivered,
    /// I5: rows go out after their commit. `range.rs`, `committed`.
    PublishDurable,
    /// I7: after a delivery without an answer the sink is asked what it has. `publisher.rs`, `deliver`.
    RecoverAfterFault,
    /// I7: others are shut out of the sink first, then its markers are read. `sink/kafka.rs`, `recover_now`.
    SinkFencedFirst,
    /// I7: a new owner shuts those before it out of the sink. `publisher.rs`, `ask`; `sink/kafka/fencing.rs`.
    SinkFencesOwners,
    /// I7: also those that committed nothing, so that they are not in the lineage: they had rows to deliver.
    /// `node/src/cluster/holding.rs`, `ended`.
    SinkFencesIdleOwners,
    /// I7: who was shut out stays so, also when its publisher recovers. `sink/kafka/fencing.rs`, `write_end`.
    SinkFenceLasts,
    /// I7: who reads a sink without transactions drops what it has had, by the stamps. `sink.rs`, `Stamp`.
    ReaderDropsRepeats,
    /// I10: a slot stays that the newest snapshot does not make superfluous. `machine/trim.rs`, `decide`.
    TrimBehindSnapshot,
    /// I10: a slot stays with rows that the sink may lack. `machine/outbox.rs`; `Place::needed_from`.
    TrimBehindOutbox,
    /// I1: the newest slot of each journal stays: it may be the fence. `machine/trim.rs`, `trimmable`.
    KeepNewestSlot,
    /// I10: who tidies up looks first whether it still lives. `node/src/assembly/upkeep.rs`, `tidy`.
    TidyLooksFirst,
    /// I10: a journal is trimmed by what every range needs of it, also one that has gone to another owner.
    /// `machine/trim.rs`, `Facts`; `node/src/assembly/upkeep/look.rs`.
    TrimByAllNeeds,
}

/// Which rules hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rules(u64);

impl Rules {
    /// Every rule.
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// Whether the rule holds.
    pub(crate) const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u8) != 0
    }

    /// All of them but that.
    pub(crate) const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u8))
    }
}

/// Rules without which the model holds, since another does their work, and which.
const SECOND_LOCKS: [(Rule, &str); 3] = [
    (Rule::StartAtLeast, "I3: a gap is refused, and the reader goes back"),
    (Rule::LeaderDecides, "I1: slots put all decisions in one order, and each is checked"),
    (Rule::BlockOfItsEpoch, "I1: a span begins where the one before it ended"),
];

impl Rule {
    /// Why the model holds without the rule; `None` where it does not.
    pub(crate) fn second_lock(self) -> Option<&'static str> {
        SECOND_LOCKS.iter().find(|(rule, _)| *rule == self).map(|&(_, why)| why)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
