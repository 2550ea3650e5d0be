//! The transactions of a history, and the messages that each sends: what the oracle judges by.

use proto::types::Leg;

use super::random::Random;
use super::shape::{DELAY_MS, Shape};
use super::source::{Message, Source};

/// When the first transaction may begin, on the record clock.
pub(super) const START_MS: u64 = 1_000_000;
/// When the first transaction may begin, on the event clock.
const EVENTS_MS: u64 = 1_700_000_000_000;
const CHANNELS: [&str; 4] = ["atm", "branch", "mobile", "web"];
const STATUSES: [&str; 3] = ["accepted", "refused", "failed"];

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Its legs come in time.
    Complete,
    /// Legs never come.
    Missing,
    /// Legs come once it has been said to be incomplete, and can be corrected.
    Corrected,
    /// Legs come when it can no longer be corrected.
    Late,
    /// A leg comes long after the deadline, whatever has been said by then.
    Straggler,
    /// Its rules panic.
    Panics,
}

/// One message of a transaction.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Which leg it is.
    pub(super) leg: Leg,
    /// What it says: messages of a leg that say the same are duplicates, others contradict.
    pub(super) says: u64,
    /// The time inside it.
    pub(super) event_ms: i64,
    /// Its partition.
    pub(super) partition: usize,
    /// Its timestamp.
    pub(super) time_ms: u64,
    /// Its place; `None` while it has not been sent.
    pub(super) offset: Option<u64>,
    /// Whether it waits until something has been said about its transaction.
    pub(super) waits: bool,
}

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    /// Its id.
    pub(super) id: String,
    /// What happens to it.
    pub(super) kind: Kind,
    /// Its messages.
    pub(super) sent: Vec<Sent>,
}

/// A record that cannot be understood.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    /// Its partition.
    pub(super) partition: usize,
    /// Its place.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) payload: Vec<u8>,
    /// Why it cannot be understood.
    pub(super) class: &'static str,
}

/// Everything that a history's source holds.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    /// The transactions.
    pub(super) transactions: Vec<Transaction>,
    /// The records that cannot be understood.
    pub(super) dead: Vec<Dead>,
}

impl Sent {
    /// The channel that it names, where it is a trace.
    #[must_use]
    pub(super) fn channel(&self) -> &'static str {
        CHANNELS[usize::try_from(self.says % 4).unwrap_or(0)]
    }

    /// The status that it names, where it is a response.
    #[must_use]
    pub(super) fn status(&self) -> &'static str {
        STATUSES[usize::try_from(self.says % 3).unwrap_or(0)]
    }

    /// The message.
    #[must_use]
    pub(super) fn payload(&self, id: &str) -> Vec<u8> {
        let more = match self.leg {
            Leg::Trace => format!(",\"channel\":\"{}\"", self.channel()),
            Leg::Request => String::new(),
            Leg::Response => format!(",\"status\":\"{}\"", self.status()),
        };
        let (time, says) = (self.event_ms, self.says);
        format!("{{\"id\":\"{id}\",\"time\":{time}{more},\"says\":{says}}}").into_bytes()
    }
}

impl Bank {
    /// The next history's transactions; all that waits for nothing is put into `source`.
    pub(super) fn draw(shape: &Shape, source: &mut Source, random: &mut Random) -> Self {
        let draw = |number| Drawing { shape, random, number }.transaction();
        let mut bank = Self { transactions: Vec::new(), dead: Vec::new() };
        bank.transactions.extend((0..shape.transactions).map(draw));
        let mut queue = Vec::new();
        for (at, transaction) in bank.transactions.iter().enumerate() {
            let sent = transaction.sent.iter().enumerate().filter(|(_, sent)| !sent.waits);
            for (message, sent) in sent {
                // Records are not quite in the order of their timestamps.
                queue.push((sent.time_ms + random.below(30), Some((at, message))));
            }
        }
        for _ in 0..random.below(8) {
            queue.push((START_MS + random.below(shape.span_ms), None));
        }
        queue.sort_unstable();
        for (time_ms, of) in queue {
            let visible_ms = time_ms + random.below(DELAY_MS - 30);
            match of {
                Some((at, message)) => bank.send((at, message), visible_ms, source, random),
                None => bank.break_one(time_ms, visible_ms, source, random),
            }
        }
        bank
    }

    /// Puts a message into its partition.
    pub(super) fn send(
        &mut self,
        (at, message): (usize, usize),
        visible_ms: u64,
        source: &mut Source,
        random: &mut Random,
    ) {
        let transaction = &mut self.transactions[at];
        let id = transaction.id.clone();
        let sent = &mut transaction.sent[message];
        let (time_ms, payload) = (sent.time_ms, Some(sent.payload(&id)));
        let message = Message { time_ms, visible_ms, id: Some(id), payload };
        sent.offset = Some(source.append(sent.partition, message, random));
        sent.waits = false;
    }

