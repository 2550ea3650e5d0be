//! The actor that delivers committed rows to the sink, in order, and tells the ranges what has arrived.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proto::types::{RangeId, Sequence};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{info, warn};

use crate::causes::one_line;
use crate::clock::{Clock, Stopwatch};
use crate::engine::{Life, Links};
use crate::meters::Retry;
use crate::range;
use crate::sink::{Row, Sink, SinkError};

/// What may be said to the publisher.
#[derive(Debug)]
pub enum Message {
    /// Committed rows of a range, in sequence.
    Rows(Vec<Row>),
    /// Deliver what waits.
    Deliver,
    /// These lives are over, and ranges of theirs are on their way here.
    Over(Arc<[Life]>),
    /// These ranges are to be served.
    Serve(Serve),
    /// Begin to serve all that are to be.
    Begin,
    /// A range has ended, with all its rows acknowledged.
    Leave(RangeId),
}

/// Ranges that are to be served.
#[derive(Debug, Default)]
pub struct Serve {
    /// They hear of acknowledgements.
    pub ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
    /// Rows of theirs that wait since before; those that the sink has already are dropped.
    pub rows: Vec<Row>,
    /// The lives that are over: whoever had the ranges before is among them, or has delivered all.
    pub ended: Vec<Life>,
}

/// The publisher's state.
#[expect(clippy::struct_excessive_bools, reason = "one of itself, one of the sink")]
pub struct State {
    sink: Box<dyn Sink>,
    links: Arc<Links>,
    clock: Clock,
    ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
    waiting: VecDeque<Row>,
    is_called: bool,
    /// Whether the sink has said once what it has: before that it takes nothing.
    has_begun: bool,
    /// Set until they are taken up, which [`Message::Begin`] is on its way for.
    coming: Option<Coming>,
}

/// Ranges that are to be served as soon as the sink has said what it has of them. It takes a sink a second to shut
/// others out: ranges that come one after the other, as after the death of a node, do not each wait for that.
#[derive(Default)]
struct Coming {
    serve: Serve,
    /// What these ranges have committed meanwhile: it goes behind what waits since before.
    behind: Vec<Row>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

/// The publisher actor.
#[derive(Debug)]
pub struct Publisher;

/// Rows of one delivery at most.
const MAX_ROWS: usize = 20_000;
/// How long a sink that does not answer is left alone.
const RETRY: Duration = Duration::from_millis(500);

impl Coming {
    fn add(&mut self, Serve { ranges, rows, ended }: Serve) {
        self.serve.ranges.extend(ranges);
        self.serve.rows.extend(rows);
        self.serve.ended.extend(ended);
    }
}

impl State {
    fn call(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        if !self.is_called && !self.waiting.is_empty() {
            self.is_called = true;
            myself.cast(Message::Deliver)?;
        }
        Ok(())
    }

    async fn deliver(&mut self) -> Result<(), ActorProcessingErr> {
        self.is_called = false;
        let count = self.waiting.len().min(MAX_ROWS);
        let mut rows: Vec<Row> = self.waiting.drain(..count).collect();
        let bytes: usize = rows.iter().map(size).sum();
        let mut last = BTreeMap::new();
        for row in &rows {
            last.insert(row.stamp.range, row.stamp.sequence);
        }
        let mut attempts = 0u32;
        while let Err(error) = self.attempt(&rows).await {
            if let SinkError::Fenced(_) = error {
                return Err(error.into());
            }
            attempts += 1;
            self.links.meters().retried(Retry::Delivery);
            self.links.degraded(format!("results wait: {}", one_line(&error)));
            warn!(
                error = one_line(&error),
                attempts,
                rows = rows.len(),
                "delivery failed, trying again"
            );
            tokio::time::sleep(RETRY).await;
            let delivered = self.recover(&[]).await?;
            rows.retain(|row| {
                delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
            });
        }
        if attempts > 0 {
            info!(attempts, "delivery goes on");
            self.links.recovered();
        }
        self.links.sink_took(count, bytes);
        acknowledge(&self.ranges, last);
        Ok(())
    }

    /// One call of the sink, measured where all rows are acknowledged.
    async fn attempt(&mut self, rows: &[Row]) -> Result<(), SinkError> {
        let stopwatch = Stopwatch::start();
        self.sink.deliver(rows).await?;
        self.links.meters().delivered(rows, (self.clock)(), stopwatch.elapsed());
        Ok(())
    }

