//! What is known of a transaction, in the API's words.

use actors::engine::TransactionFound;
use actors::machine::envelope::{Envelope, Kind};
use actors::machine::mailbox::Mailbox;
use proto::types::{Leg, Offset, RecordTime, SourcePartition, Version};
use serde_json::Value;

use crate::api::backend::{ResultState, SeenLeg, Transaction};

pub(super) fn transaction(found: TransactionFound, partitions: &[SourcePartition]) -> Transaction {
    match found {
        TransactionFound::Open { mailbox, deadline } => open(&mailbox, deadline, partitions),
        TransactionFound::Done(row) => {
            result(&row.payload, row.stamp.version, partitions).unwrap_or(Transaction::Done)
        }
        TransactionFound::Forgotten => Transaction::Done,
        TransactionFound::Unknown => Transaction::Unknown,
    }
}

fn open(mailbox: &Mailbox, deadline: RecordTime, partitions: &[SourcePartition]) -> Transaction {
    let seen = |envelope: Envelope<'_>| {
        let Kind::Leg(_) = envelope.kind else { return None };
        Some(SeenLeg {
            source: partitions.get(envelope.partition.index())?.clone(),
            offset: envelope.offset,
            event_time: Some(envelope.event_time),
            record_time: Some(envelope.record_time),
        })
    };
    let legs = mailbox.envelopes().filter_map(seen).collect();
    Transaction::Open { legs, missing: mailbox.legs.missing().collect(), deadline }
}

/// `None` where the row is not what a transaction's actor writes.
fn result(payload: &[u8], version: Version, partitions: &[SourcePartition]) -> Option<Transaction> {
    let json: Value = serde_json::from_slice(payload).ok()?;
    let state = match json.get("state")?.as_str()? {
        "COMPLETE" => ResultState::Complete,
        "INCOMPLETE" => ResultState::Incomplete,
        "CORRECTED" => ResultState::Corrected,
        _ => return None,
    };
    let sources = json.get("sources")?.as_object()?;
    let legs = sources.values().filter_map(|it| seen(it.as_str()?, partitions)).collect();
    let lacks = |leg: &Leg| !sources.contains_key(leg.name());
    let missing = Leg::ALL.into_iter().filter(lacks).collect();
    let json = String::from_utf8(payload.to_vec()).ok()?;
    Some(Transaction::Result { state, version, legs, missing, json })
}

/// The leg that came from `topic/partition@offset`.
fn seen(source: &str, partitions: &[SourcePartition]) -> Option<SeenLeg> {
    let (name, offset) = source.rsplit_once('@')?;
    let source = partitions.iter().find(|it| it.to_string() == name)?.clone();
    let offset = Offset(offset.parse().ok()?);
    Some(SeenLeg { source, offset, event_time: None, record_time: None })
}
