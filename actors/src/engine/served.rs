//! The ranges that this node serves at the moment, and under which epochs: the door for what other nodes' readers send.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use proto::types::{Epoch, RangeId};
use ractor::ActorRef;

use crate::range;
use crate::reader::Target;

/// What is served here.
#[derive(Debug, Default)]
pub struct Served(Mutex<BTreeMap<RangeId, Target>>);

impl Served {
    /// A range is served from now on.
    pub(super) fn enter(&self, target: Target) {
        self.0.lock().insert(target.range, target);
    }

    /// A range is not served any more: nothing from another node gets to it once this has returned.
    pub(super) fn leave(&self, range: RangeId) -> Option<Target> {
        self.0.lock().remove(&range)
    }

    /// Nothing is served any more.
    pub(super) fn close(&self) {
        self.0.lock().clear();
    }

    /// All that is served.
    #[must_use]
    pub fn all(&self) -> Vec<Target> {
        self.0.lock().values().cloned().collect()
    }

    /// The range, where it is served under that epoch and no other.
    #[must_use]
    pub fn of(&self, range: RangeId, epoch: Epoch) -> Option<ActorRef<range::Message>> {
        let served = self.0.lock();
        served.get(&range).filter(|it| it.epoch == epoch).map(|it| it.actor.clone())
    }

    /// I1: says something to a range that is served under that epoch; `false` where it is not.
    #[must_use]
    pub fn deliver(&self, (range, epoch): (RangeId, Epoch), message: range::Message) -> bool {
        let served = self.0.lock();
        let target = served.get(&range).filter(|it| it.epoch == epoch);
        // Still under the lock: who makes the range leave knows that nothing comes behind it.
        target.is_some_and(|it| it.actor.cast(message).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use proto::types::{KeyRange, Offset, PartitionIndex, RecordTime};
    use ractor::Actor;

    use super::*;
    use crate::range::silent::Silent;

    #[tokio::test]
    async fn i1_only_the_present_epoch_gets_through_and_nothing_once_the_range_has_left() {
        let (actor, _) = Actor::spawn(None, Silent, ()).await.unwrap();
        let (served, range, epoch) = (Served::default(), RangeId(3), Epoch::new(7));
        served.enter(Target { range, keys: KeyRange::FULL, epoch, actor: actor.clone() });
        let says = |range, epoch| {
            let message = range::Message::CaughtUp(PartitionIndex(0), Offset(0), RecordTime(0));
            served.deliver((range, epoch), message)
        };
        assert!(says(range, epoch));
        assert!(!says(range, Epoch::new(6)) && !says(range, Epoch::new(8)));
        assert!(!says(RangeId(4), epoch));
        assert!(served.of(range, epoch).is_some() && served.of(range, Epoch::new(8)).is_none());
        served.leave(range);
        assert!(!says(range, epoch));
        actor.stop(None);
    }
}
