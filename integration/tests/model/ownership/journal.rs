//! The journals of the model, snapshots, what a restore finds in them, and what may be trimmed.

use super::super::rule::{Rule, Rules};
use super::control::{Epoch, Life, Slot, Span};

/// A place in the range's past: `actors/src/machine/reach.rs`.
pub(crate) type At = (Epoch, Slot);

/// What one commit has of the range. A row's content is the epoch under which it was worked out: the same
/// record gives another row to another owner, as if time or order had gone into it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Block {
    /// Under which epoch it was committed.
    pub(crate) epoch: Epoch,
    /// How many rows the range had before it: its commits are one chain (I1).
    pub(crate) before: u8,
    /// The rows that it adds, one a record: state and position are one (I2).
    pub(crate) rows: Vec<u8>,
    /// Up to where the sink was known to have them.
    pub(crate) acknowledged: u8,
}

impl Block {
    /// How many rows the range has with it.
    pub(crate) fn after(&self) -> u8 {
        self.before + u8::try_from(self.rows.len()).expect("few rows")
    }
}

/// What stands in a slot.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Object {
    /// Nothing yet, below others: only a broken rule leaves that.
    Hole,
    /// A commit.
    Commit(Block),
    /// The journal's end.
    Fence,
    /// A fence that came too late and filled the slot of that commit, which was trimmed: no end.
    Filled(Block),
}

/// A life's journal. What was trimmed is remembered, to say what was committed; `there` says what can be read.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Journal {
    /// Slot 1 first.
    pub(crate) slots: Vec<(Object, bool)>,
}

impl Journal {
    /// What a reader finds.
    pub(crate) fn read(&self, slot: Slot) -> Option<&Object> {
        let (object, is_there) = self.slots.get(usize::from(slot) - 1)?;
        (*is_there && *object != Object::Hole).then_some(object)
    }

    /// Whether the slot can be created: it never was, or was trimmed.
    pub(crate) fn is_vacant(&self, slot: Slot) -> bool {
        self.read(slot).is_none()
    }

    /// Creates a vacant slot.
    pub(crate) fn create(&mut self, slot: Slot, object: Object) {
        let place = usize::from(slot) - 1;
        while self.slots.len() <= place {
            self.slots.push((Object::Hole, true));
        }
        self.slots[place] = (object, true);
    }

    /// Fences a vacant slot; what stood there before it was trimmed stays known.
    pub(crate) fn fence(&mut self, slot: Slot) {
        let stood = self.slots.get(usize::from(slot) - 1).map(|(object, _)| object.clone());
        let object = match stood {
            Some(Object::Commit(block) | Object::Filled(block)) => Object::Filled(block),
            Some(Object::Hole | Object::Fence) | None => Object::Fence,
        };
        self.create(slot, object);
    }

    /// Whether this commit stood in the slot and was trimmed: a request that comes so late brings the same
    /// object back, below everything that anybody reads.
    pub(crate) fn has_had(&self, slot: Slot, block: &Block) -> bool {
        self.commits().any(|(at, stood)| at == slot && stood == block)
    }

    /// The newest slot that a list shows; 0 where there is none.
    pub(crate) fn highest(&self) -> Slot {
        let last = (1..=self.slots.len()).rev();
        let mut slots = last.map(|slot| u8::try_from(slot).expect("a short journal"));
        slots.find(|&slot| self.read(slot).is_some()).unwrap_or(0)
    }

    /// All commits that were ever there, with their slots.
    pub(crate) fn commits(&self) -> impl Iterator<Item = (Slot, &Block)> {
        (1..).zip(&self.slots).filter_map(|(slot, (object, _))| match object {
            Object::Commit(block) | Object::Filled(block) => Some((slot, block)),
            Object::Hole | Object::Fence => None,
        })
    }
}

/// A range's state outside of the journals: `actors/src/snapshot/manifest.rs`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Snapshot {
    /// The commit at which it was taken.
    pub(crate) at: At,
    /// The first slot with rows that were not acknowledged then, else the one after `at`.
    pub(crate) outbox: At,
    /// The state there: all rows that the range had. They cannot be sent from here, only from slots.
    pub(crate) rows: Vec<u8>,
    /// Up to where the sink was known to have them.
    pub(crate) acknowledged: u8,
}

impl Snapshot {
    /// The first slot that a restore from it reads: `Place::needed_from`.
    fn needed_from(&self, rules: Rules) -> At {
        let behind = (self.at.0, self.at.1 + 1);
        if rules.has(Rule::TrimBehindOutbox) { behind.min(self.outbox) } else { behind }
    }
}

/// A range that was brought back.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Restored {
    /// Its state.
    pub(crate) rows: Vec<u8>,
    /// Up to where the sink is known to have rows.
    pub(crate) acknowledged: u8,
    /// The slots with rows that wait for it: `actors/src/machine/outbox.rs`.
    pub(crate) outbox: Vec<(At, u8)>,
}

/// All that ranges are restored from.
pub(crate) struct Shelf<'a> {
    /// Each life's journal.
    pub(crate) journals: &'a [Journal],
    /// Oldest first.
    pub(crate) snapshots: &'a [Snapshot],
    /// Which rules hold.
    pub(crate) rules: Rules,
}

