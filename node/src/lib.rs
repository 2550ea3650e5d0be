//! One node of Throughline: configuration, the API, the command line, metrics, and what starts and stops them.

pub mod api;
pub mod assembly;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod endpoints;
#[cfg(test)]
mod fake;
pub mod metrics;
pub mod peer;
pub mod problem;
pub mod workload;
