//! Snapshots of a life's ranges, and what may go behind them: each takes several steps. Imitates `actors::engine::tidy`.

use std::collections::{BTreeMap, BTreeSet};

use actors::machine::restore::Standing;
use actors::machine::trim::{Existing, Facts, Keep, Span, Stored, Taken, trimmable};
use coordinator::machine::table::{Standing as Known, Table};
use proto::types::{RangeId, Slot};

use super::body::Body;
use super::name::life;
use super::restore::{Part, Snapshot, rows};
use crate::sim::objects::Life;
use crate::sim::outside::Outside;
use crate::sim::owned::Owned;
use crate::sim::plant::Plant;

/// What a life is at.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// A snapshot that has not been finished.
    taking: BTreeMap<RangeId, Part>,
    /// What journals had when they were listed.
    listed: Option<BTreeMap<Life, Vec<Slot>>>,
    /// Slots that may go, oldest first.
    going: Vec<(Life, Slot)>,
}

impl Body {
    /// Begins a snapshot, finishes it, lists journals, decides what may go, or lets it go.
    pub(super) fn tidy(&mut self, out: &mut Outside) -> anyhow::Result<()> {
        if !out.shape.durable.is_trimmed {
            return Ok(());
        }
        if let Some((of, slot)) = self.keeping.going.first().copied() {
            self.keeping.going.remove(0);
            out.objects.delete(of, slot);
            out.trace.note(slot.0);
            return Ok(());
        }
        match out.random.below(3) {
            0 if self.keeping.taking.is_empty() => {
                let parts: Option<Vec<_>> =
                    self.ranges.iter().map(part).collect::<anyhow::Result<_>>()?;
                // Before each range has committed something, it is too early.
                self.keeping.taking = parts.into_iter().flatten().collect();
            }
            0 => {
                let name = out.snapshots.last().map_or(1, |last| last.name + 1);
                let parts = std::mem::take(&mut self.keeping.taking);
                out.snapshots.push(Snapshot { name, parts });
            }
            _ => match self.keeping.listed.take() {
                None => self.keeping.listed = self.list(out),
                Some(listed) => self.judge(listed, out),
            },
        }
        Ok(())
    }

    /// The journals that this life tidies up: its own, and those of the dead. `None` where it is over.
    fn list(&self, out: &Outside) -> Option<BTreeMap<Life, Vec<Slot>>> {
        let view = self.look(out)?;
        let past = existing(view).into_iter().flat_map(|range| range.past);
        let mut lives: BTreeSet<_> = past.map(|span| span.journal).collect();
        lives.extend(mine(view, self.life));
        let list = |of: Life| (of, out.objects.slots(Some(of)));
        Some(lives.into_iter().map(list).collect())
    }

    /// A look at the control log, a fresh one; `None` where this life is over.
    fn look<'a>(&'a self, out: &'a Outside) -> Option<&'a Table> {
        let view = &*out.table;
        let mut alive = view.alive().map(life);
        alive.any(|it| it == self.life).then_some(view)
    }

    /// I10: the look that counts comes after the lists.
    fn judge(&mut self, listed: BTreeMap<Life, Vec<Slot>>, out: &mut Outside) {
        let Some(view) = self.look(out) else { return };
        let mine: BTreeSet<_> = mine(view, self.life).collect();
        let taken = |it: &Snapshot| {
            let places = it.parts.iter().map(|(&range, part)| (range, part.0)).collect();
            Taken { name: it.name, places: Some(places), is_whole: true }
        };
        let mut taken: Vec<_> = out.snapshots.iter().map(taken).collect();
        if out.has(Plant::TrimFromMemory) {
            let places = self.ranges.iter().filter_map(|it| part(it).ok().flatten());
            let places = Some(places.map(|(range, part)| (range, part.0)).collect());
            taken.push(Taken { name: 1 << 60, places, is_whole: true });
        }
        let facts = Facts { there: listed, ranges: existing(view), taken };
        let decision = facts.decide(out.shape.keep);
        out.snapshots.retain(|it| !decision.deletable.contains(&it.name));
        let Some(needed) = decision.needed else { return };
        let journals = facts.there.into_iter().filter(|(of, _)| mine.contains(of));
        let stored = |(of, slots): (Life, Vec<Slot>)| {
            slots.into_iter().map(move |slot| Stored { at: (of, slot), bytes: 1, created_ms: 0 })
        };
        let stored: Vec<_> = journals.flat_map(stored).collect();
        self.keeping.going = trimmable(&stored, &needed, Keep { age_ms: 0, bytes: 0 }, out.now_ms);
    }
}

/// A range as of its last commit that is in its store; `None` where that is empty.
fn part(owned: &Owned) -> anyhow::Result<Option<(RangeId, Part)>> {
    let Some((place, _)) = Standing::head(&owned.store)? else { return Ok(None) };
    Ok(Some((owned.id(), (place, rows(&owned.store)?))))
}

fn mine(view: &Table, me: Life) -> impl Iterator<Item = Life> {
    view.dead().map(life).chain([me])
}

/// All ranges that exist, whoever owns them.
fn existing(view: &Table) -> Vec<Existing<Life>> {
    let one = |(id, range): (RangeId, &coordinator::machine::table::Range)| {
        let span = |it: &coordinator::machine::table::Span| Span {
            journal: life(&it.member),
            epoch: it.epoch,
            from: it.from,
            to: Some(it.to),
        };
        let mut past: Vec<_> = range.lineage.iter().map(span).collect();
        past.extend(range.owner().map(|owner| Span {
            journal: life(owner),
            epoch: range.epoch,
            from: range.since(owner),
            to: None,
        }));
        let came_from = range.ancestors.iter().map(|it| it.range).collect();
        Existing { range: id, keys: range.keys, came_from, past }
    };
    view.ranges().map(one).collect()
}

/// The lives that are over, and where their journals end.
pub(super) fn ended(table: &Table) -> impl Iterator<Item = (Life, Slot)> {
    table.members().filter_map(|(member, known)| match known {
        Known::Dead { fenced_at } => Some((life(member), *fenced_at)),
        Known::Alive { .. } => None,
    })
}
