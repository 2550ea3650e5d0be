//! The rules of a range, each by a short history.

use std::sync::Arc;

use bytes::Bytes;
use proto::types::{EventTime, Leg, SourcePartition, Version};

use super::super::block::{Block, Place};
use super::super::codec::put_bytes;
use super::super::envelope::{Envelope, put_record};
use super::super::fields::{FieldTable, put_field, put_id};
use super::super::result_field::ResultField;
use super::super::transaction::decide;
use super::*;
use crate::sink::{Outlet, Row};
use crate::store::memory::MemoryStore;

const SETTINGS: Settings = Settings {
    deadline_ms: 1_000,
    correction_ms: 10_000,
    duplicates_ms: 500,
    late_ms: 10_000,
    young_ms: 5_000,
    figures_ms: 86_400_000,
    held_bytes: 1 << 20,
    expiries: 100,
};

fn rules() -> Arc<Rules> {
    let mut table = FieldTable::default();
    let from = vec![table.intern(Leg::Trace, "/channel")];
    let partition = |leg: Leg| SourcePartition { topic: leg.name().into(), partition: 0, leg };
    Arc::new(Rules {
        partitions: Leg::ALL.map(partition).to_vec(),
        columns: vec![ResultField { name: "channel".to_owned(), from }],
        scenarios: vec![],
    })
}

/// A range with its store, driven as a shell drives it: one partition a leg, decisions at once.
struct Bench {
    range: Range,
    store: MemoryStore,
    rows: Vec<Row>,
    next: [u64; 3],
    clock: u64,
    is_deciding: bool,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let range = Range::new(identity(), settings, rules(), Arc::default());
        Self {
            range,
            store: MemoryStore::default(),
            rows: vec![],
            next: [0; 3],
            clock: 0,
            is_deciding: true,
        }
    }

    /// A leg of transaction `id` arrives when every partition's clock says `at`.
    fn leg(&mut self, id: &str, leg: Leg, content: &str, at: u64) -> &mut Self {
        let mut body = Vec::new();
        put_id(&mut body, id.as_bytes());
        put_field(&mut body, Some(format!("{content:?}").as_bytes()));
        let partition = PartitionIndex(leg as u16);
        let offset = Offset(self.next[leg.index()]);
        let content = u64::from(content.as_bytes()[0]);
        let event_time = EventTime(i64::try_from(at).unwrap());
        let (kind, record_time) = (Kind::Leg(leg), RecordTime(at));
        let envelope =
            Envelope { kind, partition, offset, record_time, event_time, content, body: &body };
        let mut records = Vec::new();
        put_record(&mut records, TransactionKey::of(id.as_bytes()), &envelope);
        self.batch(partition, at, records)
    }

    fn batch(&mut self, partition: PartitionIndex, at: u64, records: Vec<u8>) -> &mut Self {
        let from = Offset(self.next[partition.index()]);
        let to = Offset(from.0 + 1);
        self.next[partition.index()] = to.0;
        let batch =
            Batch { partition, from, to, clock: RecordTime(at), records: Bytes::from(records) };
        self.range.apply(&batch, &self.store).unwrap();
        self.decide()
    }

    /// Every partition's clock moves to `at`; nothing is in the batches.
    fn time(&mut self, at: u64) -> &mut Self {
        self.clock = at;
        for leg in Leg::ALL {
            self.batch(PartitionIndex(leg as u16), at, vec![]);
        }
        self
    }

    /// What happens while no transaction's actor gets to report.
    fn undecided(&mut self, what: impl Fn(&mut Self)) {
        self.is_deciding = false;
        what(self);
        self.is_deciding = true;
    }

    /// The range is dropped, and comes back from its store with the young legs that it knew.
    fn crash(&mut self) {
        let rules = (rules(), Arc::default());
        let loaded = Range::load(identity(), SETTINGS, rules, &self.store).unwrap();
        let mut restored = loaded.restored;
        for key in [TransactionKey::of(b"t")] {
            let Found::Open { mailbox, .. } = self.range.find(key, &self.store).unwrap() else {
                continue;
            };
            for envelope in mailbox.envelopes() {
                restored.refill(key, &envelope, &self.store).unwrap();
            }
        }
        assert_eq!(restored.missing(), 0);
        self.range = restored.serve(0);
    }

    fn decide(&mut self) -> &mut Self {
        if !self.is_deciding {
            return self;
        }
        for activation in self.range.take_activations() {
            let decision = decide(&activation, &rules());
            self.range.decided(activation.key, Outcome::Decided(decision));
        }
        self
    }

    /// A commit: closed, made durable, applied to the store.
    fn commit(&mut self, wall_ms: u64) -> &mut Self {
        if let Some(block) = self.range.close(wall_ms) {
            self.store.apply(&block.changes(&Place::default())).unwrap();
            self.range.applied(block.head.commit, block.puts.iter().map(|(key, _)| *key));
            self.rows.extend(block.rows);
        }
        self
    }

    fn said(&mut self) -> Vec<(Outlet, Version, String)> {
        self.commit(0);
        let text = |row: &Row| String::from_utf8(row.payload.to_vec()).unwrap();
        self.rows.iter().map(|row| (row.outlet, row.stamp.version, text(row))).collect()
    }

    /// What was said of transactions, as `version state`.
    fn results(&mut self) -> Vec<String> {
        let state = |text: &str| {
            ["COMPLETE", "INCOMPLETE", "CORRECTED"]
                .into_iter()
                .find(|it| text.contains(&format!("{it:?}")))
                .unwrap()
        };
        let rows = self.said();
        let results = rows.iter().filter(|(outlet, _, _)| *outlet == Outlet::Transactions);
        results.map(|(_, version, text)| format!("{version} {}", state(text))).collect()
    }

    fn fate(&self, fate: Fate) -> u64 {
        assert!(self.range.ledger().iter().all(Counts::balances), "I9: the ledger balances");
        self.range.ledger().iter().map(|counts| counts.of(fate)).sum()
    }
}

