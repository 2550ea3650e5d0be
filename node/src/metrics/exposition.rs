//! Prometheus' text format, version 0.0.4.

use std::fmt::Write;

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

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn labels(&mut self, labels: &[(&str, &str)]) {
        self.text.push_str(self.family);
        if labels.is_empty() {
            return;
        }
        for (i, (name, value)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.write(format_args!("{open}{name}=\"{value}\""));
        }
        self.text.push('}');
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a string takes what it is given");
    }
}
