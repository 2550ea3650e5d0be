//! Which Kafka rows go to, and how the clients for it are set up.

use std::collections::BTreeMap;
use std::fmt;

use proto::types::NodeId;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::SinkError;
use crate::engine::Life;

/// What must be so, whatever the properties say: no loss and no reordering on the way to the broker. A record that
/// arrives is not told of: that the producer holds it no more says the same.
const FIXED: [(&str, &str); 4] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("partitioner", "murmur2_random"),
    ("delivery.report.only.error", "true"),
];

/// What is so unless the properties say otherwise. I13: at most 64 MiB wait for the brokers.
const USUAL: [(&str, &str); 6] = [
    ("client.id", "throughline"),
    ("linger.ms", "5"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.kbytes", "65536"),
    ("queue.buffering.max.messages", "200000"),
    ("message.timeout.ms", "60000"),
];

/// Where rows go.
#[derive(Clone)]
pub struct KafkaSinkOptions {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Further librdkafka properties. Those that safety rests on cannot be changed.
    pub properties: BTreeMap<String, String>,
    /// What the topics' names begin with: `<prefix>.transactions` and so on.
    pub prefix: String,
    /// How many partitions a topic gets that has to be created.
    pub partitions: i32,
    /// Whose transactions the deliveries are; `None` where they are none.
    pub exactly_once: Option<Life>,
}

/// Shows the properties' names but not their values: some are passwords.
impl fmt::Debug for KafkaSinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSinkOptions")
            .field("brokers", &self.brokers)
            .field("properties", &self.properties.keys())
            .field("prefix", &self.prefix)
            .field("partitions", &self.partitions)
            .field("exactly_once", &self.exactly_once)
            .finish()
    }
}

impl KafkaSinkOptions {
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // A broker that was away is found again within that: librdkafka's own limit is ten seconds.
        config.set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in USUAL {
            config.set(name, value);
        }
        for (name, value) in self.client().config_map() {
            config.set(name, value);
        }
        for (name, value) in FIXED {
            config.set(name, value);
        }
        config
    }

    /// The transactional id of a life: a node that comes back is not shut out with the life it had before.
    pub(super) fn id(&self, (incarnation, node): &Life) -> String {
        // No node's name has a slash: no life has the former id of another node.
        format!("{}/{}", self.former_id(node), incarnation.0)
    }

    /// The id that all lives of a node had before each had its own.
    pub(super) fn former_id(&self, node: &NodeId) -> String {
        format!("{}-{node}", self.prefix)
    }

    pub(super) fn transactional_producer(&self, id: &str) -> ClientConfig {
        let mut config = self.producer();
        config.set("transactional.id", id);
        config.set("transaction.timeout.ms", "30000");
        config.set("message.timeout.ms", "30000");
        config
    }

    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    pub(super) fn unavailable(&self, doing: &str, fault: KafkaError) -> SinkError {
        let doing = format!("{doing} of kafka at {}", self.brokers);
        SinkError::Unavailable { doing, source: fault.into() }
    }
}
