//! A bucket of an S3-compatible store as an object store that answers or fails in bounded time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, Result, RetryConfig};

use super::Objects;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one request may take, with its answer's body. What is read goes on from where it was cut.
const REQUEST: Duration = Duration::from_secs(20);
/// How often a request is tried again where the store said that it is busy, or nothing was sent. A create is
/// never repeated once its answer may be on the way: it is read back instead.
const RETRIES: usize = 4;
/// After so long no request is tried again, so that all of them end within this and [`REQUEST`].
const PATIENCE: Duration = Duration::from_secs(20);

/// A bucket, and how it is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// What all objects' names begin with; empty: nothing.
    pub prefix: String,
    /// The server's address as a URL; `None`: the one that Amazon has for the region.
    pub endpoint: Option<String>,
    /// The region, which is part of each signature.
    pub region: String,
    /// Who we are to the store.
    pub keys: Keys,
    /// Whether the endpoint may be spoken to without TLS.
    pub allow_http: bool,
}

/// Who we are to a store. What is secret is not shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Keys {
    /// The access key's name.
    pub access: String,
    /// Its secret.
    pub secret: String,
    /// What comes with keys that were lent for a time; `None` for lasting ones.
    pub session: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access", &self.access).finish_non_exhaustive()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, " at {endpoint}"))
    }
}

/// The objects of a bucket. Nothing is asked of the store yet: see [`super::fitness::check`].
///
/// # Errors
///
/// Where the bucket's description makes no sense, or the machine's certificates cannot be read.
pub fn open_bucket(bucket: &Bucket) -> Result<Objects> {
    let options = ClientOptions::new()
        .with_allow_http(bucket.allow_http)
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST);
    let (first, most) = (Duration::from_millis(50), Duration::from_secs(2));
    let backoff = BackoffConfig { init_backoff: first, max_backoff: most, base: 2.0 };
    let mut store = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&bucket.keys.access)
        .with_secret_access_key(&bucket.keys.secret)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(options)
        .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: PATIENCE });
    if let Some(session) = &bucket.keys.session {
        store = store.with_token(session);
    }
    if let Some(endpoint) = &bucket.endpoint {
        store = store.with_endpoint(endpoint);
    }
    let store = store.build()?;
    if bucket.prefix.is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, Path::parse(&bucket.prefix)?)))
}
