//! What every part of Throughline says in the same words: checked types, the log's contract, generated messages.

pub mod api;
pub mod log;
pub mod peer;
pub mod types;
