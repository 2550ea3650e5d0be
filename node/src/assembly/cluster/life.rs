//! What answers for one life of this node: its engine, or in tests something simpler.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::api::backend::{Answer, Backend, Transaction};
use crate::assembly::backend::{EngineBackend, Word};
use crate::assembly::upkeep::requests::Part;
use crate::problem::Problem;

/// Answers for what this node has in this life, and for nothing else.
pub(super) trait Life: Backend {
    /// How it stands.
    fn word(&self) -> BoxFuture<'_, Result<Word, Problem>>;
    /// What is known of a transaction; `None` where its range is not here.
    fn find(&self, id: String) -> BoxFuture<'_, Result<Option<Answer<Transaction>>, Problem>>;
    /// Its snapshot for that request, which is taken also when nobody waits for it.
    fn part(&self, request_id: String) -> BoxFuture<'_, Result<Part, Problem>>;
}

impl Life for EngineBackend {
    fn word(&self) -> BoxFuture<'_, Result<Word, Problem>> {
        Self::word(self).boxed()
    }

    fn find(&self, id: String) -> BoxFuture<'_, Result<Option<Answer<Transaction>>, Problem>> {
        async move { Self::find(self, &id).await }.boxed()
    }

    fn part(&self, request_id: String) -> BoxFuture<'_, Result<Part, Problem>> {
        self.taking(&request_id).done().boxed()
    }
}
