//! A node's part in the cluster: it joins, follows the control log, obeys who leads, and may lead.
//!
//! The [`agent`] lives one life after the other, each with a [`body`] that does the work on the data; the
//! leader's actor is `coordinator::leader`. The [`post`] carries letters between them and to other nodes.

pub mod agent;
pub mod body;
pub mod follow;
pub mod holding;
pub mod post;
pub mod seeds;
mod start;

pub use start::{Cluster, Setup, start};
