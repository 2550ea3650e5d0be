//! The data plane: machines that decide, and actors that act on what they decided.

pub mod aggregator;
pub mod journal;
pub mod lock;
pub mod machine;
pub mod sink;
pub mod snapshot;
pub mod source;
pub mod store;
