//! The journal: what must survive, in create-only objects.

use std::sync::Arc;

use object_store::ObjectStore;

pub mod fitness;
pub mod local;
pub mod log;
pub mod object;
pub mod remote;

/// Where objects are kept: a folder ([`local`]) or a bucket ([`remote`]).
pub type Objects = Arc<dyn ObjectStore>;
