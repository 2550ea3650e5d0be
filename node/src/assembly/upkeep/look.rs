//! What there is to tidy up in a cluster, and by whom, out of the control log.

use std::collections::BTreeSet;

use actors::engine::{Life, View};
use actors::machine::trim::{Existing, Span as Stretch};
use coordinator::machine::member::Member;
use coordinator::machine::table::{Range, Span, Standing, Table};
use proto::types::RangeId;

/// What `me` sees; `None` where it is not alive.
///
/// It tidies up its own journal, and those of the dead whose caretaker it is: the youngest living life of the same node,
/// else the first of all the living. So each is tidied up by one; while a look is older than another's it
/// may be two, which harms nobody.
pub(in crate::assembly) fn view(table: &Table, me: &Member) -> Option<View> {
    table.standing(me).filter(|standing| standing.is_alive())?;
    let ranges: Vec<_> = table.ranges().map(|(id, range)| existing(id, range)).collect();
    let past = table.ranges().flat_map(|(_, range)| &range.lineage).map(|span| &span.member);
    let is_dead = |member: &&Member| !table.standing(member).is_some_and(Standing::is_alive);
    let mine = |member: &&Member| caretaker(table, member) == Some(me);
    let mut lives: BTreeSet<Life> = past.filter(is_dead).filter(mine).map(life).collect();
    lives.insert(life(me));
    Some(View { ranges, lives })
}

fn caretaker<'a>(table: &'a Table, dead: &Member) -> Option<&'a Member> {
    let same = table.alive().filter(|member| member.node == dead.node).last();
    same.or_else(|| table.alive().next())
}

fn existing(id: RangeId, range: &Range) -> Existing<Life> {
    let ended = |span: &Span| Stretch {
        journal: life(&span.member),
        epoch: span.epoch,
        from: span.from,
        to: Some(span.to),
    };
    let mut past: Vec<_> = range.lineage.iter().map(ended).collect();
    past.extend(range.owner().map(|owner| Stretch {
        journal: life(owner),
        epoch: range.epoch,
        from: range.since(owner),
        to: None,
    }));
    let came_from = range.lineage.iter().map(|span| span.range).filter(|it| *it != id).collect();
    Existing { range: id, keys: range.keys, came_from, past }
}

fn life(member: &Member) -> Life {
    (member.incarnation, member.node.clone())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use coordinator::machine::entry::{Assignment, Change, Division, Entry, Handover};
    use coordinator::machine::member::Term;
    use proto::types::{Epoch, Incarnation, KeyRange, Keying, NodeId, Slot};

    use super::*;

    fn member(name: &str, incarnation: u64) -> Member {
        Member { node: NodeId::new(name).unwrap(), incarnation: Incarnation(incarnation) }
    }

    fn joined(name: &str, incarnation: u64) -> Change {
        Change::Joined { member: member(name, incarnation), address: format!("{name}:7401") }
    }

    fn dead(name: &str, incarnation: u64) -> Change {
        Change::Dead { member: member(name, incarnation), fenced_at: Slot(20) }
    }

    /// `c` had both ranges; range 1 went on to `a` at slot 9, range 0 to nobody when `c` died at slot 20.
    fn table(more: Vec<Change>) -> Table {
        let mut keys = KeyRange::divide(NonZeroU16::new(2).unwrap());
        let division = |range| Division { range: RangeId(range), keys: keys.next().unwrap() };
        let assignment = |range| Assignment { range, member: member("c", 1), epoch: Epoch::new(1) };
        let next = member("a", 1);
        let handover = Handover { range: RangeId(1), to: Slot(9), next, epoch: Epoch::new(2) };
        let mut changes = vec![
            Change::Leader { candidate: member("a", 1).node },
            joined("a", 1),
            joined("b", 1),
            joined("c", 1),
            Change::Divided { ranges: [0, 1].map(division).into(), keying: Keying::default() },
            Change::Assigned { assignments: [RangeId(0), RangeId(1)].map(assignment).into() },
            Change::Moved { member: member("c", 1), handovers: vec![handover] },
        ];
        changes.extend(more);
        let mut table = Table::default();
        for change in changes {
            table.apply(Entry { term: Term::NONE.next(), change }).unwrap();
        }
        table
    }

    #[track_caller]
    fn check(table: &Table, me: &Member, expected: &[Member]) {
        let lives = view(table, me).unwrap().lives;
        assert_eq!(lives, expected.iter().map(life).collect());
    }

    #[test]
    fn each_tidies_up_its_own_and_one_the_journals_of_the_dead() {
        let (a, b, c) = (member("a", 1), member("b", 1), member("c", 1));
        let alive = table(vec![]);
        for me in [&a, &b, &c] {
            check(&alive, me, std::slice::from_ref(me));
        }
        let gone = table(vec![dead("c", 1)]);
        check(&gone, &a, &[a.clone(), c.clone()]);
        check(&gone, &b, std::slice::from_ref(&b));
        assert!(view(&gone, &c).is_none(), "the dead tidy up nothing");

        let again = member("c", 2);
        let back = table(vec![dead("c", 1), joined("c", 2)]);
        check(&back, &a, std::slice::from_ref(&a));
        check(&back, &again, &[again.clone(), c]);
    }

    #[test]
    fn i10_all_ranges_are_seen_whoever_owns_them() {
        let seen = view(&table(vec![dead("c", 1)]), &member("b", 1)).unwrap().ranges;
        let span = |member, epoch, to| {
            (life(&member), Epoch::new(epoch), Slot(1), Some(to).filter(|to| *to > Slot(0)))
        };
        let pasts: Vec<Vec<_>> = seen
            .iter()
            .map(|it| {
                let span = |it: &Stretch<Life>| (it.journal.clone(), it.epoch, it.from, it.to);
                it.past.iter().map(span).collect()
            })
            .collect();
        let (a, c) = (member("a", 1), member("c", 1));
        let first = vec![span(c.clone(), 1, Slot(20))];
        assert_eq!(pasts, [first, vec![span(c, 1, Slot(9)), span(a, 2, Slot(0))]]);
    }
}
