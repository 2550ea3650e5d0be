//! What is said to the aggregators of another node, and asked there, over one connection.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::aggregator::{Answer, AsOf, Query, Report};
use crate::machine::frame::{FrameError, ToOwner, answered};
use crate::machine::partial::Row;

/// A connection, as those see it who have figures or questions. What is said when it ends is lost.
///
/// Its queue needs no limit of its own (I13): a range tells what has changed once a second, whole only when it is asked
/// to, and a side that takes nothing is given up within seconds.
#[derive(Debug)]
pub(crate) struct Connection {
    outgoing: UnboundedSender<Bytes>,
    asked: Mutex<Asked>,
}

/// Questions without an answer yet.
#[derive(Debug, Default)]
struct Asked {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    is_over: bool,
}

#[derive(Debug)]
struct Waiting {
    /// What has come of the answer.
    rows: Vec<Row>,
    reply: oneshot::Sender<Option<Answer>>,
}

impl Connection {
    pub(super) fn new(outgoing: UnboundedSender<Bytes>) -> Self {
        Self { outgoing, asked: Mutex::default() }
    }

    /// Tells the aggregator of a dimension.
    pub(super) fn say(&self, dimension: &str, report: Report) {
        for frame in ToOwner::figures(dimension, report) {
            // Whether anybody listens is told by the other queue.
            drop(self.outgoing.send(frame.encode()));
        }
    }

    /// Asks the aggregator of a dimension; `None` where it is not there, or the connection ends.
    pub(super) async fn ask(&self, dimension: &str, query: Query) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        let number = self.asked.lock().enter(reply)?;
        let frame = ToOwner::Ask(number, dimension.to_owned(), query);
        drop(self.outgoing.send(frame.encode()));
        answer.await.ok().flatten()
    }

    /// A part of an answer.
    pub(crate) fn cells(&self, number: u64, rows: Vec<Row>) {
        if let Some(waiting) = self.asked.lock().waiting.get_mut(&number) {
            waiting.rows.extend(rows);
        }
    }

    /// That was the answer.
    ///
    /// # Errors
    ///
    /// [`FrameError`], where a cell of it is none.
    pub(crate) fn answered(
        &self,
        number: u64,
        as_of: AsOf,
        is_cut: bool,
    ) -> Result<(), FrameError> {
        let waiting = self.asked.lock().waiting.remove(&number);
        if let Some(Waiting { rows, reply }) = waiting {
            // Whoever asked may have gone meanwhile.
            drop(reply.send(Some(answered(&rows, as_of, is_cut)?)));
        }
        Ok(())
    }

    /// The dimension is not summed up there.
    pub(crate) fn not_answered(&self, number: u64) {
        if let Some(waiting) = self.asked.lock().waiting.remove(&number) {
            drop(waiting.reply.send(None));
        }
    }

    /// Who waits for an answer waits no more.
    pub(super) fn end(&self) {
        let mut asked = self.asked.lock();
        asked.is_over = true;
        asked.waiting.clear();
    }
}

impl Asked {
    fn enter(&mut self, reply: oneshot::Sender<Option<Answer>>) -> Option<u64> {
        if self.is_over {
            return None;
        }
        self.next += 1;
        // Who has given up in the meantime leaves nothing behind.
        self.waiting.retain(|_, waiting| !waiting.reply.is_closed());
        self.waiting.insert(self.next, Waiting { rows: Vec::new(), reply });
        Some(self.next)
    }
}
