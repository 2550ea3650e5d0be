//! What a starting node gets: every range at a new epoch, and a past that can change no more.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures::executor::block_on;
use proto::log::Created;
use proto::types::Epoch;

use super::*;
use crate::fixtures::{cut, joined, lead, member, node};
use crate::machine::table::Span;
use crate::testing::memory_log::{Fault, MemoryLog};

/// A store, as all processes share it.
#[derive(Debug)]
struct Store {
    control: Arc<MemoryLog>,
    journals: Arc<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf(Mutex<BTreeMap<Member, Arc<MemoryLog>>>);

impl Shelf {
    fn of(&self, member: &Member) -> Arc<MemoryLog> {
        let mut journals = self.0.lock().unwrap();
        let journal = || Arc::new(MemoryLog::new(&member.to_string()));
        Arc::clone(journals.entry(member.clone()).or_insert_with(journal))
    }
}

impl Journals for Shelf {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        self.of(&Member { node: node.clone(), incarnation })
    }
}

fn store() -> Store {
    Store { control: Arc::new(MemoryLog::new("control")), journals: Arc::default() }
}

impl Store {
    fn coordinator(&self) -> Coordinator {
        let control = block_on(ControlLog::open(Arc::<MemoryLog>::clone(&self.control))).unwrap();
        Coordinator::new(control, Arc::<Shelf>::clone(&self.journals))
    }

    /// A process starts, joins, and says no more.
    fn join(&self, name: &str, ranges: u16) -> Membership {
        self.try_join(name, ranges).unwrap()
    }

    fn try_join(&self, name: &str, ranges: u16) -> Result<Membership, JoinError> {
        // Each slot that is there makes other nonces, as chance would.
        let mut nonces = crate::testing::dice(self.control.content().len() as u64);
        block_on(self.coordinator().join(&joining(name, ranges), &mut nonces))
    }

    fn commit(&self, member: &Member, slot: u64) -> Created {
        let commit = Bytes::from_static(b"TLJC a commit");
        block_on(self.journals.of(member).create(Slot(slot), commit)).unwrap()
    }
}

fn joining(name: &str, ranges: u16) -> Joining {
    Joining {
        node: node(name),
        address: format!("{name}:7700"),
        cut: cut(NonZeroU16::new(ranges).unwrap()),
    }
}

fn epochs(membership: &Membership) -> Vec<u64> {
    membership.holdings.iter().map(|holding| holding.epoch.get()).collect()
}

#[test]
fn the_first_node_gets_all_keys_at_the_first_epoch() {
    let membership = store().join("a", 3);
    assert_eq!(membership.incarnation, Incarnation(1));
    assert_eq!(epochs(&membership), [1, 1, 1]);
    let keys: Vec<_> = membership.holdings.iter().map(|holding| holding.keys).collect();
    let divided: Vec<_> = KeyRange::divide(NonZeroU16::new(3).unwrap()).collect();
    assert_eq!(keys, divided);
    assert!(membership.holdings.iter().all(|holding| holding.lineage.is_empty()));
    assert_eq!((membership.predecessors, membership.warnings), (vec![], vec![]));
}

#[test]
fn a_node_that_starts_again_owns_its_ranges_anew_and_its_former_life_can_write_no_more() {
    let store = store();
    let former = member("a", 1);
    store.join("a", 2);
    for slot in 1..=3 {
        assert_eq!(store.commit(&former, slot), Created::Won);
    }

    let membership = store.join("a", 2);
    assert_eq!(membership.incarnation, Incarnation(2));
    assert_eq!(epochs(&membership), [2, 2]);
    assert_eq!(membership.predecessors, [(former.clone(), Slot(4))]);
    assert_eq!(membership.warnings, []);
    let (epoch, from, to) = (Epoch::new(1), Slot(1), Slot(4));
    for holding in &membership.holdings {
        let (range, member) = (holding.range, former.clone());
        assert_eq!(holding.lineage, [Span { range, member, epoch, from, to }]);
    }
    assert_eq!(store.commit(&former, 4), Created::Exists);
    assert_eq!(store.commit(&member("a", 2), 1), Created::Won);
}

#[test]
fn the_past_grows_by_each_life_that_committed() {
    let store = store();
    for (life, commits) in [(1, 2), (2, 0), (3, 1), (4, 0)] {
        store.join("a", 1);
        for slot in 1..=commits {
            store.commit(&member("a", life), slot);
        }
    }
    let membership = store.join("a", 1);
    assert_eq!(epochs(&membership), [5]);
    let past = membership.holdings[0].lineage.iter();
    let past: Vec<_> = past.map(|span| (span.member.incarnation.0, span.to.0)).collect();
    assert_eq!(past, [(1, 3), (3, 2)]);
}

#[test]
fn ranges_stay_as_they_are_whatever_is_configured_later() {
    let store = store();
    store.join("a", 4);
    let membership = store.join("a", 16);
    assert_eq!(membership.holdings.len(), 4);
    let configured = NonZeroU16::new(16).unwrap();
    let warning = Warning::RangesDiffer { configured, standing: 4 };
    assert_eq!(membership.warnings, std::slice::from_ref(&warning));
    assert!(warning.to_string().ends_with("it keeps 4"), "{warning}");
}

#[test]
fn a_node_of_another_name_takes_over_and_says_so() {
    let store = store();
    store.join("a", 2);
    store.commit(&member("a", 1), 1);
    let membership = store.join("b", 2);
    assert_eq!(membership.incarnation, Incarnation(1));
    assert_eq!(epochs(&membership), [2, 2]);
    assert_eq!(membership.warnings, [Warning::TookOver { member: member("a", 1) }]);
    assert_eq!(store.commit(&member("a", 1), 2), Created::Exists);
}

/// A process that dies after any number of writes to the control log leaves one from which the next
/// goes on.
#[test]
fn a_node_that_dies_anywhere_while_it_joins_can_start_again() {
    for writes in 0..6 {
        let store = store();
        store.join("a", 2);
        store.commit(&member("a", 1), 1);
        let mut left = writes;
        store.control.fail(Box::new(move |doing| match doing {
            "create" if left == 0 => Fault::Refused,
            "create" => {
                left -= 1;
                Fault::None
            }
            _ => Fault::None,
        }));
        let died = store.try_join("a", 2);
        assert_eq!(died.is_ok(), writes >= 4, "lead, join, fence and assign: {died:?}");

        store.control.fail(Box::new(|_| Fault::None));
        let membership = store.join("a", 2);
        assert_eq!(epochs(&membership), if writes < 4 { [2, 2] } else { [3, 3] });
        let past: Vec<_> = membership.holdings[0].lineage.iter().map(|span| span.to).collect();
        assert_eq!(past, [Slot(2)]);
        assert_eq!(store.coordinator().table().alive().count(), 1);
    }
}

#[test]
fn who_loses_the_lead_while_it_joins_stops() {
    let store = store();
    let mut first = store.coordinator();
    let mut nonces = crate::testing::dice(1);
    block_on(first.control.append(lead("a"), 10)).unwrap();
    block_on(first.control.append(joined("a", 1), 11)).unwrap();
    store.join("b", 1);
    let outrun = block_on(first.append(divided(cut(NonZeroU16::MIN)), &mut nonces));
    let term = Term(2);
    let Err(JoinError::Outrun { by, term: theirs }) = outrun else { panic!("{outrun:?}") };
    assert_eq!((by, theirs), (node("b"), term));
}
