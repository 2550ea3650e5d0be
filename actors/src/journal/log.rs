//! A create-only log in an object store: one object a slot.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use proto::log::{Answer, Created, Log, LogError};
use proto::types::Slot;

use crate::machine::trim::Stored;

#[cfg(test)]
mod tests;

/// How many digits a slot's name has: enough for every slot, so that names sort as numbers do.
const DIGITS: usize = 20;

/// The slots of one log: the objects `<prefix>/<slot as 20 digits>`.
///
/// What else lies under the prefix is not the log's, and is left alone.
#[derive(Clone, Debug)]
pub struct ObjectLog {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// Every log of an object store.
#[derive(Clone, Debug)]
pub struct ObjectLogs {
    objects: Arc<dyn ObjectStore>,
}

impl ObjectLogs {
    /// The logs in `objects`.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// The log whose slots lie under `prefix`.
    #[must_use]
    pub fn log(&self, prefix: &str) -> Arc<dyn Log> {
        Arc::new(self.object_log(prefix))
    }

    /// The same, for who has to know how large and how old slots are.
    #[must_use]
    pub fn object_log(&self, prefix: &str) -> ObjectLog {
        ObjectLog::new(Arc::clone(&self.objects), prefix)
    }
}

/// The objects' disk is full. What was to be created was not, or nobody can see it.
#[derive(Debug, thiserror::Error)]
#[error("no space left where the objects are kept: free some, nothing that is kept is harmed")]
pub struct Full {
    /// What the store said.
    #[source]
    source: object_store::Error,
}

impl ObjectLog {
    /// The log whose slots lie under `prefix`, a path such as `journal/node-1/7`.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self { objects, prefix: Path::from(prefix) }
    }

    /// Every slot of this log, which goes by `journal`, ascending, with what the store says of it.
    ///
    /// # Errors
    ///
    /// What the store said.
    pub async fn stored<J: Clone + Ord>(&self, journal: &J) -> Result<Vec<Stored<J>>, LogError> {
        let listed = self.objects.list(Some(&self.prefix));
        let found = listed.try_filter_map(async |meta| {
            let created_ms = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
            let slot = self.slot(&meta.location);
            let at = |slot| (journal.clone(), slot);
            Ok(slot.map(|slot| Stored { at: at(slot), bytes: meta.size, created_ms }))
        });
        let mut stored: Vec<Stored<J>> =
            found.try_collect().await.map_err(|error| failed("list", &self.prefix, error))?;
        stored.sort_unstable_by(|it, other| it.at.cmp(&other.at));
        Ok(stored)
    }

    fn object(&self, slot: Slot) -> Path {
        self.prefix.clone().join(format!("{:0DIGITS$}", slot.0))
    }

    /// The slot that is kept under `object`; `None` where that is no slot of this log.
    fn slot(&self, object: &Path) -> Option<Slot> {
        let mut parts = object.prefix_match(&self.prefix)?;
        let name = parts.next()?;
        let name = name.as_ref();
        let is_slot = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
        if !is_slot || parts.next().is_some() {
            return None;
        }
        name.parse().ok().map(Slot)
    }
}

impl Log for ObjectLog {
    fn create(&self, slot: Slot, object: Bytes) -> Answer<'_, Created> {
        let name = self.object(slot);
        Box::pin(async move {
            match self.objects.put_opts(&name, object.into(), PutMode::Create.into()).await {
                Ok(_) => Ok(Created::Won),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
                Err(error) => Err(failed("create", &name, error)),
            }
        })
    }

    fn read(&self, slot: Slot) -> Answer<'_, Option<Bytes>> {
        let name = self.object(slot);
        Box::pin(async move {
            let read = async { self.objects.get(&name).await?.bytes().await };
            match read.await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(failed("read", &name, error)),
            }
        })
    }

    fn slots(&self) -> Answer<'_, Vec<Slot>> {
        Box::pin(async move {
            let stored = self.stored(&()).await?;
            Ok(stored.into_iter().map(|it| it.at.1).collect())
        })
    }

    fn trim(&self, slot: Slot) -> Answer<'_, ()> {
        let name = self.object(slot);
        Box::pin(async move {
            match self.objects.delete(&name).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed("delete", &name, error)),
            }
        })
    }
}

fn failed(doing: &'static str, object: &Path, error: object_store::Error) -> LogError {
    LogError { doing, object: object.to_string(), source: explain(error) }
}

/// The error as people should read it: a full disk says so, whatever layer met it.
pub(crate) fn explain(error: object_store::Error) -> Box<dyn Error + Send + Sync> {
    if is_full(&error) { Box::new(Full { source: error }) } else { Box::new(error) }
}

/// Whether `error` comes from a disk (or a quota on it) that is full.
#[must_use]
pub fn is_full(error: &(dyn Error + 'static)) -> bool {
    let next = match error.downcast_ref::<std::io::Error>() {
        Some(io) if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            return true;
        }
        // `source` of an I/O error passes over the error that it wraps.
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    };
    next.is_some_and(is_full)
}
