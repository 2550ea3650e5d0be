//! A range of the control log, as the data plane takes it on: its keys, its epoch, and where its past is.

use std::sync::Arc;

use actors::engine::{Holding, Life, Past};
use anyhow::Context as _;
use coordinator::coordinator::Journals;
use coordinator::machine::member::Member;
use coordinator::machine::table::{Range, Span, Table};
use proto::types::{Epoch, RangeId};

use super::body::OPEN;

/// The range, to be served by its owner.
///
/// # Errors
///
/// Where the control log has passed the epoch by, or the past cannot be restored.
pub fn owned(
    table: &Table,
    journals: &dyn Journals,
    (range, epoch): (RangeId, Epoch),
) -> anyhow::Result<Holding> {
    let (found, past) = past(table, journals, (range, epoch))?;
    let ancestors = found.ancestors.clone();
    Ok(Holding { id: range, keys: found.keys, epoch, past, ancestors, ended: ended(table) })
}

/// The range, to be copied from its owner, which goes on.
///
/// # Errors
///
/// Where the control log has passed the epoch by, or the past cannot be restored.
pub fn copied(
    table: &Table,
    journals: &dyn Journals,
    (range, epoch): (RangeId, Epoch),
) -> anyhow::Result<Holding> {
    let (found, mut past) = past(table, journals, (range, epoch))?;
    let owner = found.owner().with_context(|| format!("copy {range}: nobody owns it"))?;
    past.push(open((range, found), owner, journals));
    let ancestors = found.ancestors.clone();
    Ok(Holding { id: range, keys: found.keys, epoch, past, ancestors, ended: ended(table) })
}

/// The lives that are over, by the same table that says who owns a range: so whoever had it before is
/// among them, or has closed it.
pub fn ended(table: &Table) -> Arc<[Life]> {
    table.dead().map(|member| (member.incarnation, member.node.clone())).collect()
}

fn past<'a>(
    table: &'a Table,
    journals: &dyn Journals,
    (id, epoch): (RangeId, Epoch),
) -> anyhow::Result<(&'a Range, Vec<Past>)> {
    let range = table.range(id).filter(|range| range.epoch == epoch);
    let range = range.with_context(|| format!("take on {id} at {epoch}: that has passed"))?;
    // I2: the data plane would look for the range's own blocks there, and find nothing.
    let is_known = |it: RangeId| it == id || range.ancestors.iter().any(|from| from.range == it);
    if let Some(span) = range.lineage.iter().find(|span| !is_known(span.range)) {
        let other = span.range;
        anyhow::bail!(
            "take on {id}: a part of its past is that of {other}, which this version cannot restore"
        );
    }
    Ok((range, range.lineage.iter().map(|span| stretch(span, journals)).collect()))
}

/// The stretch of a journal that a span of the control log means.
pub fn stretch(span: &Span, journals: &dyn Journals) -> Past {
    Past {
        range: span.range,
        life: (span.member.incarnation, span.member.node.clone()),
        epoch: span.epoch,
        journal: journals.journal(&span.member.node, span.member.incarnation),
        from: span.from,
        to: span.to,
    }
}

