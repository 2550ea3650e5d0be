//! What a node says of itself to another, that is asked about the cluster.

use super::{EngineBackend, found, missing, standing};
use crate::api::backend::{Answer, AsOf, Ledger, Node, Range, Transaction};
use crate::problem::Problem;

/// How one node stands: all of it as of the same moment, so that the ledger is that of these ranges.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::assembly) struct Word {
    /// The node.
    pub(in crate::assembly) node: Node,
    /// What is not as it should be, a sentence each.
    pub(in crate::assembly) reasons: Vec<String>,
    /// The ranges that it serves.
    pub(in crate::assembly) ranges: Vec<Range>,
    /// Where their records went.
    pub(in crate::assembly) ledger: Ledger,
    /// How fresh that is.
    pub(in crate::assembly) as_of: AsOf,
}

impl EngineBackend {
    pub(in crate::assembly) async fn word(&self) -> Result<Word, Problem> {
        let reports = self.reports().await?;
        Ok(Word {
            node: standing::node(self, &reports),
            reasons: standing::cluster(self, &reports).reasons,
            ranges: standing::ranges(self, &reports),
            ledger: standing::ledger(self.engine.partitions(), &reports),
            as_of: self.as_of(&reports),
        })
    }

    /// What is known of a transaction; `None` where its range is not here, or comes or goes meanwhile: then
    /// nobody may say that it was never seen.
    pub(in crate::assembly) async fn find(
        &self,
        id: &str,
    ) -> Result<Option<Answer<Transaction>>, Problem> {
        let key = self.key(id);
        let epoch = || {
            let ranges = self.engine.ranges();
            ranges
                .into_iter()
                .find(|it| it.keys.contains(key.hash()))
                .map(|it| (it.range, it.epoch))
        };
        let before = epoch();
        let found = self.engine.find(key, id.as_bytes()).await.map_err(|error| missing(&error))?;
        if before.is_none() || before != epoch() {
            return Ok(None);
        }
        let value = found::transaction(found, self.engine.partitions());
        Ok(Some(Answer { value, as_of: self.as_of(&self.reports().await?) }))
    }
}
