//! An engine starts: ranges first, then what publishes, commits and reads; it ends with the first of them that fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::types::{Incarnation, NodeId, RangeId, Slot, SourcePartition};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use tokio::sync::watch;

use super::aggregators::Aggregators;
use super::links::{Links, Shared, Shown};
use super::restore::{Ready, RestoreError, restore};
use super::supervisor::{Never, Supervisor};
use super::{Holding, Setup};
use crate::clock::Clock;
use crate::committer::{self, Committer};
use crate::machine::positions::Position;
use crate::meters::Meters;
use crate::publisher::{self, Publisher};
use crate::range::{self, Range};
use crate::reader::{self, Alignment, Reader, Router, Target};
use crate::sink::Sink;
use crate::source::Source;

/// A node's running engine. Dropping it does not stop it; [`Engine::stop`] does.
#[derive(Debug)]
pub struct Engine {
    pub(super) holdings: Vec<Holding>,
    pub(super) incarnation: Incarnation,
    pub(super) node: NodeId,
    pub(super) journal: Arc<dyn proto::log::Log>,
    pub(super) partitions: Vec<SourcePartition>,
    pub(super) ranges: Vec<Target>,
    pub(super) links: Shared,
    pub(super) readers: Vec<ActorRef<reader::Message>>,
    pub(super) committer: ActorRef<committer::Message>,
    pub(super) publisher: ActorRef<publisher::Message>,
    pub(super) supervisor: ActorRef<Never>,
    failure: watch::Receiver<Option<String>>,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ranges could not be restored.
    #[error("restore the ranges")]
    Restore(#[from] RestoreError),
    /// An actor did not start.
    #[error("start the actors")]
    Spawn(#[from] SpawnErr),
    /// An actor ended while the others started.
    #[error("start the actors: {0}")]
    Ended(String),
}

impl Engine {
    /// Restores what the node owns, and starts it; results go to `sink`.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(setup: Setup, sink: Box<dyn Sink>) -> Result<Self, StartError> {
        let ready = restore(&setup).await?;
        let starts = least(&ready, setup.source.partitions().len());
        let (failed, failure) = watch::channel(None);
        let (supervisor, _) = Actor::spawn(None, Supervisor, failed).await?;
        let ids = setup.holdings.iter().map(|holding| holding.id).collect();
        let layout = Arc::clone(&setup.layout);
        let aggregators = Aggregators::start(layout, ids, &setup.upserts).await?;
        for one in &ready {
            aggregators
                .whole(&one.range, i64::MIN)
                .map_err(|it| StartError::Ended(it.to_string()))?;
        }
        let links = Arc::new(Links::new(aggregators, setup.outbox_bytes, &starts));
        let started = Started { setup, links, supervisor, failure };
        started.go_on(ready, sink, &starts).await
    }

    /// What the counters show.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.links.shown()
    }

    /// What the node measures.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        self.links.meters()
    }

    /// The source partitions, by index.
    #[must_use]
    pub fn partitions(&self) -> &[SourcePartition] {
        &self.partitions
    }

    /// The node's name.
    #[must_use]
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    /// This life of the node.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What the node owns, and where its past is.
    #[must_use]
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// The ranges.
    #[must_use]
    pub fn ranges(&self) -> &[Target] {
        &self.ranges
    }

    /// Waits until a part of the engine fails, and says why.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        let failed = failure.wait_for(Option::is_some).await.map(|it| it.clone());
        failed.ok().flatten().unwrap_or_else(|| "the engine has ended".to_owned())
    }
}

struct Started {
    setup: Setup,
    links: Shared,
    supervisor: ActorRef<Never>,
    failure: watch::Receiver<Option<String>>,
}

impl Started {
    async fn go_on(
        self,
        ready: Vec<Ready>,
        sink: Box<dyn Sink>,
        starts: &[Position],
    ) -> Result<Engine, StartError> {
        let cell = self.supervisor.get_cell();
        let waiting = ready.iter().flat_map(|one| one.rows.clone()).collect();
        let clock = Arc::clone(&self.setup.clock);
        let arguments = (sink, Arc::clone(&self.links), waiting, clock);
        let (publisher, _) = Actor::spawn_linked(None, Publisher, arguments, cell.clone()).await?;
        let ranges = self.ranges(ready, &publisher, &cell).await?;
        let by_id: BTreeMap<RangeId, _> =
            ranges.iter().map(|target| (target.range, target.actor.clone())).collect();
        let ended = |error: ractor::MessagingErr<_>| StartError::Ended(error.to_string());
        publisher.cast(publisher::Message::Ranges(by_id)).map_err(ended)?;
        let committer = self.committer(&ranges, &cell).await?;
        let readers = self.readers(&ranges, starts, &cell).await?;
        let partitions = self.setup.source.partitions().to_vec();
        self.tell_source();
        let Setup { node, incarnation, journal, holdings, .. } = self.setup;
        let (links, supervisor, failure) = (self.links, self.supervisor, self.failure);
        Ok(Engine {
            holdings,
            incarnation,
            node,
            journal,
            partitions,
            ranges,
            links,
            readers,
            committer,
            publisher,
            supervisor,
            failure,
        })
    }