/// What the owner commits under its present epoch.
fn open((id, range): (RangeId, &Range), owner: &Member, journals: &dyn Journals) -> Past {
    Past {
        range: id,
        life: (owner.incarnation, owner.node.clone()),
        epoch: range.epoch,
        journal: journals.journal(&owner.node, owner.incarnation),
        from: range.since(owner),
        to: OPEN,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use coordinator::machine::entry::{Assignment, Change, Division, Entry, Handover};
    use coordinator::machine::member::Term;
    use coordinator::testing::memory_log::MemoryLog;
    use proto::log::Log;
    use proto::types::{Ancestor, Incarnation, KeyRange, Keying, NodeId, Slot};

    use super::*;

    #[derive(Debug)]
    struct Logs;

    impl Journals for Logs {
        fn journal(&self, node: &NodeId, _: Incarnation) -> Arc<dyn Log> {
            Arc::new(MemoryLog::new(node.as_str()))
        }
    }

    const R0: RangeId = RangeId(0);

    fn member(name: &str) -> Member {
        Member { node: NodeId::new(name).unwrap(), incarnation: Incarnation(1) }
    }

    /// Range 0 was `a`'s at epoch 1, up to slot 7, and is `b`'s at epoch 2; then what `more` says.
    fn table(more: Vec<Change>) -> Table {
        let joined =
            |name| Change::Joined { member: member(name), address: format!("{name}:7401") };
        let keys = KeyRange::divide(NonZeroU16::MIN).next().unwrap();
        let assignment = Assignment { range: R0, member: member("a"), epoch: Epoch::new(1) };
        let handover = Handover { range: R0, to: Slot(7), next: member("b"), epoch: Epoch::new(2) };
        let mut changes = vec![
            Change::Leader { candidate: member("a").node },
            joined("a"),
            joined("b"),
            Change::Divided {
                ranges: vec![Division { range: R0, keys }],
                keying: Keying::default(),
            },
            Change::Assigned { assignments: vec![assignment] },
            Change::Moved { member: member("a"), handovers: vec![handover] },
        ];
        changes.extend(more);
        let mut table = Table::default();
        for change in changes {
            table.apply(Entry { term: Term(1), change }).unwrap();
        }
        table
    }

    /// The pasts as (owner, epoch, first slot, one past the last).
    fn past(holding: &Holding) -> Vec<(&str, u64, u64, u64)> {
        let one = |it: &'_ Past| (it.epoch.get(), it.from.0, it.to.0);
        let names = holding.past.iter().map(|it| it.life.1.as_str());
        names.zip(holding.past.iter().map(one)).map(|(name, it)| (name, it.0, it.1, it.2)).collect()
    }

    #[test]
    fn an_owner_gets_what_others_have_committed_and_a_copy_what_the_owner_does() {
        let table = table(vec![]);
        let second = (R0, Epoch::new(2));
        let holding = owned(&table, &Logs, second).unwrap();
        assert_eq!((holding.id, holding.epoch), second);
        assert_eq!(past(&holding), [("a", 1, 1, 7)]);
        let holding = copied(&table, &Logs, second).unwrap();
        assert_eq!(past(&holding), [("a", 1, 1, 7), ("b", 2, 1, OPEN.0)]);
    }

    #[test]
    fn an_epoch_that_has_passed_or_has_no_owner_is_not_taken_on() {
        let fenced = Change::Dead { member: member("b"), fenced_at: Slot(3) };
        let table = table(vec![fenced]);
        let check = |result: anyhow::Result<Holding>, words: &str| {
            assert!(result.unwrap_err().to_string().contains(words), "{words}");
        };
        check(owned(&table, &Logs, (R0, Epoch::new(1))), "that has passed");
        check(copied(&table, &Logs, (R0, Epoch::new(2))), "nobody owns it");
    }

    /// I7: an owner that has committed nothing had rows to deliver.
    #[test]
    fn an_owner_that_died_idle_is_over_although_nothing_of_the_past_is_its() {
        let assignment = Assignment { range: R0, member: member("c"), epoch: Epoch::new(3) };
        let table = table(vec![
            Change::Joined { member: member("c"), address: "c:7401".to_owned() },
            Change::Dead { member: member("b"), fenced_at: Slot(1) },
            Change::Assigned { assignments: vec![assignment] },
        ]);
        let holding = owned(&table, &Logs, (R0, Epoch::new(3))).unwrap();
        assert_eq!(past(&holding), [("a", 1, 1, 7)]);
        assert_eq!(*holding.ended, [(Incarnation(1), member("b").node)]);
    }

    /// Range 0 becomes 1 and 2 in the middle of all keys, at slot 3 of `b`'s journal.
    fn split() -> Change {
        let (below, above) = KeyRange::FULL.split(1 << 63).unwrap();
        let children = [(1, below), (2, above)];
        let children = children.map(|(id, keys)| Division { range: RangeId(id), keys }).into();
        let (member, to, epoch) = (member("b"), Slot(3), Epoch::new(3));
        Change::Split { member, range: R0, to, epoch, children }
    }

    /// I2: or a child of a split would be empty.
    #[test]
    fn a_child_of_a_split_has_its_parents_past_and_says_whose_it_is() {
        let (below, above) = KeyRange::FULL.split(1 << 63).unwrap();
        let (table, epoch) = (table(vec![split()]), Epoch::new(3));
        for (id, keys, passes_figures) in [(1, below, true), (2, above, false)] {
            let holding = owned(&table, &Logs, (RangeId(id), epoch)).unwrap();
            assert_eq!(past(&holding), [("a", 1, 1, 7), ("b", 2, 1, 3)]);
            assert!(holding.past.iter().all(|past| past.range == R0));
            assert_eq!(holding.keys, keys);
            let parent =
                Ancestor { range: R0, keys: KeyRange::FULL, passes_figures, child_epoch: epoch };
            assert_eq!(holding.ancestors, [parent]);
        }
        let holding = copied(&table, &Logs, (RangeId(2), epoch)).unwrap();
        assert_eq!(past(&holding), [("a", 1, 1, 7), ("b", 2, 1, 3), ("b", 3, 3, OPEN.0)]);
        assert_eq!(holding.past.last().map(|past| past.range), Some(RangeId(2)));
    }

    /// I2: nobody restores from two pasts yet.
    #[test]
    fn what_comes_from_two_ranges_is_refused() {
        let child = Division { range: RangeId(3), keys: KeyRange::FULL };
        let (left, right) = (RangeId(1), RangeId(2));
        let (to, epoch) = (Slot(5), Epoch::new(4));
        let merge = Change::Merged { member: member("b"), left, right, to, epoch, child };
        let refused = owned(&table(vec![split(), merge]), &Logs, (RangeId(3), epoch)).unwrap_err();
        assert!(refused.to_string().contains("that of r"), "{refused}");
    }
}
