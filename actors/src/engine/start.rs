//! An engine starts: ranges first, then what publishes, commits and reads; it ends with the first of them that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proto::types::{Epoch, Incarnation, NodeId, PartitionIndex, RangeId, Slot, SourcePartition};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use tokio::sync::watch;

use super::aggregators::Aggregators;
use super::copies::Copy;
use super::links::{Links, Shared, Shown};
use super::reads::Kit;
use super::restore::{Ready, RestoreError, least, restore};
use super::routes::Feeding;
use super::supervisor::{Never, Supervisor};
use super::{Holding, Life, Setup};
use crate::clock::Clock;
use crate::committer::{self, Committer};
use crate::machine::positions::Position;
use crate::meters::Meters;
use crate::publisher::{self, Publisher};
use crate::range::{self, Range};
use crate::reader::{Alignment, Target};
use crate::sink::{Row, Sink};
use crate::source::Source;

/// A node's running engine. Dropping it does not stop it; [`Engine::stop`] does.
#[derive(Debug)]
pub struct Engine {
    pub(super) setup: Arc<Setup>,
    /// What readers are made of, and with it the source: only until the engine stops.
    pub(super) kit: Mutex<Option<Kit>>,
    pub(super) feeding: Mutex<Feeding>,
    pub(super) owned: Mutex<Owned>,
    partitions: Vec<SourcePartition>,
    /// Of ranges that other nodes own.
    pub(super) copies: Mutex<BTreeMap<RangeId, Arc<Copy>>>,
    /// For each range: it comes and goes one step at a time.
    pub(super) turns: Turns,
    /// Who reads and who is read for changes one at a time, and never for long.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) links: Shared,
    pub(super) committer: ActorRef<committer::Message>,
    pub(super) publisher: ActorRef<publisher::Message>,
    pub(super) supervisor: ActorRef<Never>,
    failure: watch::Receiver<Option<String>>,
}

/// A lock for each range that came or went.
pub(super) type Turns = Mutex<BTreeMap<RangeId, Arc<tokio::sync::Mutex<()>>>>;

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
    /// It is served here under an epoch that is over.
    #[error("take range {0} on: it is still served here under an older epoch; give it up first")]
    Served(RangeId),
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
        let ahead_ms = u64::try_from(setup.alignment.as_millis()).unwrap_or(u64::MAX);
        let alignment = Alignment::new(starts.len(), ahead_ms, Arc::clone(&setup.clock));
        let links = Links::new(aggregators, setup.outbox_bytes, &starts, Arc::new(alignment));
        let feeding = Feeding::default();
        let (setup, links) = (Arc::new(setup), Arc::new(links));
        let kit = Kit::new(setup, source, links, supervisor.get_cell());
        let over = holdings.iter().flat_map(|it| it.ended.iter().cloned());
        let started = Started { kit, feeding, supervisor, over: over.collect() };
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
    pub fn node(&self) -> &NodeId {
        &self.setup.node
    }

    /// This life of the node.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
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
    kit: Kit,
    feeding: Feeding,
    supervisor: ActorRef<Never>,
    /// The lives that are over.
    over: BTreeSet<Life>,
}

impl Started {
    async fn go_on(
        mut self,
        ready: Vec<Ready>,
        sink: Box<dyn Sink>,
        starts: &[Position],
        failure: watch::Receiver<Option<String>>,
    ) -> Result<Engine, StartError> {
        let cell = self.supervisor.get_cell();
        let (setup, links) = (Arc::clone(&self.kit.setup), Arc::clone(&self.kit.links));
        let arguments = (sink, Arc::clone(&links), Arc::clone(&setup.clock));
        let (publisher, _) = Actor::spawn_linked(None, Publisher, arguments, cell.clone()).await?;
        let (mut ranges, mut rows, mut restored) = (Vec::new(), Vec::new(), BTreeMap::new());
        for one in ready {
            restored.insert(one.range.identity().id, one.range.sequence());
            let (target, waiting) = range(one, (&setup, &links), &publisher, &cell).await?;
            ranges.push(target);
            rows.extend(waiting);
        }
        ranges.sort_by_key(|target| target.keys.start());
        let by_id: BTreeMap<_, _> = ranges.iter().map(|it| (it.range, it.actor.clone())).collect();
        let ended = self.over.iter().cloned().collect();
        let serve = publisher::Serve { ranges: by_id.clone(), restored, rows, ended };
        publisher.cast(publisher::Message::Serve(serve)).map_err(self::ended)?;
        let committer = self.committer(by_id, &cell).await?;
        self.readers(&ranges, starts).await?;
        ranges.iter().for_each(|target| links.served().enter(target.clone()));
        self.tell_source();
        let partitions = self.kit.source.partitions().to_vec();
        Ok(Engine {
            setup,
            kit: Mutex::new(Some(self.kit)),
            feeding: Mutex::new(self.feeding),
            owned: Mutex::new(Owned { holdings: Vec::new(), ranges }),
            partitions,
            copies: Mutex::default(),
            turns: Turns::default(),
            turn: tokio::sync::Mutex::default(),
            links,
            committer,
            publisher,
            supervisor: self.supervisor,
            failure,
        })
    }

    async fn committer(
        &self,
        ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
        cell: &ActorCell,
    ) -> Result<ActorRef<committer::Message>, SpawnErr> {
        let setup = &self.kit.setup;
        let arguments = committer::Arguments {
            journal: Arc::clone(&setup.journal),
            next: Slot(1),
            interval: setup.commit_interval,
            ranges,
            links: Arc::clone(&self.kit.links),
        };
        let clock: Clock = Arc::clone(&setup.clock);
        Ok(Actor::spawn_linked(None, Committer, (arguments, clock), cell.clone()).await?.0)
    }

    async fn readers(&mut self, ranges: &[Target], starts: &[Position]) -> Result<(), SpawnErr> {
        let reads = self.kit.setup.reads.clone();
        let is_read = |index| reads.as_ref().is_none_or(|reads| reads.contains(&index));
        let starts = (0..).map(PartitionIndex).zip(starts);
        for (index, start) in starts.filter(|(index, _)| is_read(*index)) {
            let reader = self.kit.reader(index, *start, ranges.to_vec()).await?;
            self.feeding.readers.extend(reader.map(|reader| (index, reader)));
        }
        Ok(())
    }

    /// Ordinary lag tools hear where everything is durable.
    fn tell_source(&self) {
        const EVERY: Duration = Duration::from_secs(5);
        let (source, links) = (Arc::clone(&self.kit.source), Arc::clone(&self.kit.links));
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
    links.expect(identity.id, ready.range.positions());
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
    let (range, keys, epoch) = (identity.id, identity.keys, identity.epoch);
    Ok((Target { range, keys, epoch, actor }, ready.rows))
}

pub(super) fn ended(error: impl std::fmt::Display) -> StartError {
    StartError::Ended(error.to_string())
}
