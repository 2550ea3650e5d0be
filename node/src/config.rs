//! The cluster file: read, checked, and turned into what the node may rely on.
//!
//! A file is first a [tree](tree) that knows where everything stands. Each section reads its part
//! of it into a checked struct, notes what is wrong, and goes on, so that one run shows all mistakes.

mod cluster;
mod diagnostic;
mod field;
mod join;
mod kafka;
mod listen;
mod objects;
mod report;
mod rules;
mod scenario;
pub mod schema;
mod section;
mod show;
mod sinks;
mod sources;
mod storage;
mod suggest;
mod tree;
mod units;
mod upkeep;

use std::io::Read as _;
use std::path::Path;

use actors::machine::fields::FieldTable;
use actors::machine::result_field::ResultField;
use actors::machine::scenario::Scenario;
use proto::types::NodeId;

pub use cluster::Coordinator;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use join::{Join, Keep};
pub use kafka::Properties;
pub use listen::{Listen, PeerPort};
pub use objects::Objects;
pub use report::{Setting, Value};
pub use scenario::{Checked, check as check_scenario};
pub use sinks::{KafkaSink, Sink};
pub use sources::{Generated, KafkaSource, LegSource, SourceKind, Sources};
pub use storage::{MEMORY_LEAST, Memory, Storage};
pub use upkeep::{Commit, Log, LogFormat, Snapshots};

use self::field::Table;
use self::report::Report;
use self::section::Section;
use crate::cluster::seeds::Seeds;

/// The one version of both files' format.
const API_VERSION: &str = "throughline.dev/v1";

/// What a node may rely on.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the cluster and the node are called.
    pub names: Names,
    /// Where the node serves.
    pub listen: Listen,
    /// Where the node keeps what it needs.
    pub storage: Storage,
    /// Where the legs come from.
    pub sources: Sources,
    /// How long legs wait for each other.
    pub join: Join,
    /// How often the node commits.
    pub commit: Commit,
    /// Where results go.
    pub sink: Sink,
    /// When snapshots are taken.
    pub snapshots: Snapshots,
    /// What is logged.
    pub log: Log,
    /// Where other nodes may be.
    pub discovery: Seeds,
    /// What the node does for its cluster.
    pub coordinator: Coordinator,
    /// What is done with transactions.
    pub rules: Rules,
    /// Every setting with its value, in the order of the file format.
    pub settings: Vec<Setting>,
    /// What somebody should know, though the files can be used.
    pub warnings: Diagnostics,
}

/// What the cluster and the node are called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: NodeId,
}

/// What is done with transactions.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Every field that results and scenarios look at.
    pub fields: FieldTable,
    /// The columns of a result, in their order.
    pub result_fields: Vec<ResultField>,
    /// The scenarios, in the order of their names.
    pub scenarios: Vec<Scenario>,
    /// The version of each of them: it changes with the scenario's file.
    pub versions: Vec<String>,
}

impl Config {
    /// Reads and checks the cluster file, and the scenario files that it names.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, where something is.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let text = read_file(path)?;
        Self::from_text(&name, &text)
    }

    /// Checks the text of a cluster file, and the scenario files that it names.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, where something is.
    pub fn from_text(name: &str, text: &str) -> Result<Self, Diagnostics> {
        let report = Report::new(name, text);
        let table = Table::default();
        let tree = report.parse();
        let (mut config, directory) = Self::read(Section::root(&report, &tree), &table);
        let (scenarios, more) = scenario::load(&report, directory, &table);
        let (mut diagnostics, settings) = report.finish();
        diagnostics.0.extend(more.0);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        (config.rules.scenarios, config.rules.versions) = scenarios.into_iter().unzip();
        config.rules.fields = table.into_inner();
        Ok(Self { settings, warnings: diagnostics, ..config })
    }

    /// The configuration, but for its scenarios; and where those are.
    fn read(root: Section<'_>, table: &Table) -> (Self, Option<scenario::Directory>) {
        let cluster = header(&root, "Cluster");
        let names = Names { node: node_name(&root), cluster };
        let listen = Listen::read(&root);
        let storage = Storage::read(&root);
        let sources = Sources::read(&root, &names.cluster);
        let (join, result_fields) = Join::read(&root, table);
        let sink = Sink::read(&root, &sources.kind, &storage.dir);
        let directory = scenario::Directory::read(&root);
        let config = Self {
            names,
            listen,
            sources,
            join,
            commit: Commit::read(&root, storage.objects.is_remote()),
            sink,
            snapshots: Snapshots::read(&root),
            log: Log::read(&root),
            discovery: cluster::discovery(&root),
            coordinator: cluster::coordinator(&root),
            storage,
            rules: Rules {
                fields: FieldTable::default(),
                result_fields,
                scenarios: Vec::new(),
                versions: Vec::new(),
            },
            settings: Vec::new(),
            warnings: Diagnostics::default(),
        };
        root.later(
            "access",
            "this version knows no users; it serves on the loopback interface only",
        );
        root.finish();
        (config, directory)
    }
}

/// What both kinds of file begin with; gives `metadata.name`.
fn header(root: &Section<'_>, kind: &'static str) -> String {
    let exactly = |wanted: &'static str| {
        move |text: &str| if text == wanted { Ok(()) } else { Err(format!("it must be {wanted}")) }
    };
    root.require("apiVersion", API_VERSION, exactly(API_VERSION));
    root.require("kind", kind, exactly(kind));
    let metadata = root.section("metadata");
    let name = metadata.require("name", "unnamed", rules::name);
    for key in ["title", "owner"] {
        metadata.node(key);
    }
    metadata.finish();
    name
}

fn node_name(root: &Section<'_>) -> NodeId {
    let section = root.section("node");
    let rule = |text: &str| NodeId::new(text).map_err(|why| why.to_string());
    let name = section.read("name", "node-1", rule);
    section.finish();
    name
}

/// The file's text, if it has no more than the format allows.
fn read_file(path: &Path) -> Result<String, Diagnostics> {
    let refuse = |message: String| {
        Diagnostics(vec![Diagnostic {
            code: Code::Unreadable,
            severity: Severity::Error,
            path: path.display().to_string(),
            line: 1,
            column: 1,
            end_column: 1,
            message,
            help: String::new(),
            note: String::new(),
            excerpt: Vec::new(),
        }])
    };
    let read = || {
        let mut text = Vec::new();
        let limit = u64::try_from(tree::MAX_BYTES).unwrap_or(u64::MAX) + 1;
        std::fs::File::open(path)?.take(limit).read_to_end(&mut text)?;
        Ok(text)
    };
    let text =
        read().map_err(|why: std::io::Error| refuse(format!("cannot read the file: {why}")))?;
    if text.len() > tree::MAX_BYTES {
        return Err(refuse("the file has more than 1 MiB".to_owned()));
    }
    String::from_utf8(text).map_err(|_| refuse("the file is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests;
