//! A node that was asked to stop: others get its ranges first, so that nothing pauses for longer than a move takes.

use tracing::{info, warn};

use super::{Agent, Phase};

impl Agent {
    /// It was asked to stop. Who leads hears of it at once, and in every report until the life is over.
    pub(super) fn leave(&mut self) {
        self.leaving_ms = Some(self.now_ms());
        if let Phase::Living(living) = &mut self.phase {
            info!(node = %self.setup.node, "asked to stop, waiting until others have its ranges");
            living.leave();
        }
    }

    /// Whether it wants to stop, and need not wait any more.
    pub(super) fn may_go(&self) -> bool {
        let Some(since_ms) = self.leaving_ms else { return false };
        match &self.phase {
            Phase::Joining => true,
            // A life that was declared dead drops what it has.
            Phase::Ending => false,
            Phase::Living(living) => {
                let patience = u64::try_from(self.setup.leave_within.as_millis());
                let until_ms = since_ms.saturating_add(patience.unwrap_or(u64::MAX));
                let is_late = self.now_ms() >= until_ms;
                if is_late {
                    warn!(node = %self.setup.node, "others did not take all its ranges in time, stopping with what is left");
                }
                is_late || !living.has_heirs(&self.follow.table())
            }
        }
    }
}
