//! Everything that outlives the process: time, chance, source, objects, local stores, sink, and who watches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use actors::machine::block::Place;
use actors::machine::partial::layout::Layout;
use actors::machine::transaction::Rules;
use actors::store::memory::MemoryStore;
use actors::store::{self, Change, Store};
use bytes::Bytes;
use coordinator::machine::table::Table;
use proto::log::Created;
use proto::types::{Epoch, RangeId, Slot};

use super::bank::{Bank, Kind, START_MS};
use super::cluster::Snapshot;
use super::fault::{Fault, Faults};
use super::objects::{Life, Objects};
use super::plant::Plant;
use super::random::Random;
use super::rules::{names, rules};
use super::shape::Shape;
use super::sink::Sink;
use super::source::Source;
use super::trace::Trace;
use super::watch::Watch;

/// One range's local store, and where it would stand after a crash.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) store: MemoryStore,
    /// Where the store stood after each batch that a crash may take, and before the first of them.
    pub(super) places: VecDeque<Place>,
}

/// Where a local store is: on which node, of which range.
pub(super) type Home = (usize, RangeId);

/// A write whose writer has given up on the answer.
#[derive(Clone, Debug)]
pub(super) struct LateWrite {
    pub(super) of: Life,
    pub(super) slot: Slot,
    pub(super) object: Bytes,
}

/// What a process stands on.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) shape: Shape,
    pub(super) plant: Option<Plant>,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) now_ms: u64,
    /// How far the clock of whoever takes a step is ahead of that.
    pub(super) skew_ms: i64,
    pub(super) source: Source,
    pub(super) objects: Objects,
    pub(super) disks: BTreeMap<Home, Disk>,
    pub(super) sink: Sink,
    pub(super) snapshots: Vec<Snapshot>,
    /// What the control log says; nothing where there is one node.
    pub(super) table: Arc<Table>,
    pub(super) watch: Watch,
    pub(super) trace: Trace,
    pub(super) late: Vec<LateWrite>,
    pub(super) rules: (Arc<Rules>, Arc<Layout>),
    /// The transactions whose rules panic.
    pub(super) panics: BTreeSet<String>,
}

impl Disk {
    pub(super) fn new(unsynced: usize) -> Self {
        Self { store: MemoryStore::new(unsynced), places: VecDeque::from([Place::default()]) }
    }
}

impl Outside {
    /// What there is at the start of a history of that shape, and what its source holds.
    pub(super) fn new(shape: Shape, mut random: Random, plant: Option<Plant>) -> (Self, Bank) {
        let mut source = Source::new(names(&shape.partitions));
        let bank = Bank::draw(&shape, &mut source, &mut random);
        let panics = bank.transactions.iter().filter(|it| it.kind == Kind::Panics);
        let (objects, disks, trace, late) = Default::default();
        let mut watch = Watch::default();
        watch.divided((0..).map(RangeId).zip(shape.ranges.iter().copied()));
        let out = Self {
            plant,
            faults: shape.faults.clone(),
            now_ms: START_MS + shape.head_start_ms,
            skew_ms: 0,
            source,
            objects,
            disks,
            sink: Sink::new(shape.durable.is_exactly_once, plant != Some(Plant::NoDedupe)),
            snapshots: Vec::new(),
            table: Arc::default(),
            watch,
            trace,
            late,
            rules: rules(&shape.partitions),
            panics: panics.map(|it| it.id.clone()).collect(),
            random,
            shape,
        };
        (out, bank)
    }

    pub(super) fn has(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    pub(super) fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.faults.strikes(fault, &mut self.random);
        if strikes {
            self.trace.note(1_000 + fault as u64);
        }
        strikes
    }

    /// What the clock shows to whoever takes a step.
    pub(super) const fn wall_ms(&self) -> u64 {
        self.now_ms.saturating_add_signed(self.skew_ms)
    }

    /// A local store; an empty one where there was none.
    pub(super) fn disk(&mut self, home: Home) -> &mut Disk {
        let unsynced = self.shape.durable.unsynced;
        self.disks.entry(home).or_insert_with(|| Disk::new(unsynced))
    }

    /// Creates a slot, and has what it holds checked.
    pub(super) fn create(
        &mut self,
        of: Life,
        slot: Slot,
        object: &Bytes,
    ) -> anyhow::Result<Created> {
        let created = self.objects.create(Some(of), slot, object);
        if created == Created::Won {
            self.watch.durable((of, slot), object, &self.source, &mut self.trace)?;
        }
        Ok(created)
    }

    /// A write that is late arrives, or never does.
    pub(super) fn land_late(&mut self) -> anyhow::Result<()> {
        if self.late.is_empty() {
            return Ok(());
        }
        let late = self.late.swap_remove(self.random.place(self.late.len()));
        if self.random.chance(700) {
            self.create(late.of, late.slot, &late.object)?;
        }
        Ok(())
    }

    /// Applies a commit to a local store.
    pub(super) fn apply(
        &mut self,
        home: Home,
        changes: &[Change],
        place: Place,
    ) -> anyhow::Result<()> {
        let (apart, unsynced) = (self.has(Plant::PositionApart), self.shape.durable.unsynced);
        let disk = self.disk(home);
        if apart {
            let is_head = |it: &&Change| matches!(it, Change::Put(store::Table::Head, _, _));
            let head: Vec<_> = changes.iter().filter(is_head).cloned().collect();
            let rest: Vec<_> = changes.iter().filter(|it| !is_head(it)).cloned().collect();
            disk.store.apply(&head)?;
            disk.store.apply(&rest)?;
        } else {
            disk.store.apply(changes)?;
        }
        disk.places.push_back(place);
        if disk.places.len() > unsynced + 1 {
            disk.places.pop_front();
        }
        Ok(())
    }

    /// What a crash does to the local stores of a node.
    pub(super) fn crash_stores(&mut self, node: usize) {
        let homes: Vec<_> = self.disks.keys().copied().filter(|home| home.0 == node).collect();
        for home in homes {
            let unsynced = self.shape.durable.unsynced;
            if self.strikes(Fault::LoseStore) {
                self.disks.insert(home, Disk::new(unsynced));
            } else {
                let lost = if self.strikes(Fault::LoseTail) {
                    self.random.within(1, unsynced as u64)
                } else {
                    0
                };
                let disk = self.disk(home);
                disk.store.lose_tail(usize::try_from(lost).unwrap_or(0));
                disk.places.clear();
            }
        }
    }

    /// Trims the slots that no range needs, whatever a crash takes.
    pub(super) fn trim(&mut self) {
        let mut places = Vec::new();
        for disk in self.disks.values() {
            let (Some(&safe), Some(&last)) = (disk.places.front(), disk.places.back()) else {
                return;
            };
            let place = if self.has(Plant::TrimTail) { last } else { safe };
            let next = (place.at.0, place.at.1.next());
            places.push(if self.has(Plant::TrimOutbox) { next } else { place.needed_from() });
        }
        let Some(first) = places.into_iter().min() else { return };
        let count = self.objects.trim(|of, slot| (epoch_of(of), slot) >= first);
        self.trace.note(count as u64);
    }
}

/// The epoch of a life: each owns every range, so both rise together.
fn epoch_of((_, life): Life) -> Epoch {
    Epoch::new(life.0)
}