fn identity() -> Identity {
    Identity { id: RangeId(0), keys: KeyRange::FULL, epoch: Epoch::NONE.next() }
}

#[test]
fn three_legs_in_any_order_make_one_complete_result() {
    use Leg::{Request, Response, Trace};
    for order in [[Trace, Request, Response], [Response, Trace, Request]] {
        let mut bench = Bench::new(SETTINGS);
        for leg in order {
            bench.leg("t", leg, "a", 10);
        }
        assert_eq!(bench.results(), ["v1 COMPLETE"]);
        assert_eq!((bench.fate(Fate::Joined), bench.fate(Fate::Open)), (3, 0));
        assert_eq!(bench.range.status().open, 0);
    }
}

#[test]
fn a_transaction_that_lacks_a_leg_is_incomplete_after_its_deadline_and_not_before() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "a", 10).commit(0).commit(6_000).time(1_009).commit(6_000);
    bench.time(1_009).commit(12_000);
    assert_eq!(bench.results(), [""; 0]);
    bench.time(1_200);
    assert_eq!(bench.results(), ["v1 INCOMPLETE"]);
    assert!(bench.said()[0].2.contains(r#""missing":["request","response"]"#));
}

#[test]
fn legs_that_come_after_the_deadline_correct_the_result() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "a", 10).commit(0).time(20).commit(6_000).time(1_200).commit(6_000);
    bench.leg("t", Leg::Request, "a", 1_300).leg("t", Leg::Response, "a", 1_400);
    assert_eq!(bench.results(), ["v1 INCOMPLETE", "v2 CORRECTED", "v3 CORRECTED"]);
    assert!(bench.said()[2].2.contains(r#""supersedes":2"#));
    assert_eq!((bench.fate(Fate::Joined), bench.fate(Fate::Open)), (3, 0));
}

#[test]
fn a_leg_that_comes_when_nothing_can_be_corrected_any_more_is_late() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "a", 10).commit(0).time(20).commit(6_000).time(1_200).commit(6_000);
    bench.time(12_000).leg("t", Leg::Response, "a", 12_001);
    let said = bench.said();
    assert_eq!(
        said.iter().map(|it| it.0).collect::<Vec<_>>(),
        [Outlet::Transactions, Outlet::Late]
    );
    assert!(said[1].2.contains(r#""leg":"response""#));
    assert_eq!(bench.fate(Fate::Late), 1);
}

#[test]
fn a_repeated_leg_is_dropped_and_counted_before_and_after_completion() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "a", 10).leg("t", Leg::Trace, "a", 20);
    bench.leg("t", Leg::Request, "a", 30).leg("t", Leg::Response, "a", 30).commit(0);
    bench.leg("t", Leg::Trace, "a", 40);
    assert_eq!(bench.results(), ["v1 COMPLETE"]);
    assert_eq!(bench.fate(Fate::Duplicate), 2);
}

