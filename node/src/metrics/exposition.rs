//! Prometheus' text format, version 0.0.4.

use std::fmt::Write;

use actors::histogram::Distribution;

use super::names::{Family, Kind};

/// A text that grows by families and their samples.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// Begins a family; the samples that follow are its.
    pub(super) fn family(&mut self, family: &Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = family.name;
        self.write(format_args!("# HELP {} {}\n", family.name, family.help));
        self.write(format_args!("# TYPE {} {kind}\n", family.name));
    }

    /// A whole number that is not negative.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: u64) {
        self.labels(labels);
        self.write(format_args!(" {value}\n"));
    }

    /// A whole number.
    pub(super) fn signed(&mut self, labels: &[(&str, &str)], value: i64) {
        self.labels(labels);
        self.write(format_args!(" {value}\n"));
    }

    /// Milliseconds, written as seconds: without a float, so without rounding.
    pub(super) fn seconds(&mut self, labels: &[(&str, &str)], ms: u64) {
        self.labels(labels);
        self.write(format_args!(" {}.{:03}\n", ms / 1000, ms % 1000));
    }

    /// Durations: for each bucket what is in it and in those before, then the sum and the number.
    pub(super) fn histogram(&mut self, labels: &[(&str, &str)], distribution: &Distribution) {
        let mut until = 0;
        for (count, bound) in distribution.counts.iter().zip(distribution.bounds) {
            until += count;
            self.series("_bucket", labels.iter().copied().chain([("le", &*seconds(*bound))]));
            self.write(format_args!(" {until}\n"));
        }
        // Of what was read, not read once more: the last bucket and the number are the same by definition.
        let count = distribution.count();
        self.series("_bucket", labels.iter().copied().chain([("le", "+Inf")]));
        self.write(format_args!(" {count}\n"));
        self.series("_sum", labels.iter().copied());
        self.write(format_args!(" {}\n", seconds(distribution.sum_us)));
        self.series("_count", labels.iter().copied());
        self.write(format_args!(" {count}\n"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn labels(&mut self, labels: &[(&str, &str)]) {
        self.series("", labels.iter().copied());
    }

    fn series<'a>(&mut self, suffix: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        let mut open = '{';
        for (name, value) in labels {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.write(format_args!("{open}{name}=\"{value}\""));
            open = ',';
        }
        if open == ',' {
            self.text.push('}');
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a string takes what it is given");
    }
}

/// Microseconds, written as seconds: without a float, so without rounding, and as short as it goes.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
