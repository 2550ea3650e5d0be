//! Copies of ranges of other nodes, which follow their owners' journals. Imitates `actors::engine::copies`.

use actors::engine::Holding;
use proto::types::{Epoch, RangeId, Slot};

use super::name::named;
use super::restore::{Opened, bring_back, list, replay, take_in};
use crate::sim::outside::Outside;
use crate::sim::plant::Plant;

/// A copy that was found no more than so many commits behind is ready.
const FEW: usize = 4;
/// Looks at a journal that find nothing before its slots are listed.
const QUIET: u32 = 10;

/// A copy of a range.
#[derive(Debug)]
pub(super) struct Copy {
    node: usize,
    /// As it was told: the last of its past is its owner's, and goes on.
    pub(super) holding: Holding,
    held: Option<Following>,
    is_ready: bool,
}

/// A copy that has been restored.
#[derive(Debug)]
struct Following {
    opened: Opened,
    /// The next slot of the owner's journal.
    next: Slot,
    quiet: u32,
}

impl Copy {
    pub(super) const fn new(node: usize, holding: Holding) -> Self {
        Self { node, holding, held: None, is_ready: false }
    }

    /// Whose range it is a copy of, under which epoch it follows, and whether it is nearly as far.
    pub(super) fn shown(&self) -> (RangeId, Epoch, bool) {
        let epoch = self.holding.past.last().map_or(Epoch::NONE, |past| past.epoch);
        (self.holding.id, epoch, self.is_ready)
    }

    /// Goes on as far as the owner's journal does.
    pub(super) fn round(&mut self, out: &mut Outside) -> anyhow::Result<()> {
        let Some(owner) = self.holding.past.last().cloned() else { return Ok(()) };
        let life = named(&owner.life);
        let Some(following) = &mut self.held else {
            self.held = self.begin(out)?;
            return Ok(());
        };
        let mut count = 0;
        while let Some(object) = out.objects.read(Some(life), following.next) {
            let at = (&owner, following.next);
            take_in(self.holding.id, at, object, &mut following.opened, out)?;
            following.next = following.next.next();
            count += 1;
        }
        following.quiet = if count == 0 { following.quiet + 1 } else { 0 };
        let next = following.next;
        if following.quiet == QUIET {
            following.quiet = 0;
            if out.objects.slots(Some(life)).iter().any(|slot| *slot > next) {
                (self.held, self.is_ready) = (None, false);
                return Ok(());
            }
        }
        self.is_ready = count <= FEW;
        Ok(())
    }

    /// Restores what the owner has committed so far.
    fn begin(&self, out: &mut Outside) -> anyhow::Result<Option<Following>> {
        let mut holding = self.holding.clone();
        let Some(past) = holding.past.last_mut() else { return Ok(None) };
        let last = out.objects.slots(Some(named(&past.life))).last().copied();
        let next = last.map_or(past.from, |last| last.next().max(past.from));
        past.to = next;
        let listed = list(&holding, out);
        let opened = bring_back(self.node, &holding, &listed, out)?;
        Ok(opened.ok().map(|opened| Following { opened, next, quiet: 0 }))
    }

    /// Applies what it lacks of the range's past, which has an end now; `None` where it cannot be used.
    pub(super) fn take_up(
        self,
        holding: &Holding,
        out: &mut Outside,
    ) -> anyhow::Result<Option<Opened>> {
        let Some(Following { mut opened, .. }) = self.held else { return Ok(None) };
        if out.has(Plant::StaleCopy) {
            return Ok(Some(opened));
        }
        let listed = list(holding, out);
        if opened.read.is_some() && !super::restore::is_of(&opened, holding, &listed) {
            return Ok(None);
        }
        Ok(replay(holding, &listed, &mut opened, out)?.ok().map(|()| opened))
    }
}
