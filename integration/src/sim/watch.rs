//! What must hold at every commit, checked against the journal's own bytes as they become durable.

use std::collections::BTreeMap;

use actors::journal::object::Sealed;
use actors::machine::block::{Block, Figures, Head};
use actors::machine::ledger::Counts;
use actors::machine::partial::keys_before;
use actors::sink::Row;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use proto::types::{KeyRange, RangeId, RecordTime, Sequence, Slot};

use super::objects::Life;
use super::source::Source;
use super::trace::Trace;

/// A row as it was committed.
#[derive(Clone, Debug)]
struct Said {
    row: Row,
    clock: RecordTime,
}

/// Ranges that another has become, and what each of them began to count with, as their first commits show.
#[derive(Clone, Debug)]
struct Birth {
    parent: Head,
    heir: RangeId,
    children: BTreeMap<RangeId, Option<Vec<u64>>>,
}

/// What the journals say so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    heads: BTreeMap<RangeId, Head>,
    keys: BTreeMap<RangeId, KeyRange>,
    births: Vec<Birth>,
    rows: BTreeMap<(RangeId, Sequence), Said>,
    partials: BTreeMap<(RangeId, Vec<u8>), Vec<u8>>,
    fenced: BTreeMap<Life, Slot>,
    written: BTreeMap<(Life, Slot), Bytes>,
    commits: u64,
}

impl Watch {
    /// Ranges are there from the beginning.
    pub(super) fn divided(&mut self, ranges: impl IntoIterator<Item = (RangeId, KeyRange)>) {
        self.keys.extend(ranges);
    }

    /// A range has become others, the first of which has its figures and its account.
    pub(super) fn split(&mut self, parent: RangeId, children: &[(RangeId, KeyRange)]) {
        let head = self.heads.remove(&parent).unwrap_or_default();
        self.keys.remove(&parent);
        for (place, &(child, keys)) in children.iter().enumerate() {
            self.keys.insert(child, keys);
            let mut begins = head.clone();
            (begins.sequence, begins.acknowledged) = Default::default();
            if place > 0 {
                begins.ledger = vec![Counts::default(); head.ledger.len()];
            }
            self.heads.insert(child, begins);
        }
        let Some(&(heir, _)) = children.first() else { return };
        let inherited = |((of, key), value)| ((if of == parent { heir } else { of }, key), value);
        self.partials = std::mem::take(&mut self.partials).into_iter().map(inherited).collect();
        let children = children.iter().map(|(child, _)| (*child, None));
        let is_unborn = |it: &&mut Birth| it.children.get(&parent).is_some_and(Option::is_none);
        match self.births.iter_mut().find(is_unborn) {
            // It has become others before it has committed anything.
            Some(birth) => {
                birth.children.remove(&parent);
                birth.children.extend(children);
                birth.heir = if birth.heir == parent { heir } else { birth.heir };
            }
            None => {
                self.births.push(Birth { parent: head, heir, children: children.collect() });
            }
        }
    }

    /// A journal has been ended.
    ///
    /// # Errors
    ///
    /// Where it goes on behind its end.
    pub(super) fn fenced(&mut self, of: Life, slot: Slot) -> anyhow::Result<()> {
        let behind = self.written.range((of, slot)..).next().filter(|((it, _), _)| *it == of);
        ensure!(behind.is_none(), "I1: journal {of:?} ends at {slot}, and goes on behind it");
        self.fenced.insert(of, slot);
        Ok(())
    }

    /// An object has become durable.
    ///
    /// # Errors
    ///
    /// Where it breaks a promise.
    pub(super) fn durable(
        &mut self,
        (of, slot): (Life, Slot),
        object: &Bytes,
        source: &Source,
        trace: &mut Trace,
    ) -> anyhow::Result<()> {
        trace.note_bytes(object);
        // A late write may fill a slot again that was trimmed: with the same bytes, which nobody needs.
        if self.written.get(&(of, slot)) == Some(object) {
            return Ok(());
        }
        ensure!(
            self.written.insert((of, slot), object.clone()).is_none(),
            "I1: slot {slot} of {of:?} changes"
        );
        let is_open = self.fenced.get(&of).is_none_or(|&fence| slot < fence);
        ensure!(is_open, "I1: journal {of:?} is fenced, and slot {slot} is written");
        let sealed = Sealed::open(object.clone()).context("open a durable object")?;
        self.commits += 1;
        let ranges: Vec<_> = sealed.ranges().map(|(range, _)| range).collect();
        for range in ranges {
            let block = sealed.block(range).context("open a durable block")?;
            let block = block.context("the index names a block")?;
            self.block(block, source)
                .with_context(|| format!("{range} in slot {slot} of {of:?}"))?;
        }
        Ok(())
    }

    fn block(&mut self, block: Block, source: &Source) -> anyhow::Result<()> {
        let range = block.range;
        let last = self.heads.get(&range).cloned().unwrap_or_default();
        let head = &block.head;
        ensure!(
            head.commit == last.commit + 1,
            "I1: commit {} follows {}",
            head.commit,
            last.commit
        );
        ensure!(head.epoch >= last.epoch, "I1: epoch {} follows {}", head.epoch, last.epoch);
        ensure!(
            head.clock >= last.clock,
            "the clock goes back from {} to {}",
            last.clock,
            head.clock
        );
        ensure!(head.acknowledged >= last.acknowledged, "acknowledgements go back");
        for (partition, position) in head.positions.iter().enumerate() {
            let before = last.positions.get(partition).copied().unwrap_or_default();
            ensure!(
                position.offset >= before.offset && position.clock >= before.clock,
                "I3: partition {partition} goes back from {before:?} to {position:?}"
            );
            let counts = head.ledger.get(partition).copied().unwrap_or_default();
            ensure!(counts.balances(), "I9: the ledger of partition {partition}: {counts:?}");
        }
        self.consumed(range, &block.head, &last, source)?;
        self.rows(&block, last.sequence)?;
        self.figures(&block);
        self.heads.insert(range, block.head);
        Ok(())
    }

