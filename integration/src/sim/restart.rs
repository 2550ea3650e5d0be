//! A process starts: it fences the life before it and restores. Imitates `actors::engine::restore`.

use actors::journal::object::{ObjectError, Sealed};
use actors::machine::block::References;
use actors::machine::codec::Reader as Bytes;
use actors::machine::envelope::take_record;
use actors::machine::frame::Pass;
use actors::machine::positions::Position;
use actors::machine::range::{Identity, Range, Restored};
use actors::machine::reach::At;
use actors::machine::restore::Standing;
use actors::reader::{Alignment, Router};
use actors::store::memory::MemoryStore;
use anyhow::{bail, ensure};
use proto::types::{Epoch, Incarnation, PartitionIndex, RangeId, RecordTime, Slot};

use super::committer::Committer;
use super::fault::Fault;
use super::outside::Outside;
use super::owned::Owned;
use super::plant::Plant;
use super::process::Process;
use super::publisher::{Publisher, Said, Serve};
use super::reader::Reader;
use super::rules::decoder;

/// The lives of the node so far.
#[derive(Debug, Default)]
pub(super) struct Lives {
    epoch: Epoch,
    incarnation: Incarnation,
    /// Each life that has ended, its epoch, and the slot of its fence.
    past: Vec<(Incarnation, Epoch, Slot)>,
}

impl Lives {
    /// A new life; `None` where it ended while it restored.
    pub(super) fn begin(&mut self, out: &mut Outside) -> anyhow::Result<Option<Process>> {
        if self.incarnation > Incarnation(0) {
            let fence = out.objects.fence((0, self.incarnation));
            out.watch.fenced((0, self.incarnation), fence)?;
            self.past.push((self.incarnation, self.epoch, fence));
        }
        self.incarnation = self.incarnation.next();
        self.epoch = self.epoch.next();
        out.trace.note(self.incarnation.0);
        let mut standings = self.open(out)?;
        if !out.has(Plant::NoTail) && !self.replay(&mut standings, out)? {
            return Ok(None);
        }
        let mut young = Vec::new();
        let mut references = References::default();
        let mut stores = Vec::new();
        for place in 0..out.shape.ranges.len() {
            let identity = self.identity(place, out);
            let store = out.disk((0, identity.id)).store.clone();
            let (settings, rules) = (out.shape.settings.clone(), out.rules.clone());
            let loaded = Range::load(identity, settings, rules, &store)?;
            stores.push(store);
            references.merge(loaded.references);
            young.push(loaded.restored);
        }
        if !out.has(Plant::NoRefill) {
            refill(references, (&mut young, &stores), out)?;
        }
        self.serve(young, standings, out).map(Some)
    }

    fn identity(&self, place: usize, out: &Outside) -> Identity {
        let id = RangeId(u16::try_from(place).unwrap_or(u16::MAX));
        Identity { id, keys: out.shape.ranges[place], epoch: self.epoch }
    }

    /// Where the stores stand; one that stands on no past is thrown away.
    fn open(&self, out: &mut Outside) -> anyhow::Result<Vec<Standing>> {
        let mut standings = Vec::new();
        for place in 0..out.shape.ranges.len() {
            let id = RangeId(u16::try_from(place)?);
            let standing = Standing::of(id, &out.disk((0, id)).store)?;
            let stands = |it: &Standing| {
                let (epoch, slot) = it.place().at;
                self.past.iter().any(|&(_, of, to)| of == epoch && slot < to)
            };
            ensure!(standing.as_ref().is_none_or(stands), "{id} has a store without a past");
            if standing.is_none() {
                out.disks.remove(&(0, id));
            }
            let standing = standing.unwrap_or_else(|| Standing::nowhere(id));
            let stands = standing.place();
            let places = &mut out.disk((0, id)).places;
            places.clear();
            places.push_back(stands);
            standings.push(standing);
        }
        Ok(standings)
    }

