//! A commit closes: what has changed since the last one becomes a block, and a new batch begins at once.

use proto::types::TransactionKey;

use super::super::block::{Block, Cleared, Head};
use super::boxes::Kept;
use super::{Generation, Pending, Range};

/// Bytes of mailboxes beyond the limit that may be under way to the store: they are in memory several times
/// while a commit is written.
const HEADROOM: usize = 2 << 20;

/// What a cell takes in memory, about.
const CELL_BYTES: usize = 400;

impl Range {
    /// Closes the batch: everything since the last close as one block. `None` where nothing has changed.
    /// `wall_ms` decides only which transactions are kept by value from now on.
    pub fn close(&mut self, wall_ms: u64) -> Option<Block> {
        self.boxes.evict(self.applied, self.mailbox_limit());
        let is_due = self.has_aged(wall_ms) || self.figures.are_due(wall_ms);
        if !self.pending.is_touched && !is_due && !self.may_grow_up() {
            return None;
        }
        self.commit += 1;
        self.boxes.closed();
        self.begin_generation(wall_ms);
        self.age(wall_ms);
        let mut pending = std::mem::take(&mut self.pending);
        pending.references.set_bases(&self.closed_at);
        self.closed_at = self.positions.all().to_vec();
        self.closed_clock = self.positions.clock();
        let puts = self.put_by_value(&pending);
        let clock = self.positions.records_clock();
        let cells_before = self.figures.forget(clock, self.settings.figures_ms);
        let figures = self.figures.close(self.commit, self.output.sequence(), wall_ms);
        Some(Block {
            range: self.identity.id,
            head: self.head(),
            references: pending.references,
            puts,
            removed: pending.removed,
            tombstones: self.tombstones.take_fresh(),
            figures,
            cleared: self.clear(cells_before),
            rows: self.output.take_rows(),
        })
    }

    /// The commit of that number is durable and in the store: mailboxes that it put may give up their bytes.
    pub fn applied(&mut self, commit: u64, put: impl IntoIterator<Item = TransactionKey>) {
        self.applied = commit;
        self.boxes.applied(put);
        self.boxes.evict(commit, self.mailbox_limit());
    }

    /// Whether so many mailboxes are in memory that a commit has to come first: only what is in the store
    /// can give up its bytes. Batches wait meanwhile (I13).
    #[must_use]
    pub fn awaits_commit(&self) -> bool {
        self.boxes.held_bytes() > self.mailbox_limit() + HEADROOM
    }

    /// Bytes that stay in memory whatever gives up its own: who is open and who is done, what is due,
    /// figures.
    pub(super) fn fixed_bytes(&self) -> usize {
        self.boxes.index_bytes()
            + self.tombstones.bytes()
            + self.deadlines.bytes()
            + self.figures.len() * CELL_BYTES
    }

    /// Mailboxes give way to what has to stay.
    fn mailbox_limit(&self) -> usize {
        self.settings.held_bytes.saturating_sub(self.fixed_bytes())
    }

    /// Whether a commit holds transactions by reference only.
    pub(super) fn has_young(&self) -> bool {
        !self.young.is_empty()
    }

    /// Whether the store has references, if only such as a restart has found to be of no use.
    pub(super) fn has_references(&self) -> bool {
        self.has_young() || (self.commit > 0 && self.references_from < self.live_from())
    }

    /// Whether there are young transactions that have to grow up before their time, to make room.
    fn may_grow_up(&self) -> bool {
        !self.young.is_empty() && self.awaits_commit()
    }

    fn head(&self) -> Head {
        Head {
            epoch: self.identity.epoch,
            commit: self.commit,
            sequence: self.output.sequence(),
            acknowledged: self.output.acknowledged(),
            clock: self.positions.clock(),
            live_from: self.references_from.max(self.live_from()),
            floor: self.tombstones.floor(),
            folded: self.figures.folded(),
            horizon_ms: self.figures.horizon_ms(),
            positions: self.positions.all().to_vec(),
            ledger: self.ledger.clone(),
        }
    }

    /// Also while no record comes, young transactions grow up: only then do they wait for their deadline.
    fn has_aged(&self, wall_ms: u64) -> bool {
        if self.is_ending {
            return self.has_references();
        }
        // Also where the wall was set back.
        let is_old = |it: &Generation| {
            wall_ms < it.wall_ms || it.wall_ms.saturating_add(self.settings.young_ms) <= wall_ms
        };
        self.young.front().is_some_and(is_old)
    }

    fn begin_generation(&mut self, wall_ms: u64) {
        let keys = std::mem::take(&mut self.pending.opened);
        if !keys.is_empty() {
            // Some may be done already: what remembers them must outlive the references, so the clock
            // counts as of the last commit.
            let (commit, clock) = (self.commit, self.closed_clock);
            self.young.push_back(Generation { commit, wall_ms, clock, keys });
        }
    }

    /// Transactions that have been open for long are kept by value from now on, and so are the oldest
    /// where more is held than may be: only what the store has can be given up.
    fn age(&mut self, wall_ms: u64) {
        let limit = self.mailbox_limit();
        let mut held_bytes = self.boxes.held_bytes();
        while !self.young.is_empty() {
            if !self.has_aged(wall_ms) && held_bytes <= limit {
                return;
            }
            let Some(generation) = self.young.pop_front() else { return };
            for key in generation.keys {
                held_bytes -= self.grow_up(key);
            }
        }
    }

    /// The bytes that can be given up after the next commit thanks to this.
    fn grow_up(&mut self, key: TransactionKey) -> usize {
        let Some(held) = self.boxes.held(key) else { return 0 };
        if held.kept != Kept::ByReference {
            return 0;
        }
        self.pending.keep_by_value(key, held);
        self.deadlines.add(key, self.settings.due(&held.mailbox));
        super::boxes::size(held)
    }

    fn put_by_value(&mut self, pending: &Pending) -> Vec<(TransactionKey, Vec<u8>)> {
        let commit = self.commit;
        let mut puts = Vec::with_capacity(pending.dirty.len());
        for &key in &pending.dirty {
            let Some(held) = self.boxes.held(key) else { continue };
            if held.kept == Kept::Dirty {
                held.kept = Kept::ByValue { commit };
                puts.push((key, held.mailbox.to_row()));
            }
        }
        puts
    }

    /// What the store has no more use for.
    fn clear(&mut self, cells_before: Option<u64>) -> Cleared {
        let (references_from, floor) = (self.references_from, self.tombstones.floor());
        self.references_from = references_from.max(self.live_from());
        let tombstones_before = (floor > self.tombstones_from).then_some(floor);
        self.tombstones_from = floor;
        Cleared {
            references: references_from..self.references_from,
            tombstones_before,
            cells_before,
        }
    }

    /// The first commit whose references may still be needed.
    fn live_from(&self) -> u64 {
        self.young.front().map_or(self.commit + 1, |generation| generation.commit)
    }
}
