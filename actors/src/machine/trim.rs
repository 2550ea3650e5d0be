//! Which snapshots and which slots of journals may go: none that a restore may still need (I10).
//!
//! Every range that exists counts, whoever owns it, and every snapshot, whoever took it. Bounds only rise: what may
//! go by one look at the facts may go by every later one, so that whoever acts late, or twice, does no harm. Therefore
//! the newest snapshots of a range are those that stand furthest in its past. One that its former owner was long about
//! has a later name, and an earlier place.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{Epoch, KeyRange, RangeId, Slot};

use super::block::Place;
use super::reach::{At, Stretch, begun, first_missing, is_in, newest};

/// The first slot of each journal that a restore reads. One that is not named has nothing that it reads.
pub type Needs<J> = BTreeMap<J, Slot>;

/// A range that exists, whoever owns it. Journals go by whatever tells them apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Existing<J> {
    /// Its number.
    pub range: RangeId,
    /// Its keys.
    pub keys: KeyRange,
    /// The ranges that it came from by splits and merges: it may need their snapshots.
    pub came_from: BTreeSet<RangeId>,
    /// Where its past is, oldest first, and where its owner goes on.
    pub past: Vec<Span<J>>,
}

/// A stretch of a journal that holds a part of a range's past.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Span<J> {
    /// The journal.
    pub journal: J,
    /// The epoch under which its owner has or had the range.
    pub epoch: Epoch,
    /// The first slot.
    pub from: Slot,
    /// One past the last; `None` where it goes on.
    pub to: Option<Slot>,
}

/// A snapshot, as a look at it found it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Its name: what was taken later has a greater one.
    pub name: u64,
    /// Where the ranges stand that it holds; `None` where its manifest cannot be read.
    pub places: Option<BTreeMap<RangeId, Place>>,
    /// Whether all its files are there.
    pub is_whole: bool,
}

/// What there is. The journals were listed first, then it was asked which ranges exist, then the snapshots were
/// read: so whatever a journal had is known to be a range's, and what had gone from it is known to be in a snapshot.
#[derive(Clone, Debug)]
pub struct Facts<J> {
    /// The slots that each journal has, ascending.
    pub there: BTreeMap<J, Vec<Slot>>,
    /// All ranges.
    pub ranges: Vec<Existing<J>>,
    /// All snapshots.
    pub taken: Vec<Taken>,
}

/// What may go, and what stays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision<J> {
    /// The snapshots that may be deleted.
    pub deletable: Vec<u64>,
    /// What restores of all ranges read, from whichever snapshot stays; `None` where no range exists, so that
    /// nobody can say what is not needed.
    pub needed: Option<Needs<J>>,
    /// Snapshots whose files are there, and ranges that they hold but cannot be restored from them: they are of
    /// another past, or the journals do not reach back to them.
    pub unusable: Vec<(u64, RangeId)>,
}

/// A range, and what restores of it read.
struct Judged<'a, J> {
    range: &'a Existing<J>,
    /// From each snapshot that it can be restored from, by the place at which it stands there, and by name.
    good: BTreeMap<(At, u64), Needs<J>>,
}

impl<J: Clone + Ord> Facts<J> {
    /// Decides. Of each range the newest `keep` snapshots stay that it can be restored from; a snapshot stays as long
    /// as it is one of these for any range that it holds. One that a range cannot be restored from – it does
    /// not verify, or the journals do not reach back to it – neither displaces another nor holds the journals back.
    #[must_use]
    pub fn decide(&self, keep: usize) -> Decision<J> {
        let keep = keep.max(1);
        let judged: Vec<_> = self.ranges.iter().map(|range| self.judge(range)).collect();
        let may_go = |taken: &&Taken| {
            let mut held = judged.iter().filter(|it| it.is_held_by(taken)).peekable();
            // Of what is in it nothing is known here: that speaks for it.
            held.peek().is_some() && held.all(|it| it.newer_than(taken) >= keep)
        };
        // The last name stays, so that none is given twice.
        let last = self.taken.iter().map(|taken| taken.name).max();
        let may_go = self.taken.iter().filter(|it| Some(it.name) != last).filter(may_go);
        let deletable: Vec<u64> = may_go.map(|taken| taken.name).collect();
        let needed = (!judged.is_empty()).then(|| {
            let mut needed = Needs::new();
            judged.iter().for_each(|it| it.need(keep, &mut needed));
            needed
        });
        let unusable = judged.iter().flat_map(|it| it.unusable(&self.taken, keep)).collect();
        Decision { deletable, needed, unusable }
    }

    fn judge<'a>(&'a self, range: &'a Existing<J>) -> Judged<'a, J> {
        let epochs = self.taken.iter().map(|taken| {
            let places = taken.places.as_ref()?;
            Some(places.get(&range.range).map(|place| place.needed_from().0))
        });
        let mut past: Vec<Stretch<'_>> = range.past.iter().map(|it| self.stretch(it)).collect();
        begun(&mut past, newest(epochs));
        let mut good = BTreeMap::new();
        for taken in self.taken.iter().filter(|taken| taken.is_whole) {
            let place = taken.places.as_ref().and_then(|places| places.get(&range.range));
            let Some(place) = place.filter(|place| is_in(&past, place.at)) else { continue };
            let from = place.needed_from();
            if first_missing(&past, from).is_some() {
                continue;
            }
            let mut needs = Needs::new();
            for (span, stretch) in range.past.iter().zip(&past) {
                if let Some(slot) = stretch.needed_from(from) {
                    least(&mut needs, &span.journal, slot);
                }
            }
            good.insert((place.at, taken.name), needs);
        }
        Judged { range, good }
    }

