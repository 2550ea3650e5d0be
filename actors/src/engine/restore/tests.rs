//! A range comes back exactly from whatever is left, or not at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use proto::log::Log;
use proto::types::{
    Epoch, Incarnation, KeyRange, NodeId, Offset, PartitionIndex, Sequence, Slot, SourcePartition,
    Version,
};
use tempfile::TempDir;

use super::put_back::{Wanted, put_back};
use super::*;
use crate::engine::{Past, Stores, Tidied, Tidying, View};
use crate::journal::log::{ObjectLog, ObjectLogs};
use crate::journal::object::{Packed, seal};
use crate::machine::block::{Block, Cleared, Figures, Head};
use crate::machine::partial;
use crate::machine::partial::layout::Layout;
use crate::machine::range::Settings;
use crate::machine::restore::Standing;
use crate::machine::transaction::Rules;
use crate::machine::trim::{Existing, Keep, Span};
use crate::sink::{Outlet, Stamp};
use crate::snapshot::{FORMAT, Manifest, RangeEntry, Snapshots};
use crate::source::{Partition, Source, SourceError, Waker};
use crate::store::Table;
use crate::store::memory::MemoryStore;

mod moved;

const RANGE: RangeId = RangeId(0);
/// Nobody listens to the clock but results that are kept; they are not.
const KEEP: Keep = Keep { age_ms: 0, bytes: 0 };

/// Stores in memory, and folders for what is to be adopted.
#[derive(Clone, Debug)]
struct Memory {
    dir: Arc<TempDir>,
    store: Arc<Mutex<Option<MemoryStore>>>,
}

impl Stores for Memory {
    fn open(&self, _: RangeId) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.store.lock().get_or_insert_with(|| MemoryStore::new(0)).clone()))
    }

    fn destroy(&self, _: RangeId) -> Result<(), StoreError> {
        *self.store.lock() = None;
        Ok(())
    }

    fn folder(&self, range: RangeId) -> PathBuf {
        self.dir.path().join(range.to_string())
    }

    fn adopt(&self, range: RangeId) -> Result<Box<dyn Store>, StoreError> {
        *self.store.lock() = Some(MemoryStore::open(&self.folder(range), 0)?);
        self.open(range)
    }
}

#[derive(Debug)]
struct NoSource;

impl Source for NoSource {
    fn partitions(&self) -> &[SourcePartition] {
        &[]
    }

    fn open(
        &self,
        _: PartitionIndex,
        _: Offset,
        _: Waker,
    ) -> Result<Box<dyn Partition>, SourceError> {
        Err(SourceError::Missing("everything".to_owned()))
    }

    fn committed(&self, _: &[(PartitionIndex, Offset)]) {}
}

/// One range, from one owner to the next.
struct World {
    objects: Arc<InMemory>,
    stores: Memory,
    life: Life,
    epoch: Epoch,
    /// Where the journals end.
    ends: BTreeMap<Life, Slot>,
    /// The last slot before the owner got the range.
    from: Slot,
    live: Standing,
    commit: u64,
    past: Vec<Past>,
}

type Rows = Vec<(Table, Vec<u8>, Vec<u8>)>;

