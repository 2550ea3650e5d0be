//! Which source partitions this node reads: readers come and go, and each feeds all ranges of the map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use proto::types::{Offset, PartitionIndex};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};

use super::Setup;
use super::links::Shared;
use super::query::QueryError;
use super::start::{Engine, StartError, ended};
use crate::machine::positions::Position;
use crate::range;
use crate::reader::{self, Opened, Reader, Router, Target};
use crate::source::{Limit, Partition, Progress, Record, Source, SourceError, Waker};

/// How long a reader may take to end, or a range to say how it stands.
const PATIENCE: Duration = Duration::from_secs(5);

/// A node's readers.
pub(super) type Readers = BTreeMap<PartitionIndex, ActorRef<reader::Message>>;

/// The source once more, for what is far behind: one for all readers, for as long as one of them needs it.
type Second = Arc<tokio::sync::Mutex<Option<Weak<dyn Source>>>>;

/// All that a reader is made of.
#[derive(Clone)]
pub(super) struct Kit {
    pub(super) setup: Arc<Setup>,
    pub(super) source: Arc<dyn Source>,
    pub(super) links: Shared,
    pub(super) supervisor: ActorCell,
    second: Second,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("source", &self.source).finish_non_exhaustive()
    }
}

/// A partition of the source that was opened once more, which lives as long as it does.
struct Held(Box<dyn Partition>, #[expect(dead_code, reason = "held")] Arc<dyn Source>);

impl Partition for Held {
    fn read(
        &mut self,
        limit: Limit,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Result<Progress, SourceError> {
        self.0.read(limit, take)
    }

    fn seek(&mut self, offset: Offset) -> Result<(), SourceError> {
        self.0.seek(offset)
    }
}

impl Kit {
    pub(super) fn new(
        setup: Arc<Setup>,
        source: Arc<dyn Source>,
        links: Shared,
        supervisor: ActorCell,
    ) -> Self {
        Self { setup, source, links, supervisor, second: Second::default() }
    }

    /// Starts the reader of a partition, at the least of what `targets` need; `None` where there is no such partition.
    pub(super) async fn reader(
        &self,
        index: PartitionIndex,
        start: Position,
        targets: Vec<Target>,
    ) -> Result<Option<ActorRef<reader::Message>>, SpawnErr> {
        let Some(name) = self.source.partitions().get(index.index()).cloned() else {
            return Ok(None);
        };
        let source = Arc::clone(&self.source);
        let decoder = (self.setup.decoders)(name.leg);
        let again = self.clone();
        let arguments = reader::Arguments {
            index,
            start,
            open: Box::new(move |from, waker| source.open(index, from, waker)),
            again: Box::new(move |from, waker| {
                let again = again.clone();
                async move { again.open_again(index, from, waker).await }.boxed()
            }),
            router: Some(Router::new(index, name.clone(), decoder, targets)),
            name,
            alignment: Arc::clone(self.links.alignment()),
            links: Arc::clone(&self.links),
            clock: Arc::clone(&self.setup.clock),
            witness: Arc::clone(&self.setup.witness),
        };
        let spawned = Actor::spawn_linked(None, Reader, arguments, self.supervisor.clone());
        Ok(Some(spawned.await?.0))
    }

    async fn open_again(&self, index: PartitionIndex, from: Offset, waker: Waker) -> Opened {
        let source = {
            let mut second = self.second.lock().await;
            match second.as_ref().and_then(Weak::upgrade) {
                Some(source) => source,
                None => {
                    let source = (self.setup.look_back)().await?;
                    *second = Some(Arc::downgrade(&source));
                    source
                }
            }
        };
        let name = source.partitions().get(index.index()).cloned();
        let name = name.ok_or_else(|| SourceError::Missing(format!("partition {}", index.0)))?;
        let decoder = (self.setup.decoders)(name.leg);
        let partition = source.open(index, from, waker)?;
        Ok((Box::new(Held(partition, source)), Router::new(index, name, decoder, Vec::new())))
    }
}

impl Engine {
    /// Exactly these partitions are read by this node from now on, from where the ranges stand. That another
    /// node reads one of them too, before or behind, is harmless (I3).
    ///
    /// # Errors
    ///
    /// [`StartError`], where a reader does not start or a range does not answer.
    pub async fn read(&self, partitions: &BTreeSet<PartitionIndex>) -> Result<(), StartError> {
        let _turn = self.turn.lock().await;
        let gone = self.feeding.lock().keep(partitions);
        for reader in gone {
            let stopped = reader.stop_and_wait(None, Some(PATIENCE)).await;
            stopped.map_err(ended)?;
        }
        // `None` where the engine is stopping.
        let Some(kit) = self.kit.lock().clone() else { return Ok(()) };
        let mut new = Readers::new();
        for &index in partitions {
            if self.feeding.lock().readers.contains_key(&index) {
                continue;
            }
            let reader = kit.reader(index, Position::default(), Vec::new()).await?;
            new.extend(reader.map(|reader| (index, reader)));
        }
        if new.is_empty() {
            return Ok(());
        }
        let mut standing = Vec::new();
        for target in self.links.served().all() {
            let answer = target.actor.call(range::Message::Report, Some(PATIENCE)).await;
            let silent = || QueryError::Silent(target.range.to_string());
            let report = super::query::said(answer, || target.range.to_string());
            let positions = report.map_err(|_| ended(silent()))?.positions;
            standing.push((target, positions));
        }
        for (index, reader) in &new {
            feed(reader, *index, &standing)?;
        }
        self.feeding.lock().add(new);
        Ok(())
    }

    /// The source partitions that this node reads.
    #[must_use]
    pub fn reads(&self) -> BTreeSet<PartitionIndex> {
        self.feeding.lock().readers.keys().copied().collect()
    }

    /// The node's readers.
    pub(super) fn readers(&self) -> Readers {
        self.feeding.lock().readers.clone()
    }
}

/// The range that stands furthest back first: the reader begins there.
fn feed(
    reader: &ActorRef<reader::Message>,
    index: PartitionIndex,
    standing: &[(Target, Vec<Position>)],
) -> Result<(), StartError> {
    let position = |positions: &[Position]| positions.get(index.index()).copied();
    let from = standing.iter().map(|(it, positions)| (position(positions).unwrap_or_default(), it));
    let mut from: Vec<_> = from.collect();
    from.sort_by_key(|(position, _)| position.offset);
    for (position, target) in from {
        reader.cast(reader::Message::Feed(target.clone(), position)).map_err(ended)?;
    }
    Ok(())
}