    fn stretch(&self, span: &Span<J>) -> Stretch<'_> {
        let there = self.there.get(&span.journal).map_or(&[][..], Vec::as_slice);
        let end = there.last().copied().unwrap_or_default().next();
        let to = span.to.unwrap_or_else(|| end.max(span.from));
        Stretch { epoch: span.epoch, from: span.from, to, there }
    }
}

impl<J: Clone + Ord> Judged<'_, J> {
    /// Whether the snapshot has something of the range; one that cannot be read may have.
    fn is_held_by(&self, taken: &Taken) -> bool {
        let Existing { range, came_from, .. } = self.range;
        let is_of = |held: &RangeId| held == range || came_from.contains(held);
        taken.places.as_ref().is_none_or(|places| places.keys().any(is_of))
    }

    /// How many snapshots that it can be restored from are newer than this one.
    fn newer_than(&self, taken: &Taken) -> usize {
        let claimed = self.claims(taken);
        let newer = |&&(at, name): &&(At, u64)| match claimed {
            Some(claimed) => (at, name) > (claimed, taken.name),
            None => name > taken.name,
        };
        self.good.keys().filter(newer).count()
    }

    /// Where it stands in the snapshot, or a range that it came from, if that can be: also behind what the journal was
    /// listed to have, since its owner goes on.
    fn claims(&self, taken: &Taken) -> Option<At> {
        let Existing { range, came_from, past, .. } = self.range;
        let places = taken.places.as_ref()?;
        let ancestors = || came_from.iter().filter_map(|it| places.get(it)).max_by_key(|it| it.at);
        let (epoch, slot) = places.get(range).or_else(ancestors)?.at;
        let has = |span: &Span<J>| {
            span.epoch == epoch && span.from <= slot && span.to.is_none_or(|to| slot < to)
        };
        past.iter().any(has).then_some((epoch, slot))
    }

    /// What restores from the newest `keep` read. Older ones may still be there for other ranges' sake.
    fn need(&self, keep: usize, needed: &mut Needs<J>) {
        if self.good.is_empty() {
            // Out of the journals alone, or not at all: all of its past stays.
            self.range.past.iter().for_each(|span| least(needed, &span.journal, span.from));
        }
        for (journal, &slot) in self.good.values().rev().take(keep).flatten() {
            least(needed, journal, slot);
        }
    }

    /// The snapshots that the range cannot be restored from, and that are not old enough not to matter.
    fn unusable(&self, taken: &[Taken], keep: usize) -> Vec<(u64, RangeId)> {
        let range = self.range.range;
        let holds = |it: &Taken| it.places.as_ref().is_some_and(|it| it.contains_key(&range));
        let is_good = |it: &Taken| self.good.keys().any(|(_, name)| *name == it.name);
        let bad = taken.iter().filter(|it| it.is_whole && holds(it) && !is_good(it));
        bad.filter(|it| self.newer_than(it) < keep).map(|it| (it.name, range)).collect()
    }
}

fn least<J: Clone + Ord>(needs: &mut Needs<J>, journal: &J, slot: Slot) {
    needs.entry(journal.clone()).and_modify(|first| *first = slot.min(*first)).or_insert(slot);
}

/// A slot, as its store lists it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored<J> {
    /// Which slot of which journal.
    pub at: (J, Slot),
    /// Its size.
    pub bytes: u64,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_ms: u64,
}

/// How long and how much of the journals is kept to look results up: whichever limit is met first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// For how long.
    pub age_ms: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The slots that may go, oldest first: those that are not needed but for those whose results can still be
/// looked up, and for the newest of each journal.
///
/// The newest is its owner's last commit or the fence. Without it a process that was fenced, and does not
/// know it yet, could write there again (I1), however long ago that was (I12).
#[must_use]
pub fn trimmable<J: Clone + Ord>(
    stored: &[Stored<J>],
    needed: &Needs<J>,
    keep: Keep,
    now_ms: u64,
) -> Vec<(J, Slot)> {
    let mut stored = stored.to_vec();
    stored.sort_unstable_by(|it, other| it.at.cmp(&other.at));
    let newest: BTreeMap<J, Slot> = stored.iter().map(|it| it.at.clone()).collect();
    let (mut bytes, mut is_kept) = (0u64, true);
    let mut gone = Vec::new();
    for it in stored.iter().rev() {
        bytes = bytes.saturating_add(it.bytes);
        let is_young = now_ms.saturating_sub(it.created_ms) < keep.age_ms;
        is_kept = is_kept && is_young && bytes <= keep.bytes;
        let (journal, slot) = &it.at;
        let is_needed = needed.get(journal).is_some_and(|first| slot >= first);
        if !is_kept && !is_needed && newest.get(journal) != Some(slot) {
            gone.push(it.at.clone());
        }
    }
    gone.reverse();
    gone
}

#[cfg(test)]
mod tests;
