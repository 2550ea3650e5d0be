//! Ranges come to a life and go from it. Imitates `actors::engine::change`.

use actors::engine::Holding;
use proto::types::{Epoch, RangeId, Slot};

use super::body::Body;
use super::copies::Copy;
use super::restore::{Listed, Opened, bring_back, list, load};
use crate::sim::committer::Change;
use crate::sim::outside::Outside;
use crate::sim::owned::{Message, Owned};
use crate::sim::plant::Plant;
use crate::sim::publisher::Said;
use crate::sim::reader::Target;

/// How long a range that is given up may take to deliver its last results.
const RELEASE_MS: u64 = 1_500;
/// How often a restore begins anew.
const AGAIN: u32 = 3;

/// Something that a body has done.
#[derive(Debug)]
pub(super) enum Done {
    /// A range is served, or could not be restored.
    Served(RangeId, Epoch, bool),
    /// A range is given up from a slot on, or goes on.
    Released(RangeId, Epoch, Option<Slot>),
}

/// A range that is being restored.
#[derive(Debug)]
pub(super) struct Restoring {
    holding: Holding,
    listed: Option<Listed>,
    again: u32,
}

/// A range that is being given up.
#[derive(Debug)]
pub(super) struct Releasing {
    range: RangeId,
    epoch: Epoch,
    since_ms: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It is not fed any more, and all that it has done is to be committed and delivered.
    Settling,
    /// It is to take no part in commits any more.
    Leaving,
    /// It takes none from that slot on; a commit may have come in between.
    Left(Slot),
}

impl Body {
    /// Takes a range on.
    pub(super) fn adopt(&mut self, holding: Holding) {
        self.restoring.push(Restoring { holding, listed: None, again: AGAIN });
    }

    /// Makes a copy.
    pub(super) fn warm(&mut self, holding: Holding) {
        let range = holding.id;
        let follows = |it: &Holding| it.past.last().map(|past| (past.epoch, past.life.clone()));
        let has_it =
            self.copies.get(&range).is_some_and(|it| follows(&it.holding) == follows(&holding));
        if !has_it && !self.ranges.iter().any(|it| it.id() == range) {
            self.copies.insert(range, Copy::new(self.life.0, holding));
        }
    }

    /// Gives a range up.
    pub(super) fn release(&mut self, range: RangeId, epoch: Epoch, out: &Outside) {
        if self.served.get(&range) != Some(&epoch) {
            return self.done.push(Done::Released(range, epoch, None));
        }
        self.served.remove(&range);
        self.readers.values_mut().for_each(|reader| reader.lose(range, None));
        if let Some(owned) = self.range(range) {
            owned.inbox.push_back(Message::Ending);
        }
        let (since_ms, stage) = (out.now_ms, Stage::Settling);
        self.releasing.push(Releasing { range, epoch, since_ms, stage });
    }

    /// Whether ranges are on their way.
    pub(super) fn is_changing(&self) -> bool {
        !(self.restoring.is_empty() && self.releasing.is_empty() && self.done.is_empty())
    }

    /// Something of that goes on.
    pub(super) fn change(&mut self, out: &mut Outside) -> anyhow::Result<()> {
        let copies = if self.is_closing { 0 } else { self.copies.len() };
        let count = self.restoring.len() + self.releasing.len() + copies;
        if count == 0 {
            return Ok(());
        }
        let at = out.random.place(count);
        if at < self.restoring.len() {
            let one = self.restoring.remove(at);
            return self.restore(one, out);
        }
        let at = at - self.restoring.len();
        if at < self.releasing.len() {
            let one = self.releasing.remove(at);
            self.let_go(one, out);
            return Ok(());
        }
        let copy = self.copies.values_mut().nth(at - self.releasing.len());
        copy.map_or(Ok(()), |copy| copy.round(out))
    }

