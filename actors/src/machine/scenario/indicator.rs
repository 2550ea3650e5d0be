//! A scenario's figures: what is counted, by what, over which windows.

use std::fmt;

use super::Window;

/// A figure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Indicator {
    /// Its name, unique in the scenario.
    pub name: String,
    /// How it is worked out.
    pub kind: Kind,
    /// What it is split by: places among the scenario's dimensions, in their order, each once.
    pub by: Vec<usize>,
    /// Over which windows, shortest first, each once.
    pub windows: Vec<Window>,
}

/// How a figure is worked out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The share of one population in another. Both are places among the scenario's populations;
    /// what is in the numerator but not in the denominator counts in neither.
    Ratio {
        /// What is counted.
        numerator: usize,
        /// Out of what.
        denominator: usize,
    },
    /// How long transactions took, from their start to their end.
    Duration {
        /// Of which transactions: a place among the scenario's populations.
        of: usize,
        /// What is shown of it. All of them are kept.
        stats: Vec<Stat>,
    },
}

/// One number about a set of durations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stat {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The shortest.
    Min,
    /// The longest.
    Max,
    /// What this share of them does not exceed, in thousandths: 999 is p99.9.
    Quantile(u16),
}

impl Stat {
    /// The stat of that name, for example `avg`, `p95` or `p99.9`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "count" => Some(Self::Count),
            "sum" => Some(Self::Sum),
            "avg" => Some(Self::Avg),
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            _ => quantile(name.strip_prefix('p')?),
        }
    }
}

fn quantile(percent: &str) -> Option<Stat> {
    let (whole, tenth) = percent.split_once('.').unwrap_or((percent, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_digits(whole) || !is_digits(tenth) || whole.len() > 2 || tenth.len() > 1 {
        return None;
    }
    let thousandths = whole.parse::<u16>().ok()? * 10 + tenth.parse::<u16>().ok()?;
    (thousandths > 0).then_some(Stat::Quantile(thousandths))
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Sum => f.write_str("sum"),
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Quantile(it) if it % 10 == 0 => write!(f, "p{}", it / 10),
            Self::Quantile(it) => write!(f, "p{}.{}", it / 10, it % 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_found_by_its_name() {
        for name in ["count", "sum", "avg", "min", "max", "p50", "p95", "p99.9", "p5", "p0.1"] {
            assert_eq!(Stat::from_name(name).unwrap().to_string(), name);
        }
        assert_eq!(Stat::from_name("p99.9"), Some(Stat::Quantile(999)));
        assert_eq!(Stat::from_name("p50.0"), Some(Stat::Quantile(500)));
    }

    #[test]
    fn what_is_no_stat_is_refused() {
        for name in ["", "p", "p0", "p100", "p99.99", "p.5", "p5.", "p-1", "p+1", "median"] {
            assert_eq!(Stat::from_name(name), None, "{name}");
        }
    }
}
