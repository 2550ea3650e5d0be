//! The publisher with a sink that answers as it is told to.

use std::collections::VecDeque;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use proto::types::{Epoch, Incarnation, NodeId, RecordTime, Sequence, Version};

use super::*;
use crate::meters::Retry;
use crate::range::silent::Silent;
use crate::sink::{Outlet, SinkError, Stamp};

/// What a sink was asked to do.
#[derive(Debug, Eq, PartialEq)]
enum Asked {
    Fence(Vec<Life>),
    Recover,
    /// Rows with these sequences.
    Deliver(Vec<u64>),
}

/// Answers as it is told to, each call with the next answer; has a range's rows up to a sequence.
struct Told(VecDeque<bool>, Arc<Mutex<Vec<Asked>>>, u64);

impl Told {
    fn answer(&mut self, asked: Asked) -> Result<(), SinkError> {
        self.1.lock().push(asked);
        if self.0.pop_front().unwrap_or(false) {
            return Ok(());
        }
        Err(gone())
    }
}

impl Sink for Told {
    fn fence<'a>(&'a mut self, lives: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>> {
        let answer = self.answer(Asked::Fence(lives.to_vec()));
        async { answer }.boxed()
    }

    fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>> {
        let has = vec![(RangeId(1), Sequence(self.2))];
        let answer = self.answer(Asked::Recover).map(|()| has);
        async { answer }.boxed()
    }

    fn deliver<'a>(&'a mut self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>> {
        let answer = self.answer(deliver(rows));
        // Of what it does not acknowledge it may have the beginning.
        if answer.is_err() && self.2 == 0 {
            self.2 = rows.first().map_or(0, |row| row.stamp.sequence.0);
        }
        async { answer }.boxed()
    }
}

