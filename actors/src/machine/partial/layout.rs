//! What the numbers in cells stand for: scenarios, dimensions, indicators and populations by name.

use crate::machine::scenario::{self, Kind, Stat};
use crate::machine::sketch::Quantile;

/// Every scenario that is active or still has cells. Indexes in cells are places in these lists.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Layout {
    /// The scenarios, by number.
    pub scenarios: Vec<Scenario>,
}

/// One scenario's names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scenario {
    /// Its name, as in results.
    pub name: String,
    /// Its dimensions, by number.
    pub dimensions: Vec<Dimension>,
    /// What is worked out from each cell, in the order in which it is shown.
    pub indicators: Vec<Indicator>,
}

/// One way in which figures are broken down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dimension {
    /// Its name, for example `channel`.
    pub name: String,
    /// How many different values one window keeps apart; what comes beyond counts as
    /// [`OTHER`](super::OTHER).
    pub max_values: u32,
}

/// A named figure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Indicator {
    /// Its name, for example `transaction-approval`.
    pub name: String,
    /// How it comes from a cell.
    pub figure: Figure,
}

/// How an indicator comes from a cell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Figure {
    /// How many of one population are in another.
    Ratio {
        /// The population above the line: a bit in the scenario's mask, below 64.
        numerator: u8,
        /// The population below the line.
        denominator: u8,
    },
    /// How long it took.
    Duration {
        /// Which quantiles are shown.
        quantiles: Vec<Quantile>,
    },
}

impl Layout {
    /// What the figures of these scenarios are called.
    #[must_use]
    pub fn of(scenarios: &[scenario::Scenario]) -> Self {
        Self { scenarios: scenarios.iter().map(named).collect() }
    }

    /// The scenario of that number; `None` where it is not, or no longer, known.
    #[must_use]
    pub fn scenario(&self, number: u16) -> Option<&Scenario> {
        self.scenarios.get(usize::from(number))
    }

    /// The dimension of that number in a scenario.
    #[must_use]
    pub fn dimension(&self, scenario: u16, number: u16) -> Option<&Dimension> {
        self.scenario(scenario)?.dimensions.get(usize::from(number))
    }
}

fn named(compiled: &scenario::Scenario) -> Scenario {
    let dimension =
        |it: &scenario::Dimension| Dimension { name: it.name.clone(), max_values: it.max_values };
    let bit = |population: usize| u8::try_from(population).unwrap_or(u8::MAX);
    let indicator = |it: &scenario::Indicator| Indicator {
        name: it.name.clone(),
        figure: match &it.kind {
            Kind::Ratio { numerator, denominator } => {
                Figure::Ratio { numerator: bit(*numerator), denominator: bit(*denominator) }
            }
            Kind::Duration { stats, .. } => {
                Figure::Duration { quantiles: stats.iter().filter_map(quantile).collect() }
            }
        },
    };
    Scenario {
        name: compiled.name.clone(),
        dimensions: compiled.dimensions.iter().map(dimension).collect(),
        indicators: compiled.indicators.iter().map(indicator).collect(),
    }
}

fn quantile(stat: &Stat) -> Option<Quantile> {
    match stat {
        Stat::Quantile(per_mille) => Quantile::new(*per_mille),
        Stat::Count | Stat::Sum | Stat::Avg | Stat::Min | Stat::Max => None,
    }
}

/// A window's usual name: `1m`, `15m`, `1h`, `1d`; what is no whole second is in `ms`.
#[must_use]
pub fn window_name(window_ms: u32) -> String {
    const UNITS: [(u32, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let fits = |(unit, _): &&(u32, &str)| window_ms > 0 && window_ms.is_multiple_of(*unit);
    let (unit, name) = UNITS.iter().find(fits).unwrap_or(&(1, "ms"));
    format!("{}{name}", window_ms / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_usual_name() {
        let names = [
            (60_000, "1m"),
            (900_000, "15m"),
            (3_600_000, "1h"),
            (86_400_000, "1d"),
            (5_400_000, "90m"),
            (10_000, "10s"),
            (250, "250ms"),
            (0, "0ms"),
        ];
        for (window_ms, name) in names {
            assert_eq!(window_name(window_ms), name);
        }
    }
}
