//! I8: whatever happens to the reports, a cell is the fold of all contributions; versions only rise.

use proptest::prelude::*;
use proto::types::{Epoch, Sequence};

use super::*;
use crate::machine::partial::layout::{Dimension, Layout, Scenario};
use crate::machine::partial::{Contribution, Partials};
use crate::machine::sketch::Quantile;

const RANGES: u16 = 3;
const MINUTE: u32 = 60_000;

/// One transaction: its range, value, window, populations and duration.
type Transaction = (u16, u8, i64, u64, u64);

fn transactions() -> impl Strategy<Value = Vec<Transaction>> {
    let transaction = (0..RANGES, 0_u8..4, 0_i64..3, 0_u64..8, 0_u64..50_000);
    prop::collection::vec(transaction, 1..80)
}

fn partials() -> Partials {
    let dimensions = vec![Dimension { name: "channel".to_owned(), max_values: 9 }];
    let scenario = Scenario { name: "bank".to_owned(), dimensions, indicators: Vec::new() };
    Partials::new(Arc::new(Layout { scenarios: vec![scenario] }))
}

/// Ranges that fold transactions, and what they report.
struct Ranges {
    partials: Vec<Partials>,
    sequences: Vec<u64>,
    epoch: u64,
}

impl Ranges {
    fn new() -> Self {
        let partials = (0..RANGES).map(|_| partials()).collect();
        Self { partials, sequences: vec![0; usize::from(RANGES)], epoch: 1 }
    }

    fn add(&mut self, &(range, value, window, populations, duration_ms): &Transaction) {
        let value = value.to_string();
        let (scenario, dimension, start) = (0, 0, window * i64::from(MINUTE));
        let added = self.partials[usize::from(range)].add(&Contribution {
            scenario,
            window_ms: MINUTE,
            dimension,
            start,
            value: &value,
            populations,
            duration_ms,
        });
        assert_eq!(added, crate::machine::partial::Added::Own);
    }

    /// Closes a commit of `range` and reports what changed in it.
    fn commit(&mut self, range: u16) -> Report {
        let place = usize::from(range);
        let since = Since::Sequence(Sequence(self.sequences[place]));
        self.sequences[place] += 1;
        let cells = self.partials[place].take_changed();
        Report { since, ..self.report(range, cells) }
    }

    /// Every cell of `range`, as of its last commit.
    fn whole(&self, range: u16) -> Report {
        self.report(range, self.partials[usize::from(range)].all())
    }

    fn report(&self, range: u16, cells: Vec<Row>) -> Report {
        let sequence = self.sequences[usize::from(range)];
        Report {
            range: RangeId(range),
            stamp: Stamp { epoch: Epoch::new(self.epoch), sequence: Sequence(sequence) },
            record_time: RecordTime(sequence),
            since: Since::Start,
            horizon: self.partials[usize::from(range)].horizon(),
            cells: cells.into(),
        }
    }
}

fn aggregate() -> Aggregate {
    Aggregate::new((0..RANGES).map(RangeId))
}

/// The slow and obvious way: by key the durations, ascending, and how many are in population 1.
fn fold(all: &[Transaction]) -> BTreeMap<(i64, String), (Vec<u64>, u64)> {
    let mut cells = BTreeMap::<_, (Vec<u64>, u64)>::new();
    for &(_, value, window, populations, duration) in all {
        let cell = cells.entry((window * i64::from(MINUTE), value.to_string())).or_default();
        cell.0.push(duration);
        cell.1 += populations >> 1 & 1;
    }
    cells.values_mut().for_each(|(durations, _)| durations.sort_unstable());
    cells
}

fn everything() -> Query {
    let (scenario, window_ms, dimension) = (0, MINUTE, 0);
    Query { scenario, window_ms, dimension, values: None, from: i64::MIN, to: i64::MAX }
}