impl World {
    fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let stores = Memory { dir, store: Arc::default() };
        Self {
            objects: Arc::default(),
            stores,
            life: life("node-1", 1),
            epoch: Epoch::NONE.next(),
            ends: BTreeMap::new(),
            from: Slot(0),
            live: Standing::nowhere(RANGE),
            commit: 0,
            past: Vec::new(),
        }
    }

    fn journal(&self, (incarnation, node): &Life) -> ObjectLog {
        let objects: Arc<dyn ObjectStore> = self.objects.clone();
        ObjectLogs::new(objects).object_log(&format!("journal/{node}/{}", incarnation.0))
    }

    fn next_slot(&mut self) -> Slot {
        let end = self.ends.entry(self.life.clone()).or_default();
        *end = end.next();
        *end
    }

    fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.objects.clone())
    }

    /// Commits `count` times: each with a row for the sink, which has those up to `acknowledged`, and a cell.
    async fn commit(&mut self, count: u64, acknowledged: u64) {
        for _ in 0..count {
            self.commit += 1;
            let slot = self.next_slot();
            let mut block = block(self.commit, acknowledged.min(self.commit - 1));
            block.head.epoch = self.epoch;
            let object = seal(self.commit, &[Packed::new(&block)]);
            self.journal(&self.life).create(slot, object).await.unwrap();
            let changes = self.live.follow((self.epoch, slot), block).unwrap();
            self.stores.open(RANGE).unwrap().apply(&changes).unwrap();
        }
    }

    /// The life ends with a fence, and another begins.
    async fn next_life(&mut self) {
        let fence = self.next_slot();
        self.journal(&self.life).create(fence, "TLFN".into()).await.unwrap();
        let (incarnation, node) = self.life.clone();
        self.goes_to((incarnation.next(), node), fence);
    }

    /// The owner gives the range up at its last commit, and goes on without it; another has it from now on.
    fn moves_to(&mut self, next: Life) {
        let end = self.ends.get(&self.life).copied().unwrap_or_default();
        self.goes_to(next, end.next());
    }

    fn goes_to(&mut self, next: Life, to: Slot) {
        let life = std::mem::replace(&mut self.life, next);
        let (journal, from) = (Arc::new(self.journal(&life)), self.from.next());
        self.past.push(Past { range: RANGE, life, epoch: self.epoch, journal, from, to });
        self.epoch = self.epoch.next();
        self.from = self.ends.get(&self.life).copied().unwrap_or_default();
    }

    /// Others' commits are in the owner's journal too.
    async fn others_commit(&mut self) {
        let slot = self.next_slot();
        self.journal(&self.life).create(slot, seal(0, &[])).await.unwrap();
    }

    async fn snapshot(&self, name: u64) {
        let folder = self.stores.dir.path().join("checkpoint");
        let store = self.stores.open(RANGE).unwrap();
        store.checkpoint(&folder).unwrap();
        let files = self.snapshots().upload(&folder, &self.life).await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let (place, head) = Standing::head(&*store).unwrap().unwrap();
        let journal = "for people only".to_owned();
        let ((epoch, slot), (outbox_epoch, outbox_slot)) = (place.at, place.outbox);
        let entry = RangeEntry {
            range: RANGE.0,
            start: KeyRange::FULL.start(),
            end: KeyRange::FULL.end(),
            epoch: epoch.get(),
            journal: journal.clone(),
            slot: slot.0,
            outbox_epoch: outbox_epoch.get(),
            outbox_journal: journal,
            outbox_slot: outbox_slot.0,
            sequence: head.sequence.0,
            positions: vec![],
            ledger: 0.into(),
            files,
        };
        let (format, cluster, ranges) = (FORMAT, "bank".to_owned(), vec![entry]);
        let manifest =
            Manifest { format, min_reader: format, name, cluster, created_ms: name, ranges };
        self.snapshots().create(&manifest).await.unwrap();
    }

    fn holding(&self) -> Holding {
        let (keys, epoch) = (KeyRange::FULL, self.epoch);
        let (past, ancestors, ended) = (self.past.clone(), Vec::new(), Arc::from([]));
        Holding { id: RANGE, keys, epoch, past, ancestors, ended }
    }

    /// What the control log says: the range is this life's, which tidies up for all.
    fn view(&self) -> View {
        let ended = |past: &Past| Span {
            journal: past.life.clone(),
            epoch: past.epoch,
            from: past.from,
            to: Some(past.to),
        };
        let mut past: Vec<_> = self.past.iter().map(ended).collect();
        let (journal, epoch, from) = (self.life.clone(), self.epoch, self.from.next());
        past.push(Span { journal, epoch, from, to: None });
        let lives = past.iter().map(|span| span.journal.clone()).collect();
        let (range, keys, came_from) = (RANGE, KeyRange::FULL, BTreeSet::new());
        View { ranges: vec![Existing { range, keys, came_from, past }], lives }
    }

    async fn tidy(&self, keep: usize) -> Tidied {
        self.tidy_as(keep, &|| self.view()).await
    }

    /// Tidies up by what looks at the control log show.
    async fn tidy_as(&self, keep: usize, look: &(dyn Fn() -> View + Sync)) -> Tidied {
        let tidying = Tidying {
            snapshots: &self.snapshots(),
            keep,
            keep_results: KEEP,
            look: &|| Box::pin(async { Ok(look()) }),
            journal: &|life| self.journal(life),
        };
        tidying.tidy(1 << 60).await.unwrap()
    }

    async fn slots(&self, life: u64) -> Vec<u64> {
        let slots = self.journal(&self::life("node-1", life)).slots().await.unwrap();
        slots.into_iter().map(|slot| slot.0).collect()
    }

    /// The files of snapshot `name` are gone, its manifest is not.
    async fn damage(&self, name: u64) {
        for file in self.snapshots().inspect(name).await.unwrap().files() {
            self.objects.delete(&Path::from(file.object.as_str())).await.unwrap();
        }
    }

    fn lose_state(&self) {
        self.stores.destroy(RANGE).unwrap();
    }

    fn rows(&self) -> Rows {
        use Table::{Head, Open, Partials, References, Tombstones};
        let store = self.stores.open(RANGE).unwrap();
        let mut rows = Vec::new();
        for table in [Head, Open, References, Tombstones, Partials] {
            let mut take = |key: &[u8], row: &[u8]| rows.push((table, key.to_vec(), row.to_vec()));
            store.scan(table, &mut take).unwrap();
        }
        rows
    }

    fn setup(&self) -> Setup {
        Setup {
            node: NodeId::new("node-1").unwrap(),
            incarnation: self.life.0,
            journal: Arc::new(self.journal(&self.life)),
            holdings: vec![self.holding()],
            stores: Box::new(self.stores.clone()),
            births: tokio::sync::Mutex::default(),
            snapshots: self.snapshots(),
            reads: None,
            look_back: Box::new(|| unreachable!("no range is adopted")),
            dial: Box::new(|_| unreachable!("no range is elsewhere")),
            decoders: Box::new(|_| unreachable!("no source, no decoder")),
            upserts: Box::new(|| unreachable!("no figures, no upserts")),
            rules: Arc::new(Rules { partitions: vec![], columns: vec![], scenarios: vec![] }),
            layout: Arc::new(Layout { scenarios: vec![] }),
            settings: Settings {
                deadline_ms: 1_000,
                correction_ms: 1_000,
                duplicates_ms: 1_000,
                late_ms: 1_000,
                young_ms: 1_000,
                figures_ms: 1_000,
                held_bytes: 1_000,
                expiries: 1,
            },
            commit_interval: Duration::from_millis(1),
            alignment: Duration::from_secs(1),
            outbox_bytes: 1_000,
            clock: Arc::new(|| 0),
            witness: Arc::new(|_| {}),
        }
    }

    /// Brings the range back; the sequences of the rows that wait for the sink, and from where.
    async fn restore(&self) -> Result<(Origin, Vec<u64>), RestoreError> {
        let opened =
            bring_back(&self.setup(), &[self.holding()], &BTreeSet::new()).await?.remove(0);
        let origin = opened.origin;
        let rows = opened.standing.replayed().rows;
        Ok((origin, rows.iter().map(|row| row.stamp.sequence.0).collect()))
    }

    /// The state comes back as it was, out of `origin`, and the rows from `waiting` on wait for the sink.
    async fn check(&self, origin: Origin, waiting: u64, before: &Rows) {
        let (found, rows) = self.restore().await.unwrap();
        assert_eq!(found, origin);
        assert_eq!(rows, (waiting..=self.commit).collect::<Vec<_>>());
        assert_eq!(self.rows(), *before, "restored from {origin}");
    }
}