#[test]
fn of_two_contradicting_legs_the_first_in_record_time_is_kept_whichever_is_seen_first() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let mut bench = Bench::new(SETTINGS);
        let at = |content| if content == "a" { 10 } else { 20 };
        bench.leg("t", Leg::Trace, first, at(first)).leg("t", Leg::Trace, second, at(second));
        bench.leg("t", Leg::Request, "x", 30).leg("t", Leg::Response, "x", 30);
        let said = bench.said();
        assert_eq!(said[0].0, Outlet::Conflicts);
        assert!(said[1].2.contains(r#""channel":"a""#), "{}", said[1].2);
        assert_eq!((bench.fate(Fate::Conflict), bench.fate(Fate::Joined)), (1, 3));
    }
}

#[test]
fn a_contradiction_after_completion_is_told_and_the_result_stands() {
    let mut bench = Bench::new(SETTINGS);
    for leg in Leg::ALL {
        bench.leg("t", leg, "a", 10);
    }
    bench.leg("t", Leg::Trace, "b", 40);
    assert_eq!(bench.results(), ["v1 COMPLETE"]);
    assert_eq!(bench.fate(Fate::Conflict), 1);
}

#[test]
fn a_panic_costs_one_transaction_and_its_legs_become_dead_letters() {
    let mut bench = Bench::new(SETTINGS);
    bench.range.rules = rules();
    bench.leg("t", Leg::Trace, "a", 10).leg("t", Leg::Request, "a", 10);
    let key = TransactionKey::of(b"t");
    let mut body = Vec::new();
    put_id(&mut body, b"t");
    bench.range.activate(key);
    bench.range.take_activations();
    bench.range.decided(key, Outcome::Panicked("a rule failed".to_owned()));
    bench.commit(0);
    assert_eq!(bench.rows.len(), 2);
    assert!(bench.rows.iter().all(|row| row.outlet == Outlet::DeadLetters));
    assert_eq!((bench.fate(Fate::Dead), bench.fate(Fate::Open)), (2, 0));
}

#[test]
fn dead_letters_are_counted_by_class_and_once_however_often_a_batch_comes() {
    let mut bench = Bench::new(SETTINGS);
    let mut body = Vec::new();
    for part in [&b"no-id"[..], b"there is none", b"{}"] {
        put_bytes(&mut body, part);
    }
    let (kind, content) = (Kind::Dead, 0);
    let (partition, offset) = (PartitionIndex(1), Offset(0));
    let (record_time, event_time) = (RecordTime(10), EventTime(0));
    let envelope =
        Envelope { kind, partition, offset, record_time, event_time, content, body: &body };
    let mut records = Vec::new();
    put_record(&mut records, TransactionKey(0), &envelope);
    bench.batch(partition, 10, records.clone());
    let again = Batch {
        partition,
        from: Offset(0),
        to: Offset(2),
        clock: RecordTime(10),
        records: records.into(),
    };
    bench.range.apply(&again, &bench.store).unwrap();
    bench.range.apply(&again, &bench.store).unwrap_err();

    let expected = DeadLetters::from([((partition, "no-id".to_owned()), 1)]);
    assert_eq!(bench.range.dead_letters(), &expected);
    assert_eq!(bench.fate(Fate::Dead), 1);
}

#[test]
fn i13_mailboxes_beyond_the_limit_give_up_their_bytes_and_get_them_back() {
    let settings = Settings { held_bytes: 4_000, ..SETTINGS };
    let mut bench = Bench::new(settings);
    for i in 0..100 {
        bench.leg(&format!("t{i}"), Leg::Trace, "a", 10);
    }
    bench.commit(0).time(11).commit(0);
    assert!(bench.range.status().held_bytes <= 4_000, "{:?}", bench.range.status());
    assert_eq!(bench.range.status().open, 100);
    for i in 0..100 {
        bench.leg(&format!("t{i}"), Leg::Request, "a", 12).leg(
            &format!("t{i}"),
            Leg::Response,
            "a",
            12,
        );
    }
    assert_eq!(bench.results().len(), 100);
    assert_eq!(bench.range.status().open, 0);
}

