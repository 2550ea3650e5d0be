//! An engine starts: ranges first, then what publishes, commits and reads; it ends with the first of them that fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proto::types::{Epoch, Incarnation, NodeId, RangeId, Slot, SourcePartition};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use tokio::sync::watch;

use super::aggregators::Aggregators;
use super::links::{Links, Shared, Shown};
use super::restore::{Ready, RestoreError, least, restore};
use super::supervisor::{Never, Supervisor};
use super::{Holding, Life, Setup};
use crate::clock::Clock;
use crate::committer::{self, Committer};
use crate::machine::positions::Position;
use crate::meters::Meters;
use crate::publisher::{self, Publisher};
use crate::range::{self, Range};
use crate::reader::{self, Alignment, Reader, Router, Target};
use crate::sink::{Row, Sink};
use crate::source::Source;

/// A node's running engine. Dropping it does not stop it; [`Engine::stop`] does.
#[derive(Debug)]
pub struct Engine {
    pub(super) setup: Setup,
    pub(super) owned: Mutex<Owned>,
    partitions: Vec<SourcePartition>,
    /// Ranges come and go one at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) links: Shared,
    pub(super) readers: Vec<ActorRef<reader::Message>>,
    pub(super) committer: ActorRef<committer::Message>,
    pub(super) publisher: ActorRef<publisher::Message>,
    pub(super) supervisor: ActorRef<Never>,
    failure: watch::Receiver<Option<String>>,
}

/// What a node owns at the moment, ascending by keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned {
    pub(super) holdings: Vec<Holding>,
    pub(super) ranges: Vec<Target>,
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
    /// Restores what the node owns, and starts it; records come from `source`, which its readers hold and
    /// nobody else, and results go to `sink`.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(
        mut setup: Setup,
        source: Arc<dyn Source>,
        sink: Box<dyn Sink>,
    ) -> Result<Self, StartError> {
        let holdings = std::mem::take(&mut setup.holdings);
        let ready = restore(&setup, &holdings, &*source).await?;
        let starts = least(&ready, source.partitions().len());
        let (failed, failure) = watch::channel(None);
        let (supervisor, _) = Actor::spawn(None, Supervisor, failed).await?;
        let ids = holdings.iter().map(|holding| holding.id).collect();
        let layout = Arc::clone(&setup.layout);
        let aggregators = Aggregators::start(layout, ids, &setup.upserts).await?;
        for one in &ready {
            aggregators.whole(&one.range, i64::MIN).map_err(ended)?;
        }
        let links = Arc::new(Links::new(aggregators, setup.outbox_bytes, &starts));
        let started = Started { setup, source, links, supervisor };
        let engine = started.go_on(ready, sink, &starts, failure).await?;
        engine.owned.lock().holdings = holdings;
        Ok(engine)
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
        &self.setup.node
    }

    /// This life of the node.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.setup.incarnation
    }

    /// This life of the node.
    #[must_use]
    pub fn life(&self) -> Life {
        (self.setup.incarnation, self.setup.node.clone())
    }

    /// Whose journal has a range's commits of that epoch; `None` where the range was of nobody then.
    #[must_use]
    pub fn owner(&self, range: RangeId, epoch: Epoch) -> Option<Life> {
        let holding = self.holdings().into_iter().find(|it| it.id == range)?;
        let past = holding.past.into_iter().find(|past| past.epoch == epoch);
        past.map(|past| past.life).or_else(|| (holding.epoch == epoch).then(|| self.life()))
    }

    /// What the node owns, and where its past is.
    #[must_use]
    pub fn holdings(&self) -> Vec<Holding> {
        self.owned.lock().holdings.clone()
    }

    /// The ranges.
    #[must_use]
    pub fn ranges(&self) -> Vec<Target> {
        self.owned.lock().ranges.clone()
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
    source: Arc<dyn Source>,
    links: Shared,
    supervisor: ActorRef<Never>,
}

impl Started {
    async fn go_on(
        self,
        ready: Vec<Ready>,
        sink: Box<dyn Sink>,
        starts: &[Position],
        failure: watch::Receiver<Option<String>>,
    ) -> Result<Engine, StartError> {
        let cell = self.supervisor.get_cell();
        let arguments = (sink, Arc::clone(&self.links), Arc::clone(&self.setup.clock));
        let (publisher, _) = Actor::spawn_linked(None, Publisher, arguments, cell.clone()).await?;
        let (mut ranges, mut rows) = (Vec::new(), Vec::new());
        for one in ready {
            let (target, waiting) =
                range(one, (&self.setup, &self.links), &publisher, &cell).await?;
            ranges.push(target);
            rows.extend(waiting);
        }
        ranges.sort_by_key(|target| target.keys.start());
        let by_id: BTreeMap<RangeId, _> =
            ranges.iter().map(|target| (target.range, target.actor.clone())).collect();
        publisher.cast(publisher::Message::Serve(by_id.clone(), rows)).map_err(ended)?;
        let committer = self.committer(by_id, &cell).await?;
        let readers = self.readers(&ranges, starts, &cell).await?;
        self.tell_source();
        let (setup, links, supervisor) = (self.setup, self.links, self.supervisor);
        let partitions = self.source.partitions().to_vec();
        let owned = Mutex::new(Owned { holdings: Vec::new(), ranges });
        let turn = tokio::sync::Mutex::default();
        Ok(Engine {
            setup,
            owned,
            partitions,
            turn,
            links,
            readers,
            committer,
            publisher,
            supervisor,
            failure,
        })
    }

    async fn committer(
        &self,
        ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
        cell: &ActorCell,
    ) -> Result<ActorRef<committer::Message>, SpawnErr> {
        let arguments = committer::Arguments {
            journal: Arc::clone(&self.setup.journal),
            next: Slot(1),
            interval: self.setup.commit_interval,
            ranges,
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
        let partitions = self.source.partitions().to_vec();
        for ((index, name), start) in (0u16..).zip(partitions).zip(starts) {
            let index = proto::types::PartitionIndex(index);
            let source: Arc<dyn Source> = Arc::clone(&self.source);
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
        let (source, links) = (Arc::clone(&self.source), Arc::clone(&self.links));
        // Ends with the supervisor.
        drop(self.supervisor.send_interval(EVERY, move || {
            if links.all_have_committed() {
                source.committed(&links.safe_positions());
            }
            Never
        }));
    }
}

/// Starts a restored range's actor; with it the rows that wait for the sink.
pub(super) async fn range(
    ready: Ready,
    (setup, links): (&Setup, &Shared),
    publisher: &ActorRef<publisher::Message>,
    supervisor: &ActorCell,
) -> Result<(Target, Vec<Row>), SpawnErr> {
    let identity = ready.range.identity();
    links.expect(identity.id);
    let arguments = range::Arguments {
        machine: ready.range,
        store: ready.store,
        place: ready.place,
        rules: Arc::clone(&setup.rules),
        publisher: publisher.clone(),
        links: Arc::clone(links),
        outbox: ready.outbox,
    };
    let (actor, _) = Actor::spawn_linked(None, Range, arguments, supervisor.clone()).await?;
    Ok((Target { range: identity.id, keys: identity.keys, actor }, ready.rows))
}

pub(super) fn ended(error: impl std::fmt::Display) -> StartError {
    StartError::Ended(error.to_string())
}
