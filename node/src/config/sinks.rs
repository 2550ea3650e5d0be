//! `sinks`: where results go.

use std::path::PathBuf;

use super::diagnostic::Code;
use super::kafka::{self, Properties};
use super::report::{Finding, Value};
use super::rules;
use super::section::Section;
use super::sources::{SourceKind, directory, one_of, topic};

/// Where results go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sink {
    /// Topics of a Kafka cluster.
    Kafka(KafkaSink),
    /// Files of a directory.
    Files(PathBuf),
}

/// Topics of a Kafka cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KafkaSink {
    /// Where to find the cluster, as `host:port`.
    pub brokers: Vec<String>,
    /// What the topics' names begin with: `<prefix>.transactions` and so on.
    pub prefix: String,
    /// Whether each delivery is a Kafka transaction. Where not, a record can come twice after a crash,
    /// with the same range and sequence in its headers.
    pub exactly_once: bool,
    /// Further settings of librdkafka.
    pub properties: Properties,
}

impl Sink {
    /// Absent, it is Kafka where the source is, else files beside the node's state.
    pub(super) fn read(root: &Section<'_>, source: &SourceKind, dir: &std::path::Path) -> Self {
        let section = root.section("sinks");
        let source = match source {
            SourceKind::Kafka(kafka) => Some(kafka.brokers.as_slice()),
            SourceKind::Files(_) | SourceKind::Generated(_) => None,
        };
        for key in ["transactions", "indicators", "deadLetters", "postgres"] {
            section.later(key, "all outlets go to the same sink in this version: kafka or files");
        }
        let is_empty = !section.has("kafka") && !section.has("files");
        let kind = if is_empty { None } else { one_of(&section, "sinks", ["kafka", "files"]) };
        let sink = match (kind, source) {
            (Some("files"), _) => Self::Files(directory(&section)),
            (Some(_), _) | (None, Some(_)) => Self::Kafka(KafkaSink::read(&section, source)),
            (None, None) => default_files(&section, dir),
        };
        section.node("kafka");
        section.node("files");
        section.finish();
        sink
    }
}

fn default_files(sinks: &Section<'_>, dir: &std::path::Path) -> Sink {
    let dir = dir.join("results");
    let section = sinks.section("files");
    section.setting("dir", Value::Plain(dir.display().to_string()));
    Sink::Files(dir)
}

impl KafkaSink {
    fn read(sinks: &Section<'_>, source: Option<&[String]>) -> Self {
        let section = sinks.section("kafka");
        let brokers = kafka::brokers(&section).or_else(|| {
            let brokers = source?.to_vec();
            section.setting("brokers", Value::List(brokers.clone()));
            Some(brokers)
        });
        if brokers.is_none() {
            let finding = Finding::new(Code::MissingKey, "kafka needs the key \"brokers\"");
            let note = "only where the source is kafka as well, its brokers are the default";
            section.report.error(section.span, finding.note(note));
        }
        let prefix = section.read("prefix", "throughline", prefix);
        let exactly_once = section.read("exactlyOnce", "false", rules::truth);
        let properties = Properties::read(&section);
        section.finish();
        Self { brokers: brokers.unwrap_or_default(), prefix, exactly_once, properties }
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let is_short = text.len() <= 200;
    let text = topic(text).ok().filter(|_| is_short);
    text.ok_or_else(|| "a prefix is 1 to 200 of a-z, A-Z, 0-9, ., _ and -".to_owned())
}
