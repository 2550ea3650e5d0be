//! Ranges come to a running node and go from it. All the others go on meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::types::{RangeId, Slot};
use ractor::rpc::CallResult;
use ractor::{ActorRef, RpcReplyPort};

use super::Holding;
use super::start::{Engine, StartError, ended, range};
use crate::machine::positions::Position;
use crate::reader::Target;
use crate::{committer, publisher, range as ranges, reader};

/// Why a range was not given up. It is still this node's, and is fed again.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The node does not own it.
    #[error("give up range {0}: it is not this node's")]
    NotOwned(RangeId),
    /// What it has done is not all committed and delivered.
    #[error("give up range {range}: not all of its results were delivered within {patience:?}")]
    NotSettled {
        /// The range.
        range: RangeId,
        /// How long it was waited for.
        patience: Duration,
    },
    /// An actor has ended: the engine is failing.
    #[error("give up range {0}: a part of the engine has ended")]
    Ended(RangeId),
}

impl Engine {
    /// Takes a range on: restores it from where its past is, out of its copy where there is one, and feeds it from its
    /// positions on. May come twice, or late. Several ranges may be restored at once.
    ///
    /// # Errors
    ///
    /// [`StartError`]; the range is not served then.
    pub async fn adopt(&self, holding: Holding) -> Result<(), StartError> {
        let turn = self.turn_of(holding.id);
        let _turn = turn.lock().await;
        match self.holdings().iter().find(|it| it.id == holding.id) {
            Some(owned) if owned.epoch.fences(holding.epoch) => return Ok(()),
            Some(owned) if owned.epoch == holding.epoch => return Ok(()),
            Some(_) => return Err(StartError::Served(holding.id)),
            None => {}
        }
        let over = publisher::Message::Over(Arc::clone(&holding.ended));
        self.publisher.cast(over).map_err(ended)?;
        let ready = self.restored(&holding).await?;
        // Until here other ranges may be restored at the same time.
        let _turn = self.turn.lock().await;
        for ready in ready {
            let mut ids = self.ids();
            ids.insert(holding.id);
            self.links.aggregators().expect(&ids).map_err(ended)?;
            self.links.aggregators().whole(&ready.range, i64::MIN).map_err(ended)?;
            let positions = ready.range.positions().to_vec();
            let shared = (&*self.setup, &self.links);
            let cell = self.supervisor.get_cell();
            let restored = ready.range.sequence();
            let (target, rows) = range(ready, shared, &self.publisher, &cell).await?;
            let (id, actor) = (target.range, target.actor.clone());
            let serve = publisher::Serve {
                ranges: BTreeMap::from([(id, actor.clone())]),
                restored: BTreeMap::from([(id, restored)]),
                rows,
                ended: holding.ended.to_vec(),
            };
            self.publisher.cast(publisher::Message::Serve(serve)).map_err(ended)?;
            self.committer.cast(committer::Message::Enter(id, actor)).map_err(ended)?;
            self.feed(&target, &positions)?;
            self.owned.lock().ranges.push(target);
        }
        let mut owned = self.owned.lock();
        owned.ranges.sort_by_key(|target| target.keys.start());
        owned.holdings.push(holding);
        Ok(())
    }

    /// Gives a range up, at a commit that has all it has done, delivered; answers with the slot of this node's
    /// journal from which on nothing is of it.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`]; after `patience` the range goes on here.
    pub async fn release(&self, range: RangeId, patience: Duration) -> Result<Slot, ReleaseError> {
        let turn = self.turn_of(range);
        let _turn = turn.lock().await;
        let target = self.feed_no_more(range).await?;
        let Ok(slot) = tokio::time::timeout(patience, self.leave(&target)).await else {
            self.feed_again(&target).await?;
            return Err(ReleaseError::NotSettled { range, patience });
        };
        let slot = slot?;
        // The sink has all: no row of the range waits, nor is one on its way.
        let left = self.publisher.cast(publisher::Message::Leave(range));
        left.map_err(|_| ReleaseError::Ended(range))?;
        let stopped = target.actor.stop_and_wait(None, Some(patience)).await;
        stopped.map_err(|_| ReleaseError::Ended(range))?;
        let _turn = self.turn.lock().await;
        if !self.feeding.lock().is_mapped(range) {
            self.links.forget(range);
        }
        {
            let mut owned = self.owned.lock();
            owned.holdings.retain(|holding| holding.id != range);
            owned.ranges.retain(|target| target.range != range);
        }
        let expected = self.links.aggregators().expect(&self.ids());
        expected.map_err(|_| ReleaseError::Ended(range))?;
        Ok(slot)
    }

    fn turn_of(&self, range: RangeId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.turns.lock().entry(range).or_default())
    }

    /// The readers here and elsewhere feed a range from there on.
    fn feed(&self, target: &Target, positions: &[Position]) -> Result<(), StartError> {
        for (index, reader) in self.readers() {
            let from = positions.get(index.index()).copied().unwrap_or_default();
            reader.cast(reader::Message::Feed(target.clone(), from)).map_err(ended)?;
        }
        self.links.served().enter(target.clone());
        Ok(())
    }

    /// Nothing gets to the range any more, neither from here nor from another node.
    async fn feed_no_more(&self, range: RangeId) -> Result<Target, ReleaseError> {
        let _turn = self.turn.lock().await;
        let target = self.links.served().leave(range).ok_or(ReleaseError::NotOwned(range))?;
        for reader in self.readers().values() {
            call(range, reader, |port| reader::Message::Leave(range, port)).await?;
        }
        Ok(target)
    }

    /// The range takes no part in commits any more; all it has done is committed, and the sink has it all (I7).
    async fn leave(&self, target: &Target) -> Result<Slot, ReleaseError> {
        settle(target).await?;
        let leave = |port| committer::Message::Leave(target.range, port);
        let slot = call(target.range, &self.committer, leave).await?;
        // A commit may have come in between.
        settle(target).await?;
        Ok(slot)
    }

    /// The range goes on here, wherever it was on its way out.
    async fn feed_again(&self, target: &Target) -> Result<(), ReleaseError> {
        let _turn = self.turn.lock().await;
        let enter = committer::Message::Enter(target.range, target.actor.clone());
        self.committer.cast(enter).map_err(|_| ReleaseError::Ended(target.range))?;
        let report = call(target.range, &target.actor, ranges::Message::Report).await?;
        let fed = self.feed(target, &report.positions);
        fed.map_err(|_| ReleaseError::Ended(target.range))
    }

    fn ids(&self) -> std::collections::BTreeSet<RangeId> {
        self.ranges().iter().map(|target| target.range).collect()
    }
}

/// Waits until a range that is not fed any more has committed all, with whole figures, and the sink has it all.
async fn settle(target: &Target) -> Result<(), ReleaseError> {
    const STEP: Duration = Duration::from_millis(10);
    let ending = target.actor.cast(ranges::Message::Ending);
    ending.map_err(|_| ReleaseError::Ended(target.range))?;
    loop {
        let status = call(target.range, &target.actor, ranges::Message::Report).await?.status;
        if status.is_settled && status.acknowledged == status.sequence {
            return Ok(());
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Asks an actor of the engine, which answers unless it has ended.
async fn call<M: ractor::Message, T: Send + 'static>(
    range: RangeId,
    actor: &ActorRef<M>,
    message: impl FnOnce(RpcReplyPort<T>) -> M,
) -> Result<T, ReleaseError> {
    match actor.call(message, None).await {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => {
            Err(ReleaseError::Ended(range))
        }
    }
}