    /// Fences older writers, and asks the sink what it has. Tries until the sink answers.
    async fn recover(
        &mut self,
        ended: &[Life],
    ) -> Result<BTreeMap<RangeId, Sequence>, ActorProcessingErr> {
        loop {
            match self.ask(ended).await {
                Ok(delivered) => {
                    self.has_begun = true;
                    return Ok(delivered.into_iter().collect());
                }
                Err(error @ SinkError::Fenced(_)) => return Err(error.into()),
                Err(error) => {
                    self.links.meters().retried(Retry::Recovery);
                    self.links.degraded(format!("results wait: {}", one_line(&error)));
                    warn!(error = one_line(&error), "sink does not answer, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// I7: the order matters. What the sink says it has is true only once nobody else can deliver.
    async fn ask(&mut self, ended: &[Life]) -> Result<Vec<(RangeId, Sequence)>, SinkError> {
        self.sink.fence(ended).await?;
        self.sink.recover().await
    }

    /// Shuts lives out already while their ranges are restored: what they left open in the sink may hide results of
    /// everybody. Tried once, as [`State::serve`] does it again, for certain.
    async fn shut_out(&mut self, lives: &[Life]) -> Result<(), ActorProcessingErr> {
        match self.sink.fence(lives).await {
            Err(error @ SinkError::Fenced(_)) => return Err(error.into()),
            Err(error) => warn!(error = one_line(&error), "lives that are over are not shut out"),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Takes up all ranges that have come since.
    async fn begin(&mut self) -> Result<(), ActorProcessingErr> {
        let Coming { mut serve, behind } = self.coming.take().unwrap_or_default();
        serve.ended.sort_unstable();
        serve.ended.dedup();
        self.serve(serve).await?;
        self.waiting.extend(behind);
        Ok(())
    }

    /// Rows that were committed now. All are of one range.
    fn take(&mut self, rows: Vec<Row>) {
        let range = rows.first().map(|row| row.stamp.range);
        let coming = self.coming.as_mut();
        match coming.filter(|it| range.is_some_and(|range| it.serve.ranges.contains_key(&range))) {
            Some(coming) => coming.behind.extend(rows),
            None => self.waiting.extend(rows),
        }
    }

    fn leave(&mut self, range: RangeId) {
        self.ranges.remove(&range);
        if let Some(coming) = &mut self.coming {
            coming.serve.ranges.remove(&range);
        }
    }

    /// The sink says what it has; rows that wait since before and are there already are dropped. It is not asked where
    /// none wait, as behind a planned move: all that was ever committed of the ranges has been acknowledged.
    async fn serve(
        &mut self,
        Serve { ranges, mut rows, ended }: Serve,
    ) -> Result<(), ActorProcessingErr> {
        if self.has_begun && rows.is_empty() {
            self.ranges.extend(ranges);
            return Ok(());
        }
        let delivered = self.recover(&ended).await?;
        let before = rows.len();
        rows.retain(|row| {
            delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
        });
        info!(waiting = rows.len(), delivered = before - rows.len(), "sink is ready");
        acknowledge(&ranges, delivered);
        self.ranges.extend(ranges);
        self.links.wait_for_sink(&rows);
        self.waiting.extend(rows);
        self.links.recovered();
        Ok(())
    }
}

/// Tells ranges what the sink has of them. One that was given up before its turn came has ended, and needs not hear
/// it: its [`Message::Leave`] is on its way. One that failed is the supervisor's to tell of.
fn acknowledge(
    ranges: &BTreeMap<RangeId, ActorRef<range::Message>>,
    delivered: BTreeMap<RangeId, Sequence>,
) {
    for (range, sequence) in delivered {
        if let Some(range) = ranges.get(&range) {
            drop(range.cast(range::Message::Acknowledged(sequence)));
        }
    }
}

/// Bytes of a row, about.
#[must_use]
pub fn size(row: &Row) -> usize {
    row.key.len() + row.payload.len() + 64
}

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Publisher {
    type Msg = Message;
    type State = State;
    type Arguments = (Box<dyn Sink>, Arc<Links>, Clock);

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (sink, links, clock): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let (ranges, waiting) = (BTreeMap::new(), VecDeque::new());
        let (is_called, has_begun, coming) = Default::default();
        Ok(State { sink, links, clock, ranges, waiting, is_called, has_begun, coming })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Over(lives) => state.shut_out(&lives).await?,
            Message::Serve(serve) => {
                if state.coming.is_none() {
                    myself.cast(Message::Begin)?;
                }
                state.coming.get_or_insert_default().add(serve);
            }
            Message::Begin => state.begin().await?,
            Message::Rows(rows) => state.take(rows),
            Message::Deliver => state.deliver().await?,
            Message::Leave(range) => state.leave(range),
        }
        state.call(&myself)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use parking_lot::Mutex;
    use proto::types::{Epoch, Incarnation, NodeId, RecordTime, Version};

    use super::*;
    use crate::range::silent::Silent;
    use crate::sink::{Outlet, Stamp};

    /// What a sink was asked to do.
    #[derive(Debug, Eq, PartialEq)]
    enum Asked {
        Fence(Vec<Life>),
        Recover,
        Deliver,
    }

    /// Answers as it is told to, each call with the next answer.
    struct Told(VecDeque<bool>, Arc<Mutex<Vec<Asked>>>);

    impl Told {
        fn answer(&mut self, asked: Asked) -> Result<(), SinkError> {
            self.1.lock().push(asked);
            if self.0.pop_front().unwrap_or(false) {
                return Ok(());
            }
            let source = std::io::Error::other("gone").into();
            Err(SinkError::Unavailable { doing: "write".to_owned(), source })
        }
    }

    impl Sink for Told {
        fn fence<'a>(&'a mut self, lives: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>> {
            let answer = self.answer(Asked::Fence(lives.to_vec()));
            async { answer }.boxed()
        }

        fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>> {
            let has = vec![(RangeId(1), Sequence(0))];
            let answer = self.answer(Asked::Recover).map(|()| has);
            async { answer }.boxed()
        }

        fn deliver<'a>(&'a mut self, _: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>> {
            let answer = self.answer(Asked::Deliver);
            async { answer }.boxed()
        }
    }

    fn row(arrived: Option<RecordTime>) -> Row {
        let (range, epoch) = (RangeId(1), Epoch::NONE.next());
        let stamp = Stamp { range, epoch, sequence: Sequence(1), version: Version(1) };
        let (key, payload) = ("key".into(), "payload".into());
        Row { outlet: Outlet::Transactions, stamp, key, payload, headers: vec![], arrived }
    }

    /// A publisher at 5,000 ms with two rows; the newest leg of one of them arrived at 4,960.
    fn publisher(answers: &[bool]) -> State {
        watched(answers, &Arc::default())
    }

    /// The same, whose sink notes what it is asked.
    fn watched(answers: &[bool], asked: &Arc<Mutex<Vec<Asked>>>) -> State {
        let links = Arc::new(Links::alone());
        let waiting = VecDeque::from([row(Some(RecordTime(4_960))), row(None)]);
        links.wait_for_sink(waiting.as_slices().0);
        let (sink, clock): (_, Clock) =
            (Box::new(Told(answers.to_vec().into(), Arc::clone(asked))), Arc::new(|| 5_000));
        let ranges = BTreeMap::new();
        let (is_called, has_begun, coming) = (true, false, None);
        State { sink, links, clock, ranges, waiting, is_called, has_begun, coming }
    }

    #[tokio::test]
    async fn acknowledged_rows_are_measured_and_wait_no_longer() {
        let mut publisher = publisher(&[true]);
        publisher.deliver().await.unwrap();
        let shown = publisher.links.meters().shown();
        assert_eq!((shown.emit.count(), shown.emit.sum_us), (1, 40_000));
        assert_eq!((shown.sink.count(), shown.rows), (1, 0));
        assert_eq!(shown.retries, [(Retry::Delivery, 0), (Retry::Recovery, 0)]);
    }

    /// A sink that fails is left alone for a while: what was counted up to then is looked at.
    #[tokio::test]
    async fn a_failure_is_counted_with_its_reason_and_its_rows_wait_on() {
        let mut failing = publisher(&[false]);
        assert!(failing.deliver().now_or_never().is_none());
        let shown = failing.links.meters().shown();
        assert_eq!(shown.retries, [(Retry::Delivery, 1), (Retry::Recovery, 0)]);
        assert_eq!((shown.emit.count(), shown.sink.count(), shown.rows), (0, 0, 2));

        let mut silent = publisher(&[false]);
        assert!(silent.recover(&[]).now_or_never().is_none());
        let shown = silent.links.meters().shown();
        assert_eq!(shown.retries, [(Retry::Delivery, 0), (Retry::Recovery, 1)]);
    }

    /// A sink takes a second to shut others out; a range may be given up again before.
    #[tokio::test]
    async fn a_range_that_has_left_before_its_turn_came_stops_nobody() {
        let (gone, ended) = Actor::spawn(None, Silent, ()).await.unwrap();
        gone.stop_and_wait(None, None).await.unwrap();
        ended.await.unwrap();
        let mut publisher = publisher(&[true, true, true, true]);
        publisher.deliver().await.unwrap();
        let ranges = BTreeMap::from([(RangeId(1), gone)]);
        let serve = Serve { ranges, rows: Vec::new(), ended: Vec::new() };
        publisher.serve(serve).await.unwrap();
        publisher.waiting.push_back(row(None));
        publisher.deliver().await.unwrap();
    }

    #[tokio::test]
    async fn the_sink_is_not_asked_about_ranges_of_which_nothing_waits() {
        let asked = Arc::default();
        let mut publisher = watched(&[true, true], &asked);
        publisher.serve(Serve::default()).await.unwrap();
        publisher.serve(Serve::default()).await.unwrap();
        assert_eq!(*asked.lock(), [Asked::Fence(Vec::new()), Asked::Recover]);
    }

    #[tokio::test]
    async fn lives_that_are_over_are_shut_out_before_their_ranges_come() {
        let life = (Incarnation(1), NodeId::new("a").unwrap());
        let asked = Arc::default();
        let mut publisher = watched(&[false, true], &asked);
        // That a sink fails here is no end: it is asked again when the ranges come.
        publisher.shut_out(std::slice::from_ref(&life)).await.unwrap();
        publisher.shut_out(std::slice::from_ref(&life)).await.unwrap();
        assert_eq!(*asked.lock(), [Asked::Fence(vec![life.clone()]), Asked::Fence(vec![life])]);
    }

    /// Ranges come one by one from a node that died: the sink is asked once, and each range's rows stay in order.
    #[tokio::test]
    async fn ranges_that_come_together_are_taken_up_together_and_what_they_commit_goes_behind() {
        let (actor, _ended) = Actor::spawn(None, Silent, ()).await.unwrap();
        let mut publisher = publisher(&[true, true]);
        publisher.waiting.clear();
        let numbered = |range, sequence| {
            let stamp = Stamp { range, sequence: Sequence(sequence), ..row(None).stamp };
            Row { stamp, ..row(None) }
        };
        let lives = [1, 2].map(|number| (Incarnation(number), NodeId::new("a").unwrap()));
        for (number, life) in (1..).zip(&lives) {
            let ranges = BTreeMap::from([(RangeId(number), actor.clone())]);
            let rows = vec![numbered(RangeId(number), 1)];
            let ended = vec![life.clone(), lives[0].clone()];
            publisher.coming.get_or_insert_default().add(Serve { ranges, rows, ended });
            publisher.take(vec![numbered(RangeId(number), 2)]);
        }
        publisher.take(vec![numbered(RangeId(3), 7)]);
        publisher.begin().await.unwrap();
        let order = publisher.waiting.iter().map(|row| (row.stamp.range.0, row.stamp.sequence.0));
        assert_eq!(order.collect::<Vec<_>>(), [(3, 7), (1, 1), (2, 1), (1, 2), (2, 2)]);
        assert_eq!(publisher.ranges.len(), 2);
    }

    /// I7: what the sink says it has may else grow behind its answer, and rows come twice.
    #[tokio::test]
    async fn those_who_are_over_are_shut_out_before_the_sink_is_asked_what_it_has() {
        let over = vec![(Incarnation(1), NodeId::new("a").unwrap())];
        let asked = Arc::default();
        let check = |answers: &[bool], is_served: bool, expected: &[Asked]| {
            let mut publisher = watched(answers, &asked);
            let rows = vec![row(None)];
            let serve = Serve { ranges: BTreeMap::new(), rows, ended: over.clone() };
            let served = publisher.serve(serve).now_or_never();
            assert_eq!(served.is_some_and(|it| it.is_ok()), is_served, "{answers:?}");
            assert_eq!(std::mem::take(&mut *asked.lock()), expected, "{answers:?}");
        };
        let fence = || Asked::Fence(over.clone());
        check(&[true, true], true, &[fence(), Asked::Recover]);
        check(&[false], false, &[fence()]);
    }
}