fn check_equals_fold(cells: &[View], all: &[Transaction]) {
    let expected = fold(all);
    assert_eq!(cells.len(), expected.len());
    for (view, ((start, value), (durations, in_one))) in cells.iter().zip(&expected) {
        assert_eq!((view.key.start, &*view.key.value), (*start, &**value));
        let partial = &view.partial;
        assert_eq!(partial.count(), durations.len() as u64);
        assert_eq!(partial.population(1), *in_one);
        assert_eq!(partial.sum_ms(), durations.iter().sum::<u64>());
        assert_eq!(partial.min_ms(), durations.first().copied());
        assert_eq!(partial.max_ms(), durations.last().copied());
        for per_mille in [0, 500, 950, 1_000] {
            let quantile = Quantile::new(per_mille).unwrap();
            let rank = usize::try_from(quantile.rank(partial.count())).unwrap();
            let (answer, exact) = (partial.quantile(quantile).unwrap(), durations[rank]);
            assert!(answer.abs_diff(exact) * 100 <= exact, "{quantile}: {answer} for {exact}");
        }
    }
}

/// The reports of a life in which a commit closes after every third transaction of all.
fn reports(all: &[Transaction]) -> (Ranges, Vec<Report>) {
    let mut ranges = Ranges::new();
    let mut reports: Vec<_> = (0..RANGES).map(|range| ranges.whole(range)).collect();
    for some in all.chunks(3) {
        some.iter().for_each(|it| ranges.add(it));
        for range in some.iter().map(|it| it.0).collect::<BTreeSet<_>>() {
            reports.push(ranges.commit(range));
        }
    }
    (ranges, reports)
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_reports_gives_the_fold_of_all_contributions(
        all in transactions(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        rest in any::<u64>(),
    ) {
        let (_, mut reports) = reports(&all);
        let mut aggregate = aggregate();
        let mut versions = BTreeMap::new();
        let repeated: Vec<_> = order.iter().map(|it| it.index(reports.len())).collect();
        for place in repeated {
            aggregate.apply(&reports[place]).unwrap();
            for view in aggregate.take_changed() {
                let before = versions.insert(view.key, view.version);
                prop_assert!(before < Some(view.version), "versions rise");
            }
        }
        // Each of them at least once, in yet another order.
        reports.sort_by_key(|it| (it.stamp.sequence.0 ^ rest).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        reports.iter().for_each(|it| aggregate.apply(it).unwrap());

        check_equals_fold(&aggregate.query(&everything()).cells, &all);
        versions.extend(aggregate.take_changed().into_iter().map(|it| (it.key, it.version)));
        let now: Vec<_> = aggregate.query(&everything()).cells;
        prop_assert_eq!(now.into_iter().map(|it| (it.key, it.version)).collect::<BTreeMap<_, _>>(), versions);
    }

    #[test]
    fn an_aggregator_that_is_restarted_gives_equal_content_equal_versions_and_more_content_higher_ones(
        all in transactions(), cut in any::<prop::sample::Index>(),
    ) {
        let (before, after) = all.split_at(cut.index(all.len()));
        let (mut ranges, reports) = reports(before);
        let mut old = aggregate();
        reports.iter().for_each(|it| old.apply(it).unwrap());
        let known = old.take_changed();

        let mut restarted = aggregate();
        (0..RANGES).for_each(|range| restarted.apply(&ranges.whole(range)).unwrap());
        prop_assert_eq!(&restarted.take_changed(), &known);

        // Another epoch goes on where the committed state was.
        ranges.epoch = 2;
        after.iter().for_each(|it| ranges.add(it));
        let later: Vec<_> = (0..RANGES).map(|range| ranges.commit(range)).collect();
        later.iter().for_each(|it| restarted.apply(it).unwrap());
        let known: BTreeMap<_, _> = known.into_iter().map(|it| (it.key, it.version)).collect();
        for view in restarted.take_changed() {
            prop_assert!(known.get(&view.key) < Some(&view.version));
        }
        check_equals_fold(&restarted.query(&everything()).cells, &all);
    }
}

/// Three ranges with one transaction each, reported; and the aggregate that heard them.
fn settled() -> (Ranges, Aggregate) {
    let (ranges, reports) = reports(&[(0, 1, 0, 2, 10), (1, 1, 0, 0, 20), (2, 2, 1, 2, 30)]);
    let mut aggregate = aggregate();
    reports.iter().for_each(|it| aggregate.apply(it).unwrap());
    (ranges, aggregate)
}

fn counts(aggregate: &mut Aggregate, query: &Query) -> Vec<(String, u64)> {
    let cells = aggregate.query(query).cells;
    cells.into_iter().map(|it| (it.key.value.to_string(), it.version)).collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|&(value, count)| (value.to_owned(), count)).collect()
}

#[test]
fn changes_are_given_out_once_however_often_they_are_reported() {
    let (mut ranges, mut aggregate) = settled();
    assert_eq!(aggregate.take_changed().len(), 2);
    assert_eq!(aggregate.take_changed(), []);

    (0..RANGES).for_each(|range| aggregate.apply(&ranges.whole(range)).unwrap());
    assert_eq!(aggregate.take_changed(), []);

    for _ in 0..5 {
        ranges.add(&(0, 1, 0, 2, 10));
        aggregate.apply(&ranges.commit(0)).unwrap();
    }
    let changed = aggregate.take_changed();
    let [view] = &changed[..] else { panic!("five changes are one: {changed:?}") };
    assert_eq!((&*view.key.value, view.version), ("1", 7));
}

#[test]
fn nothing_is_given_out_while_a_range_is_missing_but_queries_are_answered() {
    let (ranges, _) = settled();
    let mut restarted = aggregate();
    restarted.apply(&ranges.whole(0)).unwrap();
    restarted.apply(&ranges.whole(2)).unwrap();
    assert_eq!(restarted.take_changed(), []);
    let answer = restarted.query(&everything());
    assert_eq!(answer.as_of.missing().collect::<Vec<_>>(), [RangeId(1)]);
    assert_eq!(answer.total().count(), 2);

    restarted.apply(&ranges.whole(1)).unwrap();
    assert_eq!(restarted.take_changed().len(), 2);
    assert_eq!(restarted.as_of().missing().count(), 0);
}

#[test]
fn a_lost_report_is_noticed_and_asked_for() {
    let (mut ranges, mut aggregate) = settled();
    ranges.add(&(0, 1, 0, 0, 10));
    ranges.commit(0);
    ranges.add(&(0, 3, 0, 0, 10));
    aggregate.apply(&ranges.commit(0)).unwrap();
    assert_eq!(aggregate.as_of().wanting().collect::<Vec<_>>(), [RangeId(0)]);
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 2), ("3", 1), ("2", 1)]));

    aggregate.apply(&ranges.whole(0)).unwrap();
    assert_eq!(aggregate.as_of().wanting().count(), 0);
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 3), ("3", 1), ("2", 1)]));
}

