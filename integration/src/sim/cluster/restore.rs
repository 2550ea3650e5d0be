//! A range comes back on a node: from its store, a snapshot or nothing, and the journals behind. Imitates
//! `actors::engine::restore`.

use std::collections::BTreeMap;

use actors::engine::{Holding, Past};
use actors::journal::object::{ObjectError, Sealed};
use actors::machine::block::Place;
use actors::machine::descent::{Child, is_unborn};
use actors::machine::range::{Identity, Range};
use actors::machine::reach::{At, Stretch, begun, first_missing, is_in, newest};
use actors::machine::restore::Standing;
use actors::store::memory::MemoryStore;
use actors::store::{Change, Store as _, Table};
use anyhow::{bail, ensure};
use proto::types::{RangeId, Slot};

use super::name::named;
use crate::sim::fault::Fault;
use crate::sim::objects::Life;
use crate::sim::outside::{Disk, Home, Outside};
use crate::sim::owned::Owned;
use crate::sim::plant::Plant;
use crate::sim::publisher::Serve;
use crate::sim::restart::refill;

/// Which slots each journal has, ascending.
pub(super) type Listed = BTreeMap<Life, Vec<Slot>>;

/// A range's state as a snapshot has it: where it stands, and its rows.
pub(super) type Part = (Place, Vec<Change>);

/// A snapshot: what was taken later has a greater name.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Snapshot {
    pub(super) name: u64,
    pub(super) parts: BTreeMap<RangeId, Part>,
}

/// A range whose store is open.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) home: Home,
    pub(super) store: MemoryStore,
    pub(super) standing: Standing,
    /// The last place of its past that has been replayed.
    pub(super) read: Option<At>,
}

impl Opened {
    fn needs(&self, at: At) -> bool {
        self.standing.needs(at) && self.read.is_none_or(|read| read < at)
    }
}

/// What the journals of a range's past have.
pub(super) fn list(holding: &Holding, out: &Outside) -> Listed {
    let lives = holding.past.iter().map(|past| named(&past.life));
    lives.map(|life| (life, out.objects.slots(Some(life)))).collect()
}

fn stretches<'a>(holding: &Holding, listed: &'a Listed) -> Vec<Stretch<'a>> {
    holding.past.iter().map(|past| stretch(past, listed)).collect()
}

fn stretch<'a>(past: &Past, listed: &'a Listed) -> Stretch<'a> {
    let there = listed.get(&named(&past.life)).map_or(&[][..], Vec::as_slice);
    Stretch { epoch: past.epoch, from: past.from, to: past.to, there }
}

/// Whether a state at `place` is of this past, and the journals have all that it lacks.
fn stands(place: Place, past: &[Stretch<'_>]) -> bool {
    is_in(past, place.at) && first_missing(past, place.needed_from()).is_none()
}

/// Whether a copy is of this past, and the journals have all that it lacks (I4).
pub(super) fn is_of(copy: &Opened, holding: &Holding, listed: &Listed) -> bool {
    stands(copy.standing.place(), &stretches(holding, listed))
}

/// What was asked for, or why not.
pub(super) type Tried<T> = Result<T, String>;

/// Opens a range's store and applies what the journals have beyond it, or says why that has to begin anew.
///
/// # Errors
///
/// Where a promise is broken.
pub(super) fn bring_back(
    node: usize,
    holding: &Holding,
    listed: &Listed,
    out: &mut Outside,
) -> anyhow::Result<Tried<Opened>> {
    let mut opened = match open((node, holding.id), holding, listed, out)? {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(why)),
    };
    if out.has(Plant::NoTail) {
        return Ok(Ok(opened));
    }
    Ok(replay(holding, listed, &mut opened, out)?.map(|()| opened))
}

