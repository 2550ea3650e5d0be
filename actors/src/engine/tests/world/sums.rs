//! Figures of the world: what transactions contribute, and what has come of it wherever it is asked for.

use std::collections::BTreeMap;

use proto::types::{Leg, RangeId};
use tokio::time::sleep;

use super::{Duration, PATIENCE, World};
use crate::aggregator::{Message, Query};
use crate::engine::{Cells, Place};
use crate::machine::fields::Field;
use crate::machine::partial::layout::{self, Layout};
use crate::machine::scenario::{Condition, Dimension, Populations, Scenario, Window};
use crate::sink::Outlet;

const MINUTE: u64 = 60_000;

pub(super) fn scenario(dimensions: &[(&str, Field)]) -> Scenario {
    let dimension = |&(name, field): &(&str, Field)| Dimension {
        name: name.to_owned(),
        field,
        separator: None,
        max_values: 100,
    };
    Scenario {
        name: "bank".to_owned(),
        select: Condition::ALWAYS,
        dimensions: dimensions.iter().map(dimension).collect(),
        populations: Populations::default(),
        indicators: vec![],
        windows: vec![Window::Minute],
    }
}

pub(super) fn layout(scenarios: &[Scenario]) -> Layout {
    let dimension =
        |it: &Dimension| layout::Dimension { name: it.name.clone(), max_values: it.max_values };
    let scenario = |it: &Scenario| layout::Scenario {
        name: it.name.clone(),
        dimensions: it.dimensions.iter().map(dimension).collect(),
        indicators: vec![],
    };
    Layout { scenarios: scenarios.iter().map(scenario).collect() }
}

/// When a transaction begins, how long it takes, and its value of each dimension.
fn contribution(number: u64) -> (u64, u64, [String; 2]) {
    let status = if number.is_multiple_of(7) { "rejected" } else { "accepted" };
    let values = [format!("c{}", number % 5), status.to_owned()];
    (1_700_000_000_000 + number * 50, number % 40, values)
}

/// A leg of a transaction.
pub(super) fn record(number: u64, leg: Leg) -> String {
    let (start, duration, [channel, status]) = contribution(number);
    let time = if leg == Leg::Response { start + duration } else { start };
    format!(r#"{{"id":"tx-{number:06}","time":{time},"channel":"{channel}","status":"{status}"}}"#)
}

/// By window and value: how many transactions, and their durations together.
type Fold = BTreeMap<(u64, String), (u64, u64)>;

impl World {
    /// A node sums that dimension up from now on.
    pub(in crate::engine::tests) fn sums(&mut self, dimension: &'static str, node: usize) {
        self.summed.insert(dimension, node);
        self.tell();
    }

    pub(super) fn places(&self) -> BTreeMap<String, Place> {
        let place = |(name, node): (&&str, &usize)| {
            ((*name).to_owned(), Place::There(self.nodes[*node].life.1.clone()))
        };
        self.summed.iter().map(place).collect()
    }

    /// What a node answers about all of a dimension.
    pub(in crate::engine::tests) async fn asked(&self, node: usize, dimension: &str) -> Cells {
        let number = if dimension == "channel" { 0 } else { 1 };
        let query = Query {
            scenario: 0,
            window_ms: 60_000,
            dimension: number,
            values: None,
            from: i64::MIN,
            to: i64::MAX,
        };
        self.nodes[node].engine.cells(dimension, query).await.unwrap()
    }

    /// The fold over the results that were delivered, each once, the slow and obvious way.
    fn fold(&self, dimension: &str) -> Fold {
        let place = if dimension == "channel" { 0 } else { 1 };
        let rows = self.rows().into_iter().filter(|row| row.outlet == Outlet::Transactions);
        let mut keys: Vec<_> = rows.map(|row| row.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut fold = Fold::new();
        for key in keys {
            let number = str::from_utf8(&key).unwrap().trim_start_matches("tx-").parse().unwrap();
            let (start, duration, values) = contribution(number);
            let cell = fold.entry((start / MINUTE * MINUTE, values[place].clone())).or_default();
            *cell = (cell.0 + 1, cell.1 + duration);
        }
        fold
    }

    /// Waits until each node answers with the fold, and says that it is whole.
    pub(in crate::engine::tests) async fn figures(&self, dimensions: &[&str]) {
        for dimension in dimensions {
            let fold = self.fold(dimension);
            for node in (0..self.nodes.len()).filter(|node| !self.lost.contains(node)) {
                let waited = tokio::time::timeout(PATIENCE, self.agrees((node, dimension), &fold));
                let is_it = waited.await.is_ok();
                let as_of = self.asked(node, dimension).await.as_of;
                assert!(is_it, "{dimension}, asked at {node}, is not the fold: {as_of:?}");
            }
        }
    }

    /// Waits until the first node answers that just these ranges are missing.
    pub(in crate::engine::tests) async fn misses(&self, dimension: &str, ranges: &[RangeId]) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !self.asked(0, dimension).await.as_of.missing().eq(ranges.iter().copied()) {
                sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "{:?}", self.asked(0, dimension).await.as_of);
    }

    async fn agrees(&self, (node, dimension): (usize, &str), fold: &Fold) {
        loop {
            let answer = self.asked(node, dimension).await;
            let cells = answer.cells.iter().map(|cell| {
                let start = u64::try_from(cell.key.start).unwrap();
                let figures = (cell.partial.count(), cell.partial.sum_ms());
                ((start, cell.key.value.to_string()), figures)
            });
            if cells.collect::<Fold>() == *fold && answer.as_of.wanting().count() == 0 {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until what was pushed last of each cell is the fold, though somebody may have pushed less meanwhile: whoever
    /// sums up pushes everything again after a number of ticks.
    pub(in crate::engine::tests) async fn last_pushed(&self, dimensions: &[&str]) {
        for dimension in dimensions {
            let waited = tokio::time::timeout(PATIENCE, async {
                while !self.not_pushed(dimension).is_empty() {
                    self.ticks(dimension, 1_000);
                    sleep(Duration::from_millis(50)).await;
                }
            });
            let is_it = waited.await.is_ok();
            let wrong = self.not_pushed(dimension);
            assert!(is_it, "of {dimension} something else was pushed last: {wrong:?}");
        }
    }

    fn ticks(&self, dimension: &str, count: usize) {
        let aggregators = self.nodes[self.summed[dimension]].engine.links.aggregators();
        let aggregator = aggregators.of(dimension).unwrap();
        (0..count).for_each(|_| aggregator.cast(Message::Tick).unwrap());
    }

    /// The cells of which something else was pushed last than the fold.
    fn not_pushed(&self, dimension: &str) -> Vec<(String, u64, Option<u64>)> {
        let pushed = self.pushed.0.lock();
        let fold = self.fold(dimension).into_iter();
        let each = fold.map(|((start, value), (count, _))| {
            let key = format!("bank|1m|{start}|{dimension}|{value}");
            let last = pushed.get(key.as_bytes()).copied();
            (key, count, last)
        });
        each.filter(|(_, count, last)| *last != Some(*count)).collect()
    }
}