fn life(node: &str, incarnation: u64) -> Life {
    (Incarnation(incarnation), NodeId::new(node).unwrap())
}

fn block(commit: u64, acknowledged: u64) -> Block {
    let (sequence, epoch) = (Sequence(commit), Epoch::NONE.next());
    let stamp = Stamp { range: RANGE, epoch, sequence, version: Version(1) };
    let (key, payload) = ("key".into(), "payload".into());
    let headers = vec![];
    let row = Row { outlet: Outlet::Late, stamp, key, payload, headers, arrived: None };
    let acknowledged = Sequence(acknowledged);
    let cells = vec![partial::Row { key: commit.to_be_bytes().to_vec(), value: b"cell".to_vec() }];
    Block {
        range: RANGE,
        head: Head { epoch, commit, sequence, acknowledged, ..Head::default() },
        references: References::default(),
        puts: vec![],
        removed: vec![],
        tombstones: vec![],
        figures: Figures::Cells { behind: commit - 1, since: Sequence(commit - 1), cells },
        cleared: Cleared::default(),
        rows: vec![row],
    }
}

/// Life 1 with commits 1 to 10 and snapshot 1 at 6, life 2 with commits 11 to 16 and snapshot 2 at 14; the
/// sink had 4 rows, then 12. Life 3 begins.
async fn two_lives() -> World {
    let mut world = World::new();
    world.commit(6, 4).await;
    world.snapshot(1).await;
    world.commit(4, 4).await;
    world.next_life().await;
    world.commit(4, 12).await;
    world.snapshot(2).await;
    world.commit(2, 12).await;
    world.next_life().await;
    world
}