#[test]
fn what_an_older_epoch_says_late_is_ignored() {
    let (mut ranges, mut aggregate) = settled();
    ranges.add(&(0, 1, 0, 0, 10));
    let stamp = Stamp { epoch: Epoch::new(1), sequence: Sequence(99) };
    let stale = Report { range: RangeId(0), stamp, ..ranges.whole(1) };
    ranges.epoch = 2;
    aggregate.apply(&ranges.whole(0)).unwrap();
    aggregate.apply(&stale).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 3), ("2", 1)]));
}

#[test]
fn a_range_that_is_split_is_not_counted_beside_its_children() {
    let (ranges, mut aggregate) = settled();
    aggregate.take_changed();
    // Range 0 becomes 7, which takes over its partials, and 8.
    let child = Report { range: RangeId(7), ..ranges.whole(0) };
    aggregate.apply(&child).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 2), ("2", 1)]), "not expected");

    aggregate.expect(&[1, 2, 7, 8].map(RangeId).into());
    assert_eq!(aggregate.as_of().wanting().collect::<Vec<_>>(), [RangeId(7), RangeId(8)]);
    aggregate.apply(&ranges.whole(0)).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 1), ("2", 1)]));

    aggregate.apply(&child).unwrap();
    aggregate.apply(&Report { range: RangeId(8), cells: Arc::new([]), ..child }).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 2), ("2", 1)]));
    assert_eq!(aggregate.take_changed(), [], "the same content is no change");
}

