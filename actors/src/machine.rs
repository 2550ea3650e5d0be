//! What decides: no clock, no I/O, no `async`. Every rule of the join lives under here.

pub mod aggregate;
pub mod fields;
pub mod partial;
pub mod result_field;
pub mod scenario;
pub mod sketch;