#[tokio::test]
async fn local_state_is_the_first_choice_and_the_whole_journal_the_last() {
    let world = two_lives().await;
    let before = world.rows();
    world.check(Origin::Local, 13, &before).await;
    world.lose_state();
    world.check(Origin::Snapshot(2), 13, &before).await;

    world.lose_state();
    world.damage(1).await;
    world.damage(2).await;
    world.check(Origin::Journal, 13, &before).await;
}

#[tokio::test]
async fn i10_what_is_trimmed_is_not_missed_whichever_kept_snapshot_is_left() {
    let world = two_lives().await;
    let before = world.rows();
    // Snapshot 1 stands at slot 6, and of its rows 5 and 6 waited for the sink.
    assert_eq!(world.tidy(2).await, Tidied { snapshots: 0, slots: 4, files: 0 });
    assert_eq!(world.slots(1).await, (5..=11).collect::<Vec<_>>());
    world.check(Origin::Local, 13, &before).await;
    world.lose_state();
    world.check(Origin::Snapshot(2), 13, &before).await;
    world.lose_state();
    world.damage(2).await;
    world.check(Origin::Snapshot(1), 13, &before).await;

    world.lose_state();
    world.damage(1).await;
    let refused = world.restore().await.unwrap_err();
    assert!(matches!(refused, RestoreError::Nowhere { .. }), "{refused}");
    let said = refused.to_string();
    for word in [
        "no local state",
        "snapshot 2: ",
        "snapshot 1: ",
        "is missing",
        "slot s1 of journal node-1/1",
    ] {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[tokio::test]
async fn i10_journals_behind_the_oldest_kept_snapshot_go_and_their_fences_stay() {
    let world = two_lives().await;
    let before = world.rows();
    let tidied = world.tidy(1).await;
    // Snapshot 2 stands at slot 4 of life 2, and its rows 13 and 14 wait, of slots 3 and 4.
    assert_eq!((tidied.snapshots, tidied.slots), (1, 10 + 2));
    assert_eq!(tidied.files, 1, "a file that only snapshot 1 named");
    assert_eq!(world.slots(1).await, [11]);
    assert_eq!(world.slots(2).await, (3..=7).collect::<Vec<_>>());
    world.lose_state();
    world.check(Origin::Snapshot(2), 13, &before).await;
    assert_eq!(world.tidy(1).await, Tidied::default(), "there is no more to do");
}

#[tokio::test]
async fn i10_one_slot_too_few_is_a_gap_and_refused() {
    let world = two_lives().await;
    world.tidy(1).await;
    // Of the tail; of the rows that wait; at the very end, where no later commit could show it.
    for slot in [5, 3, 6] {
        let journal = world.journal(&life("node-1", 2));
        let object = journal.read(Slot(slot)).await.unwrap().unwrap();
        journal.trim(Slot(slot)).await.unwrap();
        world.lose_state();
        let refused = world.restore().await.unwrap_err();
        assert!(matches!(refused, RestoreError::Nowhere { .. }), "slot {slot}: {refused}");
        journal.create(Slot(slot), object).await.unwrap();
        world.restore().await.unwrap();
    }
}

#[tokio::test]
async fn i10_an_old_copy_of_the_local_state_is_not_taken_for_the_present_one() {
    let mut world = World::new();
    world.commit(3, 2).await;
    let folder = world.stores.folder(RANGE);
    world.stores.open(RANGE).unwrap().checkpoint(&folder).unwrap();
    world.commit(5, 7).await;
    world.snapshot(1).await;
    let before = world.rows();
    assert_eq!(world.tidy(1).await.slots, 7, "all but the one that holds row 8");
    world.next_life().await;
    // Nothing was committed after it: no commit's number could show that five are missing.
    world.stores.adopt(RANGE).unwrap();
    world.check(Origin::Snapshot(1), 8, &before).await;
}

#[tokio::test]
async fn i4_state_of_another_past_is_thrown_away() {
    let world = two_lives().await;
    let before = world.rows();
    let other = World { life: life("node-1", 9), epoch: Epoch::new(9), ..World::new() };
    let mut other = World { stores: world.stores.clone(), ..other };
    other.lose_state();
    other.commit(20, 0).await;
    world.check(Origin::Snapshot(2), 13, &before).await;
}

#[tokio::test]
async fn what_no_range_has_written_is_passed_over() {
    let world = two_lives().await;
    let before = world.rows();
    let doubted = [(RANGE, Origin::Local), (RANGE, Origin::Snapshot(2))].into();
    let opened = bring_back(&world.setup(), &[world.holding()], &doubted).await.unwrap().remove(0);
    assert_eq!(opened.origin, Origin::Snapshot(1));
    assert_eq!(world.rows(), before);
    // A cell's row that is none: no layout has it, so each state is doubted in its turn, down to the journal.
    let rotten = restore(&world.setup(), &[world.holding()], &NoSource).await.unwrap_err();
    assert!(matches!(rotten, RestoreError::Rotten { origin: Origin::Journal, .. }), "{rotten}");
}

#[tokio::test]
async fn i1_a_snapshot_of_a_process_that_was_fenced_holds_nothing_back() {
    let mut world = two_lives().await;
    // It stands where the journal has been trimmed since, and has the highest name.
    let stale = world.snapshots().inspect(1).await.unwrap();
    world.commit(3, 16).await;
    world.snapshot(3).await;
    world.tidy(1).await;
    let files = world.snapshots().inspect(3).await.unwrap().ranges[0].files.clone();
    let mut stale = Manifest { name: 4, ..stale };
    stale.ranges[0].files = files;
    world.snapshots().create(&stale).await.unwrap();
    let before = world.rows();
    assert_eq!(world.tidy(1).await.snapshots, 0, "it displaces none");
    world.next_life().await;
    world.lose_state();
    world.check(Origin::Snapshot(3), 17, &before).await;
}

#[tokio::test]
async fn a_snapshot_is_put_back_and_the_tail_makes_it_exact() {
    let world = two_lives().await;
    let before = world.rows();
    let put = async |name, is_rehearsal| {
        let wanted = Wanted { name, is_rehearsal };
        put_back(&world.snapshots(), &world.stores, &[world.holding()], wanted).await
    };
    let rehearsed = put(Some(1), true).await.unwrap();
    assert_eq!(world.rows(), before, "a rehearsal changes nothing");
    assert_eq!(put(Some(1), false).await.unwrap(), rehearsed);
    // Slots 5 to 10 of life 1 and 1 to 6 of life 2; behind each is a fence.
    assert_eq!((rehearsed.name, rehearsed.ranges, rehearsed.tail_slots), (1, 1, 12));
    assert_ne!(world.rows(), before);
    world.check(Origin::Local, 13, &before).await;

    world.damage(2).await;
    let older = put(None, false).await.unwrap();
    assert_eq!((older.name, older.refused.len()), (1, 1));
    let refused = put(Some(2), false).await.unwrap_err();
    assert!(matches!(refused, RestoreError::NoSnapshot(_)), "{refused}");
    assert!(matches!(put(Some(9), false).await, Err(RestoreError::NoSnapshot(_))));
}
