//! The bounds within which the models are explored: wide where all rules hold, narrow where one is missing.

use super::explore::{Found, explore};
use super::ownership::{Left, Ownership, SinkKind};
use super::routing::Routing;
use super::rule::{Rule, Rules};

/// A model with its bounds.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// What it is about.
    pub(crate) name: &'static str,
    model: Either,
}

#[derive(Clone, Debug)]
enum Either {
    Ownership(Ownership),
    Routing(Routing),
}

impl World {
    /// Goes through all its states.
    pub(crate) fn explore(&self) -> Found {
        match &self.model {
            Either::Ownership(model) => explore(*model),
            Either::Routing(model) => explore(model.clone()),
        }
    }
}

const fn ownership(name: &'static str, model: Ownership) -> World {
    World { name, model: Either::Ownership(model) }
}

const fn routing(name: &'static str, model: Routing) -> World {
    World { name, model: Either::Routing(model) }
}

/// Nothing goes wrong.
const CALM: Left = Left { leaders: 0, fences: 0, crashes: 0, unclear: 0, moves: 0, snapshots: 0 };

/// Everything once.
const ALL: Left = Left { leaders: 1, fences: 1, crashes: 0, unclear: 1, moves: 1, snapshots: 1 };
/// One owner after the other is held dead, and goes on.
const HEIRS: Left = Left { fences: 2, unclear: 1, ..CALM };
/// Two snapshots, one of them perhaps a zombie's.
const TIDY: Left = Left { fences: 1, snapshots: 2, ..CALM };
/// Two answers do not come.
const UNCLEAR: Left = Left { fences: 1, unclear: 2, snapshots: 1, ..CALM };

/// Two lives, two records, rows with stamps.
const fn pair(rules: Rules, left: Left) -> Ownership {
    Ownership { rules, lives: 2, records: 2, sink: SinkKind::Stamped, left }
}

/// One reader a partition, two records in each.
fn lines(rules: Rules) -> Routing {
    let readers = vec![0, 1];
    let (begin, batch, in_flight) = (0, 2, 2);
    Routing { rules, records: 2, readers, begin, batch, in_flight, crashes: 1, overtakings: 1 }
}

/// Readers that stand beyond the ranges.
fn ahead(rules: Rules) -> World {
    let calm = Routing { crashes: 0, overtakings: 0, ..lines(rules) };
    routing("ahead", Routing { begin: 1, batch: 1, ..calm })
}

/// Where all rules hold: together some millions of states.
pub(crate) fn wide(rules: Rules) -> Vec<World> {
    let marked = SinkKind::Marked;
    let moves = Left { moves: 3, unclear: 1, ..CALM };
    let heirs = Left { moves: 1, ..HEIRS };
    let crashes = Left { leaders: 1, fences: 2, crashes: 1, ..CALM };
    let crashing = Ownership { lives: 3, sink: marked, records: 1, ..pair(rules, crashes) };
    let shared = Routing { readers: vec![0, 0, 1], in_flight: 2, overtakings: 0, ..lines(rules) };
    vec![
        ownership("all at once", pair(rules, ALL)),
        ownership(
            "heirs, marked",
            Ownership { records: 1, lives: 3, sink: marked, ..pair(rules, heirs) },
        ),
        ownership("crashes, marked", crashing),
        ownership("back and forth", pair(rules, moves)),
        ownership("two snapshots", Ownership { records: 3, ..pair(rules, TIDY) }),
        ownership("unclear, marked", Ownership { sink: marked, ..pair(rules, UNCLEAR) }),
        routing("one reader each", lines(rules)),
        routing("two readers of one", shared),
        ahead(rules),
    ]
}

/// Where `rule` is missing: worlds in which it must be missed, the smallest first.
pub(crate) fn narrow(rule: Rule) -> Vec<World> {
    let rules = Rules::ALL.without(rule);
    if (rule as u8) <= Rule::ReleaseReferences as u8 {
        return vec![ahead(rules), routing("one reader each", lines(rules))];
    }
    let marked = SinkKind::Marked;
    let heirs = Ownership { lives: 3, sink: marked, records: 1, ..pair(rules, HEIRS) };
    let moved = Ownership { sink: marked, records: 1, ..pair(rules, Left { moves: 1, ..CALM }) };
    vec![
        ownership("a move, marked", moved),
        ownership("back and forth", pair(rules, Left { moves: 3, ..CALM })),
        ownership("heirs, marked", heirs),
        ownership("unclear, marked", Ownership { sink: marked, ..pair(rules, UNCLEAR) }),
        ownership("two snapshots", Ownership { records: 3, ..pair(rules, TIDY) }),
        ownership("all at once", Ownership { records: 1, ..pair(rules, ALL) }),
    ]
}

/// Small, and with every kind of entry: its control logs are held to the code.
pub(crate) fn of_control() -> Ownership {
    let left = Left { leaders: 1, fences: 1, unclear: 1, moves: 1, ..CALM };
    Ownership { records: 1, ..pair(Rules::ALL, left) }
}

/// Its batches are held to the code.
pub(crate) fn of_batches() -> Routing {
    Routing { records: 5, ..lines(Rules::ALL) }
}

/// The bounds that the environment names, for both kinds of sink, and for the routing of so many records.
pub(crate) fn asked() -> Vec<World> {
    let rules = Rules::ALL;
    let left = Left {
        leaders: bound("LEADERS", 1),
        fences: bound("FENCES", 2),
        crashes: bound("CRASHES", 0),
        unclear: bound("UNCLEAR", 1),
        moves: bound("MOVES", 1),
        snapshots: bound("SNAPSHOTS", 1),
    };
    let (lives, records) = (bound("LIVES", 3), bound("RECORDS", 2));
    let stamped = Ownership { lives, records, ..pair(rules, left) };
    let crashes = left.crashes.max(1);
    let readers = vec![0, 0, 1];
    vec![
        ownership("rows with stamps", stamped),
        ownership("rows with markers", Ownership { sink: SinkKind::Marked, ..stamped }),
        routing("records", Routing { records, crashes, readers, ..lines(rules) }),
    ]
}

#[expect(clippy::disallowed_methods, reason = "make model takes its bounds from the environment")]
fn bound(name: &str, usual: u8) -> u8 {
    std::env::var(name).map_or(usual, |it| {
        it.parse().unwrap_or_else(|_| panic!("{name}={it}: a number up to 255 is needed"))
    })
}
