//! What a store must be like, and what people are told of one that is not.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    PutMultipartOptions, PutOptions, PutResult, Result,
};

use super::*;

/// A store that does not know If-None-Match, and overwrites.
#[derive(Debug, Default)]
struct Overwriting(InMemory);

impl std::fmt::Display for Overwriting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Overwriting {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.0.put_opts(location, payload, PutOptions { mode: PutMode::Overwrite, ..opts }).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_store_that_creates_once_is_fit_and_is_left_as_it_was() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    check(&*objects, 7).await.unwrap();
    assert!(objects.list_with_delimiter(None).await.unwrap().common_prefixes.is_empty());
}

#[tokio::test]
async fn i1_a_store_that_overwrites_what_is_there_is_refused() {
    let refused = check(&Overwriting::default(), 7).await.unwrap_err();
    assert!(matches!(refused, Unfit::NotCreateOnly), "{refused}");
}

fn answered(text: &str) -> Box<dyn StdError + Send + Sync> {
    let xml = format!("status 403: <?xml version=\"1.0\"?><Error>{text}</Error>");
    Box::new(std::io::Error::other(xml))
}

#[test]
fn the_stores_own_words_are_what_people_read() {
    let text = "<Code>InvalidAccessKeyId</Code><Message>The key is not known.</Message>";
    let (path, source) = ("probe/1".to_owned(), answered(text));
    let refused = of(&Error::PermissionDenied { path: path.clone(), source });
    assert!(matches!(&refused, Unfit::Refused(_)));
    assert_eq!(refused.to_string(), "InvalidAccessKeyId: The key is not known");

    let missing = of(&Error::NotFound { path, source: answered("<Code>NoSuchBucket</Code>") });
    assert!(matches!(&missing, Unfit::NoBucket(_)));
    assert_eq!(missing.to_string(), "NoSuchBucket");

    let source = answered("<Code>NotImplemented</Code><Message>A header is not known</Message>");
    assert!(matches!(of(&Error::Generic { store: "S3", source }), Unfit::NotCreateOnly));
    let source = Box::new(std::io::Error::other("odd"));
    assert_eq!(of(&Error::Generic { store: "S3", source }).to_string(), "odd");
}
