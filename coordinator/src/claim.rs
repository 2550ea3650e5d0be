//! Creating a slot although answers get lost: what stands in it is read back, never guessed.

use bytes::Bytes;
use proto::log::{Created, Log, LogError};
use proto::types::Slot;

/// How often a slot is tried before the store counts as unusable. The store's own client retries
/// and waits below this.
pub(crate) const ATTEMPTS: u32 = 5;

/// What stands in a slot that one tried to create.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Claim {
    /// What one wanted to stand there, from this attempt or an earlier one.
    Ours,
    /// Something else, for ever.
    Taken(Bytes),
}

/// The store gave no clear answer. The slot may have been created, or may be yet.
#[derive(Debug, thiserror::Error)]
#[error(
    "settle slot {slot}: the store gave no clear answer in {ATTEMPTS} attempts; look whether it can be reached"
)]
pub struct Unclear {
    /// The slot.
    pub slot: Slot,
    /// What the store said last; `None` where it only contradicted itself.
    #[source]
    pub source: Option<LogError>,
}

/// Creates `slot` with `object`, and says what stands there. `object` differs from all that anybody
/// else may write there, or says the same.
pub(crate) async fn claim(log: &dyn Log, slot: Slot, object: &Bytes) -> Result<Claim, Unclear> {
    let mut said = None;
    for _ in 0..ATTEMPTS {
        match log.create(slot, object.clone()).await {
            Ok(Created::Won) => return Ok(Claim::Ours),
            // Also where our own earlier attempt is what exists.
            Ok(Created::Exists) => {}
            Err(error) => said = Some(error),
        }
        match log.read(slot).await {
            Ok(Some(standing)) if standing == *object => return Ok(Claim::Ours),
            Ok(Some(standing)) => return Ok(Claim::Taken(standing)),
            // Nothing arrived; or S3 called a race "exists" that nobody has won yet.
            Ok(None) => {}
            Err(error) => said = Some(error),
        }
    }
    Err(Unclear { slot, source: said })
}

/// What stands in `slot`; `None` where nothing does.
pub(crate) async fn look(log: &dyn Log, slot: Slot) -> Result<Option<Bytes>, LogError> {
    let mut answer = log.read(slot).await;
    for _ in 1..ATTEMPTS {
        if answer.is_ok() {
            break;
        }
        answer = log.read(slot).await;
    }
    answer
}

/// The highest slot that the store lists; `None` where it lists none.
pub(crate) async fn highest(log: &dyn Log) -> Result<Option<Slot>, LogError> {
    let mut answer = log.slots().await;
    for _ in 1..ATTEMPTS {
        if answer.is_ok() {
            break;
        }
        answer = log.slots().await;
    }
    Ok(answer?.last().copied())
}
