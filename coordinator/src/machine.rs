//! What the control plane decides: pure functions of facts and of the control log.

pub mod entry;
pub mod envelope;
pub mod fence;
pub mod health;
pub mod lead;
pub mod letter;
pub mod life;
pub mod member;
pub mod moves;
pub mod office;
pub mod order;
pub mod pace;
pub mod plan;
pub mod reconcile;
pub mod report;
pub mod share;
pub mod table;
pub mod wish;
