//! Copies of ranges that other nodes own: restored, and following their owners' journals, so that a move pauses a
//! range only for what its owner did last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::types::{Epoch, RangeId, Slot};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::restore::{Opened, Ready, RestoreError, bring_back, go_on, restore, take_up};
use super::start::Engine;
use super::{Holding, Past, Setup};
use crate::causes::one_line;
use crate::source::Source;

/// How often an owner's journal is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// A copy that was found no more than so many commits behind is ready.
const FEW: usize = 4;
/// Looks at a journal that find nothing before its slots are listed: where it was trimmed, the copy begins anew.
const QUIET: u32 = 50;

/// A copy of a range.
#[derive(Debug)]
pub(super) struct Copy {
    /// As it was told: the last of its past is its owner's, and goes on.
    holding: Holding,
    held: Mutex<Option<Following>>,
    is_ready: AtomicBool,
    over: CancellationToken,
}

/// A copy that has been restored.
#[derive(Debug)]
struct Following {
    opened: Opened,
    /// What young legs will be read from: opened before it is needed.
    source: Arc<dyn Source>,
    /// The next slot of the owner's journal.
    next: Slot,
    quiet: u32,
}

impl Engine {
    /// Restores a copy of a range that another node owns, and follows its owner's journal, until the range is
    /// [adopted](Engine::adopt) or the copy [given up](Engine::cool). The last stretch of the past that `holding`
    /// names is its owner's, and goes on: where it says to end does not count. May come twice.
    pub async fn warm(&self, holding: Holding) {
        let range = holding.id;
        let follows = |it: &Holding| it.past.last().map(|past| (past.epoch, past.life.clone()));
        let has_it = {
            let copies = self.copies.lock();
            copies.get(&range).is_some_and(|it| follows(&it.holding) == follows(&holding))
        };
        if has_it || holding.past.is_empty() || self.holdings().iter().any(|it| it.id == range) {
            return;
        }
        self.cool(range).await;
        let (held, is_ready) = (Mutex::default(), AtomicBool::new(false));
        let over = self.links.stopping().child_token();
        let copy = Arc::new(Copy { holding, held, is_ready, over });
        self.copies.lock().insert(range, Arc::clone(&copy));
        let setup = Arc::clone(&self.setup);
        drop(self.links.tasks().spawn(async move { copy.follow(&setup).await }));
    }

    /// The copies, the epoch of the owner that each follows, and whether it is nearly as far as its owner.
    #[must_use]
    pub fn copies(&self) -> Vec<(RangeId, Epoch, bool)> {
        let copies = self.copies.lock();
        let shown = |(range, copy): (&RangeId, &Arc<Copy>)| {
            let epoch = copy.holding.past.last().map_or(Epoch::NONE, |past| past.epoch);
            (*range, epoch, copy.is_ready.load(Ordering::Relaxed))
        };
        copies.iter().map(shown).collect()
    }

    /// Gives a copy up; what it has stays on the disk, for a next time.
    pub async fn cool(&self, range: RangeId) {
        drop(self.take_copy(range).await);
    }

    /// The copy of a range, which does not follow any more.
    async fn take_copy(&self, range: RangeId) -> Option<Following> {
        let copy = self.copies.lock().remove(&range)?;
        copy.over.cancel();
        copy.held.lock().await.take()
    }

    /// Restores a range, out of its copy where there is one.
    pub(super) async fn restored(&self, holding: &Holding) -> Result<Vec<Ready>, RestoreError> {
        if let Some(Following { opened, source, .. }) = self.take_copy(holding.id).await {
            let taken_up = take_up(&self.setup, holding, &*source, opened).await;
            end(source);
            match taken_up {
                Ok(ready) => return Ok(vec![ready]),
                Err(error) => {
                    let error = one_line(&error);
                    warn!(range = %holding.id, error, "the copy cannot be used, restoring again");
                }
            }
        }
        let source = (self.setup.look_back)().await?;
        let restored = restore(&self.setup, std::slice::from_ref(holding), &*source).await;
        end(source);
        restored
    }
}

/// Ends a source that is needed no more: that takes its client a tenth of a second, for which no range waits.
fn end(source: impl Send + 'static) {
    drop(tokio::task::spawn_blocking(|| drop(source)));
}

impl Copy {
    async fn follow(&self, setup: &Setup) {
        loop {
            {
                let mut held = self.held.lock().await;
                if self.over.is_cancelled() {
                    return;
                }
                let went_on = self.round(setup, &mut held).await;
                if let Err(error) = &went_on {
                    let error = one_line(error);
                    warn!(range = %self.holding.id, error, "the copy is behind, trying again");
                    *held = None;
                }
                let is_ready = went_on.unwrap_or(false);
                if self.is_ready.swap(is_ready, Ordering::Relaxed) != is_ready {
                    info!(range = %self.holding.id, is_ready, "copy");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.over.cancelled() => return,
            }
        }
    }

    /// Goes on as far as the owner's journal does; whether that was not far.
    async fn round(
        &self,
        setup: &Setup,
        held: &mut Option<Following>,
    ) -> Result<bool, RestoreError> {
        let Some(owner) = self.holding.past.last() else { return Ok(false) };
        let Some(following) = held else {
            *held = Some(self.begin(setup, owner).await?);
            return Ok(false);
        };
        let mut count = 0;
        while let Some(object) = owner.journal.read(following.next).await? {
            go_on(&self.holding, (owner, following.next), object, &mut following.opened)?;
            following.next = following.next.next();
            count += 1;
            if self.over.is_cancelled() {
                break;
            }
        }
        following.quiet = if count == 0 { following.quiet + 1 } else { 0 };
        if following.quiet == QUIET {
            following.quiet = 0;
            let next = following.next;
            if owner.journal.slots().await?.iter().any(|slot| *slot > next) {
                *held = None;
                return Ok(false);
            }
        }
        Ok(count <= FEW)
    }

    /// Restores what the owner has committed so far.
    async fn begin(&self, setup: &Setup, owner: &Past) -> Result<Following, RestoreError> {
        let last = owner.journal.slots().await?.last().copied();
        let next = last.map_or(owner.from, |last| last.next().max(owner.from));
        let mut holding = self.holding.clone();
        if let Some(past) = holding.past.last_mut() {
            past.to = next;
        }
        let opened = bring_back(setup, std::slice::from_ref(&holding), &Default::default()).await?;
        let opened = opened.into_iter().next();
        let none = || RestoreError::Nowhere { range: holding.id, refused: "nothing".to_owned() };
        let (opened, source) = (opened.ok_or_else(none)?, (setup.look_back)().await?);
        Ok(Following { opened, source, next, quiet: 0 })
    }
}