    /// Whether the replay came to its end.
    fn replay(&self, standings: &mut [Standing], out: &mut Outside) -> anyhow::Result<bool> {
        for &(of, epoch, to) in &self.past {
            for slot in out.objects.slots(Some((0, of))) {
                if slot >= to || !standings.iter().any(|it| it.needs((epoch, slot))) {
                    continue;
                }
                let Some(object) = out.objects.read(Some((0, of)), slot) else { continue };
                if out.strikes(Fault::TornRead) {
                    let cut = object.slice(..out.random.place(object.len()));
                    let length = cut.len();
                    let refused = matches!(Sealed::open(cut), Err(ObjectError::Corrupted(_)));
                    ensure!(refused, "I11: a slot that was cut to {length} bytes is not refused");
                    return Ok(false);
                }
                let sealed = match Sealed::open(object) {
                    Ok(sealed) => sealed,
                    Err(ObjectError::NoCommit) => continue,
                    Err(error) => bail!(error),
                };
                follow(standings, (epoch, slot), &sealed, out)?;
            }
            if out.strikes(Fault::CrashInRestore) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn serve(
        &self,
        young: Vec<Restored>,
        standings: Vec<Standing>,
        out: &mut Outside,
    ) -> anyhow::Result<Process> {
        let (mut ranges, mut rows) = (Vec::new(), Vec::new());
        for (place, (restored, standing)) in young.into_iter().zip(standings).enumerate() {
            let missing = restored.missing();
            ensure!(
                missing == 0 || out.has(Plant::NoRefill),
                "{missing} legs of range {place} are not in the source any more"
            );
            let machine = restored.serve(out.now_ms);
            let replayed = standing.replayed();
            rows.extend(replayed.rows);
            let home = (0, machine.identity().id);
            let store = out.disk(home).store.clone();
            ranges.push(Owned::new((home, store), machine, replayed.outbox));
        }
        let starts = starts(&ranges, out.source.names().len());
        let indexes = (0u16..).map(PartitionIndex);
        let alignment = alignment(&starts, out.shape.ahead_ms);
        let reader = |(index, start)| Reader::here(index, start, &ranges, out);
        let readers = indexes.zip(starts).map(reader).collect();
        let life = (0, self.incarnation);
        let mut publisher = Publisher::new(life);
        let (served, ended) = (ranges.iter().map(Owned::id).collect(), Vec::new());
        publisher.tell(Said::Serve(Serve { ranges: served, rows, ended }));
        let mut process = Process {
            ranges,
            readers,
            alignment,
            committer: Committer::new(life, out.shape.durable.interval_ms),
            publisher,
            deciding: Vec::new(),
        };
        (0..process.ranges.len()).for_each(|range| process.collect(range));
        Ok(process)
    }
}

/// The least position of each partition: where its reader begins.
pub(super) fn starts(ranges: &[Owned], partitions: usize) -> Vec<Position> {
    let of = |partition: usize| {
        let positions = ranges.iter().filter_map(|it| it.machine.positions().get(partition));
        positions.min_by_key(|position| position.offset).copied().unwrap_or_default()
    };
    (0..partitions).map(of).collect()
}

/// Reads the legs again that are kept by reference.
pub(super) fn refill(
    references: References,
    (young, stores): (&mut [Restored], &[MemoryStore]),
    out: &Outside,
) -> anyhow::Result<()> {
    for (index, wanted) in references.sorted() {
        let name = out.source.names()[index.index()].clone();
        let decoder = decoder(name.leg);
        let mut router = Router::single(index, name, decoder);
        let (mut clock, now) = (wanted.base.clock, RecordTime(out.wall_ms()));
        let limit = (usize::MAX, out.now_ms);
        out.source.read(index, wanted.base.offset, limit, &mut |record| {
            router.take(record, &mut clock, now);
        });
        let records = router.take_single();
        let mut reader = Bytes::new(&records);
        while !reader.is_empty() {
            let (key, envelope) = take_record(&mut reader)?;
            let owns =
                |(it, _): &(&mut Restored, _)| it.range().identity().keys.contains(key.hash());
            if let Some((restored, store)) = young.iter_mut().zip(stores).find(owns) {
                restored.refill(key, &envelope, store)?;
            }
        }
    }
    Ok(())
}

/// Applies what a commit has for each range to its store.
fn follow(
    standings: &mut [Standing],
    at: At,
    sealed: &Sealed,
    out: &mut Outside,
) -> anyhow::Result<()> {
    for (place, standing) in standings.iter_mut().enumerate() {
        let id = RangeId(u16::try_from(place)?);
        let Some(block) = sealed.block(id)? else { continue };
        let changes = standing.follow(at, block)?;
        if !changes.is_empty() {
            out.apply((0, id), &changes, standing.place())?;
        }
    }
    Ok(())
}

/// Partitions that are all read here: what other nodes would say of theirs, and when, is of no matter.
fn alignment(starts: &[Position], ahead_ms: u64) -> Alignment {
    let alignment = Alignment::new(starts.len(), ahead_ms, std::sync::Arc::new(|| 1));
    for (index, start) in (0u16..).map(PartitionIndex).zip(starts) {
        alignment.begin(index);
        alignment.set((index, Pass::Front), start.clock);
    }
    alignment
}
