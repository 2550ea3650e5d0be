//! What a Kafka source and a Kafka sink have in common: brokers and further librdkafka settings.

use std::collections::BTreeMap;
use std::fmt;

use super::diagnostic::Code;
use super::report::{Finding, Value};
use super::section::{Section, text_of};
use super::tree::Kind;

/// Further settings of librdkafka, by their names there. Secrets among them are not shown.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Properties(pub BTreeMap<String, String>);

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, value)| (key, shown(key, value)))).finish()
    }
}

/// Settings that Throughline's promises rest on, each with the reason why a file must not change it.
const OURS: [(&str, &str); 9] = [
    ("bootstrap.servers", "use brokers"),
    ("metadata.broker.list", "use brokers"),
    ("group.id", "use group"),
    ("auto.offset.reset", "retention that passed unread records must stop the range, never skip"),
    ("enable.auto.commit", "positions are committed with the state, by Throughline itself"),
    ("enable.auto.offset.store", "positions are committed with the state, by Throughline itself"),
    ("enable.partition.eof", "Throughline needs it to know that a partition is caught up"),
    ("enable.idempotence", "without it a record could be written twice or out of order"),
    (
        "transactional.id",
        "it fences an older writer, so it must be derived from the node's name and life",
    ),
];

/// The brokers; empty, with the reason noted, where one of them is not `host:port`.
pub(super) fn brokers(section: &Section<'_>) -> Option<Vec<String>> {
    let node = section.node("brokers")?;
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Null | Kind::Scalar(_) | Kind::Mapping(_) => {
            let message = format!("brokers must be a list, not {}", node.kind.name());
            let finding = Finding::new(Code::WrongKind, message).help("as in [\"kafka-0:9092\"]");
            section.report.error(node.span, finding);
            return Some(Vec::new());
        }
    };
    let mut brokers = Vec::new();
    for item in items {
        let Some(text) = text_of(section.report, "a broker", item) else { continue };
        if is_broker(text) {
            brokers.push(text.to_owned());
        } else {
            let message = format!("\"{text}\" is not a broker");
            let finding = Finding::new(Code::WrongValue, message);
            section
                .report
                .error(item.span, finding.help("a broker is host:port, as in kafka-0:9092"));
        }
    }
    if items.is_empty() {
        let finding = Finding::new(Code::WrongValue, "there must be at least one broker");
        section.report.error(node.span, finding);
    }
    section.setting("brokers", Value::List(brokers.clone()));
    Some(brokers)
}

fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_host = !host.is_empty() && !host.contains([' ', '/', ',']);
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

impl Properties {
    pub(super) fn read(around: &Section<'_>) -> Self {
        let section = around.section("properties");
        let mut properties = BTreeMap::new();
        for (key, node) in section.entries() {
            if let Some((name, why)) = OURS.iter().find(|it| it.0 == key.name) {
                let message = format!("\"{name}\" is set by Throughline itself");
                let finding = Finding::new(Code::Forbidden, message).help("remove it").note(*why);
                section.report.error(key.span, finding);
                continue;
            }
            let Some(text) = text_of(section.report, &key.name, node) else { continue };
            section.setting(&key.name, Value::Text(shown(&key.name, text).to_owned()));
            properties.insert(key.name.clone(), text.to_owned());
        }
        Self(properties)
    }
}

/// The value, or stars for what must not be seen on a screen or in a log.
fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    let is_secret =
        ["password", "secret", "token", "jaas", "key.pem"].iter().any(|it| key.contains(it));
    if is_secret { "***" } else { value }
}
