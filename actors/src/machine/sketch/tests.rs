//! Rules of the sketch: one per cent, any order, bytes that come back.

use proptest::prelude::*;

use super::*;

fn sketch(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

fn decoded(bytes: &[u8]) -> Result<Sketch, Malformed> {
    let mut reader = Reader(bytes);
    let sketch = Sketch::decode(&mut reader)?;
    reader.end()?;
    Ok(sketch)
}

fn encoded(sketch: &Sketch) -> Vec<u8> {
    let mut bytes = Vec::new();
    sketch.encode(&mut bytes);
    bytes
}

/// Durations of all sizes, not only huge ones.
fn durations() -> impl Strategy<Value = Vec<u64>> {
    let duration = (0_u32..62, any::<u64>()).prop_map(|(bits, value)| value % (1 << bits));
    prop::collection::vec(duration, 0..300)
}

proptest! {
    #[test]
    fn a_quantile_is_at_most_one_percent_off(mut values in durations(), per_mille in 0_u16..=1_000) {
        let quantile = Quantile::new(per_mille).unwrap();
        let answer = sketch(&values).quantile(quantile);
        values.sort_unstable();
        let rank = usize::try_from(quantile.rank(values.len() as u64)).unwrap();
        let exact = values.get(rank).copied();
        prop_assert_eq!(answer.is_some(), exact.is_some());
        if let (Some(answer), Some(exact)) = (answer, exact) {
            prop_assert!(answer.abs_diff(exact) * 100 <= exact, "{answer} for {exact}");
        }
    }

    #[test]
    fn merging_is_adding_all_whatever_the_order(left in durations(), right in durations()) {
        let all = sketch(&[left.clone(), right.clone()].concat());
        let (left, right) = (sketch(&left), sketch(&right));
        let (mut one, mut other) = (left.clone(), right.clone());
        one.merge(&right);
        other.merge(&left);
        prop_assert_eq!(&one, &all);
        prop_assert_eq!(&other, &all);
        prop_assert_eq!(encoded(&one), encoded(&all));
    }

    #[test]
    fn a_sketch_comes_back_from_its_bytes(values in durations()) {
        let sketch = sketch(&values);
        prop_assert_eq!(sketch.count(), values.len() as u64);
        prop_assert_eq!(decoded(&encoded(&sketch)), Ok(sketch));
    }

    #[test]
    fn any_bytes_are_refused_or_are_the_bytes_of_a_sketch(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Ok(sketch) = decoded(&bytes) {
            prop_assert_eq!(encoded(&sketch), bytes);
        }
    }
}

#[test]
fn bytes_that_are_no_sketch_are_refused() {
    let too_many = [0x81, 0x10];
    let (beyond, no_count) = ([1, 0x80, 0x10, 1], [1, 0, 0]);
    let too_high = [1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    let cut = [2, 0, 1];
    for bytes in [&[][..], &too_many, &beyond, &no_count, &too_high, &cut, &[0, 0]] {
        assert!(decoded(bytes).is_err(), "{bytes:?}");
    }
    assert!(decoded(&[1, 0xff, 0x0f, 1]).is_ok(), "the last bucket is one");
}

#[test]
fn a_sketch_of_everything_keeps_its_bounds() {
    let mut sketch = Sketch::default();
    let mut value = 0_u64;
    while value < u64::MAX / 2 {
        sketch.add(value);
        sketch.add(u64::MAX - value);
        value += 1 + value / 200;
    }
    assert_eq!(sketch.settled().len(), BUCKETS);
    assert_eq!(decoded(&encoded(&sketch)), Ok(sketch));
}

#[test]
fn a_count_stops_at_its_limit_and_leaves_the_bucket_alone() {
    let mut sketch = Sketch { buckets: vec![packed(7, MAX_COUNT - 1)], ..Sketch::default() };
    for _ in 0..3 {
        sketch.add(7);
    }
    let twice = sketch.clone();
    sketch.merge(&twice);
    assert_eq!(sketch.buckets, [packed(7, MAX_COUNT)]);
}

#[test]
fn a_quantile_has_its_usual_name() {
    for (per_mille, name) in
        [(500, "p50"), (950, "p95"), (999, "p99.9"), (1_000, "p100"), (5, "p0.5")]
    {
        assert_eq!(Quantile::new(per_mille).unwrap().to_string(), name);
    }
    assert_eq!(Quantile::new(1_001), None);
}