    /// I2: each record of the range's keys between two commits counts, once. Children of a split begin, by their first
    /// commits, with what their parent had together.
    fn consumed(
        &mut self,
        range: RangeId,
        head: &Head,
        last: &Head,
        source: &Source,
    ) -> anyhow::Result<()> {
        let keys = self.keys.get(&range).copied().context("a range that the control log lacks")?;
        let new = |partition: usize| {
            let at =
                |head: &Head| head.positions.get(partition).copied().unwrap_or_default().offset;
            source.count(partition, keys, at(last)..at(head))
        };
        let partitions = 0..head.positions.len();
        let consumed = |head: &Head, it: usize| head.ledger.get(it).map_or(0, |it| it.consumed);
        let mut births = self.births.iter_mut();
        let birth = births.find(|it| it.children.get(&range).is_some_and(Option::is_none));
        let Some(birth) = birth else {
            for partition in partitions {
                let (found, due) =
                    (consumed(head, partition), consumed(last, partition) + new(partition));
                ensure!(
                    found == due,
                    "I2: of partition {partition} {found} records count, not {due}"
                );
            }
            return Ok(());
        };
        let begun = partitions.map(|it| consumed(head, it).checked_sub(new(it)));
        let begun = begun.collect::<Option<Vec<_>>>().context("I2: records do not count")?;
        let is_waiting = birth.children.get(&birth.heir).is_some_and(Option::is_none);
        if is_waiting
            && range != birth.heir
            && let Some(heir) = self.heads.get_mut(&birth.heir)
        {
            for (counts, &records) in heir.ledger.iter_mut().zip(&begun) {
                counts.give_open(records);
            }
        }
        birth.children.insert(range, Some(begun));
        let all: Option<Vec<_>> = birth.children.values().cloned().collect();
        for partition in 0..birth.parent.ledger.len() {
            let Some(all) = &all else { break };
            let found: u64 = all.iter().map(|it| it.get(partition).copied().unwrap_or(0)).sum();
            let due = consumed(&birth.parent, partition);
            ensure!(
                found == due,
                "I9: children begin with {found} records of {partition}, not {due}"
            );
        }
        Ok(())
    }

    fn figures(&mut self, block: &Block) {
        if let Some(horizon) = block.cleared.cells_before {
            let (_, floor) = keys_before(horizon.cast_signed());
            self.partials.retain(|(of, key), _| *of != block.range || *key >= floor);
        }
        if let Figures::Cells { cells, .. } = &block.figures {
            let cells = cells.iter().map(|row| ((block.range, row.key.clone()), row.value.clone()));
            self.partials.extend(cells);
        }
    }

    fn rows(&mut self, block: &Block, mut last: Sequence) -> anyhow::Result<()> {
        for row in &block.rows {
            last = last.next();
            let sequence = row.stamp.sequence;
            ensure!(sequence == last, "I6: row {sequence} is committed in the place of {last}");
            let said = Said { row: row.clone(), clock: block.head.clock };
            self.rows.insert((block.range, sequence), said);
        }
        let head = block.head.sequence;
        ensure!(head == last, "I6: the head says {head}, the last row is {last}");
        Ok(())
    }

    /// What leaves the process is what has been committed.
    ///
    /// # Errors
    ///
    /// Where it is not.
    pub(super) fn check_published(&self, row: &Row) -> anyhow::Result<()> {
        let (range, sequence) = (row.stamp.range, row.stamp.sequence);
        let said = self.rows.get(&(range, sequence));
        let said = said.with_context(|| format!("I5: {range} {sequence} is not committed"))?;
        let is_same = said.row.outlet == row.outlet
            && said.row.key == row.key
            && said.row.payload == row.payload
            && said.row.headers == row.headers
            && said.row.stamp.version == row.stamp.version;
        ensure!(is_same, "I6: {range} {sequence} is delivered with another content");
        Ok(())
    }

    /// The range's clock at the commit that holds a row.
    #[must_use]
    pub(super) fn clock_of(&self, row: &Row) -> RecordTime {
        let said = self.rows.get(&(row.stamp.range, row.stamp.sequence));
        said.map_or(RecordTime(0), |it| it.clock)
    }

    /// Where a range's last commit left it.
    #[must_use]
    pub(super) fn head(&self, range: RangeId) -> Head {
        self.heads.get(&range).cloned().unwrap_or_default()
    }

    /// The ledger over all ranges, by partition.
    #[must_use]
    pub(super) fn ledger(&self, partitions: usize) -> Vec<Counts> {
        let mut sums = vec![Counts::default(); partitions];
        for counts in self.heads.values().flat_map(|head| head.ledger.iter().enumerate()) {
            sums[counts.0].add(counts.1);
        }
        sums
    }

    /// The last committed share of every cell.
    pub(super) fn partials(&self) -> impl Iterator<Item = (RangeId, &Vec<u8>, &Vec<u8>)> {
        self.partials.iter().map(|((range, key), value)| (*range, key, value))
    }

    /// How many rows have been committed.
    #[must_use]
    pub(super) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// How many objects have become durable.
    #[must_use]
    pub(super) const fn commits(&self) -> u64 {
        self.commits
    }
}
