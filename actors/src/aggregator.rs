//! The actor that sums one dimension's cells over all ranges, answers queries and pushes what changed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proto::types::RangeId;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::broadcast;
use tracing::{debug, error};

use crate::machine::aggregate::{Again, Aggregate};
pub use crate::machine::aggregate::{Answer, AsOf, Query, Report, UpsertRow, View};
use crate::machine::partial::layout::Layout;

/// How many pushes a subscriber may be behind. One that is slower loses the oldest, is told so by its
/// receiver, and queries again.
pub const MAX_PUSHES_BEHIND: usize = 64;

/// Takes changed cells, the highest version of a key winning. A row may come again after a restart.
pub trait Upserts: Send {
    /// Takes `rows`; must not block. What it loses comes again with the next change or restart.
    fn upsert(&mut self, rows: Vec<UpsertRow>);
}

/// What may be said to an aggregator.
#[derive(Debug)]
pub enum Message {
    /// A range has committed changes. May come twice, late, out of order, from an older epoch.
    Report(Report),
    /// These ranges are expected to report from now on, and no others.
    Expect(BTreeSet<RangeId>),
    /// The dimension is this aggregator's from now on, with these ranges; another had it before, and may push for a
    /// while yet.
    Take(BTreeSet<RangeId>),
    /// The dimension is another's from now on: nothing is known and nothing pushed until [`Message::Take`].
    Yield,
    /// A range's reports are not to be relied on: forget them, it will report whole again.
    Forget(RangeId),
    /// Names and indicators have changed.
    Layout(Arc<Layout>),
    /// Which cells are there?
    Query(Query, RpcReplyPort<Answer>),
    /// What was heard of each range? Whoever feeds the aggregator sends a whole report of each range that
    /// is [`AsOf::wanting`]: after a start, after a loss, after a range was split.
    AsOf(RpcReplyPort<AsOf>),
    /// Every push from now on, as views of cells.
    Subscribe(RpcReplyPort<broadcast::Receiver<Arc<[View]>>>),
    /// Push what has changed since the last tick.
    Tick,
}

/// What an aggregator starts with.
pub struct Arguments {
    /// Names and indicators.
    pub layout: Arc<Layout>,
    /// The ranges that are expected to report.
    pub ranges: BTreeSet<RangeId>,
    /// Where changed cells go.
    pub upserts: Box<dyn Upserts>,
    /// How often changes are pushed; `None` where someone else sends [`Message::Tick`].
    pub every: Option<Duration>,
}

/// One aggregator's state. Just this actor touches it.
pub struct State {
    aggregate: Aggregate,
    layout: Arc<Layout>,
    upserts: Box<dyn Upserts>,
    subscribers: broadcast::Sender<Arc<[View]>>,
    /// `None` where nobody else has had the dimension.
    again: Option<Again>,
    every: Option<Duration>,
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments").field("ranges", &self.ranges).finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("aggregate", &self.aggregate).finish_non_exhaustive()
    }
}

impl State {
    /// A report that does not verify is not taken in; the range is then found wanting, and asked again.
    fn report(&mut self, report: &Report) {
        if let Err(error) = self.aggregate.apply(report) {
            let (range, epoch) = (report.range, report.stamp.epoch);
            error!(%range, %epoch, sequence = %report.stamp.sequence, %error, "report refused");
        }
    }

    fn take(&mut self, ranges: &BTreeSet<RangeId>) {
        self.aggregate.expect(ranges);
        self.again = Some(Again::default());
    }

    fn give_up(&mut self) {
        self.aggregate.expect(&BTreeSet::new());
        self.again = None;
    }

    fn push(&mut self) {
        if self.again.as_mut().is_some_and(Again::tick) {
            self.aggregate.give_again();
        }
        let views = self.aggregate.take_changed();
        if views.is_empty() {
            return;
        }
        let rows = views.iter().filter_map(|view| UpsertRow::of(view, &self.layout)).collect();
        self.upserts.upsert(rows);
        if self.subscribers.receiver_count() > 0 && self.subscribers.send(views.into()).is_err() {
            debug!("the last subscriber has gone");
        }
    }
}