#[test]
fn a_forgotten_range_is_missing_with_its_share() {
    let (ranges, mut aggregate) = settled();
    aggregate.take_changed();
    aggregate.forget_range(RangeId(0));
    assert_eq!(aggregate.as_of().missing().collect::<Vec<_>>(), [RangeId(0)]);
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 1), ("2", 1)]));
    aggregate.forget_range(RangeId(2));
    assert_eq!(aggregate.len(), 1, "a cell without a share is gone");

    aggregate.apply(&ranges.whole(0)).unwrap();
    aggregate.apply(&ranges.whole(2)).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 2), ("2", 1)]));
}

#[test]
fn a_report_with_one_bad_row_is_refused_whole() {
    let (mut ranges, mut aggregate) = settled();
    ranges.add(&(0, 1, 0, 0, 10));
    let mut report = ranges.commit(0);
    let bad = Row { key: report.cells[0].key.clone(), value: vec![9] };
    report.cells = [report.cells[0].clone(), bad].into();
    assert!(aggregate.apply(&report).is_err());
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("1", 2), ("2", 1)]));
    assert_eq!(aggregate.as_of(), settled().1.as_of());
}

#[test]
fn a_query_finds_the_windows_and_values_that_it_asks_for() {
    let (_, mut aggregate) = settled();
    let values = |them: &[&str]| Some(them.iter().map(|&it| it.into()).collect());
    for (query, expected) in [
        (Query { to: 60_000, ..everything() }, pairs(&[("1", 2)])),
        (Query { from: 60_000, ..everything() }, pairs(&[("2", 1)])),
        (Query { from: 1, to: 60_000, ..everything() }, pairs(&[])),
        (Query { from: 9, to: 0, ..everything() }, pairs(&[])),
        (Query { values: values(&["2", "9"]), ..everything() }, pairs(&[("2", 1)])),
        (Query { values: values(&[]), ..everything() }, pairs(&[])),
        (Query { dimension: 1, ..everything() }, pairs(&[])),
        (Query { window_ms: 1, ..everything() }, pairs(&[])),
        (Query { scenario: 1, ..everything() }, pairs(&[])),
    ] {
        assert_eq!(counts(&mut aggregate, &query), expected, "{query:?}");
    }
}

#[test]
fn an_answer_is_cut_at_its_limit_and_says_so() {
    let mut aggregate = aggregate();
    let mut partial = Partial::default();
    partial.add(0, 1);
    let row = |start: i64| {
        let value = "a".into();
        let key = CellKey { scenario: 0, window_ms: MINUTE, dimension: 0, start, value };
        Row { key: key.encode(), value: partial.encode() }
    };
    let rows = |count: usize| (0_i64..).take(count).map(row).collect::<Vec<_>>();
    for (count, is_cut) in [(MAX_ANSWER_CELLS, false), (MAX_ANSWER_CELLS + 1, true)] {
        let report = Ranges::new().report(0, rows(count));
        let stamp = Stamp { sequence: Sequence(count as u64), ..report.stamp };
        aggregate.apply(&Report { stamp, ..report }).unwrap();
        let answer = aggregate.query(&everything());
        assert_eq!((answer.cells.len(), answer.is_cut), (MAX_ANSWER_CELLS, is_cut));
    }
}

#[test]
fn what_one_range_has_forgotten_is_forgotten() {
    let (mut ranges, mut aggregate) = settled();
    ranges.partials[0].drop_before(60_001);
    aggregate.apply(&ranges.whole(0)).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("2", 1)]));
    ranges.add(&(1, 1, 0, 0, 10));
    aggregate.apply(&ranges.commit(1)).unwrap();
    assert_eq!(counts(&mut aggregate, &everything()), pairs(&[("2", 1)]));
}
