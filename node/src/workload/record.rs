//! The bytes of a transaction's records, as a bank's log shippers would send them.

use proto::types::Leg;

use super::model::{Content, Model, Transaction, channel};
use super::names::{APPROVED, CHANNELS, NETWORKS, PAGES, SERVICES};
use super::random::Random;

/// What fills the free text of a message.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=;,. -_:/";

/// Text of which free text is cut: drawing each letter anew would cost more than all the rest.
const POOL_BYTES: usize = 1 << 16;

/// How long a piece of free text can be.
const LONGEST_TEXT: usize = 512;

/// Writes records.
#[derive(Clone, Debug)]
pub struct Writer {
    pool: String,
}

impl Default for Writer {
    fn default() -> Self {
        let mut random = Random::new(0xabcd_ef01);
        let length = POOL_BYTES + LONGEST_TEXT;
        Self { pool: (0..length).map(|_| char::from(random.one_of(LETTERS))).collect() }
    }
}

impl Writer {
    /// Puts the record of `leg` in place of what `out` held.
    pub fn write(&self, model: &Model, transaction: &Transaction, leg: Leg, out: &mut String) {
        let id = model.id(transaction.index);
        let event_ms = transaction.event_ms[leg.index()];
        let business_key = business_key(transaction.index);
        out.clear();
        put(out, format_args!(r#"{{"transactionId":"{id}","eventTime":{event_ms},"#));
        let content = &transaction.content;
        let purpose = u64::try_from(leg.index()).expect("there are three legs");
        let random = &mut Random::new(content.filler_seed ^ purpose);
        match leg {
            Leg::Trace => write_trace(model, content, random, out),
            Leg::Request => self.write_request((&id, &business_key), content, random, out),
            Leg::Response => self.write_response(&business_key, content, random, out),
        }
    }

    fn write_request(
        &self,
        (id, business_key): (&str, &str),
        content: &Content,
        random: &mut Random,
        out: &mut String,
    ) {
        let (service, path) = SERVICES[content.service];
        let (host, span) = (random.below(32), random.draw());
        let (yuan, cents) = (content.amount_cents / 100, content.amount_cents % 100);
        put(out, format_args!(r#""service":"{service}","method":"POST","path":"{path}","#));
        put(out, format_args!(r#""host":"gw-{host:02}","#));
        put(out, format_args!(r#""traceparent":"00-{id}-{span:016x}-01","#));
        put(out, format_args!(r#""body":{{"businessKey":"{business_key}","#));
        put(out, format_args!(r#""amount":{yuan}.{cents:02},"currency":"CNY","fields":""#));
        self.put_text(random, (100, 300), out);
        out.push_str("\"}}");
    }

    fn write_response(&self, key: &str, content: &Content, random: &mut Random, out: &mut String) {
        let Content { status, result_code, decision, .. } = content;
        let limit = if *decision == APPROVED { content.amount_cents / 50 } else { 0 };
        put(out, format_args!(r#""status":{status},"resultCode":"{result_code}","#));
        put(out, format_args!(r#""body":{{"businessKey":"{key}","decision":"{decision}","#));
        put(out, format_args!(r#""limit":{limit}.00,"message":""#));
        self.put_text(random, (40, 160), out);
        out.push_str("\"}}");
    }

    /// Free text of a length from `shortest` to `longest`; one in ten with escapes in it, which a decoder
    /// that looks for the next quote would trip over.
    fn put_text(&self, random: &mut Random, (shortest, longest): (u64, u64), out: &mut String) {
        const ESCAPED: &str = r#"{\"k\":\"v\"}"#;
        let length = usize::try_from(random.between(shortest, longest)).expect("under 512");
        let from = random.place_in(POOL_BYTES);
        let mut rest = length;
        if random.below(10) == 0 {
            out.push_str(ESCAPED);
            rest = length.saturating_sub(ESCAPED.len());
        }
        out.push_str(&self.pool[from..from + rest]);
    }
}

fn write_trace(model: &Model, content: &Content, random: &mut Random, out: &mut String) {
    let (channel, product) = (channel(content), model.product(content));
    let institution = model.institution(content);
    let (page, operator) = (random.one_of(&PAGES), random.below(10_000));
    let (customer, device) = (random.below(100_000_000), random.draw());
    let (client, network) = ((random.below(20), random.below(10)), random.one_of(&NETWORKS));
    put(out, format_args!(r#""channel":"{channel}","institution":"{institution}","#));
    put(out, format_args!(r#""product":"{product}","page":"{page}","operator":"U{operator:06}","#));
    put(out, format_args!(r#""customer":"C{customer:011}","device":"{device:020x}","#));
    put(out, format_args!(r#""client":"5.{}.{}","network":"{network}"}}"#, client.0, client.1));
}

/// The business key of a transaction: what the customer knows it by.
#[must_use]
pub fn business_key(index: u64) -> String {
    format!("APP{index:010}")
}

/// The same transaction with other content in `leg`: what a contradicting copy says. Differs in a
/// field that results carry, so that taking the wrong one shows.
#[must_use]
pub fn contradicted(transaction: &Transaction, leg: Leg) -> Transaction {
    let mut other = *transaction;
    let content = &mut other.content;
    content.filler_seed = !content.filler_seed;
    match leg {
        Leg::Trace => content.channel = (content.channel + 1) % CHANNELS.len(),
        Leg::Request => content.service = (content.service + 1) % SERVICES.len(),
        Leg::Response if content.decision == APPROVED => content.decision = "REJECTED",
        Leg::Response => content.decision = APPROVED,
    }
    other
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    use std::fmt::Write as _;
    out.write_fmt(text).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::workload::params::Params;

    fn record(index: u64, leg: Leg) -> String {
        let model = Model::new(Params::of(10_000));
        let mut out = String::new();
        Writer::default().write(&model, &model.transaction(index), leg, &mut out);
        out
    }

    #[test]
    fn records_have_the_fields_of_the_workload_in_its_order() {
        let cases = [
            (Leg::Trace, "transactionId eventTime channel institution product page operator \
                          customer device client network"),
            (Leg::Request, "transactionId eventTime service method path host traceparent body"),
            (Leg::Response, "transactionId eventTime status resultCode body"),
        ];
        for (leg, fields) in cases {
            let text = record(3, leg);
            let value: Value = serde_json::from_str(&text).unwrap();
            let object = value.as_object().unwrap();
            let mut at = 0;
            for field in fields.split(' ') {
                assert!(object.contains_key(field), "{leg} has {field}");
                let place = text.find(&format!("\"{field}\":")).unwrap();
                assert!(place >= at, "{field} stands in its place");
                at = place;
            }
            assert_eq!(object.len(), fields.split(' ').count(), "{text}");
        }
    }

    #[test]
    fn records_are_as_long_as_the_workload_says_and_all_valid() {
        let model = Model::new(Params::of(10_000));
        let (writer, mut out) = (Writer::default(), String::new());
        for (leg, about) in [(Leg::Trace, 330), (Leg::Request, 480), (Leg::Response, 260)] {
            let mut bytes = 0;
            for index in 0..2_000 {
                writer.write(&model, &model.transaction(index), leg, &mut out);
                serde_json::from_str::<Value>(&out).unwrap();
                bytes += out.len();
            }
            let mean = bytes / 2_000;
            assert!(mean.abs_diff(about) < about / 4, "{leg}: {mean} B");
        }
    }

    #[test]
    fn a_contradicting_copy_differs_in_a_field_that_results_carry() {
        let model = Model::new(Params::of(1_000));
        for index in 0..1_000 {
            let transaction = model.transaction(index);
            for leg in Leg::ALL {
                let other = contradicted(&transaction, leg);
                let shown = |it: &Transaction| (it.content.channel, it.content.service, it.content.decision);
                assert_ne!(shown(&transaction), shown(&other));
                assert_eq!(transaction.event_ms, other.event_ms);
            }
        }
    }
}
