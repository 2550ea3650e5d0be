//! What a life says to other nodes about their ranges, and hears about its own.

use std::collections::{BTreeMap, BTreeSet};

use actors::machine::frame::{ToOwner, ToReader};
use actors::machine::positions::Receipt;
use coordinator::machine::member::Member;
use coordinator::machine::share::{readers, routes};
use coordinator::machine::table::Table;
use proto::types::{Epoch, KeyRange, PartitionIndex, RangeId};

use super::body::Body;
use super::link::{Feed, Link, SILENT_MS, Serving, TICK_MS, answer};
use super::name::number;
use super::net::{Net, What};
use crate::sim::outside::Outside;
use crate::sim::owned::Message;
use crate::sim::reader::{Reader, Target};

impl Body {
    /// The map has changed: who reads what, and which ranges are where.
    pub(super) fn routed(&mut self, table: &Table, me: &Member, net: &mut Net, out: &mut Outside) {
        let numbers = out.source.names().iter().map(|name| name.partition);
        let all = (0u16..).map(PartitionIndex).zip(numbers);
        let mine = readers(table, all).into_iter().filter(|(_, reader)| reader == me);
        self.read_these(&mine.map(|(index, _)| index).collect(), out);
        let mut wanted: BTreeMap<usize, BTreeMap<RangeId, (KeyRange, Epoch)>> = BTreeMap::new();
        for route in routes(table) {
            let there = wanted.entry(number(&route.owner.node)).or_default();
            there.insert(route.range, (route.keys, route.epoch));
        }
        let none = BTreeMap::new();
        let mut feeds = Vec::new();
        for (there, link) in &mut self.links {
            let ranges = wanted.get(there).unwrap_or(&none);
            feeds.extend(link.want(ranges, &self.numbers, net, out));
        }
        self.feed_all(feeds);
    }

    /// Exactly these partitions are read here from now on.
    fn read_these(&mut self, mine: &BTreeSet<PartitionIndex>, out: &Outside) {
        let gone: Vec<_> =
            self.readers.keys().copied().filter(|index| !mine.contains(index)).collect();
        for index in gone {
            self.readers.remove(&index);
            self.numbers.remove(&index);
            self.alignment.end(index);
        }
        for &index in mine {
            if self.readers.contains_key(&index) {
                continue;
            }
            let mut reader = Reader::new(index, Default::default(), out);
            for owned in self.ranges.iter().filter(|it| self.served.contains_key(&it.id())) {
                let it = owned.machine.identity();
                let from = owned.machine.positions().get(index.index()).copied();
                let target = Target { range: it.id, epoch: it.epoch, keys: it.keys, over: None };
                reader.feed(target, from.unwrap_or_default());
            }
            self.alignment.begin(index);
            self.reader_count += 1;
            self.numbers.insert(index, self.reader_count);
            self.readers.insert(index, reader);
        }
    }

    fn feed_all(&mut self, feeds: Vec<Feed>) {
        for feed in feeds {
            match feed {
                Feed::From(index, target, from) => {
                    let reader = self.readers.get_mut(&index);
                    reader.into_iter().for_each(|it| it.feed(target.clone(), from));
                }
                Feed::Lost(range, over) => {
                    self.readers.values_mut().for_each(|it| it.lose(range, Some(Some(over))));
                }
            }
        }
    }

    /// Time passes: both sides of each connection speak, or give it up.
    pub(super) fn tick(&mut self, net: &mut Net, out: &mut Outside) {
        if out.now_ms < self.ticked_ms + TICK_MS || self.is_closing {
            return;
        }
        self.ticked_ms = out.now_ms;
        self.look_at_clock(out);
        let told = self.alignment.told();
        let mut feeds = Vec::new();
        for link in self.links.values_mut() {
            feeds.extend(link.tick(&ToOwner::Clocks(told.clone()), net, out));
        }
        self.feed_all(feeds);
        let silent = |it: &Serving| out.now_ms > it.heard_ms + SILENT_MS;
        let gone: Vec<_> = self.serving.iter().filter(|it| silent(it.1)).map(|it| *it.0).collect();
        for over in gone {
            self.hang_up(over, net, out);
        }
        for (&over, Serving { from, .. }) in &self.serving {
            answer((self.life.0, *from, over), &ToReader::Clocks(told.clone()), net, out);
        }
    }

    fn hang_up(&mut self, over: u64, net: &mut Net, out: &mut Outside) {
        if let Some(Serving { from, .. }) = self.serving.remove(&over) {
            net.send((self.life.0, from), What::Broken(over), out);
        }
    }

