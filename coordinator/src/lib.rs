//! The control plane: who leads, which nodes live, and which of them owns which key range.

pub mod control_log;
pub mod coordinator;
pub mod fencing;
pub mod machine;
pub mod testing;

mod claim;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod simulation;
