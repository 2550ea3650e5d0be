//! What generator and checker need of Kafka alike: how to connect, and which partitions a topic has.

use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use crate::problem::{Code, Problem};

/// How long a broker may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take until any broker answers: a wrong address should not cost half a minute.
const CONTACT: Duration = Duration::from_secs(10);

/// Where the brokers are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct KafkaArgs {
    /// Kafka's brokers, with commas between
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: Option<String>,
    /// A property of the Kafka client, such as security.protocol=ssl; may be given several times
    #[arg(long = "kafka-property", value_name = "NAME=VALUE", value_parser = parse_property)]
    pub properties: Vec<(String, String)>,
}

fn parse_property(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = split.ok_or_else(|| format!("`{text}` must be NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl KafkaArgs {
    /// A client's configuration: `defaults`, and what the user asked for in their place.
    #[must_use]
    pub fn config(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers.clone().unwrap_or_default());
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// A consumer that is in no group, and reads what is committed up to each partition's end.
    ///
    /// # Errors
    ///
    /// Where a property is none.
    pub fn consumer(&self) -> anyhow::Result<BaseConsumer> {
        self.config(&[
            ("group.id", "throughline-verify"),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_committed"),
            ("fetch.wait.max.ms", "50"),
            ("fetch.message.max.bytes", "4194304"),
            ("queued.max.messages.kbytes", "65536"),
        ])
        .create()
        .context("create a Kafka consumer")
    }
}

/// What Kafka's client says where nobody answers.
const SILENT: [RDKafkaErrorCode; 5] = [
    RDKafkaErrorCode::BrokerTransportFailure,
    RDKafkaErrorCode::AllBrokersDown,
    RDKafkaErrorCode::Resolve,
    RDKafkaErrorCode::OperationTimedOut,
    RDKafkaErrorCode::RequestTimedOut,
];

/// What stands behind an error of Kafka's client, where it is one that people can do something about.
#[must_use]
pub fn problem(doing: &str, error: &KafkaError) -> Option<Problem> {
    if let KafkaError::ClientConfig(_, why, name, value) = error {
        let what = format!("Kafka's client does not take {name}={value}");
        return Some(
            Problem::new(Code::BadArgument, what, why.as_str())
                .remedy("mend --brokers or --kafka-property; the names are those of librdkafka"),
        );
    }
    if !error.rdkafka_error_code().is_some_and(|code| SILENT.contains(&code)) {
        return None;
    }
    let why = format!("nobody answered within {} s ({error})", CONTACT.as_secs());
    Some(
        Problem::new(Code::Unreachable, format!("cannot {doing}"), why)
            .remedy("start Kafka, or mend --brokers HOST:PORT"),
    )
}

/// The partitions of a topic; `None` where the topic does not exist.
///
/// # Errors
///
/// Where the brokers don't answer.
pub fn partitions(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Option<Vec<i32>>> {
    let metadata = consumer
        .fetch_metadata(Some(topic), CONTACT)
        .with_context(|| format!("ask the brokers about topic {topic}"))?;
    let Some(found) = metadata.topics().iter().find(|it| it.name() == topic) else {
        return Ok(None);
    };
    match found.error() {
        None => Ok(Some(found.partitions().iter().map(|it| it.id()).collect())),
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(None),
        Some(error) => {
            let code = RDKafkaErrorCode::from(error);
            Err(code).with_context(|| format!("ask the brokers about topic {topic}"))
        }
    }
}