    fn restore(&mut self, mut one: Restoring, out: &mut Outside) -> anyhow::Result<()> {
        let (id, epoch) = (one.holding.id, one.holding.epoch);
        if self.releasing.iter().any(|it| it.range == id) {
            self.restoring.push(one);
            return Ok(());
        }
        if let Some(owned) = self.range(id) {
            let held = owned.machine.identity().epoch;
            let is_served = held == epoch || held.fences(epoch);
            self.done.push(Done::Served(id, epoch, is_served));
            return Ok(());
        }
        if let Some(copy) = self.copies.remove(&id)
            && let Some(opened) = copy.take_up(&one.holding, out)?
        {
            return self.serve(&one.holding, opened, out);
        }
        let Some(listed) = one.listed.take() else {
            one.listed = Some(list(&one.holding, out));
            self.restoring.push(one);
            return Ok(());
        };
        match bring_back(self.life.0, &one.holding, &listed, out)? {
            Ok(opened) => return self.serve(&one.holding, opened, out),
            Err(why) => self.refused = why,
        }
        if one.again == 0 {
            self.done.push(Done::Served(id, epoch, false));
        } else {
            one.again -= 1;
            self.restoring.push(one);
        }
        Ok(())
    }

    fn serve(
        &mut self,
        holding: &Holding,
        opened: Opened,
        out: &mut Outside,
    ) -> anyhow::Result<()> {
        let (owned, serve) = load(holding, opened, out)?;
        let (id, epoch) = (holding.id, holding.epoch);
        self.publisher.tell(Said::Serve(serve));
        self.committer.announce(id, Change::Enter);
        self.feed(&owned);
        self.ranges.push(owned);
        self.collect(self.ranges.len() - 1);
        self.done.push(Done::Served(id, epoch, true));
        Ok(())
    }

    /// The readers here and elsewhere feed a range from where it stands.
    fn feed(&mut self, owned: &Owned) {
        let identity = owned.machine.identity();
        let (range, epoch, keys) = (identity.id, identity.epoch, identity.keys);
        for (index, reader) in &mut self.readers {
            let from = owned.machine.positions().get(index.index()).copied().unwrap_or_default();
            reader.feed(Target { range, epoch, keys, over: None }, from);
        }
        self.served.insert(range, epoch);
    }

    /// Whether all that a range has done is committed, with whole figures, and the sink has it all.
    fn is_settled(&mut self, range: RangeId) -> bool {
        self.range(range).is_none_or(|owned| {
            let status = owned.machine.status();
            let is_told = owned.inbox.is_empty() && owned.closed.is_none();
            is_told && status.is_settled && status.acknowledged == status.sequence
        })
    }

    fn let_go(&mut self, mut one: Releasing, out: &Outside) {
        let Releasing { range, epoch, .. } = one;
        if out.now_ms > one.since_ms + RELEASE_MS {
            return self.go_on(&one);
        }
        one.stage = match one.stage {
            Stage::Settling if self.is_settled(range) => {
                self.committer.announce(range, Change::Leave);
                Stage::Leaving
            }
            Stage::Leaving => match self.committer.left(range) {
                Some(slot) => {
                    self.range(range)
                        .into_iter()
                        .for_each(|it| it.inbox.push_back(Message::Ending));
                    Stage::Left(slot)
                }
                None => Stage::Leaving,
            },
            Stage::Left(slot) if self.is_settled(range) => {
                self.publisher.tell(Said::Leave(range));
                if !out.has(Plant::TwoOwners) {
                    self.ranges.retain(|it| it.id() != range);
                }
                return self.done.push(Done::Released(range, epoch, Some(slot)));
            }
            stage @ (Stage::Settling | Stage::Left(_)) => stage,
        };
        self.releasing.push(one);
    }

    /// It takes too long: the range goes on here.
    fn go_on(&mut self, one: &Releasing) {
        let Releasing { range, epoch, .. } = *one;
        self.committer.announce(range, Change::Enter);
        if let Some(at) = self.ranges.iter().position(|it| it.id() == range) {
            let owned = self.ranges.swap_remove(at);
            self.feed(&owned);
            self.ranges.push(owned);
        }
        self.done.push(Done::Released(range, epoch, None));
    }
}
