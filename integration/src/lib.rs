//! What tests stand on: a real Kafka broker, the real program as a process, and the rules that no compiler checks.

pub mod broker;
pub mod ports;
pub mod process;
pub mod sim;
pub mod tidy;
