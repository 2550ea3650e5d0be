//! The one binary: configuration, roles, services, dashboard, telemetry, shutdown.

pub mod config;
