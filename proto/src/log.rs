//! The one durable primitive: a numbered log whose slots are created once and never changed.
//!
//! The control log and every node's journal are such logs. The only write is *create this slot if it
//! does not exist*; who is refused has lost the slot for ever (I1).

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::types::Slot;

/// What a store answered to the creation of a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Created {
    /// The slot is ours.
    Won,
    /// The slot has content already, perhaps our own from an attempt whose answer was lost:
    /// read it back and compare before believing either.
    Exists,
}

/// Why a log could not be used. What was asked may or may not have happened.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {object}")]
pub struct LogError {
    /// What was being done, as a verb: `create`, `read`, `list`, `delete`.
    pub doing: &'static str,
    /// The object's full name.
    pub object: String,
    /// What the store said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// An answer that comes later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, LogError>> + Send + 'a>>;

/// A log of numbered, create-only slots.
pub trait Log: Send + Sync + std::fmt::Debug {
    /// Creates `slot` with `object` as its content, durably, if it does not exist.
    fn create(&self, slot: Slot, object: Bytes) -> Answer<'_, Created>;

    /// The content of `slot`; `None` where it does not exist.
    fn read(&self, slot: Slot) -> Answer<'_, Option<Bytes>>;

    /// All slots that exist, ascending. Trimmed ones are not among them.
    fn slots(&self) -> Answer<'_, Vec<Slot>>;

    /// Deletes `slot`; only what nobody may still need (I10). A slot that is gone already is no error.
    fn trim(&self, slot: Slot) -> Answer<'_, ()>;
}
