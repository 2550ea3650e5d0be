//! The object that ends a journal: whoever finds it in the slot of its next commit has been declared dead.

use bytes::Bytes;
use proto::types::NodeId;
use serde::{Deserialize, Serialize};

use super::entry::wire;
use super::envelope::{self, EnvelopeError};
use super::member::Term;

/// A fence's first bytes. A commit of a journal begins with `TLJC`.
pub const MAGIC: &str = "TLFN";

/// The envelope's format that every fence has.
const FORMAT: u16 = 1;

/// Who ended a journal. All fences do the same; this is for the person who looks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fence {
    /// The node whose process led then.
    #[serde(with = "wire::node")]
    pub by: NodeId,
    /// The term in which it did so.
    pub term: Term,
}

/// Why an object that begins like a fence is none.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The envelope was refused.
    #[error("open the fence's envelope")]
    Envelope(#[from] EnvelopeError),
    /// The content verified, but it is none that this version knows.
    #[error("read the fence's content")]
    Content(#[from] serde_json::Error),
}

/// The fence as a slot's content.
#[must_use]
pub fn fence_object(fence: &Fence) -> Bytes {
    let content = serde_json::to_vec(fence).expect("a fence has string keys and writes to memory");
    // No nonce: whose fence stands in a slot makes no difference.
    envelope::seal(MAGIC, FORMAT, 0, &content)
}

/// Whether a journal's slot holds a fence, also one of a version that this one cannot read.
#[must_use]
pub fn is_fence(object: &[u8]) -> bool {
    object.starts_with(MAGIC.as_bytes())
}

/// The fence that a journal's slot holds; `None` where it holds something else.
///
/// # Errors
///
/// [`FenceError`] where it is a fence that is torn or newer than this version reads (I11, I14).
pub fn read_fence(object: &[u8]) -> Result<Option<Fence>, FenceError> {
    if !is_fence(object) {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(envelope::open(MAGIC, object)?.content)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence() -> Fence {
        Fence { by: NodeId::new("node-2").unwrap(), term: Term(7) }
    }

    #[test]
    fn a_fence_says_who_set_it() {
        assert_eq!(read_fence(&fence_object(&fence())).unwrap(), Some(fence()));
    }

    #[test]
    fn a_commit_is_no_fence() {
        for object in [&b"TLJC and a commit"[..], b"", b"TLF"] {
            assert!(!is_fence(object));
            assert_eq!(read_fence(object).unwrap(), None);
        }
    }

    #[test]
    fn a_torn_fence_still_fences_but_is_not_believed() {
        let object = fence_object(&fence());
        let torn = &object[..object.len() - 1];
        assert!(is_fence(torn));
        assert!(matches!(read_fence(torn), Err(FenceError::Envelope(EnvelopeError::Torn))));
    }
}
