//! The data plane: machines that decide, and actors that act on what they decided.

pub mod aggregator;
pub mod causes;
pub mod clock;
pub mod committer;
pub mod engine;
pub mod histogram;
pub mod journal;
pub mod lock;
pub mod machine;
pub mod meters;
pub mod publisher;
pub mod range;
pub mod reader;
pub mod remote;
pub mod sink;
pub mod snapshot;
pub mod source;
pub mod store;
pub mod transaction;
