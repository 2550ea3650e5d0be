//! Rules of partials: folds in any order, rows that come back, limits that hold.

use std::sync::Arc;

use proptest::prelude::*;
use proto::types::EventTime;

use super::layout::{Dimension, Layout, Scenario};
use super::*;

const MINUTE: u32 = 60_000;

fn partials(max_values: u32) -> Partials {
    let dimension = |name: &str| Dimension { name: name.to_owned(), max_values };
    let dimensions = vec![dimension("channel"), dimension("product"), dimension("institution")];
    let scenario = Scenario { name: "bank".to_owned(), dimensions, indicators: Vec::new() };
    Partials::new(Arc::new(Layout { scenarios: vec![scenario] }))
}

fn one(value: &str, start: i64) -> Contribution<'_> {
    Contribution {
        scenario: 0,
        window_ms: MINUTE,
        dimension: 0,
        start,
        value,
        populations: 0b101,
        duration_ms: 7,
    }
}

fn restored(rows: &[Row], max_values: u32) -> Partials {
    let mut partials = partials(max_values);
    rows.iter().for_each(|row| partials.load(&row.key, &row.value).unwrap());
    partials
}

/// The counts of a range's cells, by value, whatever the window.
fn counts(partials: &Partials) -> Vec<(String, u64)> {
    let cells = partials.all().into_iter().map(|row| row.decode().unwrap());
    cells.map(|(key, partial)| (key.value.to_string(), partial.count())).collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|&(value, count)| (value.to_owned(), count)).collect()
}

/// (value, window, populations, duration) of some transactions.
type Added3 = Vec<(u8, i64, u64, u64)>;

fn transactions() -> impl Strategy<Value = Added3> {
    prop::collection::vec((0_u8..6, -2_i64..3, 0_u64..16, 0_u64..100_000), 0..60)
}

fn add_all(partials: &mut Partials, all: &Added3) {
    for &(value, window, populations, duration_ms) in all {
        let (value, start) = (value.to_string(), window * i64::from(MINUTE));
        partials.add(&Contribution { populations, duration_ms, ..one(&value, start) });
    }
}

