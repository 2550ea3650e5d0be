//! What can go wrong in a history, and how often it does.

use super::random::Random;

/// A kind of fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum Fault {
    /// The process dies: its memory is gone.
    Crash,
    /// A crash takes what was applied last from the local stores.
    LoseTail,
    /// A crash takes local stores as a whole.
    LoseStore,
    /// The process dies again while it restores.
    CrashInRestore,
    /// An object was written, but the answer is lost.
    LostAnswer,
    /// An object was not written, and the answer says nothing.
    NotWritten,
    /// An object is written after its writer has given up on the answer.
    LateWrite,
    /// An answer comes when nobody waits for it any more.
    LateAnswer,
    /// An object is cut, under a temporary name.
    TornWrite,
    /// A slot cannot be read back at the moment.
    UnclearRead,
    /// A slot reads as a cut object during a restore.
    TornRead,
    /// A batch is sent again.
    Again,
    /// A batch does not arrive.
    LostBatch,
    /// A reader goes on from somewhere else.
    WrongPlace,
    /// A source partition is silent.
    Silence,
    /// Decisions take long, and come in another order.
    SlowDecisions,
    /// Rows were delivered, but the answer is lost.
    LostDelivery,
    /// Rows were not delivered, or not all of them.
    NoDelivery,
    /// A node's process stands still for a while.
    Freeze,
    /// Two nodes do not reach each other for a while.
    Cut,
    /// One node does not reach another for a while, but the other it.
    CutOneWay,
    /// A connection breaks.
    Broken,
    /// A letter of the control plane is lost.
    LostLetter,
    /// A letter of the control plane comes twice.
    TwiceLetter,
    /// Something between two nodes is late.
    Slow,
    /// A node's clock is set.
    Clock,
    /// The store refuses what the control plane asks of it, loses the answer, or does it late or twice.
    Store,
    /// A node wants to lead, whoever does.
    Contend,
    /// An operator wants a node drained, cordoned or serving again.
    Intent,
    /// An operator wants a range elsewhere.
    Move,
    /// A node is asked to stop; once others have its ranges it is back as another life.
    Leave,
    /// An operator wants a range to become two.
    Split,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 32] = [
        Self::Crash,
        Self::LoseTail,
        Self::LoseStore,
        Self::CrashInRestore,
        Self::LostAnswer,
        Self::NotWritten,
        Self::LateWrite,
        Self::LateAnswer,
        Self::TornWrite,
        Self::UnclearRead,
        Self::TornRead,
        Self::Again,
        Self::LostBatch,
        Self::WrongPlace,
        Self::Silence,
        Self::SlowDecisions,
        Self::LostDelivery,
        Self::NoDelivery,
        Self::Freeze,
        Self::Cut,
        Self::CutOneWay,
        Self::Broken,
        Self::LostLetter,
        Self::TwiceLetter,
        Self::Slow,
        Self::Clock,
        Self::Store,
        Self::Contend,
        Self::Intent,
        Self::Move,
        Self::Leave,
        Self::Split,
    ];

    /// Those that happen to a node alone.
    pub(super) const ALONE: &[Self] = Self::ALL.split_at(18).0;

    /// Those that happen to several nodes: within a process nothing is lost.
    pub(super) fn together() -> impl Iterator<Item = Self> {
        let within = [Self::Again, Self::LostBatch, Self::WrongPlace];
        Self::ALL.into_iter().filter(move |it| !within.contains(it))
    }

    /// How often it happens at most, in a thousand of its chances.
    const fn most(self) -> u64 {
        match self {
            Self::Crash | Self::Silence => 15,
            Self::LoseTail | Self::SlowDecisions => 700,
            Self::LoseStore => 400,
            Self::LostAnswer | Self::NotWritten | Self::LateWrite | Self::LateAnswer => 250,
            Self::TornWrite | Self::UnclearRead | Self::LostDelivery | Self::NoDelivery => 250,
            Self::CrashInRestore => 200,
            Self::TornRead => 5,
            Self::Again | Self::LostBatch => 100,
            Self::WrongPlace | Self::LostLetter | Self::TwiceLetter | Self::Slow => 50,
            Self::Store => 60,
            Self::Freeze | Self::Cut | Self::CutOneWay => 8,
            Self::Broken | Self::Clock | Self::Contend | Self::Intent => 5,
            Self::Move | Self::Leave | Self::Split => 5,
        }
    }
}

/// How often each fault happens in one history, and how often it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    per_mille: [u64; Fault::ALL.len()],
    happened: [u64; Fault::ALL.len()],
    are_over: bool,
}

impl Faults {
    /// A swarm: each kind is there or not, and strong or not.
    pub(super) fn draw(kinds: impl IntoIterator<Item = Fault>, random: &mut Random) -> Self {
        let mut faults = Self::default();
        for fault in kinds {
            if random.chance(600) {
                faults.per_mille[fault as usize] = random.within(1, fault.most());
            }
        }
        faults
    }

    /// Whether the history has that fault.
    #[must_use]
    pub(super) const fn has(&self, fault: Fault) -> bool {
        self.per_mille[fault as usize] > 0
    }

    /// How often the fault happens, in a thousand of its chances.
    pub(super) const fn rate(&self, fault: Fault) -> u64 {
        self.per_mille[fault as usize]
    }

    /// Whether the fault happens now.
    pub(super) fn strikes(&mut self, fault: Fault, random: &mut Random) -> bool {
        let strikes = !self.are_over && random.chance(self.per_mille[fault as usize]);
        self.happened[fault as usize] += u64::from(strikes);
        strikes
    }

    /// From now on nothing goes wrong.
    pub(super) fn end(&mut self) {
        self.are_over = true;
    }

    /// Whether nothing goes wrong any more.
    #[must_use]
    pub(super) const fn are_over(&self) -> bool {
        self.are_over
    }

    /// How many faults of each kind there were.
    #[must_use]
    pub(super) const fn happened(&self) -> [u64; Fault::ALL.len()] {
        self.happened
    }
}
