//! Snapshots: what ranges were at a commit, in files that are never overwritten and a manifest that names them.
//!
//! Files go first, the manifest last, and whole (I11): a snapshot exists where its manifest does.
//!
//! ```text
//! snapshots/files/<node>/<incarnation>-<file>-<sha256>    content, shared among one life's snapshots
//! snapshots/<name as 20 digits>/manifest                  created once, by whichever node took it
//! ```

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use crate::journal::log::explain;
use known::Known;

mod error;
mod files;
mod known;
mod manifest;
mod sweep;
#[cfg(test)]
mod tests;
mod transfer;
mod upload;

pub use error::SnapshotError;
pub use files::{Fault, Wrong};
pub use manifest::{Difference, FORMAT, FileEntry, Manifest, RangeEntry};

/// How often a manifest is tried whose fate is unclear. The store's own client retries and waits below this.
const ATTEMPTS: u32 = 3;

/// The snapshots of one object store.
#[derive(Clone, Debug)]
pub struct Snapshots {
    objects: Arc<dyn ObjectStore>,
    known: Known,
}

impl Snapshots {
    /// The snapshots that are kept in `objects`.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, known: Known::default() }
    }

    /// Creates the snapshot `manifest.name`, all of whose files have been uploaded.
    ///
    /// Where the answer is unclear what stands there is read back. Where that fails too the snapshot may exist:
    /// [`Self::inspect`] it.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Incomplete`] where a file is not there, [`SnapshotError::Taken`] where the name
    /// is another snapshot's.
    pub async fn create(&self, manifest: &Manifest) -> Result<(), SnapshotError> {
        let name = manifest.name;
        let bytes = manifest.encode()?;
        self.check_complete(manifest).await?;
        let object = manifest_object(name);
        self.settle(name, &object, &bytes.into()).await?;
        // A sweep that listed before us may have taken a file that an earlier attempt had left.
        let complete = self.check_complete(manifest).await;
        if matches!(complete, Err(SnapshotError::Incomplete { .. })) {
            self.remove(&object).await?;
        }
        complete
    }

    /// Creates the snapshot under the first name that no snapshot has had, and says which. Where other nodes
    /// take snapshots at the same time, each gets a name of its own.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    pub async fn create_next(&self, manifest: &mut Manifest) -> Result<u64, SnapshotError> {
        loop {
            // The newest is never deleted, so what is beyond it is new. It is asked for only now: the files
            // may have taken long.
            manifest.name = self.list().await?.last().map_or(1, |last| last + 1);
            match self.create(manifest).await {
                Err(SnapshotError::Taken { .. }) => {}
                created => return created.map(|()| manifest.name),
            }
        }
    }

    /// Creates the manifest, although answers get lost: what stands there is read back, never guessed.
    async fn settle(&self, name: u64, object: &Path, bytes: &Bytes) -> Result<(), SnapshotError> {
        let mut said = None;
        for _ in 0..ATTEMPTS {
            let payload = bytes.clone().into();
            match self.objects.put_opts(object, payload, PutMode::Create.into()).await {
                Ok(_) => return Ok(()),
                // Also where our own earlier attempt is what exists.
                Err(error) => said = Some(error),
            }
            let read = async { self.objects.get(object).await?.bytes().await };
            match read.await {
                Ok(standing) if standing == *bytes => return Ok(()),
                Ok(_) => return Err(SnapshotError::Taken { name }),
                // Nothing arrived; or S3 called a race "exists" that nobody has won yet; or it is unclear again.
                Err(_) => {}
            }
        }
        Err(said.map_or(SnapshotError::Taken { name }, |error| failed("create", object, error)))
    }

    /// The names of all snapshots, ascending.
    ///
    /// # Errors
    ///
    /// What the store said.
    pub async fn list(&self) -> Result<Vec<u64>, SnapshotError> {
        let root = Path::from("snapshots");
        let listed = self.objects.list_with_delimiter(Some(&root)).await;
        let folders = listed.map_err(|error| failed("list", &root, error))?.common_prefixes;
        let mut names = Vec::new();
        for name in folders.iter().filter_map(name_of) {
            // A folder may be there for a torn manifest's sake.
            if self.size(&manifest_object(name)).await?.is_some() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What the snapshot `name` holds, as far as its manifest says.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Unknown`], [`SnapshotError::Newer`] or [`SnapshotError::Corrupted`].
    pub async fn inspect(&self, name: u64) -> Result<Manifest, SnapshotError> {
        let object = manifest_object(name);
        let read = async { self.objects.get(&object).await?.bytes().await };
        let bytes = match read.await {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(SnapshotError::Unknown { name });
            }
            Err(error) => return Err(failed("read", &object, error)),
        };
        let manifest = Manifest::decode(name, &bytes)?;
        if manifest.name != name {
            let detail = format!("it says that it is snapshot {}", manifest.name);
            return Err(SnapshotError::Corrupted { name, detail });
        }
        Ok(manifest)
    }

    /// Whether all files of a snapshot are there, by their lengths: a check that is cheap enough for every
    /// minute. [`Self::verify`] reads them.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Damaged`]; and what the store said.
    pub async fn check(&self, manifest: &Manifest) -> Result<(), SnapshotError> {
        match self.check_complete(manifest).await {
            Err(SnapshotError::Incomplete { name, fault }) => {
                Err(SnapshotError::Damaged { name, fault })
            }
            checked => checked,
        }
    }

    /// Deletes the snapshot `name`; its files go with the next [`Self::sweep`] unless others name them.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Newest`]: the journals may be cut up to it (I10).
    pub async fn delete(&self, name: u64) -> Result<(), SnapshotError> {
        let names = self.list().await?;
        if !names.contains(&name) {
            return Err(SnapshotError::Unknown { name });
        }
        if names.last() == Some(&name) {
            return Err(SnapshotError::Newest { name });
        }
        self.remove(&manifest_object(name)).await
    }

    /// An object's bytes; `None` where it does not exist.
    async fn size(&self, object: &Path) -> Result<Option<u64>, SnapshotError> {
        match self.objects.head(object).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look up", object, error)),
        }
    }

    async fn remove(&self, object: &Path) -> Result<(), SnapshotError> {
        match self.objects.delete(object).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", object, error)),
        }
    }
}

fn manifest_object(name: u64) -> Path {
    Path::from(format!("snapshots/{name:020}/manifest"))
}

/// The snapshot whose folder this is; `None` for other folders.
fn name_of(folder: &Path) -> Option<u64> {
    let name = folder.filename()?;
    let is_name = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    if is_name { name.parse().ok() } else { None }
}

fn failed(doing: &'static str, object: &Path, error: object_store::Error) -> SnapshotError {
    SnapshotError::Store { doing, object: object.to_string(), source: explain(error) }
}