#[test]
fn i13_what_must_stay_of_an_open_transaction_is_small_and_mailboxes_give_way_to_it() {
    const OPEN: usize = 20_000;
    let mut bench = Bench::new(Settings { deadline_ms: 1_000_000, ..SETTINGS });
    for i in 0..OPEN {
        bench.leg(&format!("t{i}"), Leg::Trace, "a", u64::try_from(i).unwrap());
        if i % 1_000 == 0 {
            bench.commit(0);
        }
        let it = bench.range.status();
        assert!(it.held_bytes + it.fixed_bytes < (1 << 20) + (512 << 10), "{it:?}");
    }
    bench.commit(0);
    let it = bench.range.status();
    assert!(it.held_bytes + it.fixed_bytes <= 1 << 20, "{it:?}");
    assert!(it.fixed_bytes / OPEN < 40, "{it:?}");
    for i in 0..OPEN {
        bench.leg(&format!("t{i}"), Leg::Request, "a", 30_000);
        bench.leg(&format!("t{i}"), Leg::Response, "a", 30_000);
    }
    assert_eq!(bench.results().len(), OPEN);
    let it = bench.range.status();
    assert_eq!((it.open, it.tombstones, it.held_bytes), (0, OPEN, 0));
    assert!(it.fixed_bytes / OPEN < 50, "{it:?}");
}

#[test]
fn i13_batches_have_to_wait_where_only_a_commit_makes_room() {
    let mut bench = Bench::new(Settings { held_bytes: 0, ..SETTINGS });
    let long = "a".repeat(60_000);
    for i in 0..40 {
        assert_eq!(bench.range.awaits_commit(), i > 34, "{i} legs");
        bench.leg(&format!("t{i}"), Leg::Trace, &long, 10);
    }
    bench.commit(0);
    assert!(!bench.range.awaits_commit());
    assert_eq!((bench.range.status().held_bytes, bench.range.status().open), (0, 40));
}

#[test]
fn i13_what_was_only_looked_at_gives_up_its_bytes_again_without_a_commit() {
    let mut bench = Bench::new(Settings { held_bytes: 0, ..SETTINGS });
    bench.leg("t", Leg::Trace, "a", 10).commit(0).commit(6_000);
    assert_eq!(bench.range.status().held_bytes, 0);
    bench.range.find(TransactionKey::of(b"t"), &bench.store).unwrap();
    assert!(bench.range.status().held_bytes > 0);
    assert!(bench.range.close(6_000).is_none());
    assert_eq!(bench.range.status().held_bytes, 0);
}

#[test]
fn i2_a_young_leg_is_read_again_after_a_crash_and_an_old_one_comes_from_the_store() {
    for wall_ms in [1_000, 6_000] {
        let mut bench = Bench::new(SETTINGS);
        bench.leg("t", Leg::Trace, "a", 10).leg("t", Leg::Request, "a", 11).commit(0);
        bench.time(20).commit(wall_ms);
        let loaded =
            Range::load(identity(), SETTINGS, (rules(), Arc::default()), &bench.store).unwrap();
        let is_young = wall_ms < SETTINGS.young_ms;
        assert_eq!(loaded.references.len(), if is_young { 2 } else { 0 });
        let mut restored = loaded.restored;
        let mut again = Bench::new(SETTINGS);
        again.leg("t", Leg::Trace, "a", 10).leg("t", Leg::Request, "a", 11);
        let key = TransactionKey::of(b"t");
        let Found::Open { mailbox, .. } = again.range.find(key, &again.store).unwrap() else {
            unreachable!("it is open")
        };
        for envelope in mailbox.envelopes() {
            restored.refill(key, &envelope, &bench.store).unwrap();
            restored.refill(key, &envelope, &bench.store).unwrap();
        }
        assert_eq!(restored.missing(), 0);
        bench.range = restored.serve(wall_ms);
        bench.leg("t", Leg::Response, "a", 30);
        assert_eq!(bench.results(), ["v1 COMPLETE"]);
        assert_eq!((bench.fate(Fate::Joined), bench.fate(Fate::Open)), (3, 0));
    }
}

