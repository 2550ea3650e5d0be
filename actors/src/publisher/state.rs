//! What waits for the sink, and what the sink is called for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use proto::types::{RangeId, Sequence};
use ractor::{ActorProcessingErr, ActorRef, ActorStatus};
use tracing::{info, warn};

use super::{Called, Serve, size};
use crate::causes::one_line;
use crate::clock::{Clock, Stopwatch};
use crate::engine::{Life, Links};
use crate::meters::Retry;
use crate::range;
use crate::sink::{Row, Sink, SinkError};

/// Rows of one delivery at most.
const MAX_ROWS: usize = 20_000;

/// The publisher's state.
pub struct State {
    pub(super) sink: Box<dyn Sink>,
    pub(super) links: Arc<Links>,
    clock: Clock,
    pub(super) ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
    pub(super) waiting: VecDeque<Row>,
    /// Set from the moment that a delivery is called for until it has arrived.
    is_called: bool,
    /// What the sink had when it last said so; before that it takes nothing.
    pub(super) has: Option<BTreeMap<RangeId, Sequence>>,
    /// Rows that the sink may have or not: they come before all that waits.
    unsettled: Option<Delivery>,
    /// Set until they are taken up, which [`super::Message::Begin`] is on its way for.
    pub(super) coming: Option<Coming>,
}

/// Ranges that are to be served as soon as the sink has said what it has of them. It takes a sink a second to shut
/// others out: ranges that come one after the other, as after the death of a node, do not each wait for that.
#[derive(Default)]
pub(super) struct Coming {
    serve: Serve,
    /// What these ranges have committed meanwhile: it goes behind what waits since before.
    behind: Vec<Row>,
}

/// Rows of one call, as many as there were when it was first made.
struct Delivery {
    rows: Vec<Row>,
    count: usize,
    bytes: usize,
    /// What is acknowledged once all are there.
    last: BTreeMap<RangeId, Sequence>,
    /// Calls that failed.
    failed: u32,
}

/// What was restored is older than what was delivered: further results would count as delivered already (I6).
#[derive(Debug, thiserror::Error)]
#[error(
    "the sink has results of range {range} up to {delivered}, and what was restored goes up to {restored}: the state is \
     older than its results; put the newer state back, or deliver under another prefix"
)]
struct Ahead {
    range: RangeId,
    /// The last sequence that the sink has.
    delivered: Sequence,
    /// The last sequence that was committed, as far as the state knows.
    restored: Sequence,
}

impl Coming {
    fn add(&mut self, Serve { ranges, restored, rows, ended }: Serve) {
        self.serve.ranges.extend(ranges);
        self.serve.restored.extend(restored);
        self.serve.rows.extend(rows);
        self.serve.ended.extend(ended);
        self.serve.ended.sort_unstable();
        self.serve.ended.dedup();
    }
}

impl Delivery {
    fn new(rows: Vec<Row>) -> Self {
        let (count, bytes) = (rows.len(), rows.iter().map(size).sum());
        let last = rows.iter().map(|row| (row.stamp.range, row.stamp.sequence)).collect();
        Self { rows, count, bytes, last, failed: 0 }
    }
}

impl State {
    pub(super) fn new(sink: Box<dyn Sink>, links: Arc<Links>, clock: Clock) -> Self {
        let (ranges, waiting) = (BTreeMap::new(), VecDeque::new());
        let (is_called, has, unsettled, coming) = Default::default();
        Self { sink, links, clock, ranges, waiting, is_called, has, unsettled, coming }
    }

    /// Whether a delivery is to be called for now; it is taken as called for then.
    pub(super) fn call(&mut self) -> bool {
        let calls = self.has.is_some() && !self.is_called && !self.waiting.is_empty();
        self.is_called |= calls;
        calls
    }

    /// Ranges are to be served; whether to begin with them is to be called for.
    pub(super) fn come(&mut self, serve: Serve) -> bool {
        let is_first = self.coming.is_none();
        self.coming.get_or_insert_default().add(serve);
        is_first
    }

    /// Rows that were committed now. All are of one range.
    pub(super) fn take(&mut self, rows: Vec<Row>) {
        let range = rows.first().map(|row| row.stamp.range);
        let coming = self.coming.as_mut();
        match coming.filter(|it| range.is_some_and(|range| it.serve.ranges.contains_key(&range))) {
            Some(coming) => coming.behind.extend(rows),
            None => self.waiting.extend(rows),
        }
    }

    pub(super) fn leave(&mut self, range: RangeId) {
        self.ranges.remove(&range);
        if let Some(coming) = &mut self.coming {
            coming.serve.ranges.remove(&range);
        }
    }

