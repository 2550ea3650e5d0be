//! A reader as its actor runs it, a read at a time. Imitates `actors::reader`, with its own router.

use std::collections::{BTreeMap, VecDeque};

use actors::machine::codec::Reader as Bytes;
use actors::machine::envelope::{put_record, take_record};
use actors::machine::frame::{Pass, ToOwner};
use actors::machine::positions::{Batch, Position};
use actors::machine::range::Identity;
use actors::reader::{Alignment, Router};
use proto::types::{Epoch, KeyRange, Offset, PartitionIndex, RangeId, RecordTime};

use super::fault::Fault;
use super::outside::Outside;
use super::owned::{Message, Owned};
use super::rules::decoder;

/// Who a reader feeds.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) range: RangeId,
    pub(super) epoch: Epoch,
    pub(super) keys: KeyRange,
    /// The connection to its node; `None` where it is here.
    pub(super) over: Option<u64>,
}

/// What goes over a connection.
pub(super) type Sent = Vec<(u64, ToOwner)>;

/// The reader of one source partition.
#[derive(Debug)]
pub(super) struct Reader {
    index: PartitionIndex,
    at: Position,
    router: Router,
    targets: Vec<Target>,
    back: VecDeque<Position>,
    /// The newest epoch under which each range was to be fed: what comes later from an older one is stale.
    epochs: BTreeMap<RangeId, Epoch>,
    /// Whether it has begun somewhere else, so that its clock is another.
    has_moved: bool,
    /// Where it has said last that there is nothing more, and when.
    said: Option<(Offset, RecordTime)>,
    /// A batch that was sent, to be sent again.
    old: Option<(RangeId, Batch)>,
}

impl Reader {
    pub(super) fn new(index: PartitionIndex, at: Position, out: &Outside) -> Self {
        let name = out.source.names()[index.index()].clone();
        let decoder = decoder(name.leg);
        let router = Router::single(index, name, decoder);
        let (targets, back, epochs) = Default::default();
        Self { index, at, router, targets, back, epochs, has_moved: false, said: None, old: None }
    }

    /// One that feeds all of these ranges.
    pub(super) fn here(
        index: PartitionIndex,
        at: Position,
        ranges: &[Owned],
        out: &Outside,
    ) -> Self {
        let mut reader = Self::new(index, at, out);
        for Identity { id: range, epoch, keys } in ranges.iter().map(|it| it.machine.identity()) {
            reader.feed(Target { range, epoch, keys, over: None }, at);
        }
        reader.has_moved = false;
        reader
    }

    /// A range stands elsewhere.
    pub(super) fn refused(&mut self, position: Position) {
        self.back.push_back(position);
    }

    /// A range is fed from there on, by that way.
    pub(super) fn feed(&mut self, target: Target, from: Position) {
        if self.epochs.get(&target.range).is_some_and(|newest| newest.fences(target.epoch)) {
            return;
        }
        let overlaps = |it: &Target| it.range != target.range && it.keys.overlaps(target.keys);
        if self.targets.iter().any(|it| overlaps(it) && it.epoch >= target.epoch) {
            return;
        }
        self.epochs.insert(target.range, target.epoch);
        self.has_moved = true;
        let is_first = self.targets.is_empty();
        self.targets.retain(|it| it.range != target.range && !overlaps(it));
        self.targets.push(target);
        self.targets.sort_by_key(|it| it.range);
        if is_first {
            (self.at, self.back) = (from, VecDeque::new());
        } else {
            self.refused(from);
        }
    }

    /// A range is not fed any more, by no way or not by that one.
    pub(super) fn lose(&mut self, range: RangeId, over: Option<Option<u64>>) {
        let goes = |it: &Target| it.range == range && over.is_none_or(|over| over == it.over);
        self.targets.retain(|it| !goes(it));
    }

    /// Who is fed.
    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    pub(super) fn step(
        &mut self,
        alignment: &Alignment,
        ranges: &mut [Owned],
        out: &mut Outside,
    ) -> anyhow::Result<Sent> {
        while let Some(position) = self.back.pop_front() {
            if position.offset < self.at.offset {
                self.at = position;
            }
        }
        if std::mem::take(&mut self.has_moved) {
            alignment.set((self.index, Pass::Front), self.at.clock);
        }
        if self.targets.is_empty() {
            alignment.release((self.index, Pass::Front));
            return Ok(Sent::new());
        }
        if out.strikes(Fault::WrongPlace) {
            self.go_astray(out);
        }
        if let Some((range, batch)) = self.old.take_if(|_| out.random.chance(300)) {
            put(ranges, range, Message::Batch(batch, None));
        }
        if !alignment.allows((self.index, Pass::Front), self.at.clock) {
            return Ok(Sent::new());
        }
        let (index, from, now) = (self.index, self.at.offset, RecordTime(out.wall_ms()));
        let most = if out.random.chance(200) { 200 } else { 12 };
        let limit = 1 + out.random.place(most);
        let (router, clock) = (&mut self.router, &mut self.at.clock);
        let progress = out
            .source
            .read(index, from, (limit, out.now_ms), &mut |record| router.take(record, clock, now));
        self.at.offset = progress.next;
        let mut sent = Sent::new();
        if progress.next > from {
            self.send(from, ranges, out, &mut sent)?;
            alignment.set((index, Pass::Front), self.at.clock);
        }
        if !progress.more && progress.end.is_some_and(|end| self.at.offset >= end) {
            alignment.release((index, Pass::Front));
            let at = self.at.offset;
            let (said, quiet_ms) = (self.said, out.shape.quiet_ms);
            if said.is_some_and(|it| it.0 == at && now.0.abs_diff(it.1.0) < quiet_ms) {
                return Ok(sent);
            }
            self.said = Some((at, now));
            for Target { range, epoch, over, .. } in &self.targets {
                match over {
                    None => put(ranges, *range, Message::CaughtUp(index, at, now)),
                    Some(over) => {
                        sent.push((*over, ToOwner::CaughtUp(*range, *epoch, index, (at, now))));
                    }
                }
            }
        }
        Ok(sent)
    }

    fn send(
        &mut self,
        from: Offset,
        ranges: &mut [Owned],
        out: &mut Outside,
        sent: &mut Sent,
    ) -> anyhow::Result<()> {
        let records = self.router.take_single();
        let mut parts = vec![Vec::new(); self.targets.len()];
        let mut reader = Bytes::new(&records);
        while !reader.is_empty() {
            let (key, envelope) = take_record(&mut reader)?;
            let owns = |it: &Target| it.keys.contains(key.hash());
            if let Some(place) = self.targets.iter().position(owns) {
                put_record(&mut parts[place], key, &envelope);
            }
        }
        let (partition, to, clock) = (self.index, self.at.offset, self.at.clock);
        out.trace.note(to.0);
        for (target, records) in self.targets.iter().zip(parts) {
            let batch = Batch { partition, from, to, clock, records: records.into() };
            let range = target.range;
            if let Some(over) = target.over {
                sent.push((over, ToOwner::Batch(range, target.epoch, batch)));
                continue;
            }
            if out.strikes(Fault::Again) {
                self.old = Some((range, batch.clone()));
            }
            if !out.strikes(Fault::LostBatch) {
                put(ranges, range, Message::Batch(batch, None));
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

/// Says something to a range that is here; one that is not hears nothing.
fn put(ranges: &mut [Owned], range: RangeId, message: Message) {
    if let Some(range) = ranges.iter_mut().find(|it| it.id() == range) {
        range.inbox.push_back(message);
    }
}
