//! `discovery` and `coordinator`: where other nodes are, whether this one may lead, and when one is held dead.

use std::time::Duration;

use coordinator::machine::health;
use coordinator::machine::office;
use coordinator::machine::pace::{Limits, MAX_MOVES_PER_NODE};

use super::diagnostic::Code;
use super::report::{Finding, Value};
use super::rules::{self, duration_in, number, size_in};
use super::section::{Section, text_of};
use super::tree::{Kind, Node};
use crate::cluster::seeds::Seeds;

/// The port on which nodes listen for each other, where nothing else is said.
const PORT: &str = "7401";
/// How many places a node may be told to ask (I13).
const MAX_SEEDS: usize = 64;

/// Where other nodes may be.
pub(super) fn discovery(root: &Section<'_>) -> Seeds {
    let section = root.section("discovery");
    let seeds = section.node("seeds").map(|node| seeds(&section, node));
    let name = section.find("dns", rules::text);
    section.knows("port");
    let port = match section.has("port") {
        true => section.find("port", number(1, u16::MAX)),
        // Beside a name only, so that it is not shown where it means nothing.
        false => name.is_some().then(|| section.read("port", PORT, number(1, u16::MAX))),
    };
    if seeds.is_some() && name.is_some() {
        let finding = Finding::new(Code::Conflict, "seeds and dns cannot be there together");
        section.report.error(section.key_span("dns"), finding.help("keep one of them"));
    }
    if section.has("port") && !section.has("dns") {
        let finding = Finding::new(Code::Conflict, "port means nothing without dns");
        let help = "give each seed its port, as in node-1:7401";
        section.report.error(section.key_span("port"), finding.help(help));
    }
    section.finish();
    match (seeds, name.zip(port)) {
        (Some(listed), _) => Seeds::Listed(listed),
        (None, Some((name, port))) => Seeds::Named { name, port },
        (None, None) => Seeds::None,
    }
}

/// The listed places; those that are none are noted, and left out.
fn seeds(section: &Section<'_>, node: &Node) -> Vec<String> {
    let Kind::List(items) = &node.kind else {
        let message = format!("seeds must be a list, not {}", node.kind.name());
        let finding = Finding::new(Code::WrongKind, message).help("as in [\"node-1:7401\"]");
        section.report.error(node.span, finding);
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_SEEDS {
        let message = format!("there must be 1 to {MAX_SEEDS} seeds");
        let help = "name some of the nodes, or remove the key: nodes find each other by the control log too";
        section.report.error(node.span, Finding::new(Code::OutOfBounds, message).help(help));
    }
    let mut places = Vec::new();
    for item in items {
        let Some(text) = text_of(section.report, "a seed", item) else { continue };
        if is_place(text) {
            places.push(text.to_owned());
        } else {
            let message = format!("\"{text}\" is not a node's address");
            let finding = Finding::new(Code::WrongValue, message);
            let help = "an address is host:port, as in node-1:7401";
            section.report.error(item.span, finding.help(help));
        }
    }
    section.setting("seeds", Value::List(places.clone()));
    places
}

fn is_place(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_host = !host.is_empty() && !host.contains([' ', '/', ',']);
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// What a node does for its cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Coordinator {
    /// How it leads, and whether.
    pub office: office::Settings,
    /// How long it waits, when it is asked to stop, until others have its ranges.
    pub leave_within: Duration,
}

pub(super) fn coordinator(root: &Section<'_>) -> Coordinator {
    let section = root.section("coordinator");
    let is_candidate = section.read("candidate", "true", rules::truth);
    let [ms, hour] = [Duration::from_millis(1), Duration::from_secs(3_600)];
    let time = |key, default| millis(section.read(key, default, duration_in(ms, hour)));
    let beat_ms = time("heartbeat", "250ms");
    let suspect_ms = time("suspectAfter", "1s");
    let lost_ms = time("lostAfter", "1s");
    let dead_ms = time("deadAfter", "5s");
    let health = health::Settings::new(beat_ms, suspect_ms, dead_ms);
    let health = health.and_then(|it| it.when_lost(lost_ms)).unwrap_or_else(|why| {
        let (key, message, help) = refused(why);
        let finding = Finding::new(Code::Conflict, message).help(help);
        section.report.error(section.span_of(key), finding);
        health::Settings::default()
    });
    let leave_within = section.read("leaveWithin", "60s", duration_in(Duration::ZERO, hour));
    let bytes_in_flight = section.read("moveBytes", "1GiB", size_in(1 << 20, 1 << 50));
    section.finish();
    let limits = Limits { bytes_in_flight, moves_per_node: MAX_MOVES_PER_NODE };
    let office = office::Settings { is_candidate, beat_ms, health, limits, ..Default::default() };
    Coordinator { office, leave_within }
}

fn refused(why: health::SettingsError) -> (&'static str, &'static str, &'static str) {
    match why {
        health::SettingsError::Suspect => (
            "suspectAfter",
            "suspectAfter must be at least three heartbeats",
            "else a lost message or two would make a node suspect",
        ),
        health::SettingsError::Dead => (
            "deadAfter",
            "deadAfter must be more than suspectAfter",
            "else a node would be held dead before it is suspect",
        ),
        health::SettingsError::Lost => (
            "lostAfter",
            "lostAfter must be no less than suspectAfter, and no more than deadAfter",
            "it is how long a node is waited for whose connection has broken",
        ),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
