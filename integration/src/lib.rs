//! What tests stand on: a real Kafka broker and the real program as a process.

pub mod broker;
pub mod ports;
pub mod process;
