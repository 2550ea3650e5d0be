//! Where a drain's nodes keep what they have.

use std::path::{Path, PathBuf};

use actors::journal::Objects;
use actors::journal::local::open_objects;
use actors::journal::remote::open_bucket;
use anyhow::Context as _;

use super::Drain;

impl Drain {
    /// The node's folder: cluster file, log, and `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The node's local state, which the journal can rebuild.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("data/state")
    }

    /// From now on it is drained by another cluster, whose objects are in a folder of its own.
    pub fn move_to(&mut self, cluster: &str) {
        cluster.clone_into(&mut self.cluster);
    }

    /// The folder of the object store, where that is none in a bucket.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        let is_moved = self.cluster != self.name;
        let folder = if is_moved { &self.cluster } else { "data" };
        self.folder.path().join(folder).join("objects")
    }

    /// The object store: journals, control log, snapshots.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    pub fn store(&self) -> anyhow::Result<Objects> {
        let folder = || open_objects(&self.objects());
        self.bucket.as_ref().map_or_else(folder, open_bucket).context("open the objects")
    }

    /// Everything that a crash can take from this machine: all but what is in the bucket.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        if self.bucket.is_some() { self.folder.path().join("data") } else { self.state() }
    }
}
