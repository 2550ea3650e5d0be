//! A checkpoint's files go up: read twice and never whole, so that memory does not grow with their size.

use std::io::Read as _;
use std::path::{Path as Folder, PathBuf};

use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutMode};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::files::{FILES, on};
use super::known::{Mark, Seen};
use super::manifest::hex;
use super::{FileEntry, SnapshotError, Snapshots, failed};
use crate::engine::Life;

/// A file goes up in parts of this size, one at a time; a smaller one at once. No store takes parts below 5 MiB.
pub(super) const PART: usize = 8 << 20;

impl Snapshots {
    /// Uploads every file of a checkpoint's folder, but for those that are there already; one part of one file
    /// is in memory at a time, and a file that an earlier call has met in the same folder is not read again.
    /// What is uploaded is not yet part of any snapshot. Each life has objects of its own, so that none deletes what
    /// another is about to name.
    ///
    /// # Errors
    ///
    /// What the files or the store said. What was uploaded so far stays, and need not be uploaded again.
    pub async fn upload(
        &self,
        checkpoint: &Folder,
        life: &Life,
    ) -> Result<Vec<FileEntry>, SnapshotError> {
        let mut files = Vec::new();
        let mut seen = Seen::default();
        for path in folder_files(checkpoint)? {
            let mark = Mark::of(&path).map_err(on("look up file", &path))?;
            let known = mark.as_ref().and_then(|mark| self.known.get(checkpoint, mark));
            let file = match known {
                Some(file) if self.length_fault(&file).await?.is_none() => file,
                Some(_) | None => self.upload_file(&path, life).await?,
            };
            seen.extend(mark.map(|mark| (mark, file.clone())));
            files.push(file);
        }
        self.known.replace(checkpoint, seen);
        Ok(files)
    }

    async fn upload_file(&self, path: &Folder, life: &Life) -> Result<FileEntry, SnapshotError> {
        let to_hash = path.to_owned();
        let hashed = tokio::task::spawn_blocking(move || hash(&to_hash)).await;
        let hashed = hashed.map_err(std::io::Error::other).flatten();
        let (bytes, sha256) = hashed.map_err(on("hash file", path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let object = format!("{FILES}/{}/{}-{name}-{sha256}", life.1, life.0.0);
        let file = FileEntry { name, object, bytes, sha256 };
        let object = Path::from(file.object.as_str());
        if self.size(&object).await?.is_none() {
            let sent = self.send(path, &file, &object).await;
            // An answer may be lost on its way: what counts is whether the object is there.
            if self.size(&object).await?.is_none() {
                sent?;
            }
        }
        match self.length_fault(&file).await? {
            Some(fault) => Err(SnapshotError::Clash { fault }),
            None => Ok(file),
        }
    }

    async fn send(
        &self,
        path: &Folder,
        file: &FileEntry,
        object: &Path,
    ) -> Result<(), SnapshotError> {
        if file.bytes > PART as u64 {
            return self.send_parts(path, file, object).await;
        }
        let content = tokio::fs::read(path).await.map_err(on("read file", path))?;
        if hex(&Sha256::digest(&content)) != file.sha256 {
            return Err(changed(path));
        }
        let created = self.objects.put_opts(object, content.into(), PutMode::Create.into()).await;
        created.map_err(|error| failed("create", object, error))?;
        Ok(())
    }

    async fn send_parts(
        &self,
        path: &Folder,
        file: &FileEntry,
        object: &Path,
    ) -> Result<(), SnapshotError> {
        let begun = self.objects.put_multipart(object).await;
        let mut upload = begun.map_err(|error| failed("create", object, error))?;
        let sent = send_each(&mut *upload, path, file, object).await;
        if sent.is_err() {
            // What cannot be taken back is invisible, and goes when the bucket's own rules say so.
            upload.abort().await.ok();
        }
        sent
    }
}

/// Only with the last part, and where the whole is what its name says, does the object come to be (I11).
async fn send_each(
    upload: &mut dyn MultipartUpload,
    path: &Folder,
    file: &FileEntry,
    object: &Path,
) -> Result<(), SnapshotError> {
    let mut from = File::open(path).await.map_err(on("read file", path))?;
    let (mut sha256, mut left) = (Sha256::new(), file.bytes);
    while left > 0 {
        let part = read_part(&mut from, left).await.map_err(on("read file", path))?;
        sha256.update(&part);
        left -= part.len() as u64;
        upload.put_part(part.into()).await.map_err(|error| failed("create", object, error))?;
    }
    if hex(&sha256.finalize()) != file.sha256 {
        return Err(changed(path));
    }
    upload.complete().await.map_err(|error| failed("create", object, error))?;
    Ok(())
}

/// The next part, whole but for the last one.
async fn read_part(from: &mut File, left: u64) -> std::io::Result<Bytes> {
    let size = usize::try_from(left).unwrap_or(PART).min(PART);
    let mut part = BytesMut::zeroed(size);
    from.read_exact(&mut part).await?;
    Ok(part.freeze())
}

/// The file's length and its hash.
fn hash(path: &Folder) -> std::io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let (mut sha256, mut bytes, mut part) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok((bytes, hex(&sha256.finalize())));
        }
        sha256.update(&part[..read]);
        bytes += read as u64;
    }
}

fn changed(path: &Folder) -> SnapshotError {
    on("read file", path)(std::io::Error::other("it changed while it was uploaded"))
}

fn folder_files(dir: &Folder) -> Result<Vec<PathBuf>, SnapshotError> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(on("read folder", dir))?;
    let mut paths: Vec<_> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}
