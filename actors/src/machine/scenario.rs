//! A scenario as it runs: which transactions it counts, in which populations, by which dimensions.
//!
//! Compiled once from the scenario file, then asked once a transaction. It looks at the kept fields
//! only and decides the same for the same bodies, whatever the hour and the node.

mod condition;
mod indicator;
mod number;
mod text;
mod window;

use std::borrow::Cow;

pub use condition::{Condition, OneOf, Test, Value};
pub use indicator::{Indicator, Kind, Stat};
pub use number::Number;
pub use window::Window;

use super::fields::{Bodies, Field};

/// How many populations a scenario can have: one bit each of [`Verdict::populations`].
pub const MAX_POPULATIONS: usize = 64;

/// How much of a dimension's value is kept (I13): a longer one is cut, at a character.
pub const MAX_VALUE_BYTES: usize = 256;

/// A scenario, compiled.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Which transactions belong to it.
    pub select: Condition,
    /// What its figures are split by.
    pub dimensions: Vec<Dimension>,
    /// The sets of transactions that its indicators count.
    pub populations: Populations,
    /// Its figures.
    pub indicators: Vec<Indicator>,
    /// Every window that one of its indicators has, shortest first.
    pub windows: Vec<Window>,
}

/// Something that figures are split by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dimension {
    /// Its name, unique in the scenario.
    pub name: String,
    /// The field whose value it is.
    pub field: Field,
    /// What stands between the levels of a value such as `credit-card/platinum`; `None`: one level.
    pub separator: Option<char>,
    /// How many different values it may have; further ones are counted together.
    pub max_values: u32,
}

/// What a scenario says of a transaction that belongs to it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// Bit `i` is set where the transaction belongs to population `i`.
    pub populations: u64,
}

impl Verdict {
    /// Whether the transaction belongs to that population.
    #[must_use]
    pub const fn is_in(self, population: usize) -> bool {
        self.populations >> population & 1 == 1
    }
}

impl Scenario {
    /// The verdict on a transaction; `None` where it doesn't belong to the scenario.
    #[must_use]
    pub fn judge(&self, bodies: &Bodies<'_>) -> Option<Verdict> {
        if !self.select.holds(bodies) {
            return None;
        }
        let members = self.populations.0.iter().map(|it| u64::from(it.holds(bodies)));
        let populations = members.enumerate().fold(0, |bits, (i, bit)| bits | bit << i);
        Some(Verdict { populations })
    }

    /// The transaction's value of a dimension. `None` where the field is absent, null, empty, or
    /// neither text nor number nor truth value: the transaction has no place in that dimension.
    #[must_use]
    pub fn dimension_value<'a>(
        &self,
        dimension: usize,
        bodies: &Bodies<'a>,
    ) -> Option<Cow<'a, str>> {
        let field = self.dimensions.get(dimension)?.field;
        let value = text::of_scalar(bodies.get(field)?)?;
        (!value.is_empty()).then(|| text::cut(value, MAX_VALUE_BYTES))
    }
}

/// The sets of transactions that a scenario's indicators count, each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Populations(Vec<Condition>);

/// Why a population was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a scenario can have {MAX_POPULATIONS} different populations")]
pub struct TooManyPopulations;

impl Populations {
    /// The place of the population of that condition; it is added if it is not yet there.
    ///
    /// # Errors
    ///
    /// [`TooManyPopulations`] where there is no bit left for it.
    pub fn intern(&mut self, condition: Condition) -> Result<usize, TooManyPopulations> {
        if let Some(place) = self.0.iter().position(|it| *it == condition) {
            return Ok(place);
        }
        if self.0.len() == MAX_POPULATIONS {
            return Err(TooManyPopulations);
        }
        self.0.push(condition);
        Ok(self.0.len() - 1)
    }

    /// The conditions, in the order of their bits.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