    fn break_one(
        &mut self,
        time_ms: u64,
        visible_ms: u64,
        source: &mut Source,
        random: &mut Random,
    ) {
        const BROKEN: [(&str, &str); 5] = [
            ("empty", ""),
            ("malformed-json", "{\"id\":"),
            ("no-id", "{\"time\":1}"),
            ("no-time", "{\"id\":\"x\"}"),
            ("bad-time", "{\"id\":\"x\",\"time\":\"noon\"}"),
        ];
        let (class, text) = random.pick(&BROKEN);
        let partition = random.place(source.names().len());
        let payload = text.as_bytes().to_vec();
        let message = Message { time_ms, visible_ms, id: None, payload: Some(payload.clone()) };
        let offset = source.append(partition, message, random);
        self.dead.push(Dead { partition, offset, payload, class });
    }
}

/// One transaction as it is drawn.
struct Drawing<'a> {
    shape: &'a Shape,
    random: &'a mut Random,
    number: u64,
}

impl Drawing<'_> {
    fn transaction(mut self) -> Transaction {
        let kind = self.kind();
        let shape = self.shape;
        let start_ms = START_MS + self.random.below(shape.span_ms);
        let missing = self.missing(kind);
        let mut sent = Vec::new();
        for leg in Leg::ALL {
            let mut one = self.leg(leg);
            one.time_ms = start_ms + self.random.below(shape.settings.deadline_ms / 2);
            if missing.contains(&leg) {
                let deadline_ms = shape.settings.deadline_ms;
                one.time_ms = start_ms + self.random.within(3 * deadline_ms / 2, 4 * deadline_ms);
                one.waits = matches!(kind, Kind::Corrected | Kind::Late);
                if kind == Kind::Missing {
                    continue;
                }
            } else {
                self.say_more(&one, start_ms, kind, &mut sent);
            }
            sent.push(one);
        }
        Transaction { id: format!("t{}", self.number), kind, sent }
    }

    fn kind(&mut self) -> Kind {
        match self.random.below(100) {
            0..70 => Kind::Complete,
            70..78 => Kind::Missing,
            78..90 if self.shape.is_correctable => Kind::Corrected,
            78..90 => Kind::Late,
            90..97 => Kind::Straggler,
            97.. => Kind::Panics,
        }
    }

    fn missing(&mut self, kind: Kind) -> Vec<Leg> {
        let count = match kind {
            Kind::Complete | Kind::Panics => 0,
            Kind::Straggler => 1,
            Kind::Missing | Kind::Corrected | Kind::Late => self.random.within(1, 2),
        };
        let first = self.random.place(3);
        (0..3)
            .filter(|it| (it + 3 - first) % 3 < usize::try_from(count).unwrap_or(0))
            .map(|it| Leg::ALL[it])
            .collect()
    }

    fn leg(&mut self, leg: Leg) -> Sent {
        let event_ms = EVENTS_MS + self.number * 1_500 + self.random.below(400) + leg as u64 * 300;
        let event_ms = i64::try_from(event_ms).unwrap_or(0);
        let (says, partition) = (self.random.below(1_000), self.partition(leg));
        Sent { leg, says, event_ms, partition, time_ms: 0, offset: None, waits: false }
    }

    fn partition(&mut self, leg: Leg) -> usize {
        let all = self.shape.partitions.iter().enumerate();
        let its: Vec<_> = all.filter(|(_, it)| **it == leg).map(|(at, _)| at).collect();
        self.random.pick(&its)
    }

    /// Duplicates of a leg, or one that contradicts it; never both, so that what counts is one or the other.
    fn say_more(&mut self, one: &Sent, start_ms: u64, kind: Kind, sent: &mut Vec<Sent>) {
        let settings = &self.shape.settings;
        let until_ms = settings.deadline_ms + settings.duplicates_ms / 2;
        let count = match self.random.below(100) {
            0..8 => 1,
            8..10 => 3,
            10..16 if !matches!(kind, Kind::Panics | Kind::Straggler) => {
                let mut other = self.leg(one.leg);
                other.says = one.says + 1;
                let within_ms =
                    if self.random.chance(500) { settings.deadline_ms / 2 } else { until_ms };
                other.time_ms = start_ms + self.random.below(within_ms);
                sent.push(other);
                0
            }
            10.. => 0,
        };
        for _ in 0..count {
            let mut again = one.clone();
            again.partition = self.partition(one.leg);
            again.time_ms = start_ms + self.random.below(until_ms);
            sent.push(again);
        }
    }
}
