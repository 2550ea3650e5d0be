//! A log in memory that fails in all the ways in which an object store can.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;

use bytes::Bytes;
use proto::log::{Answer, Created, Log, LogError};
use proto::types::Slot;

/// What goes wrong with one operation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// An error; nothing was done.
    Refused,
    /// An error, although it was done: the answer was lost.
    AnswerLost,
    /// An error; a creation is done later, unless the slot has been taken by then.
    Late,
    /// A creation was done, but the client sent it again and tells that answer: exists.
    SentTwice,
    /// A creation was not done, and the store answers that the slot exists (S3's 409).
    Phantom,
}

/// Chooses what goes wrong with the next operation, which is named: `create`, `read`, `list` or
/// `trim`.
pub type Faults = Box<dyn FnMut(&'static str) -> Fault + Send>;

/// A log in memory. Each operation lets others run before and after it happens, so that whoever
/// polls decides how they interleave.
pub struct MemoryLog {
    name: String,
    inner: Mutex<Inner>,
}

struct Inner {
    slots: BTreeMap<Slot, Bytes>,
    late: Vec<(u8, Slot, Bytes)>,
    faults: Faults,
}

/// After how many further operations a late creation happens.
const LATE: u8 = 5;

impl MemoryLog {
    /// An empty log in which nothing goes wrong.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_faults(name, Box::new(|_| Fault::None))
    }

    /// An empty log in which that goes wrong that `faults` chooses.
    #[must_use]
    pub fn with_faults(name: &str, faults: Faults) -> Self {
        let inner = Inner { slots: BTreeMap::new(), late: Vec::new(), faults };
        Self { name: name.to_owned(), inner: Mutex::new(inner) }
    }

    /// From now on that goes wrong that `faults` chooses.
    pub fn fail(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// All slots and their content, as they are in the store.
    #[must_use]
    pub fn content(&self) -> BTreeMap<Slot, Bytes> {
        self.lock().slots.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock panics")
    }

    fn error(&self, doing: &'static str) -> LogError {
        let source = "a fault was injected".into();
        LogError { doing, object: self.name.clone(), source }
    }

    /// Does `what`, or what goes wrong with it.
    async fn perform<T>(
        &self,
        doing: &'static str,
        what: impl FnOnce(&mut Inner) -> T,
    ) -> Result<T, LogError> {
        pause().await;
        let answer = {
            let mut inner = self.lock();
            inner.land();
            match (inner.faults)(doing) {
                Fault::Refused | Fault::Late => Err(self.error(doing)),
                Fault::AnswerLost => {
                    what(&mut inner);
                    Err(self.error(doing))
                }
                // Only creations know these two.
                Fault::None | Fault::SentTwice | Fault::Phantom => Ok(what(&mut inner)),
            }
        };
        pause().await;
        answer
    }

    async fn perform_create(&self, slot: Slot, object: Bytes) -> Result<Created, LogError> {
        pause().await;
        let answer = {
            let mut inner = self.lock();
            inner.land();
            match (inner.faults)("create") {
                Fault::None => Ok(inner.create(slot, object)),
                Fault::Refused => Err(self.error("create")),
                Fault::AnswerLost => {
                    inner.create(slot, object);
                    Err(self.error("create"))
                }
                Fault::Late => {
                    inner.late.push((LATE, slot, object));
                    Err(self.error("create"))
                }
                Fault::SentTwice => {
                    inner.create(slot, object);
                    Ok(Created::Exists)
                }
                Fault::Phantom => Ok(Created::Exists),
            }
        };
        pause().await;
        answer
    }
}

impl Inner {
    fn create(&mut self, slot: Slot, object: Bytes) -> Created {
        if self.slots.contains_key(&slot) {
            return Created::Exists;
        }
        self.slots.insert(slot, object);
        Created::Won
    }

    fn land(&mut self) {
        let (landing, waiting) = std::mem::take(&mut self.late)
            .into_iter()
            .map(|(left, slot, object)| (left - 1, slot, object))
            .partition(|&(left, ..)| left == 0);
        self.late = waiting;
        let landing: Vec<(u8, Slot, Bytes)> = landing;
        for (_, slot, object) in landing {
            self.create(slot, object);
        }
    }
}

impl Log for MemoryLog {
    fn create(&self, slot: Slot, object: Bytes) -> Answer<'_, Created> {
        Box::pin(self.perform_create(slot, object))
    }

    fn read(&self, slot: Slot) -> Answer<'_, Option<Bytes>> {
        Box::pin(self.perform("read", move |inner| inner.slots.get(&slot).cloned()))
    }

    fn slots(&self) -> Answer<'_, Vec<Slot>> {
        Box::pin(self.perform("list", |inner| inner.slots.keys().copied().collect()))
    }

    fn trim(&self, slot: Slot) -> Answer<'_, ()> {
        Box::pin(self.perform("trim", move |inner| {
            inner.slots.remove(&slot);
        }))
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLog").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Lets others run once.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    /// What a creation answers under a fault, and what the slot holds at once and a while later.
    fn check(fault: Fault, answer: Option<Created>, at_once: bool, later: bool) {
        let mut faults = vec![fault];
        let log =
            MemoryLog::with_faults("log", Box::new(move |_| faults.pop().unwrap_or_default()));
        let created = block_on(log.create(Slot(1), Bytes::from_static(b"object")));
        assert_eq!(created.ok(), answer, "{fault:?}");
        assert_eq!(log.content().contains_key(&Slot(1)), at_once, "{fault:?}");
        for _ in 0..LATE {
            block_on(log.slots()).unwrap();
        }
        assert_eq!(log.content().contains_key(&Slot(1)), later, "{fault:?}");
    }

    #[test]
    fn each_fault_does_what_its_name_says() {
        check(Fault::None, Some(Created::Won), true, true);
        check(Fault::Refused, None, false, false);
        check(Fault::AnswerLost, None, true, true);
        check(Fault::Late, None, false, true);
        check(Fault::SentTwice, Some(Created::Exists), true, true);
        check(Fault::Phantom, Some(Created::Exists), false, false);
    }
}