    /// Shuts lives out already while their ranges are restored: what they left open in the sink may hide results of
    /// everybody. Tried once, as [`State::begin`] does it again, for certain.
    pub(super) async fn shut_out(&mut self, lives: &[Life]) -> Result<(), ActorProcessingErr> {
        match self.sink.fence(lives).await {
            Err(error @ SinkError::Fenced(_)) => return Err(error.into()),
            Err(error) => warn!(error = one_line(&error), "lives that are over are not shut out"),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Takes up all ranges that have come since. The sink says what it has; rows that wait since before and are there
    /// already are dropped. It is not asked where none wait, as behind a planned move: all that was ever committed of
    /// the ranges has been acknowledged.
    pub(super) async fn begin(&mut self) -> Result<Called, ActorProcessingErr> {
        let Some(mut coming) = self.coming.take() else { return Ok(Called::Done) };
        let asks = self.has.is_none() || !coming.serve.rows.is_empty();
        if asks && !self.recover(&coming.serve.ended).await? {
            self.coming = Some(coming);
            return Ok(Called::Again);
        }
        let delivered = self.has.get_or_insert_default();
        // Also where it was not asked: what it had before was committed before.
        not_ahead(delivered, &coming.serve)?;
        if asks {
            let rows = &mut coming.serve.rows;
            let before = rows.len();
            rows.retain(missing(delivered));
            info!(waiting = rows.len(), delivered = before - rows.len(), "sink is ready");
            acknowledge(&coming.serve.ranges, delivered);
            self.links.wait_for_sink(rows);
            self.links.recovered();
        }
        self.ranges.extend(coming.serve.ranges);
        self.waiting.extend(coming.serve.rows);
        self.waiting.extend(coming.behind);
        Ok(Called::Done)
    }

    /// Delivers what waits. What is unsettled comes first, as far as the sink says that it lacks it.
    pub(super) async fn deliver(&mut self) -> Result<Called, ActorProcessingErr> {
        let mut delivery = match self.unsettled.take() {
            Some(mut unsettled) => {
                if !self.recover(&[]).await? {
                    self.unsettled = Some(unsettled);
                    return Ok(Called::Again);
                }
                unsettled.rows.retain(missing(self.has.get_or_insert_default()));
                unsettled
            }
            None => {
                let count = self.waiting.len().min(MAX_ROWS);
                Delivery::new(self.waiting.drain(..count).collect())
            }
        };
        match self.attempt(&delivery.rows).await {
            Ok(()) => {}
            Err(error @ SinkError::Fenced(_)) => return Err(error.into()),
            Err(error) => {
                delivery.failed += 1;
                self.links.meters().retried(Retry::Delivery);
                self.links.degraded(format!("results wait: {}", one_line(&error)));
                let (attempts, rows) = (delivery.failed, delivery.rows.len());
                let error = one_line(&error);
                warn!(error, attempts, rows, "delivery failed, trying again");
                self.unsettled = Some(delivery);
                return Ok(Called::Again);
            }
        }
        self.is_called = false;
        if delivery.failed > 0 {
            info!(attempts = delivery.failed, "delivery goes on");
            self.links.recovered();
        }
        self.links.sink_took(delivery.count, delivery.bytes);
        acknowledge(&self.ranges, &delivery.last);
        Ok(Called::Done)
    }

    /// One call of the sink, measured where all rows are acknowledged.
    async fn attempt(&mut self, rows: &[Row]) -> Result<(), SinkError> {
        let stopwatch = Stopwatch::start();
        self.sink.deliver(rows).await?;
        self.links.meters().delivered(rows, (self.clock)(), stopwatch.elapsed());
        Ok(())
    }

    /// Fences older writers, and asks the sink what it has; false where it does not answer.
    async fn recover(&mut self, ended: &[Life]) -> Result<bool, ActorProcessingErr> {
        match self.ask(ended).await {
            Ok(delivered) => {
                self.has = Some(delivered.into_iter().collect());
                Ok(true)
            }
            Err(error @ SinkError::Fenced(_)) => Err(error.into()),
            Err(error) => {
                self.links.meters().retried(Retry::Recovery);
                self.links.degraded(format!("results wait: {}", one_line(&error)));
                warn!(error = one_line(&error), "sink does not answer, trying again");
                Ok(false)
            }
        }
    }

    /// I7: the order matters. What the sink says it has is true only once nobody else can deliver.
    async fn ask(&mut self, ended: &[Life]) -> Result<Vec<(RangeId, Sequence)>, SinkError> {
        self.sink.fence(ended).await?;
        self.sink.recover().await
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

/// I6: who restored less than the sink has would make results anew that it holds to be delivered.
/// A range that was given up again meanwhile is over here before anybody else delivers for it.
fn not_ahead(delivered: &BTreeMap<RangeId, Sequence>, serve: &Serve) -> Result<(), Ahead> {
    for (&range, &restored) in &serve.restored {
        let actor = serve.ranges.get(&range);
        let is_here = actor.is_some_and(|it| it.get_status() < ActorStatus::Stopping);
        let delivered = delivered.get(&range).copied().unwrap_or_default();
        if is_here && delivered > restored {
            return Err(Ahead { range, delivered, restored });
        }
    }
    Ok(())
}

/// Whether the sink, which has `delivered`, lacks a row.
fn missing(delivered: &BTreeMap<RangeId, Sequence>) -> impl Fn(&Row) -> bool {
    |row| delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
}

/// Tells ranges what the sink has of them. One that was given up before its turn came has ended, and needs not hear
/// it: its [`super::Message::Leave`] is on its way. One that failed is the supervisor's to tell of.
fn acknowledge(
    ranges: &BTreeMap<RangeId, ActorRef<range::Message>>,
    delivered: &BTreeMap<RangeId, Sequence>,
) {
    for (range, &sequence) in delivered {
        if let Some(range) = ranges.get(range) {
            drop(range.cast(range::Message::Acknowledged(sequence)));
        }
    }
}
