//! The node: everything of the `throughline` binary that tests and other crates may want to call.

pub mod workload;