proptest! {
    #[test]
    fn a_partial_comes_back_from_its_row_and_merging_is_adding(all in transactions(), cut in 0_usize..60) {
        let mut whole = Partial::default();
        let (mut left, mut right) = (Partial::default(), Partial::default());
        for (place, &(_, _, populations, duration)) in all.iter().enumerate() {
            whole.add(populations, duration);
            if place < cut { left.add(populations, duration) } else { right.add(populations, duration) }
        }
        right.merge(&left);
        prop_assert_eq!(&right, &whole);
        let back = Partial::decode(&whole.encode());
        if all.is_empty() { prop_assert!(back.is_err()) } else { prop_assert_eq!(back, Ok(whole)) }
    }

    #[test]
    fn a_range_that_is_restored_goes_on_as_if_nothing_had_happened(
        before in transactions(), after in transactions(), max_values in 0_u32..5,
    ) {
        let mut steady = partials(max_values);
        add_all(&mut steady, &before);
        let mut restored = restored(&steady.take_changed(), max_values);
        add_all(&mut steady, &after);
        add_all(&mut restored, &after);
        prop_assert_eq!(steady.take_changed(), restored.take_changed());
        prop_assert_eq!(steady.all(), restored.all());
    }

    #[test]
    fn keys_come_back_and_sort_by_the_end_of_the_window(
        left in any::<(u16, u32, u16, i32)>(), right in any::<(u16, u32, u16, i32)>(), value in ".{0,9}",
    ) {
        let key = |(scenario, window_ms, dimension, start): (u16, u32, u16, i32)| CellKey {
            scenario, window_ms: window_ms.max(1), dimension, start: start.into(), value: value.as_str().into(),
        };
        let (left, right) = (key(left), key(right));
        prop_assert_eq!(CellKey::decode(&left.encode()).unwrap(), left.clone());
        if left.end() != right.end() {
            prop_assert_eq!(left.encode() < right.encode(), left.end() < right.end());
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_row(
        key in prop::collection::vec(any::<u8>(), 0..24), value in prop::collection::vec(0_u8..9, 0..24),
    ) {
        if let Ok(cell) = CellKey::decode(&key) {
            prop_assert_eq!(cell.encode(), key);
        }
        if let Ok(partial) = Partial::decode(&value) {
            prop_assert_eq!(partial.encode(), value);
        }
    }
}

#[test]
fn figures_that_contradict_each_other_are_refused() {
    let mut partial = Partial::default();
    partial.add(0b1, 5);
    partial.add(0b1, 9);
    let good = partial.encode();
    assert_eq!(good[..6], [FORMAT, 14, 5, 9, 1, 2]);
    let changes: [(usize, u8, &str); 5] = [
        (0, FORMAT + 1, "another format"),
        (1, 3, "a sum below the greatest"),
        (2, 10, "a least above the greatest"),
        (5, 3, "more of a population than there are"),
        (5, 0, "an empty population at the end"),
    ];
    for (place, byte, what) in changes {
        let mut bad = good.clone();
        bad[place] = byte;
        assert!(Partial::decode(&bad).is_err(), "{what}");
    }
    assert!(Partial::decode(&[&good[..], &[0]].concat()).is_err(), "a byte too many");
    for len in 0..good.len() {
        assert!(Partial::decode(&good[..len]).is_err(), "cut to {len}");
    }
}

#[test]
fn only_what_changed_is_taken_and_it_is_the_whole_share() {
    let mut partials = partials(9);
    partials.add(&one("atm", 0));
    partials.add(&one("web", 0));
    assert_eq!(partials.take_changed().len(), 2);
    assert_eq!(partials.take_changed(), []);

    partials.add(&one("web", 0));
    partials.add(&one("web", 0));
    let rows = partials.take_changed();
    let [row] = &rows[..] else { panic!("one cell changed: {rows:?}") };
    let (key, partial) = row.decode().unwrap();
    assert_eq!((&*key.value, partial.count()), ("web", 3));
    assert_eq!([0, 1, 2, 63].map(|bit| partial.population(bit)), [3, 0, 3, 0]);
}

#[test]
fn values_beyond_the_limit_of_a_window_count_as_other() {
    let mut partials = partials(2);
    for (value, expected) in [
        ("a", Added::Own),
        ("b", Added::Own),
        ("c", Added::Other),
        ("a", Added::Own),
        ("d", Added::Other),
        ("other", Added::Own),
    ] {
        assert_eq!(partials.add(&one(value, 0)), expected, "{value}");
    }
    assert_eq!(counts(&partials), pairs(&[("a", 2), ("b", 1), ("other", 3)]));
    assert_eq!(partials.add(&one("d", 60_000)), Added::Own, "each window has its own limit");
    let elsewhere = Contribution { dimension: 1, ..one("d", 0) };
    assert_eq!(partials.add(&elsewhere), Added::Own, "each dimension has its own limit");
    assert_eq!(partials.beyond(), Beyond { other: 2, forgotten: 0 });
}

#[test]
fn a_value_that_is_too_long_counts_as_other() {
    let mut partials = partials(9);
    assert_eq!(partials.add(&one(&"x".repeat(MAX_VALUE_BYTES), 0)), Added::Own);
    assert_eq!(partials.add(&one(&"x".repeat(MAX_VALUE_BYTES + 1), 0)), Added::Other);
}

#[test]
fn a_dimension_that_nobody_described_has_no_values_of_its_own() {
    let mut partials = partials(9);
    assert_eq!(partials.add(&Contribution { scenario: 1, ..one("atm", 0) }), Added::Other);
}

#[test]
fn a_window_is_forgotten_once_it_ended_before_the_horizon() {
    let mut partials = partials(1);
    let (minute, day) = (one("a", 0), Contribution { window_ms: 86_400_000, ..one("a", 0) });
    partials.add(&minute);
    partials.add(&day);
    let rows = partials.all();

    partials.drop_before(60_000);
    assert_eq!(partials.len(), 2, "a window that ends at the horizon stays");
    let (from, to) = partials.drop_before(60_001);
    assert_eq!(partials.len(), 1, "a long window that began as early stays");
    let gone: Vec<_> = rows.iter().map(|row| from <= row.key && row.key < to).collect();
    assert_eq!(gone, [true, false], "what the store deletes is what was forgotten");

    assert_eq!(partials.add(&minute), Added::Forgotten);
    assert_eq!(partials.drop_before(0), (from, to), "the horizon never falls");
    assert_eq!(partials.add(&minute), Added::Forgotten);
    assert_eq!(partials.beyond(), Beyond { other: 0, forgotten: 2 });
    assert_eq!(partials.take_changed().len(), 1, "what is forgotten is not committed any more");
    assert_eq!(partials.add(&one("b", 120_000)), Added::Own, "its values make room");
}

#[test]
fn a_window_at_the_end_of_time_is_not_taken() {
    let mut partials = partials(9);
    assert_eq!(
        partials.add(&one("a", window_start(EventTime(i64::MAX), MINUTE))),
        Added::Forgotten
    );
    let first = window_start(EventTime(i64::MIN), MINUTE);
    assert_eq!(partials.add(&one("a", first)), Added::Own);
    assert_eq!(restored(&partials.all(), 9).all(), partials.all());
}

#[test]
fn a_window_begins_at_a_multiple_of_its_length_also_before_1970() {
    for (time, start) in [(0, 0), (59_999, 0), (60_000, 60_000), (-1, -60_000), (-60_000, -60_000)]
    {
        assert_eq!(window_start(EventTime(time), MINUTE), start);
    }
}

/// The time that this thread has had a processor, so that a busy machine doesn't spoil the measure.
fn cpu_ns() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Prints nanoseconds of processor time for each [`Partials::add`]:
/// `cargo test --release -p actors adding -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a rule"]
#[expect(clippy::print_stdout, reason = "what it measures is its result")]
fn adding_takes_so_many_nanoseconds() {
    const TRANSACTIONS: u64 = 3_000_000;
    let values = |name: &str, count: u64| -> Vec<String> {
        (0..count).map(|value| format!("{name}-{value:04}")).collect()
    };
    let dimensions = [values("channel", 6), values("product", 40), values("institution", 400)];
    let mut partials = partials(1_000);
    let mut random = 1_u64;
    let began = cpu_ns();
    for transaction in 0..TRANSACTIONS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let bits = random >> 20;
        let start = i64::try_from(transaction / 1_000_000).unwrap() * 60_000;
        let duration_ms = 5 + (bits & 0x3ff) * (bits >> 12 & 7);
        for (dimension, values) in (0..).zip(&dimensions) {
            let value = &values[usize::try_from(bits % values.len() as u64).unwrap()];
            let populations = 0b11 | (bits & 1) << 2;
            let it = Contribution { dimension, populations, duration_ms, ..one(value, start) };
            partials.add(&it);
        }
    }
    let each = (cpu_ns() - began) / u128::from(3 * TRANSACTIONS);
    let taken = cpu_ns();
    let rows = partials.take_changed();
    let taken = cpu_ns() - taken;
    let row_bytes: usize = rows.iter().map(|row| row.key.len() + row.value.len()).sum();
    println!(
        "add: {each} ns; {} cells, {} bytes each in memory, {} in a row; a row takes {} ns",
        partials.len(),
        partials.bytes() / partials.len(),
        row_bytes / rows.len(),
        taken / rows.len() as u128,
    );
}
