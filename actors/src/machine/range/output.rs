//! The rows that a range has to say, in sequence; they leave it with the commit that holds them (I5).

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::types::{Epoch, Leg, PartitionIndex, RangeId, Sequence, Version};

use super::super::codec::Reader;
use super::super::envelope::Envelope;
use super::super::fields::Bodies;
use super::super::json::put_string;
use super::super::transaction::{Decision, Rules, State, put_source};
use crate::sink::{Outlet, Row, Stamp};
use crate::source::decode::DECODER;

/// The class of a dead letter whose transaction's rules panicked; decoders know the others.
pub const PANICKED: &str = "panicked";

/// Dead letters by source partition and class.
pub type DeadLetters = BTreeMap<(PartitionIndex, String), u64>;

/// Rows of output since the last commit closed.
#[derive(Debug)]
pub(super) struct Output {
    range: RangeId,
    epoch: Epoch,
    sequence: Sequence,
    acknowledged: Sequence,
    rows: Vec<Row>,
    bytes: usize,
    emitted: [u64; 3],
    dead: DeadLetters,
}

impl Output {
    pub(super) const fn new(range: RangeId, epoch: Epoch, sequence: Sequence) -> Self {
        Self {
            range,
            epoch,
            sequence,
            acknowledged: Sequence(0),
            rows: Vec::new(),
            bytes: 0,
            emitted: [0; 3],
            dead: DeadLetters::new(),
        }
    }

    pub(super) const fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub(super) const fn acknowledged(&self) -> Sequence {
        self.acknowledged
    }

    /// Whether `sequence` is news.
    pub(super) fn acknowledge(&mut self, sequence: Sequence) -> bool {
        let is_news = sequence > self.acknowledged;
        self.acknowledged = self.acknowledged.max(sequence);
        is_news
    }

    pub(super) fn take_rows(&mut self) -> Vec<Row> {
        self.bytes = 0;
        let next = Vec::with_capacity(self.rows.len());
        std::mem::replace(&mut self.rows, next)
    }

    /// Bytes of the rows that wait, about.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Results of each state since this range was opened here: complete, incomplete, corrected.
    pub(super) const fn emitted(&self) -> [u64; 3] {
        self.emitted
    }

    /// Dead letters since this range was opened here.
    pub(super) const fn dead_letters(&self) -> &DeadLetters {
        &self.dead
    }

    pub(super) fn result(&mut self, decision: Decision) {
        self.emitted[match decision.state {
            State::Complete => 0,
            State::Incomplete => 1,
            State::Corrected => 2,
        }] += 1;
        let row = (decision.id, decision.payload);
        self.push(Outlet::Transactions, decision.version, row, Vec::new());
        if let Some(row) = self.rows.last_mut() {
            row.arrived = decision.arrived;
        }
    }

    pub(super) fn late(&mut self, leg: Leg, envelope: &Envelope<'_>, rules: &Rules) {
        let mut json = head(leg, envelope);
        put_json(&mut json, "eventTime", envelope.event_time.0.to_string().as_bytes());
        put_json(&mut json, "recordTime", envelope.record_time.0.to_string().as_bytes());
        put_json(&mut json, "source", &quoted_source(rules, envelope));
        self.say(Outlet::Late, leg, envelope, json);
    }

    /// `kept` is `None` where it is the leg of a result that has been published.
    pub(super) fn conflict(
        &mut self,
        leg: Leg,
        kept: Option<&Envelope<'_>>,
        rejected: &Envelope<'_>,
        rules: &Rules,
    ) {
        let mut json = head(leg, rejected);
        let kept = kept.map_or_else(|| b"null".to_vec(), |kept| quoted_source(rules, kept));
        put_json(&mut json, "kept", &kept);
        put_json(&mut json, "rejected", &quoted_source(rules, rejected));
        put_json(&mut json, "recordTime", rejected.record_time.0.to_string().as_bytes());
        self.say(Outlet::Conflicts, leg, rejected, json);
    }

    /// A record that no decoder understood. Its envelope's body is class, detail and the raw bytes.
    pub(super) fn dead_record(&mut self, envelope: &Envelope<'_>, rules: &Rules) {
        let mut reader = Reader::new(envelope.body);
        let mut part = || reader.bytes().unwrap_or_default();
        let (class, detail, raw) = (part(), part(), part());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.dead(envelope, (&text(class), &text(detail)), raw, rules);
    }

    /// A leg of a transaction whose rules panicked.
    pub(super) fn panicked(&mut self, envelope: &Envelope<'_>, reason: &str, rules: &Rules) {
        self.dead(envelope, (PANICKED, reason), envelope.body, rules);
    }

    fn dead(
        &mut self,
        envelope: &Envelope<'_>,
        (class, detail): (&str, &str),
        raw: &[u8],
        rules: &Rules,
    ) {
        *self.dead.entry((envelope.partition, class.to_owned())).or_default() += 1;
        let source = rules.partitions.get(envelope.partition.index());
        let mut key = Vec::new();
        put_source(&mut key, rules, envelope);
        let headers = [
            ("topic", source.map(|it| it.topic.to_string()).unwrap_or_default()),
            ("partition", source.map(|it| it.partition.to_string()).unwrap_or_default()),
            ("offset", envelope.offset.to_string()),
            ("timestamp", envelope.record_time.to_string()),
            ("error", class.to_owned()),
            ("detail", detail.to_owned()),
            ("decoder", DECODER.to_owned()),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let row = (key.into(), Bytes::copy_from_slice(raw));
        self.push(Outlet::DeadLetters, Version(1), row, headers);
    }

    fn say(&mut self, outlet: Outlet, leg: Leg, envelope: &Envelope<'_>, mut json: Vec<u8>) {
        json.push(b'}');
        let row = (Bytes::copy_from_slice(id(leg, envelope)), json.into());
        self.push(outlet, Version(1), row, Vec::new());
    }

    fn push(
        &mut self,
        outlet: Outlet,
        version: Version,
        (key, payload): (Bytes, Bytes),
        headers: Vec<(String, String)>,
    ) {
        self.sequence = self.sequence.next();
        self.bytes += key.len() + payload.len() + 64;
        let sequence = self.sequence;
        let stamp = Stamp { range: self.range, epoch: self.epoch, sequence, version };
        self.rows.push(Row { outlet, stamp, key, payload, headers, arrived: None });
    }
}

fn id<'a>(leg: Leg, envelope: &Envelope<'a>) -> &'a [u8] {
    let mut bodies = Bodies::none();
    bodies.set(leg, envelope.body);
    bodies.id()
}

fn head(leg: Leg, envelope: &Envelope<'_>) -> Vec<u8> {
    let mut json = b"{\"transactionId\":".to_vec();
    put_string(&mut json, id(leg, envelope));
    json.extend_from_slice(b",\"leg\":");
    put_string(&mut json, leg.name().as_bytes());
    json
}

fn put_json(json: &mut Vec<u8>, name: &str, value: &[u8]) {
    json.push(b',');
    put_string(json, name.as_bytes());
    json.push(b':');
    json.extend_from_slice(value);
}

fn quoted_source(rules: &Rules, envelope: &Envelope<'_>) -> Vec<u8> {
    let mut source = Vec::new();
    put_source(&mut source, rules, envelope);
    let mut json = Vec::new();
    put_string(&mut json, &source);
    json
}