/// The nearest state from which the journals reach to the range's last commit.
fn open(
    home: Home,
    holding: &Holding,
    listed: &Listed,
    out: &mut Outside,
) -> anyhow::Result<Tried<Opened>> {
    let mut past = stretches(holding, listed);
    let epoch = |part: &Part| part.0.needed_from().0;
    let epochs = out.snapshots.iter().map(|it| Some(it.parts.get(&holding.id).map(epoch)));
    begun(&mut past, newest(epochs));
    let (id, unsynced) = (holding.id, out.shape.durable.unsynced);
    let store = out.disk(home).store.clone();
    match Standing::of(id, &store)? {
        None if past.is_empty() => {
            let standing = Standing::nowhere(id);
            return Ok(Ok(Opened { home, store, standing, read: None }));
        }
        Some(standing)
            if stands(standing.place(), &past) && !is_still_its_parents(&store, holding)? =>
        {
            return Ok(Ok(Opened { home, store, standing, read: None }));
        }
        Some(_) | None => {}
    }
    let parts = out.snapshots.iter().rev().filter_map(|it| it.parts.get(&id));
    let usable = parts.filter(|(place, _)| stands(*place, &past)).map(|it| it.1.clone()).next();
    if usable.is_none() && holding.parent().is_some() {
        return child(home, holding, listed, out);
    }
    let lost = first_missing(&past, Standing::nowhere(id).needed_from());
    if usable.is_none()
        && let Some((epoch, slot)) = lost
    {
        out.trace.note(u64::from(id.0));
        return Ok(Err(format!("{id} is nowhere: slot {slot} of epoch {epoch} is gone")));
    }
    let mut store = Disk::new(unsynced).store;
    if let Some(rows) = usable {
        store.apply(&rows)?;
        // It was put there as a whole: no crash takes it.
        store.lose_tail(0);
    }
    out.disk(home).store = store.clone();
    let standing = Standing::of(id, &store)?.unwrap_or_else(|| Standing::nowhere(id));
    Ok(Ok(Opened { home, store, standing, read: None }))
}

/// What a range began with, out of the one that it came from.
fn child(
    home: Home,
    holding: &Holding,
    listed: &Listed,
    out: &mut Outside,
) -> anyhow::Result<Tried<Opened>> {
    let Some((parent, ancestor)) = holding.parent() else { bail!("{} has no parent", holding.id) };
    let before = match bring_back(home.0, &parent, listed, out)? {
        Ok(before) => before,
        Err(why) => return Ok(Err(why)),
    };
    let rows = rows(&before.store)?;
    let mut store = Disk::new(out.shape.durable.unsynced).store;
    store.apply(&rows)?;
    store.lose_tail(0);
    let has_figures = ancestor.passes_figures || out.has(Plant::TwoHeirs);
    let child = Child { keys: holding.keys, epoch: ancestor.child_epoch, has_figures };
    let born = child.born(&store)?;
    let is_kept = out.has(Plant::StrangersKept);
    let born: Vec<_> = born.into_iter().filter(|it| !is_kept || is_head(it)).collect();
    out.disk(home).store = store.clone();
    out.apply(home, &born, before.standing.place())?;
    let id = holding.id;
    let standing = Standing::of(id, &store)?.unwrap_or_else(|| Standing::nowhere(id));
    Ok(Ok(Opened { home, store, standing, read: None }))
}

/// Every row of a store, to be put into another.
pub(super) fn rows(store: &MemoryStore) -> anyhow::Result<Vec<Change>> {
    let mut rows = Vec::new();
    for table in Table::ALL {
        let mut take = |key: &[u8], value: &[u8]| {
            rows.push(Change::Put(table, key.to_vec(), value.to_vec()));
        };
        store.scan(table, &mut take)?;
    }
    Ok(rows)
}

fn is_still_its_parents(store: &MemoryStore, holding: &Holding) -> anyhow::Result<bool> {
    let parent = holding.ancestors.last();
    Ok(parent.map_or(Ok(false), |parent| is_unborn(store, parent.child_epoch))?)
}

const fn is_head(change: &Change) -> bool {
    matches!(change, Change::Put(Table::Head, _, _))
}