    /// Something came over a connection.
    pub(super) fn hear(
        &mut self,
        from: usize,
        what: What,
        net: &mut Net,
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        match what {
            What::Hello(over) if self.is_closing => {
                net.send((self.life.0, from), What::Broken(over), out);
            }
            What::Hello(over) => {
                self.serving.insert(over, Serving { from, heard_ms: out.now_ms });
            }
            What::ToOwner(over, bytes) => match self.serving.get_mut(&over) {
                Some(serving) => {
                    serving.heard_ms = out.now_ms;
                    let frame = ToOwner::decode(&bytes)?;
                    self.asked((from, over), frame, net, out);
                }
                None => net.send((self.life.0, from), What::Broken(over), out),
            },
            What::ToReader(over, bytes) => {
                self.told(over, &ToReader::decode(&bytes)?, out);
            }
            What::Broken(over) => {
                self.serving.remove(&over);
                let link = self.links.values_mut().find(|link| link.is_over(over));
                let lost = link.map(|link| link.ended(out.now_ms));
                self.feed_all(lost.unwrap_or_default());
            }
            What::Letter(_) => {}
        }
        Ok(())
    }

    /// I1: a range hears only who means it under its present epoch.
    fn asked(
        &mut self,
        (from, over): (usize, u64),
        frame: ToOwner,
        net: &mut Net,
        out: &mut Outside,
    ) {
        let (range, epoch, message) = match frame {
            ToOwner::Clocks(all) => return self.alignment.hear(&all),
            ToOwner::Figures(..) | ToOwner::Ask(..) => return,
            ToOwner::Open(range, epoch) => (range, epoch, None),
            ToOwner::Batch(range, epoch, batch) => {
                (range, epoch, Some(Message::Batch(batch, Some(over))))
            }
            ToOwner::CaughtUp(range, epoch, index, (at, wall)) => {
                (range, epoch, Some(Message::CaughtUp(index, at, wall)))
            }
        };
        let way = (self.life.0, from, over);
        let is_served = self.served.get(&range) == Some(&epoch);
        let Some(owned) = self.range(range).filter(|_| is_served) else {
            return answer(way, &ToReader::NotHere(range, epoch), net, out);
        };
        match message {
            Some(message) => owned.inbox.push_back(message),
            None => {
                let positions = owned.machine.positions().to_vec();
                answer(way, &ToReader::Positions(range, epoch, positions), net, out);
            }
        }
    }

    fn told(&mut self, over: u64, frame: &ToReader, out: &Outside) {
        let Some(link) = self.links.values_mut().find(|link| link.is_over(over)) else { return };
        let feeds = link.hear(frame, &self.numbers, out.now_ms);
        if let ToReader::Receipt(receipt) = frame
            && link.has(receipt.range, receipt.epoch)
        {
            self.receipt(*receipt);
        }
        if let ToReader::Clocks(all) = frame {
            self.alignment.hear(all);
        }
        self.feed_all(feeds);
    }

    /// A receipt for the readers of another node.
    pub(super) fn answer(&self, over: u64, receipt: Receipt, net: &mut Net, out: &mut Outside) {
        if let Some(Serving { from, .. }) = self.serving.get(&over) {
            answer((self.life.0, *from, over), &ToReader::Receipt(receipt), net, out);
        }
    }

    /// One of the connections breaks, whichever side of it is here.
    pub(super) fn break_one(&mut self, net: &mut Net, out: &mut Outside) {
        let mine = self.links.values().filter_map(Link::connection);
        let theirs = self.serving.iter().map(|(&over, it)| (it.from, over));
        let all: Vec<_> = mine.chain(theirs).collect();
        if all.is_empty() {
            return;
        }
        let (there, over) = all[out.random.place(all.len())];
        net.send((self.life.0, there), What::Broken(over), out);
        self.serving.remove(&over);
        let link = self.links.values_mut().find(|link| link.is_over(over));
        let lost = link.map(|link| link.ended(out.now_ms));
        self.feed_all(lost.unwrap_or_default());
    }

    /// This life is over: nothing is fed any more, and what is under way may still be delivered.
    pub(super) fn close(&mut self, net: &mut Net, out: &mut Outside) {
        self.is_closing = true;
        self.served.clear();
        self.readers.clear();
        self.copies.clear();
        self.restoring.clear();
        self.hang_up_all(net, out);
    }

    /// All connections end.
    pub(super) fn hang_up_all(&mut self, net: &mut Net, out: &mut Outside) {
        for link in self.links.values_mut() {
            link.end(net, out);
        }
        for over in self.serving.keys().copied().collect::<Vec<_>>() {
            self.hang_up(over, net, out);
        }
    }
}
