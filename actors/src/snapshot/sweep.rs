//! Removal of files that no snapshot names.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use object_store::path::Path;

use super::files::FILES;
use super::{SnapshotError, Snapshots, failed};
use crate::engine::Life;

impl Snapshots {
    /// Deletes the files that these lives of nodes have uploaded before `before_ms` and that no snapshot names;
    /// their names. Other lives may be taking snapshots of theirs.
    ///
    /// `before_ms` must lie further back than any upload may take: a younger file may belong to a
    /// snapshot that is being made. Where one manifest cannot be read, nothing is deleted (I10).
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`]; and what the store said.
    pub async fn sweep(
        &self,
        lives: &BTreeSet<Life>,
        before_ms: u64,
    ) -> Result<Vec<String>, SnapshotError> {
        // Files first, manifests after: whatever was named between the two listings is kept.
        let mut old = Vec::new();
        for node in lives.iter().map(|(_, node)| node).collect::<BTreeSet<_>>() {
            let folder = Path::from(format!("{FILES}/{node}"));
            let own = lives.iter().filter(|(_, it)| it == node);
            let prefixes: Vec<String> = own.map(|life| format!("{}-", life.0.0)).collect();
            old.extend(self.files_before(&folder, &prefixes, before_ms).await?);
        }
        let mut named = BTreeSet::new();
        for name in self.list().await? {
            match self.inspect(name).await {
                Ok(manifest) => named.extend(manifest.files().map(|file| file.object.clone())),
                // Another node has deleted it meanwhile.
                Err(SnapshotError::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let unnamed: Vec<String> = old.into_iter().filter(|file| !named.contains(file)).collect();
        for object in &unnamed {
            self.remove(&Path::from(object.as_str())).await?;
        }
        Ok(unnamed)
    }

    async fn files_before(
        &self,
        folder: &Path,
        prefixes: &[String],
        before_ms: u64,
    ) -> Result<Vec<String>, SnapshotError> {
        let listed: Result<Vec<_>, _> = self.objects.list(Some(folder)).try_collect().await;
        let mut listed = listed.map_err(|error| failed("list", folder, error))?;
        listed.retain(|meta| {
            let name = meta.location.filename().unwrap_or_default();
            let is_old = u64::try_from(meta.last_modified.timestamp_millis());
            is_old.is_ok_and(|ms| ms < before_ms)
                && prefixes.iter().any(|prefix| name.starts_with(prefix))
        });
        Ok(listed.iter().map(|meta| meta.location.to_string()).collect())
    }
}
