//! What tests stand on: a real Kafka broker and object store, the real program as a process, drills, and the rules that no compiler checks.

pub mod broker;
pub mod cluster;
pub mod drain;
pub mod drill;
pub mod drills;
pub mod faults;
pub mod http;
pub mod journal;
pub mod measure;
pub mod minio;
pub mod peer;
pub mod ports;
pub mod process;
pub mod sim;
pub mod standing;
pub mod steps;
pub mod tables;
pub mod tidy;
pub mod view;
pub mod wall;
pub mod watch;
pub mod wires;
