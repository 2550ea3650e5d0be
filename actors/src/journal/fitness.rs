//! Whether a store is one that logs can be kept in: it can be reached, lets us in, and creates a name once.

use std::error::Error as StdError;

use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::causes::one_line;

#[cfg(test)]
mod tests;

/// How often an answer is asked for that says neither yes nor no.
const ATTEMPTS: u32 = 5;

/// Why logs cannot be kept in a store.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Nobody answers, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// There is no such bucket.
    #[error("{0}")]
    NoBucket(String),
    /// The keys are unknown to the store, or may not do what must be done.
    #[error("{0}")]
    Refused(String),
    /// A name that exists was created once more: two writers could each believe that they won a slot (I1).
    #[error("the store created the same object twice: it does not heed If-None-Match")]
    NotCreateOnly,
    /// Something else.
    #[error("{0}")]
    Failed(String),
}

/// Creates an object twice and removes it again: the second time must be refused. `nonce` is new, so that no
/// other check is in the way.
///
/// # Errors
///
/// Why logs cannot be kept there.
pub async fn check(objects: &dyn ObjectStore, nonce: u64) -> Result<(), Unfit> {
    let probe = Path::from(format!("probe/{nonce:016x}"));
    let checked = create_twice(objects, &probe).await;
    // What cannot be removed hinders nobody: it is a few bytes under a name of its own.
    objects.delete(&probe).await.ok();
    checked
}

async fn create_twice(objects: &dyn ObjectStore, probe: &Path) -> Result<(), Unfit> {
    // Also where the first answer was lost on the way there is something now.
    create(objects, probe, "first").await?;
    if create(objects, probe, "second").await? {
        return Err(Unfit::NotCreateOnly);
    }
    let read = async { objects.get(probe).await?.bytes().await };
    let standing = read.await.map_err(|error| of(&error))?;
    if standing == "first" { Ok(()) } else { Err(Unfit::NotCreateOnly) }
}

/// Whether the object was created; not so where it exists already.
async fn create(
    objects: &dyn ObjectStore,
    probe: &Path,
    content: &'static str,
) -> Result<bool, Unfit> {
    let mut said = None;
    for attempt in 0..ATTEMPTS {
        let payload = PutPayload::from_static(content.as_bytes());
        match objects.put_opts(probe, payload, PutMode::Create.into()).await {
            Ok(_) => return Ok(true),
            Err(Error::AlreadyExists { .. }) if objects.head(probe).await.is_ok() => {
                return Ok(false);
            }
            // S3 called a race "exists" that nobody has won yet, or somebody else's trouble came between.
            Err(error @ Error::AlreadyExists { .. }) => said = Some(of(&error)),
            Err(error) => said = Some(passing(of(&error), attempt)?),
        }
    }
    Err(said.unwrap_or(Unfit::NotCreateOnly))
}

/// What may have passed when it is tried again; an error where it will not have. One connection may break, but
/// who is away is told of soon.
fn passing(unfit: Unfit, attempt: u32) -> Result<Unfit, Unfit> {
    match &unfit {
        Unfit::Failed(_) => Ok(unfit),
        Unfit::Unreachable(_) if attempt == 0 => Ok(unfit),
        Unfit::Unreachable(_) | Unfit::NoBucket(_) | Unfit::Refused(_) | Unfit::NotCreateOnly => {
            Err(unfit)
        }
    }
}

/// What `error` says of a store.
#[must_use]
pub fn of(error: &Error) -> Unfit {
    let said = said(error);
    if matches!(error, Error::NotFound { .. }) {
        return Unfit::NoBucket(said);
    }
    if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) {
        return Unfit::Refused(said);
    }
    if matches!(error, Error::NotImplemented { .. }) || is_unimplemented(&said) {
        return Unfit::NotCreateOnly;
    }
    if is_unreachable(error) { Unfit::Unreachable(said) } else { Unfit::Failed(said) }
}

/// Some servers answer so to a condition that they don't know.
fn is_unimplemented(said: &str) -> bool {
    said.starts_with("NotImplemented")
}

fn is_unreachable(error: &(dyn StdError + 'static)) -> bool {
    use HttpErrorKind::{Connect, Interrupted, Request, Timeout};
    let is_ours = error
        .downcast_ref::<HttpError>()
        .is_some_and(|it| matches!(it.kind(), Connect | Timeout | Request | Interrupted));
    is_ours || error.source().is_some_and(is_unreachable)
}

/// The store's own words where it has answered: its code and its message. Else the innermost cause.
fn said(error: &Error) -> String {
    let all = one_line(error);
    let Some(code) = tag(&all, "Code") else { return innermost(error) };
    match tag(&all, "Message") {
        Some(message) => format!("{code}: {}", message.trim_end_matches('.')),
        None => code.to_owned(),
    }
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// The text of an element, in an answer that is XML.
fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}
