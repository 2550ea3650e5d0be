//! What a transaction's result must say, field by field.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proto::types::Leg;
use serde::Deserialize;

use crate::workload::model::{Fate, Model, Transaction, channel, service};
use crate::workload::record::business_key;

/// A row of the transactions outlet.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result {
    pub(super) transaction_id: String,
    start: Option<u64>,
    end: Option<u64>,
    duration_ms: Option<u64>,
    channel: Option<String>,
    institution: Option<String>,
    product: Option<String>,
    service: Option<String>,
    business_key: Option<String>,
    status: Option<u64>,
    result_code: Option<String>,
    decision: Option<String>,
    complete: bool,
    missing: Vec<String>,
    pub(super) version: u64,
    pub(super) state: String,
    supersedes: Option<u64>,
    #[serde(default)]
    sources: BTreeMap<String, Option<String>>,
}

/// Which of its results are expected of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Edition {
    /// The first: complete, or incomplete at the deadline.
    First,
    /// The second, once what was missing has come.
    Correction,
}

impl Edition {
    /// The edition of a version number; `None` where the workload has no such.
    pub(super) const fn of(version: u64, transaction: &Transaction) -> Option<Self> {
        match (version, transaction.fate) {
            (1, _) => Some(Self::First),
            (2, Fate::Late(_)) => Some(Self::Correction),
            (_, Fate::Plain | Fate::Missing(_) | Fate::Late(_) | Fate::Conflict(..)) => None,
        }
    }

    /// The edition's bit in a transaction's mark.
    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Correction => 2,
        }
    }
}

/// What is wrong with `result`; `None` where it is right.
pub(super) fn fault(
    (model, prefix): (&Model, &str),
    transaction: &Transaction,
    edition: Edition,
    result: &Result,
) -> Option<String> {
    let lacking = match edition {
        Edition::First => transaction.lacking(),
        Edition::Correction => None,
    };
    state_fault(lacking, edition, result)
        .or_else(|| time_fault(transaction, lacking, result))
        .or_else(|| content_fault(model, transaction, lacking, result))
        .or_else(|| source_fault(prefix, lacking, result))
}

fn state_fault(lacking: Option<Leg>, edition: Edition, result: &Result) -> Option<String> {
    let state = match (edition, lacking) {
        (Edition::Correction, _) => "CORRECTED",
        (Edition::First, None) => "COMPLETE",
        (Edition::First, Some(_)) => "INCOMPLETE",
    };
    let missing: Vec<&str> = lacking.iter().map(|leg| leg.name()).collect();
    let supersedes = (edition == Edition::Correction).then_some(1);
    differs("state", result.state.as_str(), state)
        .or_else(|| differs("complete", result.complete, lacking.is_none()))
        .or_else(|| differs("missing", result.missing.as_slice(), missing.as_slice()))
        .or_else(|| differs("supersedes", result.supersedes, supersedes))
}

fn time_fault(it: &Transaction, lacking: Option<Leg>, result: &Result) -> Option<String> {
    let [trace, request, response] = it.event_ms;
    // With at most one leg missing, the next best is always there.
    let start = if lacking == Some(Leg::Trace) { request } else { trace };
    let end = if lacking == Some(Leg::Response) { request } else { response };
    differs("start", result.start, Some(start))
        .or_else(|| differs("end", result.end, Some(end)))
        .or_else(|| differs("durationMs", result.duration_ms, Some(end - start)))
}

fn content_fault(
    model: &Model,
    it: &Transaction,
    lacking: Option<Leg>,
    result: &Result,
) -> Option<String> {
    let content = &it.content;
    let of = |leg, text| (lacking != Some(leg)).then_some(text);
    let status = (lacking != Some(Leg::Response)).then_some(content.status);
    let key = business_key(it.index);
    let texts = [
        ("channel", &result.channel, of(Leg::Trace, channel(content))),
        ("institution", &result.institution, of(Leg::Trace, model.institution(content))),
        ("product", &result.product, of(Leg::Trace, model.product(content))),
        ("service", &result.service, of(Leg::Request, service(content))),
        ("businessKey", &result.business_key, Some(key.as_str())),
        ("resultCode", &result.result_code, of(Leg::Response, content.result_code)),
        ("decision", &result.decision, of(Leg::Response, content.decision)),
    ];
    let differing = |(name, found, right): &(&str, &Option<String>, Option<&str>)| {
        differs(name, found.as_deref(), *right)
    };
    differs("status", result.status, status).or_else(|| texts.iter().find_map(differing))
}

/// Which offset a leg has is the broker's affair; that it comes from its own topic is not.
fn source_fault(prefix: &str, lacking: Option<Leg>, result: &Result) -> Option<String> {
    Leg::ALL.into_iter().find_map(|leg| {
        let source = result.sources.get(leg.name()).and_then(Option::as_deref);
        let topic = format!("{prefix}.{leg}");
        let is_right = match source {
            None => lacking == Some(leg),
            Some(source) => lacking != Some(leg) && source.starts_with(&topic),
        };
        (!is_right).then(|| format!("sources.{leg} is {source:?}"))
    })
}

fn differs<A: Copy + Debug + PartialEq<B>, B: Copy + Debug>(name: &str, found: A, right: B) -> Option<String> {
    (found != right).then(|| format!("{name} is {found:?} and must be {right:?}"))
}
