//! What is between the nodes: letters that may get lost, come late or twice, and connections that keep their order or break.

use std::collections::BTreeMap;

use bytes::Bytes;
use coordinator::machine::letter::Letter;

use crate::sim::fault::Fault;
use crate::sim::outside::Outside;

/// How long something takes at most on its way.
const QUICK_MS: u64 = 8;
/// … where it is slow.
const SLOW_MS: u64 = 600;

/// What goes from one node to another.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A letter of the control plane.
    Letter(Box<Letter>),
    /// A connection is opened.
    Hello(u64),
    /// A frame on a connection, from who has opened it.
    ToOwner(u64, Bytes),
    /// A frame on a connection, to who has opened it.
    ToReader(u64, Bytes),
    /// A connection has ended.
    Broken(u64),
}

/// Something on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) what: What,
}

/// Everything on its way, and who does not reach whom.
#[derive(Debug, Default)]
pub(super) struct Net {
    parcels: BTreeMap<(u64, u64), Parcel>,
    sent: u64,
    /// When the last frame arrives on its way, by connection and direction.
    last_ms: BTreeMap<(u64, usize), u64>,
    /// Until when one does not reach another.
    cut_until_ms: BTreeMap<(usize, usize), u64>,
    connections: u64,
}

impl Net {
    /// The number of a new connection.
    pub(super) fn connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Whether one does not reach another at the moment.
    pub(super) fn is_cut(&self, from: usize, to: usize, now_ms: u64) -> bool {
        self.cut_until_ms.get(&(from, to)).is_some_and(|&until| until > now_ms)
    }

    /// One does not reach another for a while.
    pub(super) fn cut(&mut self, from: usize, to: usize, until_ms: u64) {
        self.cut_until_ms.insert((from, to), until_ms);
    }

    /// All reach each other again.
    pub(super) fn heal(&mut self) {
        self.cut_until_ms.clear();
    }

    /// Sends a letter. It may get lost, or come twice.
    pub(super) fn tell(&mut self, (from, to): (usize, usize), letter: Letter, out: &mut Outside) {
        let parcel = Parcel { from, to, what: What::Letter(Box::new(letter)) };
        if from == to {
            self.put(out.now_ms, parcel);
            return;
        }
        if self.is_cut(from, to, out.now_ms) || out.strikes(Fault::LostLetter) {
            return;
        }
        if out.strikes(Fault::TwiceLetter) {
            let due_ms = arrival(out);
            self.put(due_ms, parcel.clone());
        }
        let due_ms = arrival(out);
        self.put(due_ms, parcel);
    }

    /// Sends something over a connection: in order, or where it is cut, as soon as it is not any more.
    pub(super) fn send(&mut self, (from, to): (usize, usize), what: What, out: &mut Outside) {
        let (What::Hello(over)
        | What::ToOwner(over, _)
        | What::ToReader(over, _)
        | What::Broken(over)) = what
        else {
            return;
        };
        let cut_ms = self.cut_until_ms.get(&(from, to)).copied().unwrap_or(0);
        let last_ms = self.last_ms.entry((over, from)).or_default();
        *last_ms = arrival(out).max(cut_ms).max(*last_ms);
        let due_ms = *last_ms;
        self.put(due_ms, Parcel { from, to, what });
    }

    fn put(&mut self, due_ms: u64, parcel: Parcel) {
        self.sent += 1;
        self.parcels.insert((due_ms, self.sent), parcel);
    }

    /// The next that has arrived at a node that `listens`; it waits for others.
    pub(super) fn take(&mut self, now_ms: u64, listens: impl Fn(usize) -> bool) -> Option<Parcel> {
        let due = self.parcels.range(..=(now_ms, u64::MAX));
        let at = due.filter(|(_, parcel)| listens(parcel.to)).map(|(at, _)| *at).next()?;
        self.parcels.remove(&at)
    }
}

fn arrival(out: &mut Outside) -> u64 {
    let most = if out.strikes(Fault::Slow) { SLOW_MS } else { QUICK_MS };
    out.now_ms + out.random.below(most)
}
