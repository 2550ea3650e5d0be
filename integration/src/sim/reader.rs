//! A reader as its actor runs it, a read at a time. Imitates `actors::reader`, with its own router.

use std::collections::VecDeque;

use actors::machine::codec::Reader as Bytes;
use actors::machine::envelope::{put_record, take_record};
use actors::machine::frame::Pass;
use actors::machine::positions::{Batch, Position};
use actors::reader::{Alignment, Router};
use proto::types::{Offset, PartitionIndex, RecordTime};

use super::fault::Fault;
use super::outside::Outside;
use super::owned::{Message, Owned};
use super::rules::decoder;

/// The reader of one source partition.
#[derive(Debug)]
pub(super) struct Reader {
    index: PartitionIndex,
    at: Position,
    router: Router,
    back: VecDeque<Position>,
    /// A batch that was sent, to be sent again.
    old: Option<(usize, Batch)>,
}

impl Reader {
    pub(super) fn new(index: PartitionIndex, at: Position, out: &Outside) -> Self {
        let name = out.source.names()[index.index()].clone();
        let decoder = decoder(name.leg);
        let router = Router::single(index, name, decoder);
        Self { index, at, router, back: VecDeque::new(), old: None }
    }

    /// A range stands elsewhere.
    pub(super) fn refused(&mut self, position: Position) {
        self.back.push_back(position);
    }

    pub(super) fn step(
        &mut self,
        alignment: &Alignment,
        ranges: &mut [Owned],
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        while let Some(position) = self.back.pop_front() {
            if position.offset < self.at.offset {
                self.at = position;
            }
        }
        if out.strikes(Fault::WrongPlace) {
            self.go_astray(out);
        }
        if let Some((range, batch)) = self.old.take_if(|_| out.random.chance(300)) {
            ranges[range].inbox.push_back(Message::Batch(batch));
        }
        if !alignment.allows((self.index, Pass::Front), self.at.clock) {
            return Ok(());
        }
        let (index, from, now) = (self.index, self.at.offset, RecordTime(out.now_ms));
        let most = if out.random.chance(200) { 200 } else { 12 };
        let limit = 1 + out.random.place(most);
        let (router, clock) = (&mut self.router, &mut self.at.clock);
        let progress = out
            .source
            .read(index, from, (limit, out.now_ms), &mut |record| router.take(record, clock, now));
        self.at.offset = progress.next;
        if progress.next > from {
            self.send(from, ranges, out)?;
            alignment.set((index, Pass::Front), self.at.clock);
        }
        if !progress.more && progress.end.is_some_and(|end| self.at.offset >= end) {
            alignment.release((index, Pass::Front));
            let message = Message::CaughtUp(index, self.at.offset, now);
            ranges.iter_mut().for_each(|range| range.inbox.push_back(message.clone()));
        }
        Ok(())
    }

    fn send(
        &mut self,
        from: Offset,
        ranges: &mut [Owned],
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        let records = self.router.take_single();
        let mut parts = vec![Vec::new(); ranges.len()];
        let mut reader = Bytes::new(&records);
        while !reader.is_empty() {
            let (key, envelope) = take_record(&mut reader)?;
            let owns = |it: &Owned| it.machine.identity().keys.contains(key.hash());
            if let Some(place) = ranges.iter().position(owns) {
                put_record(&mut parts[place], key, &envelope);
            }
        }
        let (partition, to, clock) = (self.index, self.at.offset, self.at.clock);
        out.trace.note(to.0);
        for (place, records) in parts.into_iter().enumerate() {
            let batch = Batch { partition, from, to, clock, records: records.into() };
            if out.strikes(Fault::Again) {
                self.old = Some((place, batch.clone()));
            }
            if !out.strikes(Fault::LostBatch) {
                ranges[place].inbox.push_back(Message::Batch(batch));
            }
        }
        Ok(())
    }

    /// Goes on from anywhere, with the clock of that place.
    fn go_astray(&mut self, out: &mut Outside) {
        let partition = self.index.index();
        let offset = Offset(out.random.below(out.source.end(partition).0 + 1));
        self.at = Position { offset, clock: out.source.clock_at(partition, offset) };
    }
}
