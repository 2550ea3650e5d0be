//! What a node's journals have and have had, as their objects' names tell.

use std::collections::BTreeMap;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::path::Path;

/// The journals of one node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Journal {
    /// Slots that were ever written: numbers begin with 1 in each life, and have no gap.
    pub written: u64,
    /// Slots that are there.
    pub left: u64,
}

impl Journal {
    /// The journals in the object store `objects`, of every life of every node.
    ///
    /// # Errors
    ///
    /// Where it cannot be listed.
    pub async fn read(objects: &dyn ObjectStore) -> anyhow::Result<Self> {
        let listed = objects.list(Some(&Path::from("journal"))).try_collect::<Vec<_>>().await;
        let (mut journal, mut highest) = (Self::default(), BTreeMap::new());
        for object in listed.context("list the journals")? {
            let (life, slot) = object.location.as_ref().rsplit_once('/').unwrap_or_default();
            let Ok(slot) = slot.parse::<u64>() else { continue };
            let highest = highest.entry(life.to_owned()).or_insert(0);
            *highest = slot.max(*highest);
            journal.left += 1;
        }
        journal.written = highest.into_values().sum();
        Ok(journal)
    }

    /// Slots that have gone.
    #[must_use]
    pub const fn trimmed(&self) -> u64 {
        self.written - self.left
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt as _, PutPayload};

    use super::*;

    #[tokio::test]
    async fn what_has_gone_is_told_by_the_highest_number() {
        let objects = InMemory::new();
        for slot in ["1/5", "1/7", "2/1", "2/2", "2/boundary"] {
            let name = Path::from(format!("journal/node-1/{slot}"));
            objects.put(&name, PutPayload::new()).await.unwrap();
        }
        let journal = Journal::read(&objects).await.unwrap();
        assert_eq!((journal.written, journal.left, journal.trimmed()), (9, 4, 5));
    }
}
