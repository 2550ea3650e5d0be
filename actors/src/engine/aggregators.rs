//! The aggregator actors of a node, one a dimension, and the way of ranges' figures to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proto::types::{RangeId, RecordTime};
use ractor::{Actor, ActorProcessingErr, ActorRef};

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
        Ok(Self { layout, actors })
    }

    /// The aggregator of that dimension.
    #[must_use]
    pub fn of(&self, dimension: &str) -> Option<&ActorRef<Message>> {
        self.actors.get(dimension)
    }

    /// All aggregators.
    pub fn all(&self) -> impl Iterator<Item = (&String, &ActorRef<Message>)> {
        self.actors.iter()
    }

    /// What the figures are called.
    #[must_use]
    pub const fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// These ranges are summed from now on, and no others.
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn expect(&self, ranges: &BTreeSet<RangeId>) -> Result<(), ActorProcessingErr> {
        for actor in self.actors.values() {
            actor.cast(Message::Expect(ranges.clone()))?;
        }
        Ok(())
    }

    /// A range that was restored tells its whole share.
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn whole(&self, range: &Range, horizon: i64) -> Result<(), ActorProcessingErr> {
        let (identity, status) = (range.identity(), range.status());
        let report = Told {
            range: identity.id,
            stamp: Stamp { epoch: identity.epoch, sequence: status.sequence },
            record_time: status.clock,
            since: Since::Start,
            horizon,
        };
        self.tell(&report, range.cells())
    }

    /// A range's commit is durable: where it has cells each dimension hears of it, also where none of its own
    /// has changed.
    ///
    /// # Errors
    ///
    /// Where an aggregator has died.
    pub fn report(&self, block: &Block) -> Result<(), ActorProcessingErr> {
        let Figures::Cells { since, cells, .. } = &block.figures else { return Ok(()) };
        let report = Told {
            range: block.range,
            stamp: Stamp { epoch: block.head.epoch, sequence: block.head.sequence },
            record_time: block.head.clock,
            since: Since::Sequence(*since),
            horizon: i64::MIN,
        };
        self.tell(&report, cells.clone())
    }

    fn tell(&self, told: &Told, rows: Vec<Row>) -> Result<(), ActorProcessingErr> {
        let mut parts: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for row in rows {
            let Ok(key) = CellKey::decode(&row.key) else { continue };
            if let Some(dimension) = self.layout.dimension(key.scenario, key.dimension) {
                parts.entry(&dimension.name).or_default().push(row);
            }
        }
        for (name, actor) in &self.actors {
            let cells = parts.remove(name.as_str()).unwrap_or_default().into();
            let Told { range, stamp, record_time, since, horizon } = *told;
            let report = Report { range, stamp, record_time, since, horizon, cells };
            actor.cast(Message::Report(report))?;
        }
        Ok(())
    }
}

struct Told {
    range: RangeId,
    stamp: Stamp,
    record_time: RecordTime,
    since: Since,
    horizon: i64,
}