/// The aggregator actor. It holds nothing: all that changes is in [`State`], and all of that comes back
/// from the ranges, so a fresh one may take its place at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aggregator;

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Aggregator {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        Arguments { layout, ranges, upserts, every }: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let (aggregate, subscribers) =
            (Aggregate::new(ranges), broadcast::Sender::new(MAX_PUSHES_BEHIND));
        Ok(State { aggregate, layout, upserts, subscribers, again: None, every })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(every) = state.every {
            // Ends with the actor; nobody needs the handle.
            drop(myself.send_interval(every, || Message::Tick));
        }
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Report(report) => state.report(&report),
            Message::Expect(ranges) => state.aggregate.expect(&ranges),
            Message::Take(ranges) => state.take(&ranges),
            Message::Yield => state.give_up(),
            Message::Forget(range) => state.aggregate.forget_range(range),
            Message::Layout(layout) => state.layout = layout,
            Message::Query(query, reply) => answer(reply, state.aggregate.query(&query)),
            Message::AsOf(reply) => answer(reply, state.aggregate.as_of()),
            Message::Subscribe(reply) => answer(reply, state.subscribers.subscribe()),
            Message::Tick => state.push(),
        }
        Ok(())
    }
}

/// An asker that has gone is none of the aggregator's troubles.
fn answer<T>(reply: RpcReplyPort<T>, value: T) {
    if reply.send(value).is_err() {
        debug!("the asker has gone");
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use proto::types::{Epoch, RecordTime, Sequence};
    use ractor::call;

    use super::*;
    use crate::machine::aggregate::{Since, Stamp};
    use crate::machine::partial::layout::{Dimension, Scenario};
    use crate::machine::partial::{CellKey, Partial, Row};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<Vec<UpsertRow>>>>);

    impl Upserts for Memory {
        fn upsert(&mut self, rows: Vec<UpsertRow>) {
            self.0.lock().push(rows);
        }
    }

    impl Memory {
        /// The versions in each push.
        fn versions(&self) -> Vec<Vec<u64>> {
            let pushes = self.0.lock();
            pushes.iter().map(|rows| rows.iter().map(|row| row.version).collect()).collect()
        }
    }

    async fn aggregator(every: Option<Duration>) -> (ActorRef<Message>, Memory) {
        let dimensions = vec![Dimension { name: "channel".to_owned(), max_values: 9 }];
        let scenario = Scenario { name: "bank".to_owned(), dimensions, indicators: Vec::new() };
        let layout = Arc::new(Layout { scenarios: vec![scenario] });
        let (memory, ranges) = (Memory::default(), [RangeId(1)].into());
        let upserts = Box::new(memory.clone());
        let arguments = Arguments { layout, ranges, upserts, every };
        (Actor::spawn(None, Aggregator, arguments).await.unwrap().0, memory)
    }

    /// Range 1 has a cell with as many transactions as it has commits.
    fn report(sequence: u64) -> Message {
        let mut partial = Partial::default();
        (0..sequence).for_each(|_| partial.add(1, 5));
        let (window_ms, value) = (60_000, "atm".into());
        let key = CellKey { scenario: 0, window_ms, dimension: 0, start: 0, value };
        Message::Report(Report {
            range: RangeId(1),
            stamp: Stamp { epoch: Epoch::new(1), sequence: Sequence(sequence) },
            record_time: RecordTime(0),
            since: Since::Start,
            horizon: i64::MIN,
            cells: [Row { key: key.encode(), value: partial.encode() }].into(),
        })
    }

    fn query() -> Query {
        Query { scenario: 0, window_ms: 60_000, dimension: 0, values: None, from: 0, to: 1 }
    }

    #[tokio::test]
    async fn changes_are_pushed_together_at_the_tick_and_only_once() {
        let (actor, memory) = aggregator(None).await;
        let mut pushes = call!(actor, Message::Subscribe).unwrap();
        for message in [report(1), report(3), report(2), Message::Tick, Message::Tick] {
            actor.cast(message).unwrap();
        }
        let answer = call!(actor, Message::Query, query()).unwrap();
        assert_eq!(memory.versions(), [[3]]);
        assert_eq!(answer.cells[..], pushes.recv().await.unwrap()[..]);
        assert!(pushes.try_recv().is_err());
        actor.stop(None);
    }

    #[tokio::test]
    async fn who_takes_a_dimension_over_pushes_everything_again_and_who_yields_it_nothing() {
        let (actor, memory) = aggregator(None).await;
        let take = || Message::Take([RangeId(1)].into());
        let ticks = |count| (0..count).for_each(|_| actor.cast(Message::Tick).unwrap());
        actor.cast(take()).unwrap();
        actor.cast(report(1)).unwrap();
        ticks(179);
        call!(actor, Message::AsOf).unwrap();
        assert_eq!(memory.versions(), [[1], [1]], "at first, and with the 60th tick");
        ticks(1);
        actor.cast(report(2)).unwrap();
        actor.cast(Message::Yield).unwrap();
        actor.cast(report(2)).unwrap();
        ticks(500);
        let answer = call!(actor, Message::Query, query()).unwrap();
        assert_eq!((answer.cells.len(), answer.as_of.ranges.len()), (0, 0));
        assert_eq!(memory.versions().len(), 3, "and with the 180th, and no more");

        actor.cast(take()).unwrap();
        ticks(1);
        actor.cast(report(1)).unwrap();
        ticks(1);
        call!(actor, Message::AsOf).unwrap();
        assert_eq!(memory.versions()[3..], [[1]], "once it is whole, whatever was pushed before");
        actor.stop(None);
    }

    #[tokio::test]
    async fn a_bad_report_stops_nobody_and_the_range_is_asked_again() {
        let (actor, memory) = aggregator(None).await;
        let Message::Report(mut bad) = report(1) else { unreachable!() };
        bad.cells = [Row { key: Vec::new(), value: Vec::new() }].into();
        actor.cast(Message::Report(bad)).unwrap();
        let as_of = call!(actor, Message::AsOf).unwrap();
        assert_eq!(as_of.wanting().collect::<Vec<_>>(), [RangeId(1)]);

        actor.cast(report(1)).unwrap();
        actor.cast(Message::Tick).unwrap();
        assert_eq!(call!(actor, Message::AsOf).unwrap().wanting().count(), 0);
        assert_eq!(memory.versions(), [[1]]);
        actor.stop(None);
    }

    #[tokio::test]
    async fn a_slow_subscriber_is_told_that_it_missed_something_and_holds_up_nobody() {
        let (actor, memory) = aggregator(None).await;
        let mut pushes = call!(actor, Message::Subscribe).unwrap();
        for sequence in 0..=MAX_PUSHES_BEHIND as u64 {
            actor.cast(report(sequence + 1)).unwrap();
            actor.cast(Message::Tick).unwrap();
        }
        call!(actor, Message::AsOf).unwrap();
        assert_eq!(memory.versions().len(), MAX_PUSHES_BEHIND + 1);
        assert_eq!(pushes.try_recv().unwrap_err(), broadcast::error::TryRecvError::Lagged(1));
        actor.stop(None);
    }

    #[tokio::test]
    async fn the_actor_ticks_by_itself_where_it_is_told_to() {
        let (actor, memory) = aggregator(Some(Duration::from_millis(1))).await;
        let mut pushes = call!(actor, Message::Subscribe).unwrap();
        actor.cast(report(1)).unwrap();
        assert_eq!(pushes.recv().await.unwrap()[0].version, 1);
        assert_eq!(memory.versions(), [[1]]);
        actor.stop(None);
    }
}
