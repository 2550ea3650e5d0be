//! A snapshot goes from one object store to another: files first, each read as it is sent and never whole, the manifest
//! last. What is there already is not sent again, so that a transfer that broke off goes on where it was.

use std::sync::Arc;

use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt as _;

use super::upload::PART;
use super::{FileEntry, SnapshotError, Snapshots, manifest_object};

impl Snapshots {
    /// Copies the snapshot `name` into the store of `to`, under the same name; says how many bytes were sent.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Damaged`] where a file is not what the manifest says, [`SnapshotError::Taken`] where the name is
    /// another snapshot's over there; and what the stores said.
    pub async fn transfer(&self, name: u64, to: &Self) -> Result<u64, SnapshotError> {
        let manifest = self.inspect(name).await?;
        let mut sent = 0;
        for file in manifest.files() {
            if to.length_fault(file).await?.is_some() {
                self.transfer_file(name, file, to).await?;
                sent += file.bytes;
            }
        }
        to.check_complete(&manifest).await?;
        let bytes = manifest.encode()?.into();
        to.settle(name, &manifest_object(name), &bytes).await?;
        Ok(sent)
    }

    /// Only where the whole is what its name says does the object come to be (I11).
    async fn transfer_file(
        &self,
        name: u64,
        file: &FileEntry,
        to: &Self,
    ) -> Result<(), SnapshotError> {
        let object = Path::from(file.object.as_str());
        let mut writer = BufWriter::with_capacity(Arc::clone(&to.objects), object, PART);
        let created = |source| SnapshotError::Files {
            doing: "create object",
            path: file.object.clone().into(),
            source,
        };
        match self.fetch(file, &mut writer).await {
            Ok(None) => writer.shutdown().await.map_err(created),
            Ok(Some(fault)) => {
                writer.abort().await.ok();
                Err(SnapshotError::Damaged { name, fault })
            }
            Err(error) => {
                // What cannot be taken back is invisible, and goes when the bucket's own rules say so.
                writer.abort().await.ok();
                Err(error)
            }
        }
    }
}
