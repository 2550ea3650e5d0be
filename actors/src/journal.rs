//! The journal: what must survive, in create-only objects.

pub mod local;
pub mod log;
pub mod object;
