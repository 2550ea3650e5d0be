//! A snapshot's files: checked, and down again.

use std::fmt;
use std::path::{Path as Folder, PathBuf};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use proto::types::RangeId;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::manifest::hex;
use super::{FileEntry, Manifest, SnapshotError, Snapshots, failed};

/// Where files lie.
pub(super) const FILES: &str = "snapshots/files";

/// A file that is not what its manifest says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The file's name in the store's folder.
    pub file: String,
    /// The object that should have its content.
    pub object: String,
    /// What is wrong.
    pub wrong: Wrong,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// The object does not exist.
    Missing,
    /// The object is shorter or longer than the file was.
    Length {
        /// The file's bytes.
        expected: u64,
        /// The object's bytes.
        found: u64,
    },
    /// The length fits, the hash does not.
    Content,
    /// The manifest gives it a name that would lie outside of the store's folder.
    Name,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {} (object {}) ", self.file, self.object)?;
        match self.wrong {
            Wrong::Missing => f.write_str("is missing"),
            Wrong::Length { expected, found } => {
                write!(f, "has {found} bytes instead of {expected}")
            }
            Wrong::Content => f.write_str("has other content than it had"),
            Wrong::Name => f.write_str("has a name that is none of a store's"),
        }
    }
}

impl Snapshots {
    /// Every fault of the snapshot's files: each is read whole.
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`]; and what the store said.
    pub async fn verify(&self, name: u64) -> Result<Vec<Fault>, SnapshotError> {
        let mut faults = Vec::new();
        for file in self.inspect(name).await?.files() {
            faults.extend(self.fetch(file, &mut tokio::io::sink()).await?);
        }
        Ok(faults)
    }

    /// Writes the range's files to the folder `to`, which does not exist yet: all of them, verified, or none.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Damaged`] for the first file that does not verify; as [`Self::inspect`]; and
    /// what the disk or the store said.
    pub async fn restore(
        &self,
        name: u64,
        range: RangeId,
        to: &Folder,
    ) -> Result<Manifest, SnapshotError> {
        let manifest = self.inspect(name).await?;
        let entry = manifest.range(range.0);
        let files = &entry.ok_or(SnapshotError::NoRange { name, range: range.0 })?.files;
        if to.exists() {
            return Err(on("restore to", to)(std::io::ErrorKind::AlreadyExists.into()));
        }
        let partial = partial(to);
        remove_folder(&partial).await?;
        tokio::fs::create_dir_all(&partial).await.map_err(on("create folder", &partial))?;
        if let Err(error) = self.restore_files(name, files, &partial).await {
            remove_folder(&partial).await?;
            return Err(error);
        }
        // Only what is whole gets the folder's name (I11).
        tokio::fs::rename(&partial, to).await.map_err(on("rename folder", to))?;
        Ok(manifest)
    }

    /// Removes the folder `to`, where an earlier [`Self::restore`] has put files that are not wanted now.
    ///
    /// # Errors
    ///
    /// What the disk said.
    pub async fn discard(&self, to: &Folder) -> Result<(), SnapshotError> {
        remove_folder(to).await
    }

    async fn restore_files(
        &self,
        name: u64,
        files: &[FileEntry],
        dir: &Folder,
    ) -> Result<(), SnapshotError> {
        for file in files {
            if !is_plain(&file.name) {
                return Err(SnapshotError::Damaged { name, fault: fault(file, Wrong::Name) });
            }
            let path = dir.join(&file.name);
            let mut out = tokio::fs::File::create(&path).await.map_err(on("create file", &path))?;
            if let Some(fault) = self.fetch(file, &mut out).await? {
                return Err(SnapshotError::Damaged { name, fault });
            }
            out.sync_all().await.map_err(on("sync file", &path))?;
        }
        Ok(())
    }

    /// Copies the file's content to `out`; what is wrong with it, where something is.
    pub(super) async fn fetch(
        &self,
        file: &FileEntry,
        out: &mut (impl tokio::io::AsyncWrite + Unpin + Send),
    ) -> Result<Option<Fault>, SnapshotError> {
        let object = Path::from(file.object.as_str());
        let got = match self.objects.get(&object).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => {
                return Ok(Some(fault(file, Wrong::Missing)));
            }
            Err(error) => return Err(failed("read", &object, error)),
        };
        let mut parts = got.into_stream();
        let (mut hash, mut found) = (Sha256::new(), 0);
        while let Some(part) =
            parts.try_next().await.map_err(|error| failed("read", &object, error))?
        {
            hash.update(&part);
            found += part.len() as u64;
            out.write_all(&part).await.map_err(on("write file", Folder::new(&file.name)))?;
        }
        out.flush().await.map_err(on("write file", Folder::new(&file.name)))?;
        if found != file.bytes {
            return Ok(Some(fault(file, Wrong::Length { expected: file.bytes, found })));
        }
        let fits = hex(&hash.finalize()) == file.sha256;
        Ok((!fits).then(|| fault(file, Wrong::Content)))
    }

    /// Whether all files of the manifest are there, by their lengths.
    pub(super) async fn check_complete(&self, manifest: &Manifest) -> Result<(), SnapshotError> {
        for file in manifest.files() {
            if let Some(fault) = self.length_fault(file).await? {
                return Err(SnapshotError::Incomplete { name: manifest.name, fault });
            }
        }
        Ok(())
    }

    pub(super) async fn length_fault(
        &self,
        file: &FileEntry,
    ) -> Result<Option<Fault>, SnapshotError> {
        let wrong = match self.size(&Path::from(file.object.as_str())).await? {
            None => Wrong::Missing,
            Some(found) if found == file.bytes => return Ok(None),
            Some(found) => Wrong::Length { expected: file.bytes, found },
        };
        Ok(Some(fault(file, wrong)))
    }
}

fn fault(file: &FileEntry, wrong: Wrong) -> Fault {
    Fault { file: file.name.clone(), object: file.object.clone(), wrong }
}

/// Whether the name stays within its folder: a manifest is input.
fn is_plain(name: &str) -> bool {
    Folder::new(name).file_name().is_some_and(|last| last == name)
}

fn partial(to: &Folder) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

async fn remove_folder(dir: &Folder) -> Result<(), SnapshotError> {
    match tokio::fs::remove_dir_all(dir).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(on("remove folder", dir)(error))
        }
        Err(_) | Ok(()) => Ok(()),
    }
}

pub(super) fn on(
    doing: &'static str,
    path: &Folder,
) -> impl FnOnce(std::io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Files { doing, path, source }
}