/// Applies what the journals have beyond a store, or says what they lack.
pub(super) fn replay(
    holding: &Holding,
    listed: &Listed,
    opened: &mut Opened,
    out: &mut Outside,
) -> anyhow::Result<Tried<()>> {
    for past in holding.past.iter().filter(|past| past.range == holding.id) {
        let life = named(&past.life);
        for &slot in listed.get(&life).into_iter().flatten() {
            let is_in = past.from <= slot && slot < past.to;
            if !is_in || !opened.needs((past.epoch, slot)) {
                continue;
            }
            if out.strikes(Fault::UnclearRead) {
                return Ok(Err("a read is unclear".to_owned()));
            }
            // I10: what it had may be in no slot that follows.
            let Some(object) = out.objects.read(Some(life), slot) else {
                return Ok(Err(format!("slot {slot} of {life:?} was trimmed meanwhile")));
            };
            // A cut may leave a fence what it was: it says no more than that it is one.
            let is_fence = matches!(Sealed::open(object.clone()), Err(ObjectError::NoCommit));
            if !is_fence && out.strikes(Fault::TornRead) {
                let cut = object.slice(..out.random.place(object.len()));
                let refused = matches!(Sealed::open(cut), Err(ObjectError::Corrupted(_)));
                ensure!(refused, "I11: a slot that was cut is not refused");
                return Ok(Err("a slot is torn".to_owned()));
            }
            let has_more = take_in(holding.id, (past, slot), object, opened, out)?;
            let hole = has_more.then(|| stretch(past, listed).hole_behind(slot)).flatten();
            ensure!(hole.is_none(), "I10: {} has lost slot {hole:?} of {life:?}", holding.id);
        }
    }
    Ok(Ok(()))
}

/// Applies what a slot has of a range; whether it has anything.
pub(super) fn take_in(
    range: RangeId,
    (past, slot): (&Past, Slot),
    object: bytes::Bytes,
    opened: &mut Opened,
    out: &mut Outside,
) -> anyhow::Result<bool> {
    let sealed = match Sealed::open(object) {
        Ok(sealed) => sealed,
        Err(ObjectError::NoCommit) => return Ok(false),
        Err(error) => bail!(error),
    };
    let at = (past.epoch, slot);
    opened.read = Some(at);
    // I1: what was committed under another epoch is of another stretch.
    let block = sealed.block(range)?.filter(|it| it.head.epoch == past.epoch);
    let Some(block) = block else { return Ok(false) };
    let changes = opened.standing.follow(at, block)?;
    if !changes.is_empty() {
        out.apply(opened.home, &changes, opened.standing.place())?;
    }
    Ok(true)
}

/// Makes what was brought back ready to serve: the range, and what the publisher is to be told.
pub(super) fn load(
    holding: &Holding,
    opened: Opened,
    out: &mut Outside,
) -> anyhow::Result<(Owned, Serve)> {
    let Opened { home, store, standing, .. } = opened;
    let identity = Identity { id: holding.id, keys: holding.keys, epoch: holding.epoch };
    let loaded = Range::load(identity, out.shape.settings.clone(), out.rules.clone(), &store)?;
    let mut young = [loaded.restored];
    if !out.has(Plant::NoRefill) {
        refill(loaded.references, (&mut young, std::slice::from_ref(&store)), out)?;
    }
    let [restored] = young;
    let missing = restored.missing();
    ensure!(
        missing == 0 || out.has(Plant::NoRefill),
        "{missing} legs of {} are not in the source any more",
        holding.id
    );
    let machine = restored.serve(out.wall_ms());
    let replayed = standing.replayed();
    let mut owned = Owned::new((home, store), machine, replayed.outbox);
    // It takes part as soon as no commit is under way.
    owned.takes_part = false;
    let ended = holding.ended.iter().map(named).collect();
    Ok((owned, Serve { ranges: vec![holding.id], rows: replayed.rows, ended }))
}
