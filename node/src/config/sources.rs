//! `sources`: where the three legs come from.

use std::num::NonZeroU16;
use std::path::PathBuf;

use proto::types::{Keying, Leg};

use super::diagnostic::Code;
use super::kafka::{self, Properties};
use super::report::Finding;
use super::rules;
use super::section::Section;

/// Where the three legs come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sources {
    /// What kind of source, with what that kind needs.
    pub kind: SourceKind,
    /// Each leg's topic and how its messages are read, in the order of [`Leg::ALL`].
    pub legs: [LegSource; 3],
    /// Whether keys say which partition of its topics a transaction is in.
    pub keying: Keying,
}

/// A kind of source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceKind {
    /// Topics of a Kafka cluster.
    Kafka(KafkaSource),
    /// Files of a directory.
    Files(PathBuf),
    /// Messages that Throughline makes up, to try it out and to measure it.
    Generated(Generated),
}

/// Topics of a Kafka cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KafkaSource {
    /// Where to find the cluster, as `host:port`.
    pub brokers: Vec<String>,
    /// The consumer group under which lag tools see us.
    pub group: String,
    /// Further settings of librdkafka.
    pub properties: Properties,
}

/// Made-up messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Generated {
    /// The same seed makes the same messages.
    pub seed: u64,
    /// Transactions a second of event time.
    pub rate: u64,
    /// Partitions a topic.
    pub partitions: u16,
    /// How many transactions there are; `None`: without end.
    pub transactions: Option<u64>,
}

/// A leg's topic and how its messages are read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LegSource {
    /// The topic, or the name that its files begin with.
    pub topic: String,
    /// The JSON pointer of the transaction id.
    pub id: String,
    /// The JSON pointer of the event time, in milliseconds since the Unix epoch.
    pub time: String,
}

const KINDS: [&str; 3] = ["kafka", "files", "generated"];

impl Sources {
    pub(super) fn read(root: &Section<'_>, cluster: &str) -> Self {
        let section = root.section("sources");
        let kind = SourceKind::read(&section, cluster);
        let keyed = section.find("keyedPartitions", rules::number(0, u64::from(u16::MAX)));
        let keyed = keyed.and_then(|it| NonZeroU16::new(u16::try_from(it).ok()?));
        let keying = keyed.map_or_else(Keying::default, Keying::by);
        let legs = section.section("legs");
        let sources = Self { kind, legs: Leg::ALL.map(|leg| LegSource::read(&legs, leg)), keying };
        sources.refuse_shared_topics(&legs);
        legs.finish();
        section.finish();
        sources
    }

    fn refuse_shared_topics(&self, legs: &Section<'_>) {
        for (i, leg) in Leg::ALL.into_iter().enumerate() {
            let topic = &self.legs[i].topic;
            let Some(first) = self.legs[..i].iter().position(|it| it.topic == *topic) else {
                continue;
            };
            let message =
                format!("{leg} and {} cannot both be the topic \"{topic}\"", Leg::ALL[first]);
            legs.report.error(legs.span_of(leg.name()), Finding::new(Code::Conflict, message));
        }
    }
}

impl SourceKind {
    fn read(section: &Section<'_>, cluster: &str) -> Self {
        let given = one_of(section, "sources", KINDS);
        match given {
            Some("files") => Self::Files(directory(section)),
            Some("generated") => Self::Generated(Generated::read(section)),
            Some(_) | None => Self::Kafka(KafkaSource::read(section, cluster, given.is_some())),
        }
    }
}

/// Which one of `kinds` the section has; notes an error where it has none or several. Knows them all.
pub(super) fn one_of<'k, const N: usize>(
    section: &Section<'_>,
    what: &str,
    kinds: [&'static str; N],
) -> Option<&'k str> {
    let given: Vec<&'static str> = kinds.into_iter().filter(|it| section.has(it)).collect();
    kinds.into_iter().for_each(|it| section.knows(it));
    let choice = kinds.join(", ");
    match given.as_slice() {
        [one] => return Some(one),
        [] if !section.report.is_readable() => {}
        [] => {
            let message = format!("{what} needs one of {choice}");
            section.report.error(section.span, Finding::new(Code::NotOne, message));
        }
        [_, second, ..] => {
            let message =
                format!("{what} can be only one of {choice}, not {}", given.join(" and "));
            let finding = Finding::new(Code::NotOne, message).help("remove all but one");
            section.report.error(section.key_span(second), finding);
        }
    }
    given.first().copied()
}

pub(super) fn directory(around: &Section<'_>) -> PathBuf {
    let section = around.section("files");
    let dir = section.require("dir", "unset", rules::text);
    section.finish();
    PathBuf::from(dir)
}

impl KafkaSource {
    fn read(around: &Section<'_>, cluster: &str, is_given: bool) -> Self {
        let section = around.section("kafka");
        let brokers = kafka::brokers(&section);
        if brokers.is_none() && is_given {
            section.missing("brokers");
        }
        let group = section.read("group", &format!("throughline-{cluster}"), rules::text);
        let properties = Properties::read(&section);
        section.finish();
        Self { brokers: brokers.unwrap_or_default(), group, properties }
    }
}

impl Generated {
    fn read(around: &Section<'_>) -> Self {
        let section = around.section("generated");
        let seed = section.read("seed", "1", rules::number(0, u64::MAX));
        let rate = section.read("rate", "20000", rules::number(1, 100_000_000));
        let partitions = section.read("partitions", "4", rules::number(1, 1024));
        let transactions = section.find("transactions", rules::number(1, u64::MAX));
        section.finish();
        Self { seed, rate, partitions, transactions }
    }
}

impl LegSource {
    fn read(legs: &Section<'_>, leg: Leg) -> Self {
        let section = legs.section(leg.name());
        let topic = section.read("topic", &format!("bank.{leg}"), topic);
        let id = section.read("id", "/transactionId", rules::pointer);
        let time = section.read("time", "/eventTime", rules::pointer);
        section.finish();
        Self { topic, id, time }
    }
}

/// A topic's name, by Kafka's own rule.
pub(super) fn topic(text: &str) -> Result<String, String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    if text.is_empty() || text.len() > 249 || !text.chars().all(fits) || text == "." || text == ".."
    {
        return Err("a topic's name is 1 to 249 of a-z, A-Z, 0-9, ., _ and -".to_owned());
    }
    Ok(text.to_owned())
}