/// Says what it has once the lives that are over are shut out.
struct Hidden {
    is_shut_out: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Sink for Hidden {
    fn fence<'a>(&'a mut self, lives: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>> {
        self.is_shut_out |= !lives.is_empty();
        async { Ok(()) }.boxed()
    }

    fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>> {
        let answer = if self.is_shut_out { Ok(Vec::new()) } else { Err(gone()) };
        async { answer }.boxed()
    }

    fn deliver<'a>(&'a mut self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>> {
        self.asked.lock().push(deliver(rows));
        async { Ok(()) }.boxed()
    }
}

fn deliver(rows: &[Row]) -> Asked {
    Asked::Deliver(rows.iter().map(|row| row.stamp.sequence.0).collect())
}

fn gone() -> SinkError {
    let source = std::io::Error::other("gone").into();
    SinkError::Unavailable { doing: "write".to_owned(), source }
}

fn row(arrived: Option<RecordTime>) -> Row {
    let (range, epoch) = (RangeId(1), Epoch::NONE.next());
    let stamp = Stamp { range, epoch, sequence: Sequence(1), version: Version(1) };
    let (key, payload) = ("key".into(), "payload".into());
    Row { outlet: Outlet::Transactions, stamp, key, payload, headers: vec![], arrived }
}

fn numbered(range: u16, sequence: u64) -> Row {
    let (range, sequence) = (RangeId(range), Sequence(sequence));
    let stamp = Stamp { range, sequence, ..row(None).stamp };
    Row { stamp, ..row(None) }
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
    let sink = Box::new(Told(answers.to_vec().into(), Arc::clone(asked), 0));
    let mut state = State::new(sink, links, Arc::new(|| 5_000));
    state.waiting = waiting;
    state
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
    assert_eq!(failing.deliver().await.unwrap(), Called::Again);
    let shown = failing.links.meters().shown();
    assert_eq!(shown.retries, [(Retry::Delivery, 1), (Retry::Recovery, 0)]);
    assert_eq!((shown.emit.count(), shown.sink.count(), shown.rows), (0, 0, 2));

    let mut silent = publisher(&[false]);
    silent.come(Serve::default());
    assert_eq!(silent.begin().await.unwrap(), Called::Again);
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
    let serve = Serve { ranges, ..Serve::default() };
    publisher.come(serve);
    publisher.begin().await.unwrap();
    publisher.waiting.push_back(row(None));
    publisher.deliver().await.unwrap();
}

#[tokio::test]
async fn the_sink_is_not_asked_about_ranges_of_which_nothing_waits() {
    let asked = Arc::default();
    let mut publisher = watched(&[true, true], &asked);
    for _ in 0..2 {
        assert!(publisher.come(Serve::default()));
        assert_eq!(publisher.begin().await.unwrap(), Called::Done);
    }
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
    let mut publisher = publisher(&[false, true, true]);
    publisher.waiting.clear();
    let lives = [1, 2].map(|number| (Incarnation(number), NodeId::new("a").unwrap()));
    for (number, life) in (1..).zip(&lives) {
        let ranges = BTreeMap::from([(RangeId(number), actor.clone())]);
        let rows = vec![numbered(number, 1)];
        let ended = vec![life.clone(), lives[0].clone()];
        assert_eq!(publisher.come(Serve { ranges, rows, ended, ..Serve::default() }), number == 1);
        publisher.take(vec![numbered(number, 2)]);
    }
    publisher.take(vec![numbered(3, 7)]);
    // The sink does not answer at first: what comes meanwhile waits with the others.
    assert_eq!(publisher.begin().await.unwrap(), Called::Again);
    publisher.take(vec![numbered(1, 3)]);
    publisher.take(vec![numbered(3, 8)]);
    assert_eq!(publisher.begin().await.unwrap(), Called::Done);
    let order = publisher.waiting.iter().map(|row| (row.stamp.range.0, row.stamp.sequence.0));
    let expected = [(3, 7), (3, 8), (1, 1), (2, 1), (1, 2), (2, 2), (1, 3)];
    assert_eq!(order.collect::<Vec<_>>(), expected);
    assert_eq!(publisher.ranges.len(), 2);
}

/// What may have arrived comes first, without what the sink says it has; nothing overtakes it.
#[tokio::test]
async fn what_is_unsettled_is_delivered_before_all_that_has_come_since() {
    let asked = Arc::default();
    let mut publisher = watched(&[false, false, true, true, false, true, true, true], &asked);
    publisher.has = Some(BTreeMap::new());
    publisher.waiting.clear();
    publisher.take(vec![numbered(1, 1), numbered(1, 2)]);
    assert!(publisher.call());
    assert_eq!(publisher.deliver().await.unwrap(), Called::Again);
    publisher.take(vec![numbered(1, 3)]);
    assert!(!publisher.call(), "it is on its way");
    // It is not asked about lives: none is over.
    assert_eq!(publisher.deliver().await.unwrap(), Called::Again);
    assert_eq!(publisher.deliver().await.unwrap(), Called::Again);
    assert_eq!(publisher.deliver().await.unwrap(), Called::Done);
    let (fence, second) = (|| Asked::Fence(Vec::new()), || Asked::Deliver(vec![2]));
    let tries = [
        vec![Asked::Deliver(vec![1, 2])],
        vec![fence()],
        vec![fence(), Asked::Recover, second()],
        vec![fence(), Asked::Recover, second()],
    ];
    assert_eq!(*asked.lock(), tries.into_iter().flatten().collect::<Vec<_>>());
    assert!(publisher.call(), "the third row waits");
}

/// What a killed node had left open hides from its next life what is delivered: that one has to hear whom to shut out.
#[tokio::test(start_paused = true)]
async fn a_life_that_is_over_is_shut_out_while_the_sink_cannot_say_what_it_has() {
    let (links, asked) = (Arc::new(Links::alone()), Arc::default());
    let sink: Box<dyn Sink> = Box::new(Hidden { is_shut_out: false, asked: Arc::clone(&asked) });
    let clock: Clock = Arc::new(|| 5_000);
    let arguments = (sink, links, clock);
    let (publisher, _ended) = Actor::spawn(None, Publisher, arguments).await.unwrap();
    publisher.cast(Message::Serve(Serve::default())).unwrap();
    publisher.cast(Message::Rows(vec![numbered(1, 1)])).unwrap();
    tokio::time::sleep(10 * RETRY).await;
    let over = [(Incarnation(1), NodeId::new("a").unwrap())];
    publisher.cast(Message::Over(Arc::new(over))).unwrap();
    tokio::time::sleep(10 * RETRY).await;
    assert_eq!(*asked.lock(), [Asked::Deliver(vec![1])]);
}

/// I7: what the sink says it has may else grow behind its answer, and rows come twice.
#[tokio::test]
async fn those_who_are_over_are_shut_out_before_the_sink_is_asked_what_it_has() {
    let over = vec![(Incarnation(1), NodeId::new("a").unwrap())];
    let asked = Arc::default();
    let fence = || Asked::Fence(over.clone());
    let cases = [
        ([true, true], Called::Done, vec![fence(), Asked::Recover]),
        ([false, false], Called::Again, vec![fence()]),
    ];
    for (answers, called, expected) in cases {
        let mut publisher = watched(&answers, &asked);
        let rows = vec![row(None)];
        publisher.come(Serve { rows, ended: over.clone(), ..Serve::default() });
        assert_eq!(publisher.begin().await.unwrap(), called, "{answers:?}");
        assert_eq!(std::mem::take(&mut *asked.lock()), expected, "{answers:?}");
    }
}

/// I6: a state that is older than its results would make them anew, and the sink pass over them as over what it has.
#[tokio::test]
async fn i6_a_range_that_knows_of_less_than_the_sink_has_is_not_served() {
    let (here, _) = Actor::spawn(None, Silent, ()).await.unwrap();
    let (gone, _) = Actor::spawn(None, Silent, ()).await.unwrap();
    gone.stop_and_wait(None, None).await.unwrap();
    // One that was given up before its turn came may have gone on elsewhere.
    let cases = [(&here, 6, false), (&here, 7, true), (&here, 8, true), (&gone, 6, true)];
    for (actor, restored, is_served) in cases {
        let mut publisher = publisher(&[true, true, true]);
        publisher.sink = Box::new(Told(VecDeque::from([true, true]), Arc::default(), 7));
        let serve = |range, restored| {
            let restored = BTreeMap::from([(RangeId(range), Sequence(restored))]);
            let ranges = BTreeMap::from([(RangeId(range), actor.clone())]);
            Serve { ranges, restored, ..Serve::default() }
        };
        publisher.come(serve(2, 0));
        publisher.begin().await.unwrap();
        // It is not asked again: what it had has been committed before.
        publisher.come(serve(1, restored));
        match publisher.begin().await {
            Ok(_) => assert!(is_served, "{restored}"),
            Err(error) => {
                assert!(!is_served, "{error}");
                assert!(error.to_string().contains("range r1 up to q7"), "{error}");
            }
        }
    }
}
