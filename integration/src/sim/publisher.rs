//! The publisher as its actor runs it, a delivery at a time. Imitates `actors::publisher`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use actors::sink::Row;
use proto::types::{RangeId, Sequence};

use super::fault::Fault;
use super::objects::Life;
use super::outside::Outside;
use super::owned::{Message, Owned};
use super::plant::Plant;
use super::sink::{Answer, Delivery};

/// What may be said to the publisher.
#[derive(Debug)]
pub(super) enum Said {
    /// Committed rows.
    Rows(Vec<Row>),
    /// Ranges are served from now on.
    Serve(Serve),
    /// A range has ended.
    Leave(RangeId),
}

/// Ranges that are to be served.
#[derive(Debug)]
pub(super) struct Serve {
    pub(super) ranges: Vec<RangeId>,
    /// Rows that wait since before.
    pub(super) rows: Vec<Row>,
    /// The lives that are over.
    pub(super) ended: Vec<Life>,
}

/// The publisher.
#[expect(clippy::struct_excessive_bools, reason = "what has been heard of the sink")]
#[derive(Debug)]
pub(super) struct Publisher {
    life: Life,
    inbox: VecDeque<Said>,
    waiting: VecDeque<Row>,
    /// Rows that have been tried, and what is acknowledged once they have arrived.
    tried: Option<(Vec<Row>, BTreeMap<RangeId, Sequence>)>,
    ranges: BTreeSet<RangeId>,
    has_begun: bool,
    is_fenced: bool,
}

impl Publisher {
    pub(super) fn new(life: Life) -> Self {
        let (inbox, waiting, ranges) = Default::default();
        Self { life, inbox, waiting, tried: None, ranges, has_begun: false, is_fenced: false }
    }

    pub(super) fn tell(&mut self, said: Said) {
        self.inbox.push_back(said);
    }

    pub(super) fn is_done(&self) -> bool {
        self.inbox.is_empty() && self.waiting.is_empty() && self.tried.is_none()
    }

    /// Whether the sink takes nothing of this life any more.
    pub(super) const fn is_fenced(&self) -> bool {
        self.is_fenced
    }

    /// Asks the sink what it has, or delivers.
    pub(super) fn step(&mut self, ranges: &mut [Owned], out: &mut Outside) -> anyhow::Result<()> {
        if self.is_fenced {
            return Ok(());
        }
        let (mut rows, last) = match self.tried.take() {
            Some(it) => it,
            None => {
                if self.hear(ranges, out) {
                    return Ok(());
                }
                self.next(out)
            }
        };
        if rows.is_empty() && last.is_empty() {
            return Ok(());
        }
        let how = if out.strikes(Fault::NoDelivery) {
            Delivery::Cut(out.random.place(rows.len() + 1))
        } else if out.strikes(Fault::LostDelivery) {
            Delivery::Unanswered
        } else {
            Delivery::Whole
        };
        out.trace.note(rows.len() as u64);
        match out.sink.deliver(self.life, &rows, how, &out.watch)? {
            Answer::Taken => {
                let served = last.into_iter().filter(|(range, _)| self.ranges.contains(range));
                acknowledge(&served.collect(), ranges);
            }
            Answer::Failed => {
                rows.retain(missing(&out.sink.recover()));
                self.tried = Some((rows, last));
            }
            Answer::Fenced => self.is_fenced = true,
        }
        Ok(())
    }

    /// Takes what was said, up to what the sink has to be asked about; whether that was so.
    fn hear(&mut self, ranges: &mut [Owned], out: &mut Outside) -> bool {
        while let Some(said) = self.inbox.pop_front() {
            match said {
                Said::Rows(rows) => self.waiting.extend(rows),
                Said::Leave(range) => drop(self.ranges.remove(&range)),
                Said::Serve(serve) if self.has_begun && serve.rows.is_empty() => {
                    self.ranges.extend(serve.ranges);
                }
                Said::Serve(serve) => {
                    self.has_begun = true;
                    self.serve(serve, ranges, out);
                    return true;
                }
            }
        }
        false
    }

    fn next(&mut self, out: &mut Outside) -> (Vec<Row>, BTreeMap<RangeId, Sequence>) {
        let most = if out.random.chance(300) { 1 + out.random.place(5) } else { usize::MAX };
        let rows: Vec<_> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        let last = rows.iter().map(|row| (row.stamp.range, row.stamp.sequence)).collect();
        (rows, last)
    }

    /// I7: the order matters. What the sink says it has is true only once nobody else can deliver.
    fn serve(&mut self, mut serve: Serve, ranges: &mut [Owned], out: &mut Outside) {
        if !out.has(Plant::SinkNotFenced) {
            out.sink.fence(&serve.ended);
        }
        let delivered = out.sink.recover();
        serve.rows.retain(missing(&delivered));
        let served = delivered.into_iter().filter(|(range, _)| serve.ranges.contains(range));
        acknowledge(&served.collect(), ranges);
        self.ranges.extend(serve.ranges);
        self.waiting.extend(serve.rows);
    }
}

/// Whether the sink lacks a row.
fn missing(delivered: &BTreeMap<RangeId, Sequence>) -> impl Fn(&Row) -> bool {
    |row| delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
}

fn acknowledge(last: &BTreeMap<RangeId, Sequence>, ranges: &mut [Owned]) {
    for range in ranges {
        if let Some(&sequence) = last.get(&range.id()) {
            range.inbox.push_back(Message::Acknowledged(sequence));
        }
    }
}