    async fn ranges(
        &self,
        ready: Vec<Ready>,
        publisher: &ActorRef<publisher::Message>,
        cell: &ActorCell,
    ) -> Result<Vec<Target>, SpawnErr> {
        let mut targets = Vec::new();
        for one in ready {
            let identity = one.range.identity();
            let arguments = range::Arguments {
                machine: one.range,
                store: one.store,
                place: one.place,
                incarnation: self.setup.incarnation,
                rules: Arc::clone(&self.setup.rules),
                publisher: publisher.clone(),
                links: Arc::clone(&self.links),
                outbox: one.outbox,
            };
            let (actor, _) = Actor::spawn_linked(None, Range, arguments, cell.clone()).await?;
            targets.push(Target { range: identity.id, keys: identity.keys, actor });
        }
        targets.sort_by_key(|target| target.keys.start());
        Ok(targets)
    }

    async fn committer(
        &self,
        ranges: &[Target],
        cell: &ActorCell,
    ) -> Result<ActorRef<committer::Message>, SpawnErr> {
        let arguments = committer::Arguments {
            journal: Arc::clone(&self.setup.journal),
            next: Slot(1),
            interval: self.setup.commit_interval,
            ranges: ranges.iter().map(|target| target.actor.clone()).collect(),
            links: Arc::clone(&self.links),
        };
        let clock: Clock = Arc::clone(&self.setup.clock);
        Ok(Actor::spawn_linked(None, Committer, (arguments, clock), cell.clone()).await?.0)
    }

    async fn readers(
        &self,
        ranges: &[Target],
        starts: &[Position],
        cell: &ActorCell,
    ) -> Result<Vec<ActorRef<reader::Message>>, SpawnErr> {
        let clocks: Vec<_> = starts.iter().map(|start| start.clock).collect();
        let ahead_ms = u64::try_from(self.setup.alignment.as_millis()).unwrap_or(u64::MAX);
        let alignment = Arc::new(Alignment::new(&clocks, ahead_ms));
        let mut readers = Vec::new();
        let partitions = self.setup.source.partitions().to_vec();
        for ((index, name), start) in (0u16..).zip(partitions).zip(starts) {
            let index = proto::types::PartitionIndex(index);
            let source: Arc<dyn Source> = Arc::clone(&self.setup.source);
            let decoder = (self.setup.decoders)(name.leg);
            let arguments = reader::Arguments {
                index,
                start: *start,
                open: Box::new(move |from, waker| source.open(index, from, waker)),
                router: Router::new(index, name.clone(), decoder, ranges.to_vec()),
                name,
                alignment: Arc::clone(&alignment),
                links: Arc::clone(&self.links),
                clock: Arc::clone(&self.setup.clock),
            };
            let (reader, _) = Actor::spawn_linked(None, Reader, arguments, cell.clone()).await?;
            readers.push(reader);
        }
        Ok(readers)
    }

    /// Ordinary lag tools hear where everything is durable.
    fn tell_source(&self) {
        const EVERY: Duration = Duration::from_secs(5);
        let (source, links) = (Arc::clone(&self.setup.source), Arc::clone(&self.links));
        let count = self.setup.holdings.len();
        // Ends with the supervisor.
        drop(self.supervisor.send_interval(EVERY, move || {
            if links.committed_ranges() == count {
                source.committed(&links.safe_positions());
            }
            Never
        }));
    }
}

/// The least position of each source partition over all ranges: where its reader begins.
fn least(ready: &[Ready], partitions: usize) -> Vec<Position> {
    let of = |partition: usize| {
        let positions = ready.iter().filter_map(|one| one.range.positions().get(partition));
        positions.min_by_key(|position| position.offset).copied().unwrap_or_default()
    };
    (0..partitions).map(of).collect()
}
