//! The aggregator actors of a node, one a dimension, and the way of ranges' figures to them, here or on other nodes.
//!
//! A node that has heard no map of them sums up what it owns, each dimension. Once it has, each dimension is summed up
//! in one place, over all ranges:
//!
//! ```text
//!   range ──Report──▶ actor                     where the dimension is summed up here
//!   range ──Report──▶ connection ──frames──▶ serving ──▶ actor            … or there
//!   range ◀──Tell── look (here) ◀── AsOf::wanting ── actor
//!   range ◀──Tell── link ◀──────────────────Wanting── serving ◀── look (there)
//! ```
//!
//! Whatever is lost on the way is wanting, and told again whole; whatever comes twice or late changes nothing (I8).

mod connection;
mod map;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proto::types::RangeId;
use ractor::{Actor, ActorProcessingErr, ActorRef};

pub(crate) use self::connection::Connection;
use self::map::Map;
pub(super) use self::map::look;
use super::routes::Place;
use crate::aggregator::{self, Aggregator, Message, Upserts};
use crate::machine::aggregate::{Report, Since, Stamp};
use crate::machine::block::{Block, Figures};
use crate::machine::partial::layout::Layout;
use crate::machine::partial::{CellKey, Row};
use crate::machine::range::Range;

/// How often changed cells are pushed.
const PUSH: Duration = Duration::from_secs(1);

/// The aggregators, by the dimension's name.
#[derive(Debug, Default)]
pub struct Aggregators {
    layout: Arc<Layout>,
    actors: BTreeMap<String, ActorRef<Message>>,
    map: Mutex<Map>,
}

/// Who is told.
#[derive(Clone, Copy, Debug)]
pub enum Ears<'a> {
    /// The aggregators of all dimensions.
    All,
    /// Those of them that are here.
    Here,
    /// Those of these dimensions.
    Of(&'a BTreeSet<String>),
}

impl Aggregators {
    /// Starts an aggregator for each dimension of each scenario; dimensions of one name share one.
    ///
    /// # Errors
    ///
    /// Where an actor does not start.
    pub async fn start(
        layout: Arc<Layout>,
        ranges: BTreeSet<RangeId>,
        upserts: impl Fn() -> Box<dyn Upserts>,
    ) -> Result<Self, ractor::SpawnErr> {
        let mut actors = BTreeMap::new();
        let names = layout.scenarios.iter().flat_map(|scenario| &scenario.dimensions);
        for name in names.map(|dimension| dimension.name.clone()).collect::<BTreeSet<_>>() {
            let (layout, ranges, every) = (Arc::clone(&layout), ranges.clone(), Some(PUSH));
            let arguments = aggregator::Arguments { layout, ranges, upserts: upserts(), every };
            let (actor, _) = Actor::spawn(None, Aggregator, arguments).await?;
            actors.insert(name, actor);
        }
        Ok(Self { layout, actors, map: Mutex::default() })
    }

    /// The aggregator of that dimension that is here. It knows nothing where the dimension is summed up elsewhere.
    #[must_use]
    pub fn of(&self, dimension: &str) -> Option<&ActorRef<Message>> {
        self.actors.get(dimension)
    }

    /// All that are here.
    pub fn all(&self) -> impl Iterator<Item = (&String, &ActorRef<Message>)> {
        self.actors.iter()
    }

    /// What the figures are called.
    #[must_use]
    pub const fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// These ranges are this node's. They are summed from now on, and no others, unless a map says where all are.
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn expect(&self, ranges: &BTreeSet<RangeId>) -> Result<(), ActorProcessingErr> {
        // The map must not change meanwhile: what it says comes behind this then.
        let map = self.map.lock();
        if map.is_heard() {
            return Ok(());
        }
        for actor in self.actors.values() {
            actor.cast(Message::Expect(ranges.clone()))?;
        }
        Ok(())
    }

    /// A range that was restored tells its whole share, where the aggregator is here. Elsewhere the link sees to that.
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn whole(&self, range: &Range, horizon: i64) -> Result<(), ActorProcessingErr> {
        let (identity, status) = (range.identity(), range.status());
        let report = Report {
            range: identity.id,
            stamp: Stamp { epoch: identity.epoch, sequence: status.sequence },
            record_time: status.clock,
            since: Since::Start,
            horizon: horizon.max(range.horizon()),
            cells: range.cells().into(),
        };
        self.tell(&report, Ears::Here)
    }

    /// A range's commit is durable: where it has cells each dimension hears of it, also where none of its own
    /// has changed.
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn report(&self, block: &Block) -> Result<(), ActorProcessingErr> {
        let Figures::Cells { since, cells, .. } = &block.figures else { return Ok(()) };
        let report = Report {
            range: block.range,
            stamp: Stamp { epoch: block.head.epoch, sequence: block.head.sequence },
            record_time: block.head.clock,
            since: Since::Sequence(*since),
            horizon: i64::MIN,
            cells: Arc::new([]),
        };
        self.send(&report, cells, Ears::All)
    }

    /// Tells each dimension its part of a report. What goes to a node that is not connected is lost, and told whole
    /// once it is.
    ///
    /// # Errors
    ///
    /// Where an aggregator here has died.
    pub fn tell(&self, report: &Report, ears: Ears<'_>) -> Result<(), ActorProcessingErr> {
        self.send(report, &report.cells, ears)
    }

    fn send(
        &self,
        report: &Report,
        rows: &[Row],
        ears: Ears<'_>,
    ) -> Result<(), ActorProcessingErr> {
        let mut parts: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for row in rows {
            let Ok(key) = CellKey::decode(&row.key) else { continue };
            if let Some(dimension) = self.layout.dimension(key.scenario, key.dimension) {
                parts.entry(&dimension.name).or_default().push(row.clone());
            }
        }
        for (name, actor) in &self.actors {
            if matches!(ears, Ears::Of(names) if !names.contains(name)) {
                continue;
            }
            let cells = parts.remove(name.as_str()).unwrap_or_default().into();
            let part = Report { cells, ..report.clone() };
            match self.way(name) {
                Way::Here => actor.cast(Message::Report(part))?,
                Way::There(connection) if !matches!(ears, Ears::Here) => {
                    connection.say(name, part);
                }
                Way::There(_) | Way::Nowhere => {}
            }
        }
        Ok(())
    }

    /// A report of a range on another node. Where the dimension is not summed up here nobody takes it in.
    pub(crate) fn hear(&self, dimension: &str, report: Report) {
        if let Some(actor) = self.actors.get(dimension) {
            // One that has died fails the ranges here, and with them the node.
            drop(actor.cast(Message::Report(report)));
        }
    }

    fn way(&self, dimension: &str) -> Way {
        let map = self.map.lock();
        match map.place(dimension) {
            None if map.is_heard() => Way::Nowhere,
            None | Some(Place::Here) => Way::Here,
            Some(Place::There(node)) => map.connection(node).map_or(Way::Nowhere, Way::There),
        }
    }
}

/// How a dimension's aggregator is reached.
enum Way {
    /// It is here.
    Here,
    /// Over that connection.
    There(Arc<Connection>),
    /// Not at the moment: there is no connection, or it is not known where it is.
    Nowhere,
}
