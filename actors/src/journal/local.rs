//! A local directory as an object store that keeps what it said it created, also across a power cut.

use std::fmt;
use std::fs::File;
use std::path::Path as Folder;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The objects of the folder `dir`, which is created where it does not exist.
///
/// # Errors
///
/// Where the folder cannot be created, synced or read.
pub fn open_objects(dir: &Folder) -> Result<Arc<dyn ObjectStore>> {
    create_folder(dir).map_err(|error| failed("create folder", &error))?;
    // A snapshot's folder goes with its manifest, else a year of them would be looked through each time.
    let files =
        LocalFileSystem::new_with_prefix(dir)?.with_fsync(true).with_automatic_cleanup(true);
    Ok(Arc::new(LocalObjects { files }))
}

/// Creates `dir` and what lies above it, each entry synced into its parent.
fn create_folder(dir: &Folder) -> std::io::Result<()> {
    let dir = std::path::absolute(dir)?;
    let missing: Vec<_> = dir.ancestors().take_while(|folder| !folder.exists()).collect();
    std::fs::create_dir_all(&dir)?;
    missing.iter().rev().filter_map(|folder| folder.parent()).try_for_each(sync)
}

/// Files, each created by a synced temporary file `<name>#<n>` and a hard link to it, so that a
/// name that can be seen has its whole content (I11); then the folder is synced.
///
/// `object_store` does that much. What it leaves open is the moment between link and sync: who meets
/// the name then (a rival, or its own creator after an unclear answer or a restart) would build on
/// a name that a power cut can still take away. So whoever *meets* a name syncs the folder first.
#[derive(Debug)]
struct LocalObjects {
    files: LocalFileSystem,
}

impl LocalObjects {
    async fn settle(&self, location: &Path) -> Result<()> {
        let file = self.files.path_to_filesystem(location)?;
        let settled = tokio::task::spawn_blocking(move || file.parent().map_or(Ok(()), sync));
        settled.await?.map_err(|error| failed("sync folder", &error))
    }
}

fn sync(dir: &Folder) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn failed(doing: &'static str, error: &std::io::Error) -> Error {
    let source = std::io::Error::new(error.kind(), format!("{doing}: {error}"));
    Error::Generic { store: "LocalObjects", source: Box::new(source) }
}

impl fmt::Display for LocalObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LocalObjects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let put = self.files.put_opts(location, payload, opts).await;
        if matches!(put, Err(Error::AlreadyExists { .. })) {
            self.settle(location).await?;
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.files.get_opts(location, options).await?;
        self.settle(location).await?;
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }
}
