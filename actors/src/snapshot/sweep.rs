//! Removal of files that no snapshot names.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use object_store::path::Path;

use super::files::FILES;
use super::{SnapshotError, Snapshots, failed};

impl Snapshots {
    /// Deletes the files that no snapshot names and that were uploaded before `before_ms`; their names.
    ///
    /// `before_ms` must lie further back than any upload may take: a younger file may belong to a
    /// snapshot that is being made. Where one manifest cannot be read, nothing is deleted (I10).
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`]; and what the store said.
    pub async fn sweep(&self, before_ms: u64) -> Result<Vec<String>, SnapshotError> {
        // Files first, manifests after: whatever was named between the two listings is kept.
        let old = self.files_before(before_ms).await?;
        let mut named = BTreeSet::new();
        for name in self.list().await? {
            named.extend(self.inspect(name).await?.files().map(|file| file.object.clone()));
        }
        let unnamed: Vec<String> = old.into_iter().filter(|file| !named.contains(file)).collect();
        for object in &unnamed {
            self.remove(&Path::from(object.as_str())).await?;
        }
        Ok(unnamed)
    }

    async fn files_before(&self, before_ms: u64) -> Result<Vec<String>, SnapshotError> {
        let folder = Path::from(FILES);
        let listed: Result<Vec<_>, _> = self.objects.list(Some(&folder)).try_collect().await;
        let listed = listed.map_err(|error| failed("list", &folder, error))?;
        let is_old = |ms: i64| u64::try_from(ms).is_ok_and(|ms| ms < before_ms);
        let old = listed.iter().filter(|meta| is_old(meta.last_modified.timestamp_millis()));
        Ok(old.map(|meta| meta.location.to_string()).collect())
    }
}
