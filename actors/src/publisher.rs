//! The actor that delivers committed rows to the sink, in order, and tells the ranges what has arrived.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proto::types::{RangeId, Sequence};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tracing::{info, warn};

use crate::causes::one_line;
use crate::engine::{self, Links};
use crate::range;
use crate::sink::{Row, Sink, SinkError};

/// What may be said to the publisher.
#[derive(Debug)]
pub enum Message {
    /// Committed rows of a range, in sequence.
    Rows(Vec<Row>),
    /// Deliver what waits.
    Deliver,
    /// These ranges are served from now on, and hear of acknowledgements. Rows of theirs wait since before;
    /// those that the sink has already are dropped.
    Serve(BTreeMap<RangeId, ActorRef<range::Message>>, Vec<Row>),
    /// A range has given up; the answer comes when nothing of it waits any more.
    Leave(RangeId, RpcReplyPort<()>),
}

/// The publisher's state.
pub struct State {
    sink: Box<dyn Sink>,
    links: Arc<Links>,
    ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
    waiting: VecDeque<Row>,
    is_called: bool,
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
        while let Err(error) = self.sink.deliver(&rows).await {
            if let SinkError::Fenced(_) = error {
                return Err(error.into());
            }
            attempts += 1;
            self.links.degraded(format!("results wait: {}", one_line(&error)));
            warn!(
                error = one_line(&error),
                attempts,
                rows = rows.len(),
                "delivery failed, trying again"
            );
            tokio::time::sleep(RETRY).await;
            let delivered = self.recover().await?;
            rows.retain(|row| {
                delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
            });
        }
        if attempts > 0 {
            info!(attempts, "delivery goes on");
            self.links.recovered();
        }
        self.links.outbox_took(bytes);
        for (range, sequence) in last {
            if let Some(range) = self.ranges.get(&range) {
                range.cast(range::Message::Acknowledged(sequence))?;
            }
        }
        Ok(())
    }

    /// Fences older writers, and asks the sink what it has. Tries until the sink answers.
    async fn recover(&mut self) -> Result<BTreeMap<RangeId, Sequence>, ActorProcessingErr> {
        loop {
            match self.sink.recover().await {
                Ok(delivered) => return Ok(delivered.into_iter().collect()),
                Err(error @ SinkError::Fenced(_)) => return Err(error.into()),
                Err(error) => {
                    self.links.degraded(format!("results wait: {}", one_line(&error)));
                    warn!(error = one_line(&error), "sink does not answer, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// The sink says what it has; rows that wait since before and are there already are dropped.
    async fn serve(
        &mut self,
        ranges: BTreeMap<RangeId, ActorRef<range::Message>>,
        mut rows: Vec<Row>,
    ) -> Result<(), ActorProcessingErr> {
        let delivered = self.recover().await?;
        let before = rows.len();
        rows.retain(|row| {
            delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
        });
        info!(waiting = rows.len(), delivered = before - rows.len(), "sink is ready");
        for (range, sequence) in delivered {
            if let Some(range) = ranges.get(&range) {
                range.cast(range::Message::Acknowledged(sequence))?;
            }
        }
        self.ranges.extend(ranges);
        self.take(rows);
        self.links.recovered();
        Ok(())
    }

    fn take(&mut self, rows: Vec<Row>) {
        self.links.outbox_gave(rows.iter().map(size).sum());
        self.waiting.extend(rows);
    }

    /// What a range has committed is delivered before another node may go on with it: two that deliver one
    /// range's rows could deliver one twice (I7).
    async fn leave(&mut self, range: RangeId) -> Result<(), ActorProcessingErr> {
        while self.waiting.iter().any(|row| row.stamp.range == range) {
            self.deliver().await?;
        }
        self.ranges.remove(&range);
        Ok(())
    }
}

/// Bytes of a row, about.
#[must_use]
pub fn size(row: &Row) -> usize {
    row.key.len() + row.payload.len() + 64
}

impl Actor for Publisher {
    type Msg = Message;
    type State = State;
    type Arguments = (Box<dyn Sink>, Arc<Links>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        (sink, links): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let (ranges, waiting) = (BTreeMap::new(), VecDeque::new());
        Ok(State { sink, links, ranges, waiting, is_called: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Serve(ranges, rows) => state.serve(ranges, rows).await?,
            Message::Rows(rows) => state.take(rows),
            Message::Deliver => state.deliver().await?,
            Message::Leave(range, reply) => {
                state.leave(range).await?;
                engine::answer(reply, ());
            }
        }
        state.call(&myself)
    }
}
