//! The control plane: who leads, which nodes live, and which of them owns which key range.

pub mod clock;
pub mod control_log;
pub mod coordinator;
pub mod fencing;
pub mod leader;
pub mod machine;
pub mod testing;
pub mod wire;

mod claim;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod simulation;
