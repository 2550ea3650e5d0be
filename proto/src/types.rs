//! The checked vocabulary. One word, one type, one rule.

mod ancestor;
mod epoch;
mod ids;
mod key;
mod key_range;
mod keying;
mod leg;
mod source;
mod time;

pub use ancestor::Ancestor;
pub use epoch::Epoch;
pub use ids::{Incarnation, NodeId, NodeIdError, RangeId, Sequence, Slot, Version};
pub use key::TransactionKey;
pub use key_range::KeyRange;
pub use keying::Keying;
pub use leg::Leg;
pub use source::{Offset, PartitionIndex, SourcePartition};
pub use time::{EventTime, RecordTime};