impl Shelf<'_> {
    /// `Stretch::needed_from`: the first slot of the span that a restore from `from` reads.
    fn first_needed(span: &Span, (epoch, slot): At) -> Option<Slot> {
        match span.epoch.cmp(&epoch) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(span.from.max(slot)).filter(|it| *it < span.to),
            std::cmp::Ordering::Greater => Some(span.from),
        }
    }

    fn is_whole(&self, past: &[Span], from: At) -> bool {
        past.iter().all(|span| {
            let first = Self::first_needed(span, from);
            let mut needed = first.into_iter().flat_map(|first| first..span.to);
            needed.all(|slot| self.journals[usize::from(span.life)].read(slot).is_some())
        })
    }

    /// `origin::usable`: the snapshot is of this past, and the journals reach back to it.
    fn is_usable(&self, snapshot: &Snapshot, past: &[Span]) -> bool {
        let (epoch, slot) = snapshot.at;
        let holds = |span: &Span| span.epoch == epoch && span.from <= slot && slot < span.to;
        let everything = Rules::ALL;
        past.iter().any(holds) && self.is_whole(past, snapshot.needed_from(everything))
    }

    /// The range out of the newest snapshot that can be used, else out of the journals alone:
    /// `actors/src/engine/restore/origin.rs`; `None` where neither can be without a gap.
    pub(crate) fn restore(&self, lineage: &[Span]) -> Option<Restored> {
        let mut past = lineage;
        if !self.rules.has(Rule::WholeLineage) {
            past = &lineage[lineage.len().saturating_sub(1)..];
        }
        let snapshot = self.snapshots.iter().rev().find(|it| self.is_usable(it, past));
        let (mut restored, from) = match snapshot {
            Some(it) => {
                let (rows, acknowledged) = (it.rows.clone(), it.acknowledged);
                (Restored { rows, acknowledged, outbox: Vec::new() }, it.needed_from(Rules::ALL))
            }
            None if self.is_whole(past, (0, 0)) => (Restored::default(), (0, 0)),
            None => return None,
        };
        if snapshot.is_none() || self.rules.has(Rule::ReplayTail) {
            self.replay(past, from, &mut restored);
        }
        Some(restored)
    }

    /// `Standing::follow` for every block of the past.
    fn replay(&self, past: &[Span], from: At, restored: &mut Restored) {
        for span in past {
            let first = Self::first_needed(span, from);
            for slot in first.into_iter().flat_map(|first| first..span.to) {
                let object = self.journals[usize::from(span.life)].read(slot);
                let Some(Object::Commit(block)) = object else { continue };
                if block.epoch != span.epoch && self.rules.has(Rule::BlockOfItsEpoch) {
                    continue;
                }
                restored.outbox.push(((span.epoch, slot), block.after()));
                if usize::from(block.after()) > restored.rows.len() {
                    restored.rows.extend(&block.rows);
                }
                restored.acknowledged = restored.acknowledged.max(block.acknowledged);
            }
        }
        let acknowledged = restored.acknowledged;
        restored.outbox.retain(|&(_, last)| last > acknowledged);
    }

    /// What `Tidying::tidy` leaves of the snapshots, and the slots that it trims, for an owner with this past.
    pub(crate) fn tidied(&self, past: &[Span], own: Life) -> (Vec<Snapshot>, Vec<(Life, Slot)>) {
        let newest = self.snapshots.iter().rposition(|it| self.is_usable(it, past));
        let Some(newest) = newest else { return (self.snapshots.to_vec(), Vec::new()) };
        let kept = self.snapshots[newest..].to_vec();
        let is_good = |it: &&Snapshot| self.is_usable(it, past);
        let from = kept.iter().filter(is_good).map(|it| it.needed_from(self.rules)).min();
        let from = from.unwrap_or((0, 0));
        let mut gone = Vec::new();
        let mut lives: Vec<Life> = past.iter().map(|span| span.life).chain([own]).collect();
        lives.sort_unstable();
        lives.dedup();
        for life in lives {
            let spans = past.iter().filter(|span| span.life == life);
            let needed = spans.filter_map(|span| Self::first_needed(span, from)).min();
            gone.extend(self.trimmable(life, needed.unwrap_or(Slot::MAX)));
        }
        (kept, gone)
    }

    /// `actors/src/machine/trim.rs`, with nothing kept longer than it is needed.
    pub(crate) fn trimmable(&self, life: Life, needed: Slot) -> Vec<(Life, Slot)> {
        let journal = &self.journals[usize::from(life)];
        let newest = if self.rules.has(Rule::KeepNewestSlot) { journal.highest() } else { 0 };
        let needed = if self.rules.has(Rule::TrimBehindSnapshot) { needed } else { Slot::MAX };
        let slots = 1..=journal.highest();
        let gone = slots.filter(|&slot| journal.read(slot).is_some() && slot < needed);
        gone.filter(|&slot| slot != newest).map(|slot| (life, slot)).collect()
    }
}
