//! What a process that may lead does: it leads, ends journals, and writes decisions.

use super::super::rule::Rule;
use super::control::{Change, Coordinator, Entry, Fencing, Life, Table};
use super::journal::Object;
use super::life::Stage;
use super::{Answer, Ownership, State, Step};

impl Coordinator {
    /// Reads on: `carry_out` looks first.
    pub(crate) fn look(&mut self, log: &[Entry]) -> Option<()> {
        let is_behind = usize::from(self.next) < log.len();
        is_behind.then(|| self.catch_up(log))
    }
}

impl Ownership {
    /// `Coordinator::take_lead`.
    pub(crate) fn lead(&self, state: &mut State, by: usize) -> Option<()> {
        state.left.leaders = state.left.leaders.checked_sub(1)?;
        let coordinator = &mut state.coordinators[by];
        if coordinator.won > 0 && coordinator.won == state.table.term {
            return None;
        }
        coordinator.step_down(&state.log);
        let term = coordinator.table.term + 1;
        let leader = u8::try_from(by).expect("two");
        self.put(state, by, Entry { term, change: Change::Leader(leader) })?;
        state.coordinators[by].won = term;
        Some(())
    }

    /// A fence begins: it looks for the newest slot. Whom it ends is its guess (I12).
    pub(crate) fn list(&self, state: &mut State, by: usize, life: Life) -> Option<()> {
        let coordinator = &mut state.coordinators[by];
        let is_owner = coordinator.table.owner == Some(life);
        if !coordinator.leads(self.rules) || !is_owner || coordinator.fencing != Fencing::Not {
            return None;
        }
        state.left.fences = state.left.fences.checked_sub(1)?;
        let highest = state.journals[usize::from(life)].highest().max(1);
        coordinator.fencing = Fencing::At(life, highest);
        Some(())
    }

    /// The first slot from there on that is vacant becomes the fence.
    pub(crate) fn claim(&self, state: &mut State, by: usize) -> Option<()> {
        let Fencing::At(life, mut slot) = state.coordinators[by].fencing else { return None };
        let journal = &mut state.journals[usize::from(life)];
        if !self.has(Rule::FenceBeforeDead) {
            let slot = journal.highest() + 1;
            state.coordinators[by].fencing = Fencing::Stands(life, slot);
            return Some(());
        }
        while let Some(Object::Commit(_)) = journal.read(slot) {
            slot += 1;
        }
        if journal.is_vacant(slot) {
            journal.fence(slot);
        }
        let newest = journal.highest();
        let stands = newest <= slot || !self.has(Rule::FenceLooksAgain);
        let fencing = if stands { Fencing::Stands(life, slot) } else { Fencing::At(life, newest) };
        state.coordinators[by].fencing = fencing;
        Some(())
    }

    /// What a leader may want to write, as far as it knows.
    pub(crate) fn decisions(&self, state: &State, by: usize) -> Vec<Step> {
        let coordinator = &state.coordinators[by];
        if !coordinator.leads(self.rules) {
            return Vec::new();
        }
        let table = &coordinator.table;
        let epoch = table.epoch + u8::from(self.has(Rule::EpochRises));
        let mut changes = Vec::new();
        if let Fencing::Stands(life, slot) = coordinator.fencing {
            changes.push(Change::Dead(life, slot));
        }
        for next in (0..self.lives).filter(|life| !table.dead.contains(life)) {
            changes.push(Change::Assigned(next, epoch));
            changes.extend(self.move_to(state, table, next));
        }
        let answers = [Answer::Clear, Answer::Unanswered];
        let all = changes.into_iter().flat_map(|it| answers.map(|answer| (it, answer)));
        all.map(|(change, answer)| Step::Decide(by, change, answer)).collect()
    }

    /// The owner has reported that it closed the range: `Hub::order`.
    fn move_to(&self, state: &State, table: &Table, next: Life) -> Option<Change> {
        let from = table.owner.filter(|&owner| owner != next)?;
        let process = &state.processes[usize::from(from)];
        let Stage::Closed(to) = process.stage else { return None };
        let is_of_now = process.epoch == table.epoch || !self.has(Rule::ClosedOfThisEpoch);
        let epoch = table.epoch + u8::from(self.has(Rule::EpochRises));
        is_of_now.then_some(Change::Moved { from, to, next, epoch })
    }

    /// `ControlLog::append`.
    pub(crate) fn decide(
        &self,
        state: &mut State,
        by: usize,
        change: Change,
        answer: Answer,
    ) -> Option<()> {
        let coordinator = &state.coordinators[by];
        let term =
            if self.has(Rule::LeaderDecides) { coordinator.won } else { coordinator.table.term };
        self.put(state, by, Entry { term, change })?;
        if let Change::Dead(..) = change {
            state.coordinators[by].fencing = Fencing::Not;
        }
        if answer == Answer::Unanswered {
            state.left.unclear = state.left.unclear.checked_sub(1)?;
            state.coordinators[by].step_down(&state.log);
        }
        Some(())
    }

    /// Creates the first slot that this process does not know; who loses it steps down.
    fn put(&self, state: &mut State, by: usize, entry: Entry) -> Option<()> {
        let coordinator = &mut state.coordinators[by];
        if !coordinator.table.allows(entry, self.rules) {
            return None;
        }
        let place = usize::from(coordinator.next);
        if place < state.log.len() {
            if self.has(Rule::SlotOnce) {
                coordinator.step_down(&state.log);
                return Some(());
            }
            state.log[place] = entry;
            state.table = Table::default();
            state.log.iter().for_each(|&entry| state.table.apply(entry));
        } else {
            state.log.push(entry);
            state.table.apply(entry);
        }
        coordinator.table.apply(entry);
        coordinator.next += 1;
        Some(())
    }
}
