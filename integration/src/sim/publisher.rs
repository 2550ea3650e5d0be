//! The publisher as its actor runs it, a delivery at a time. Imitates `actors::publisher`.

use std::collections::{BTreeMap, VecDeque};

use actors::sink::Row;
use proto::types::{RangeId, Sequence};

use super::fault::Fault;
use super::outside::Outside;
use super::owned::{Message, Owned};
use super::sink::Delivery;

/// The publisher.
#[derive(Debug)]
pub(super) struct Publisher {
    waiting: VecDeque<Row>,
    /// Rows that have been tried, and what is acknowledged once they have arrived.
    tried: Option<(Vec<Row>, BTreeMap<RangeId, Sequence>)>,
    is_begun: bool,
}

impl Publisher {
    pub(super) fn new(waiting: Vec<Row>) -> Self {
        Self { waiting: waiting.into(), tried: None, is_begun: false }
    }

    pub(super) fn push(&mut self, rows: Vec<Row>) {
        self.waiting.extend(rows);
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_begun && self.waiting.is_empty() && self.tried.is_none()
    }

    /// Asks the sink what it has, or delivers.
    pub(super) fn step(&mut self, ranges: &mut [Owned], out: &mut Outside) -> anyhow::Result<()> {
        if !self.is_begun {
            self.begin(ranges, out);
            return Ok(());
        }
        let (mut rows, last) = match self.tried.take() {
            Some(it) => it,
            None => self.next(out),
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
        if out.sink.deliver(&rows, how, &out.watch)? {
            acknowledge(&last, ranges);
        } else {
            let delivered = out.sink.recover();
            rows.retain(|row| {
                delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
            });
            self.tried = Some((rows, last));
        }
        Ok(())
    }

    fn next(&mut self, out: &mut Outside) -> (Vec<Row>, BTreeMap<RangeId, Sequence>) {
        let most = if out.random.chance(300) { 1 + out.random.place(5) } else { usize::MAX };
        let rows: Vec<_> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        let last = rows.iter().map(|row| (row.stamp.range, row.stamp.sequence)).collect();
        (rows, last)
    }

    fn begin(&mut self, ranges: &mut [Owned], out: &Outside) {
        self.is_begun = true;
        let delivered = out.sink.recover();
        self.waiting.retain(|row| {
            delivered.get(&row.stamp.range).is_none_or(|&it| row.stamp.sequence > it)
        });
        acknowledge(&delivered, ranges);
    }
}

fn acknowledge(last: &BTreeMap<RangeId, Sequence>, ranges: &mut [Owned]) {
    for range in ranges {
        if let Some(&sequence) = last.get(&range.machine.identity().id) {
            range.inbox.push_back(Message::Acknowledged(sequence));
        }
    }
}