#[test]
fn who_takes_over_a_range_that_was_given_up_reads_no_leg_again() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "a", 10).leg("t", Leg::Request, "b", 11).commit(0);
    assert!(bench.range.status().is_settled);
    bench.range.end();
    assert!(!bench.range.status().is_settled, "the young legs are not by value yet");
    bench.commit(1).commit(2);
    assert!(bench.range.status().is_settled);
    let rules = (rules(), Arc::default());
    let loaded = Range::load(identity(), SETTINGS, rules, &bench.store).unwrap();
    assert_eq!((loaded.references.len(), loaded.restored.missing()), (0, 0));
    // It was not given up after all.
    bench.leg("u", Leg::Trace, "a", 12).commit(3);
    assert!(bench.range.status().is_settled);
}

#[test]
fn a_decision_about_legs_that_have_changed_is_thrown_away() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "b", 20).leg("t", Leg::Request, "x", 20);
    let key = TransactionKey::of(b"t");
    bench.range.activate(key);
    let stale = bench.range.take_activations().remove(0);
    bench.leg("t", Leg::Trace, "a", 10);
    bench.range.decided(key, Outcome::Decided(decide(&stale, &rules())));
    bench.decide();
    let said = bench.said();
    assert!(said[1].2.contains(r#""channel":"a""#), "{}", said[1].2);
    assert_eq!(bench.results(), ["v1 INCOMPLETE"]);
}

#[test]
fn an_incomplete_transaction_is_told_also_where_no_record_comes_any_more() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "a", 10).commit(0).commit(6_000);
    for leg in Leg::ALL {
        let (partition, at) = (PartitionIndex(leg as u16), Offset(bench.next[leg.index()]));
        bench.range.caught_up(partition, at, RecordTime(9_000), &bench.store).unwrap();
    }
    bench.decide();
    assert_eq!(bench.results(), ["v1 INCOMPLETE"]);
}

#[test]
fn what_the_clock_has_decided_stays_decided_through_a_crash_before_the_result_is_there() {
    // Young: the legs are read again. Old: the store has them.
    for wall_ms in [0, 6_000] {
        let mut bench = Bench::new(SETTINGS);
        bench.leg("t", Leg::Trace, "a", 10).leg("t", Leg::Request, "a", 10).commit(0);
        bench.time(20).commit(wall_ms);
        // The deadline passes and the last leg comes, and the actor has not reported when the commit closes.
        bench.undecided(|bench| {
            bench.time(1_200).leg("t", Leg::Response, "a", 1_300).commit(wall_ms);
        });
        bench.crash();
        bench.decide().decide();
        assert_eq!(bench.results(), ["v1 INCOMPLETE", "v2 CORRECTED"], "young until {wall_ms}");
        assert_eq!((bench.fate(Fate::Joined), bench.fate(Fate::Open)), (3, 0));
    }
}

#[test]
fn a_leg_that_comes_after_the_deadline_corrects_also_where_another_leg_was_replaced_meanwhile() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("t", Leg::Trace, "b", 20).leg("t", Leg::Request, "a", 20).commit(0).commit(6_000);
    bench.undecided(|bench| {
        bench.time(1_200).leg("t", Leg::Response, "a", 1_300);
        bench.leg("t", Leg::Trace, "a", 10);
    });
    bench.decide().decide().decide();
    assert_eq!(bench.results(), ["v1 INCOMPLETE", "v2 CORRECTED"]);
    assert!(bench.said()[1].2.contains(r#""channel":"a""#));
}

#[test]
fn a_row_knows_when_its_newest_leg_arrived_and_its_bytes_in_the_journal_do_not() {
    let mut bench = Bench::new(SETTINGS);
    bench.leg("alone", Leg::Trace, "a", 10).commit(0).time(20).commit(6_000).time(1_200);
    for (leg, at) in Leg::ALL.into_iter().zip([1_300, 1_330, 1_320]) {
        bench.leg("t", leg, "a", at);
    }
    let block = bench.range.close(0).unwrap();
    let arrived = |block: &Block| block.rows.iter().map(|it| it.arrived).collect::<Vec<_>>();
    assert_eq!(arrived(&block), [None, Some(RecordTime(1_330))]);
    assert_eq!(arrived(&Block::decode(&block.encode()).unwrap()), [None, None]);
}
