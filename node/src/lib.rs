//! The one binary: configuration, roles, services, dashboard, telemetry, shutdown.

pub mod config;
//! One node of Throughline: the API, the command line, metrics, and what starts and stops them.
pub mod api;
pub mod cli;
pub mod endpoints;
#[cfg(test)]
mod fake;
pub mod metrics;
pub mod problem;
//! The node: everything of the `throughline` binary that tests and other crates may want to call.
pub mod workload;
