//! What decides: no clock, no I/O, no `async`. Every rule of the join lives under here.

pub mod aggregate;
pub mod block;
pub mod codec;
pub mod commit;
pub mod contribution;
pub mod deadlines;
pub mod descent;
pub mod envelope;
pub mod fields;
pub mod frame;
pub mod json;
pub mod ledger;
pub mod mailbox;
pub mod outbox;
pub mod partial;
pub mod positions;
pub mod range;
pub mod reach;
pub mod restore;
pub mod result_field;
pub mod scenario;
pub mod sketch;
pub mod tombstones;
pub mod transaction;
pub mod trim;
