//! Indicators: which there are, and their cells, from the aggregators.

use std::collections::BTreeMap;

use actors::aggregator;
use actors::engine::Engine;
use actors::machine::partial::Partial;
use actors::machine::scenario::{Indicator as Declared, Kind, Scenario, Window};
use actors::machine::sketch::Quantile;
use proto::types::{EventTime, RangeId};

use super::missing;
use crate::api::backend::{Cell, Figure, Indicator, IndicatorKind, Query};
use crate::problem::{Code, Problem};

pub(super) fn list(scenarios: &[Scenario]) -> Vec<Indicator> {
    let of = |scenario: &Scenario| {
        let one = |it: &Declared| Indicator {
            scenario: scenario.name.clone(),
            name: it.name.clone(),
            kind: match it.kind {
                Kind::Ratio { .. } => IndicatorKind::Ratio,
                Kind::Duration { .. } => IndicatorKind::Durations,
            },
            dimensions: it
                .by
                .iter()
                .filter_map(|&by| scenario.dimensions.get(by))
                .map(|dimension| dimension.name.clone())
                .collect(),
            windows: it.windows.iter().map(|window| window.name().to_owned()).collect(),
        };
        scenario.indicators.iter().map(one).collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(of).collect()
}

struct Asked<'a> {
    number: u16,
    indicator: &'a Declared,
    dimension: (u16, &'a str),
    window: Window,
}

/// The cells, and the ranges that are not in them.
pub(super) async fn query(
    engine: &Engine,
    scenarios: &[Scenario],
    query: &Query,
) -> Result<(Vec<Cell>, Vec<RangeId>), Problem> {
    let asked = understand(scenarios, query)?;
    let request = aggregator::Query {
        scenario: asked.number,
        window_ms: u32::try_from(asked.window.length_ms()).unwrap_or(u32::MAX),
        dimension: asked.dimension.0,
        values: query.value.iter().map(|it| Some([it.as_str().into()].into())).next().flatten(),
        from: query.from.map_or(i64::MIN, |it| it.0),
        to: query.to.map_or(i64::MAX, |it| it.0),
    };
    let answer = engine.cells(asked.dimension.1, request).await.map_err(|error| missing(&error))?;
    if answer.is_cut {
        let why = "more than 10,000 cells lie in the time asked for";
        return Err(Problem::new(Code::TooWide, "the answer would be too long", why)
            .remedy("ask for a shorter time, or for one value"));
    }
    let missing = answer.as_of.missing().collect();
    Ok((cells(&asked, query, &answer.cells), missing))
}

fn understand<'a>(scenarios: &'a [Scenario], query: &'a Query) -> Result<Asked<'a>, Problem> {
    let what = format!("there is no indicator {} in scenario {}", query.indicator, query.scenario);
    let unknown = || {
        Problem::new(Code::IndicatorNotFound, what.clone(), "no scenario file declares it")
            .remedy("throughline indicator list")
    };
    let place = scenarios.iter().position(|it| it.name == query.scenario).ok_or_else(unknown)?;
    let scenario = &scenarios[place];
    let indicator =
        scenario.indicators.iter().find(|it| it.name == query.indicator).ok_or_else(unknown)?;
    let has = |by: &usize| {
        let name = scenario.dimensions.get(*by).map(|it| it.name.as_str())?;
        query.dimension.as_deref().is_none_or(|it| it == name).then_some((*by, name))
    };
    let (by, name) = indicator.by.iter().find_map(has).ok_or_else(|| {
        let dimension = query.dimension.as_deref().unwrap_or("any dimension");
        let what = format!("{} is not kept by {dimension}", query.indicator);
        Problem::new(Code::UnknownDimension, what, "the scenario file does not say so")
            .remedy("throughline indicator list")
    })?;
    let named = |it: &Window| query.window.as_deref().is_none_or(|name| it.name() == name);
    let window = indicator.windows.iter().copied().find(named).ok_or_else(|| {
        let window = query.window.as_deref().unwrap_or_default();
        Problem::new(
            Code::BadArgument,
            format!("{} has no window {window}", query.indicator),
            "the scenario file does not say so",
        )
        .remedy("throughline indicator list")
    })?;
    let number = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
    Ok(Asked { number: number(place), indicator, dimension: (number(by), name), window })
}

type Place<'a> = (Option<i64>, Option<&'a str>);

fn cells(asked: &Asked<'_>, query: &Query, views: &[aggregator::View]) -> Vec<Cell> {
    let mut merged: BTreeMap<Place<'_>, (i64, i64, u64, Partial)> = BTreeMap::new();
    for view in views {
        let start = query.window.is_some().then_some(view.key.start);
        let value = query.dimension.is_some().then_some(&*view.key.value);
        let end = view.key.start + asked.window.length_ms();
        let cell = merged
            .entry((start, value))
            .or_insert_with(|| (view.key.start, end, 0, Partial::default()));
        cell.0 = cell.0.min(view.key.start);
        cell.1 = cell.1.max(end);
        cell.2 += view.version;
        cell.3.merge(&view.partial);
    }
    let mut cells: Vec<(u64, Cell)> = merged
        .into_iter()
        .map(|((_, value), (start, end, version, partial))| {
            let key = value.map(|value| (asked.dimension.1.to_owned(), value.to_owned()));
            let figure = figure(&asked.indicator.kind, &partial);
            let (start, end) = (EventTime(start), EventTime(end));
            (partial.count(), Cell { start, end, key, figure, version })
        })
        .collect();
    cells.sort_by_key(|(count, cell)| (cell.start, std::cmp::Reverse(*count)));
    let mut taken = BTreeMap::<EventTime, usize>::new();
    let top = query.top.map_or(usize::MAX, std::num::NonZeroUsize::get);
    let is_top = |cell: &Cell| {
        let taken = taken.entry(cell.start).or_default();
        *taken += 1;
        *taken <= top
    };
    let mut is_top = is_top;
    cells.into_iter().map(|(_, cell)| cell).filter(|cell| is_top(cell)).collect()
}

fn figure(kind: &Kind, partial: &Partial) -> Figure {
    let population = |place: usize| u8::try_from(place).map_or(0, |bit| partial.population(bit));
    let at =
        |per_mille: u16| Quantile::new(per_mille).and_then(|it| partial.quantile(it)).unwrap_or(0);
    match kind {
        Kind::Ratio { numerator, denominator } => Figure::Ratio {
            numerator: population(*numerator),
            denominator: population(*denominator),
        },
        Kind::Duration { .. } => Figure::Durations {
            count: partial.count(),
            sum_ms: partial.sum_ms(),
            min_ms: partial.min_ms().unwrap_or(0),
            max_ms: partial.max_ms().unwrap_or(0),
            p50_ms: at(500),
            p95_ms: at(950),
        },
    }
}
